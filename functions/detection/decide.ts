import type { AlarmChange } from "../../shared/alarm.ts";
import { isoSeconds } from "../../shared/clock.ts";
import type { EntryKind } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Proposal } from "../../shared/proposal.ts";
import type { Upheaval } from "../../shared/upheaval.ts";

/** One observer's own alarm about a region, as it stands at the moment of deciding. */
export interface Observation {
  observer: string;
  alarm: string;
  /** That nothing in the region answers, or that no region says that it is active. */
  about: "unreachable" | "idle";
  state: "OK" | "ALARM" | "INSUFFICIENT_DATA";
  sinceMilliseconds: number;
}

/** The composite alarm of a region as CloudWatch has it now. */
export interface CurrentAlarm {
  state: string;
  /** Names this very change of state, so that one alarm proposes once. */
  key: string;
}

/** The composite alarm and what it is made of, of one and the same moment. */
export interface Watch {
  current: CurrentAlarm;
  observations: Observation[];
}

/** The newest line of a run that has not ended. A refused answer is none: it says nothing of the run. */
export interface Underway {
  run: string;
  kind: EntryKind;
  text: string;
  atMilliseconds: number;
  /** How long the run may be silent after such a line. */
  patienceSeconds: number;
}

export interface DetectionFacts {
  now: number;
  /** The region that the alarm is about. */
  region: string;
  /** The alarms, re-read: an event may be a day old. */
  watch: Fact<Watch>;
  lease: Fact<Lease>;
  /** What the next run would be called; null when the lease is not known. */
  nextRun: string | null;
  pause: Pause;
  /** Null when a failover was never proposed. */
  proposal: Fact<Proposal | null>;
  /** Null when no run is under way, or it has not written yet. */
  underway: Fact<Underway | null>;
}

export type Detection =
  | { kind: "propose"; key: string; sinceMilliseconds: number; reasons: string[] }
  /** `doubtful` when something could not be read: then it has to be looked at again. */
  | { kind: "nothing"; doubtful: boolean; refusals: Refusal[] };

/** A run that works writes at least this often: its longest wait is the promotion's. */
export const silentSeconds = 15 * 60;

/** Fewer than this many observers that agree are one broken observer. */
export const observersNeeded = 2;

/** Guards and canaries run each minute, and an alarm needs two periods of a minute. */
const roundSeconds = 60;
const alarmSeconds = 2 * 60;

/**
 * How long a fence of our own can still be seen after the lease has come to rest: until the guard's next
 * round the role rule may be the old one, the canaries see the new one at their next, and the alarms go
 * by what they saw in their periods.
 */
export const quietSeconds = roundSeconds + roundSeconds + alarmSeconds;

/**
 * How long an observer may be alone with what it sees: another one that sees it as well is behind by a
 * canary's round and an alarm's periods at most.
 */
export const aloneSeconds = roundSeconds + alarmSeconds;

/**
 * Detection only proposes: assessing and asking change nothing that cannot be undone. `change` is the
 * event that led here, or null when Nightshift looks by itself.
 */
export const decide = (
  change: Pick<AlarmChange, "name" | "state" | "suppressedBy"> | null,
  facts: DetectionFacts,
): Detection => {
  const seen = seenBy(facts);
  const observers = [...new Set(seen.map(({ observer }) => observer))];
  const refusals = [
    ...eventRefusals(change),
    ...alarmRefusals(facts),
    ...leaseRefusals(facts),
    ...pauseRefusals(facts.pause),
    ...observerRefusals(facts, observers),
  ];
  if (refusals.length > 0 || !facts.watch.known) {
    const unread = [facts.watch, facts.lease, facts.proposal].some(({ known }) => !known);
    const doubtful = unread || facts.pause.is === "unknown";
    return { kind: "nothing", doubtful, refusals };
  }
  const sinceMilliseconds = Math.min(...seen.map((each) => each.sinceMilliseconds));
  const reasons = observers.map((name) => `${name} sees that ${facts.region} does not serve`);
  return { kind: "propose", key: facts.watch.value.current.key, sinceMilliseconds, reasons };
};

/** What stands in ALARM. Whoever stands in the region itself is no witness of its loss. */
const seenBy = ({ watch, region }: DetectionFacts): Observation[] =>
  watch.known
    ? watch.value.observations.filter(
        ({ state, observer }) => state === "ALARM" && observer !== region,
      )
    : [];

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

const alarmRefusals = ({ watch, proposal }: DetectionFacts): Refusal[] => {
  if (!watch.known) {
    return [refusal("alarm-unknown", `The alarm cannot be read again (${watch.why}).`)];
  }
  const { state, key } = watch.value.current;
  if (state !== "ALARM") return [refusal("superseded", `The alarm is ${state} by now.`)];
  if (!proposal.known) {
    const why = `Whether it was proposed before cannot be read (${proposal.why}).`;
    return [refusal("history-unknown", why)];
  }
  if (proposal.value?.key !== key) return [];
  return [refusal("already-proposed", `${proposal.value.run} was proposed for this very alarm.`)];
};

const leaseRefusals = ({ lease, region, now }: DetectionFacts): Refusal[] => {
  if (!lease.known) return [refusal("lease-unknown", `The lease cannot be read (${lease.why}).`)];
  const { region: active, state, holder, settledAtMilliseconds } = lease.value;
  if (state === "moving") {
    const why = `${holder} is moving the lease to ${active}: what it fences looks like a loss.`;
    return [refusal("moving", why)];
  }
  if (active !== region) {
    const why = `${region} does not hold the lease; users are not served from it.`;
    return [refusal("not-active", why)];
  }
  const restsSeconds = (now - (settledAtMilliseconds ?? 0)) / 1000;
  if (restsSeconds >= quietSeconds) return [];
  const why =
    `The lease has been at rest for ${Math.round(restsSeconds)} s only: for ${quietSeconds} s the ` +
    "fence of the last move can still be seen. It is looked at again after that.";
  return [refusal("quiet", why)];
};

const pauseRefusals = (pause: Pause): Refusal[] => {
  const paused = whilePaused(pause);
  return paused ? [paused] : [];
};

const observerRefusals = ({ watch }: DetectionFacts, observers: string[]): Refusal[] => {
  if (observers.length >= observersNeeded) return [];
  const seen = watch.known ? observers.join(", ") || "none" : watch.why;
  const reason = `${observersNeeded} observers must see it; it is seen by: ${seen}.`;
  return [refusal("one-observer", reason)];
};

/** What else may be the cause, in sentences. What cannot be read does not count as nothing. */
export const rivalsOf = (upheavals: Fact<Upheaval[]>): string[] => {
  if (!upheavals.known) {
    return [`whether a deploy or maintenance is under way is unknown (${upheavals.why})`];
  }
  return upheavals.value.map(
    ({ kind, region, by, reason, sinceMilliseconds }) =>
      `${kind} of ${region} since ${isoSeconds(sinceMilliseconds)}, by ${by}: ${reason}`,
  );
};

/** Something that people have to be told, since Nightshift does nothing about it by itself. */
export interface Page {
  kind: "doubt" | "disagreement" | "paused" | "unanswered" | "unreachable" | "silent";
  /** The same for as long as it is about the same. */
  key: string;
  text: string;
  /** The run whose end belongs into the message. */
  run?: string;
}

/** At most one page, for the look that `decide` has just judged; null when nobody needs to know. */
export const pageOf = (detection: Detection, facts: DetectionFacts): Page | null => {
  if (detection.kind === "propose") return null;
  const { watch, region } = facts;
  const says = detection.refusals.map(({ reason }) => reason).join(" ");
  if (!watch.known) {
    // No alarm can name it, so it is the same for an hour.
    const key = `blind@${Math.floor(facts.now / 3_600_000)}`;
    return { kind: "doubt", key, text: `nobody can say whether ${region} serves. ${says}` };
  }
  const seen = seenBy(facts);
  if (seen.length === 0) return null;
  const { current } = watch.value;
  if (detection.doubtful) {
    return {
      kind: "doubt",
      key: current.key,
      text: `${told(seen, facts)} Nothing is done while in doubt. ${says}`,
    };
  }
  return pageOfKnown(detection.refusals, facts, seen, says);
};

const pageOfKnown = (
  refusals: Refusal[],
  facts: DetectionFacts,
  seen: Observation[],
  says: string,
): Page | null => {
  const { watch, lease, proposal, region } = facts;
  const has = (code: string) => refusals.some((each) => each.code === code);
  if (!watch.known || !lease.known || has("quiet")) return null;
  const { key } = watch.value.current;
  const text = told(seen, facts);
  const silent = silentRun(facts);
  if (silent) return { ...silent, text: `${text} ${silent.text}` };
  if (has("moving")) {
    const unreached = seen.filter(({ about }) => about === "unreachable");
    const observers = new Set(unreached.map(({ observer }) => observer));
    if (lease.value.region !== region || observers.size < observersNeeded) return null;
    const { holder } = lease.value;
    const why = `${holder} was moving the lease there; while it does, nothing else is proposed.`;
    return { kind: "unreachable", key: `${holder}@${lease.value.epoch}`, text: `${text} ${why}` };
  }
  if (has("not-active")) return null;
  if (has("superseded")) {
    const sinceMilliseconds = Math.min(...seen.map((each) => each.sinceMilliseconds));
    if (facts.now - sinceMilliseconds < aloneSeconds * 1000) return null;
    const names = [...new Set(seen.map(({ observer }) => observer))].join("+");
    const why = "Nothing is moved on that alone: look, and ask for a failover if it is lost.";
    const one = { kind: "disagreement" as const, key: `${names}@${sinceMilliseconds}` };
    return { ...one, text: `${text} ${why}` };
  }
  if (has("paused")) return { kind: "paused", key, text: `${text} ${says}` };
  const run = has("already-proposed") && proposal.known ? proposal.value?.run : undefined;
  if (run === undefined || facts.nextRun === run) return null;
  const why = `${run} was proposed and has ended, and ${region} still has the lease.`;
  return { kind: "unanswered", key, run, text: `${text} ${why}` };
};

/** A run that has died leaves its name and a moving lease behind, and nobody else would begin. */
const silentRun = ({ underway, now }: DetectionFacts): Page | null => {
  if (!underway.known || underway.value === null) return null;
  const { run, text, atMilliseconds, patienceSeconds } = underway.value;
  const silent = (now - atMilliseconds) / 1000;
  if (silent < patienceSeconds) return null;
  return {
    kind: "silent",
    key: `${run}@${atMilliseconds}`,
    text:
      `${run} has not ended and has written nothing for ${Math.round(silent / 60)} minutes. ` +
      `Its last line: ${text} See whether it still runs; if not, carry it on.`,
  };
};

/** Who sees what since when, and what the others say. */
const told = (seen: Observation[], { watch, region }: DetectionFacts): string => {
  const words = { unreachable: `${region} does not answer`, idle: "no region says it is active" };
  const lines = seen.map(
    ({ observer, about, sinceMilliseconds }) =>
      `${observer} has seen since ${isoSeconds(sinceMilliseconds)} that ${words[about]}.`,
  );
  const all = watch.known ? watch.value.observations : [];
  const others = all.filter(
    ({ observer }) => observer !== region && !seen.some((each) => each.observer === observer),
  );
  const silent = new Map(others.map(({ observer, state }) => [observer, state]));
  for (const [observer, state] of silent) {
    lines.push(state === "OK" ? `${observer} does not see that.` : `${observer} says nothing.`);
  }
  return lines.join(" ");
};
