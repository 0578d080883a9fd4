import type { AlarmChange } from "../../shared/alarm.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";

/** One observer's own alarm about a region, as it stands at the moment of deciding. */
export interface Observation {
  observer: string;
  alarm: string;
  state: "OK" | "ALARM" | "INSUFFICIENT_DATA";
  sinceMilliseconds: number;
}

export interface DetectionFacts {
  /** The region that the alarm is about. */
  region: string;
  /** The composite alarm, re-read: the event may be a day old. */
  current: Fact<{ state: string }>;
  observations: Fact<Observation[]>;
  lease: Fact<Lease>;
  pause: Pause;
}

export type Detection =
  | { kind: "propose"; sinceMilliseconds: number; reasons: string[] }
  | { kind: "nothing"; refusals: Refusal[] };

/** Fewer than this many observers that agree are one broken observer. */
export const observersNeeded = 2;

/** Detection only proposes: assessing and asking change nothing that cannot be undone. */
export const decide = (change: AlarmChange, facts: DetectionFacts): Detection => {
  const refusals: Refusal[] = [];
  const refuse = (code: string, reason: string) => refusals.push({ code, reason });
  if (change.state !== "ALARM") refuse("not-an-alarm", `${change.name} went to ${change.state}.`);
  if (change.suppressedBy) {
    refuse("suppressed", `The alarm's actions are suppressed by ${change.suppressedBy}.`);
  }
  if (!facts.current.known) {
    refuse("alarm-unknown", `The alarm cannot be read again (${facts.current.why}).`);
  } else if (facts.current.value.state !== "ALARM") {
    refuse("superseded", `The alarm is ${facts.current.value.state} by now.`);
  }
  if (!facts.lease.known) {
    refuse("lease-unknown", `The lease cannot be read (${facts.lease.why}).`);
  } else if (facts.lease.value.region !== facts.region) {
    refuse("not-active", `${facts.region} does not hold the lease; users are not served from it.`);
  }
  const paused = whilePaused(facts.pause);
  if (paused) refusals.push(paused);
  const agreeing = facts.observations.known
    ? facts.observations.value.filter(({ state }) => state === "ALARM")
    : [];
  const observers = new Set(agreeing.map(({ observer }) => observer));
  if (observers.size < observersNeeded) {
    const why = facts.observations.known
      ? [...observers].join(", ") || "none"
      : facts.observations.why;
    refuse("one-observer", `${observersNeeded} observers must see it; it is seen by: ${why}.`);
  }
  if (refusals.length > 0) return { kind: "nothing", refusals };
  const sinceMilliseconds = Math.min(...agreeing.map((each) => each.sinceMilliseconds));
  const reasons = [...observers].map((observer) => `${observer} cannot reach ${facts.region}`);
  return { kind: "propose", sinceMilliseconds, reasons };
};
