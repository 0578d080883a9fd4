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

/** The composite alarm of a region as CloudWatch has it now. */
export interface CurrentAlarm {
  state: string;
  /** Names this very change of state, so that one alarm proposes once. */
  key: string;
}

export interface DetectionFacts {
  /** The region that the alarm is about. */
  region: string;
  /** The composite alarm, re-read: an event may be a day old. */
  current: Fact<CurrentAlarm>;
  observations: Fact<Observation[]>;
  lease: Fact<Lease>;
  pause: Pause;
  /** The change of state that a failover was last proposed for; null when there was none. */
  proposedFor: Fact<string | null>;
}

export type Detection =
  | { kind: "propose"; key: string; sinceMilliseconds: number; reasons: string[] }
  /** `doubtful` when something could not be read: then it has to be looked at again. */
  | { kind: "nothing"; doubtful: boolean; refusals: Refusal[] };

/** Fewer than this many observers that agree are one broken observer. */
export const observersNeeded = 2;

/**
 * Detection only proposes: assessing and asking change nothing that cannot be undone. `change` is the
 * event that led here, or null when Nightshift looks by itself.
 */
export const decide = (
  change: Pick<AlarmChange, "name" | "state" | "suppressedBy"> | null,
  facts: DetectionFacts,
): Detection => {
  const refusals: Refusal[] = [
    ...eventRefusals(change),
    ...alarmRefusals(facts),
    ...leaseRefusals(facts),
  ];
  const paused = whilePaused(facts.pause);
  if (paused) refusals.push(paused);
  const agreeing = facts.observations.known
    ? facts.observations.value.filter(({ state }) => state === "ALARM")
    : [];
  const observers = new Set(agreeing.map(({ observer }) => observer));
  if (observers.size < observersNeeded) {
    const { observations } = facts;
    const seen = observations.known ? [...observers].join(", ") || "none" : observations.why;
    const reason = `${observersNeeded} observers must see it; it is seen by: ${seen}.`;
    refusals.push({ code: "one-observer", reason });
  }
  if (refusals.length > 0 || !facts.current.known) {
    const unread = [facts.current, facts.observations, facts.lease, facts.proposedFor];
    const doubtful = unread.some(({ known }) => !known) || facts.pause.is === "unknown";
    return { kind: "nothing", doubtful, refusals };
  }
  const sinceMilliseconds = Math.min(...agreeing.map((each) => each.sinceMilliseconds));
  const reasons = [...observers].map(
    (observer) => `${observer} sees that ${facts.region} does not serve`,
  );
  return { kind: "propose", key: facts.current.value.key, sinceMilliseconds, reasons };
};

const refusal = (code: string, reason: string): Refusal => ({ code, reason });

const eventRefusals = (
  change: Pick<AlarmChange, "name" | "state" | "suppressedBy"> | null,
): Refusal[] => {
  const refusals: Refusal[] = [];
  if (change && change.state !== "ALARM") {
    refusals.push(refusal("not-an-alarm", `${change.name} went to ${change.state}.`));
  }
  if (change?.suppressedBy) {
    const why = `The alarm's actions are suppressed by ${change.suppressedBy}.`;
    refusals.push(refusal("suppressed", why));
  }
  return refusals;
};

const alarmRefusals = ({ current, proposedFor }: DetectionFacts): Refusal[] => {
  if (!current.known) {
    return [refusal("alarm-unknown", `The alarm cannot be read again (${current.why}).`)];
  }
  if (current.value.state !== "ALARM") {
    return [refusal("superseded", `The alarm is ${current.value.state} by now.`)];
  }
  if (!proposedFor.known) {
    const why = `Whether it was proposed before cannot be read (${proposedFor.why}).`;
    return [refusal("history-unknown", why)];
  }
  if (proposedFor.value !== current.value.key) return [];
  return [refusal("already-proposed", "A failover has been proposed for this very alarm.")];
};

const leaseRefusals = ({ lease, region }: DetectionFacts): Refusal[] => {
  if (!lease.known) return [refusal("lease-unknown", `The lease cannot be read (${lease.why}).`)];
  if (lease.value.region === region) return [];
  return [
    refusal("not-active", `${region} does not hold the lease; users are not served from it.`),
  ];
};
