import { isoSeconds } from "../../shared/clock.ts";
import type { Attempt, AttemptEnd, Incident } from "../../shared/incident.ts";
import type { Fate } from "../../shared/invoke.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Right } from "../remediation/playbooks.ts";

/** An alarm of ours that is in ALARM now, as it was read a moment ago. */
export interface Ringing {
  name: string;
  arn: string;
  kind: string;
  resource: string | null;
  /** Since when it has been in ALARM. */
  sinceMilliseconds: number;
  reason: string;
  /** Why it is not to be acted upon: suppressed, or its actions are switched off; null when it is. */
  held: string | null;
}

/** As much of a playbook as the intake has to know. */
export interface Covers {
  name: string;
  rank: number;
  alarms: readonly string[];
  /** What the operator's file gives it. */
  right: Right;
  /** Left out while no such thing is known to be under way. */
  onlyWhile?: "deploy";
}

export interface TriageFacts {
  region: string;
  now: number;
  alarms: Ringing[];
  /** There were more than were read. */
  isCut: boolean;
  /** A deploy of the region is under way or has just ended, as its own detection notes it each minute. */
  isDeploying: boolean;
  incident: Incident | null;
  covers: readonly Covers[];
  /** By alarm: whether a mute rule holds it. Only for those that could be acted upon first. */
  mutes: Record<string, Fact<boolean>>;
  /** Of the attempt that is under way; `alive` when none is, or when nobody knows. */
  fate: Fate;
  /** The name of a new incident. */
  newId: string;
}

export interface Start {
  attempt: Attempt;
  ringing: Ringing;
  others: number;
  /** Where the incident's one message is; null before the first attempt has put it up. */
  message: Incident["message"];
}

export interface Judged {
  /** As it is to be kept; null when there is nothing to keep. */
  incident: Incident | null;
  /** To be told to begin, also once more when nobody knows whether it has. */
  start: Start | null;
  /** For people, once. */
  page: { key: string; text: string } | null;
  /** Newly parked, to be answered below the incident's message. */
  parked: string[];
}

/** No alarm for so long, and the next one is another incident. */
export const quietSeconds = 600;
/** What an attempt has done has to show in an alarm's periods before the next one. */
export const settleSeconds = 420;
/** After an attempt that did nothing it is looked at again, each time so much later than the last. */
export const againSeconds = 120;
/** What is in shadow says so once, and once more about another alarm so much later. */
export const shadowSeconds = 3600;
/** An attempt that has not ended by then is asked after at Lambda, each time somebody looks. */
export const silentSeconds = 300;
/** No attempt takes longer: an approval, a deed and its proof together take less. */
export const lostSeconds = 3 * 3600;
/** Attempts of one playbook in one incident that ended with nothing to do, or with a repair. */
export const attemptsLimit = 8;
/** Alarms whose mute rules are looked at. */
export const candidatesLimit = 5;
const namesLimit = 40;
const parkedLimit = 24;

/** All that are for a kind of alarm, the root-most first. */
const covering = (covers: readonly Covers[], kind: string): Covers[] =>
  covers.filter(({ alarms }) => alarms.includes(kind)).toSorted((a, b) => a.rank - b.rank);

const isCovered = (covers: readonly Covers[], kind: string): boolean =>
  covers.some(({ alarms }) => alarms.includes(kind));

/** Every playbook that could look at an alarm: the root-most first, then whoever rings longest. */
const ordered = (facts: Pick<TriageFacts, "alarms" | "covers" | "isDeploying">) =>
  facts.alarms
    .filter(({ held }) => held === null)
    .flatMap((ringing) =>
      covering(facts.covers, ringing.kind)
        .filter(({ right }) => right !== "off")
        .filter(({ onlyWhile }) => onlyWhile === undefined || facts.isDeploying)
        .map((covers) => ({ ringing, covers })),
    )
    .toSorted(
      (a, b) =>
        a.covers.rank - b.covers.rank ||
        a.ringing.sinceMilliseconds - b.ringing.sinceMilliseconds ||
        (a.ringing.name < b.ringing.name ? -1 : 1),
    );

/** Those that could be acted upon first, whose mute rules are worth a call each. */
export const candidates = (
  facts: Pick<TriageFacts, "alarms" | "covers" | "isDeploying">,
): string[] => {
  const kinds = new Map<string, string>();
  for (const { ringing } of ordered(facts)) {
    if (!kinds.has(ringing.kind)) kinds.set(ringing.kind, ringing.name);
  }
  return [...kinds.values()].slice(0, candidatesLimit);
};

/** One region's alarms, its incident, and what happens next. Pure. */
export const judge = (facts: TriageFacts): Judged => {
  const { alarms, covers, now } = facts;
  const before = openOf(facts);
  // Alarms that no playbook is for open nothing: people have them by e-mail.
  if (!alarms.some(({ kind }) => isCovered(covers, kind))) return calm(facts, before);
  const incident = waited(folded(facts, before), facts);
  const { attempt } = incident;
  if (attempt && attempt.end === null) return running(incident, facts, attempt);
  if (attempt && before?.attempt?.end === null && attempt.end === "needs-human") {
    return deathTold(kept(parkAll(incident, facts, diedHere(attempt)), facts), attempt, facts);
  }
  const why = attempt && settling(incident, attempt, now);
  if (why)
    return kept(
      parkAll(incident, facts, () => why),
      facts,
    );
  return next(incident, facts);
};

/** Why nothing begins yet after the attempt that was the last; null when something may. */
const settling = ({ tried }: Incident, attempt: Attempt, now: number): string | null => {
  const { end, endedAtMilliseconds, playbook } = attempt;
  const sinceSeconds = (now - (endedAtMilliseconds ?? 0)) / 1000;
  if (end === "shadow" || end === "passed") return null;
  if (end === "nothing") {
    const wait = againSeconds * (tried[playbook]?.times ?? 1);
    return sinceSeconds < wait ? `is looked at again after ${wait} s` : null;
  }
  return sinceSeconds < settleSeconds ? `waits until what ${playbook} has done can be seen` : null;
};

/** The incident that is open, if it is not over by its silence. */
const openOf = ({ incident, now, newId }: TriageFacts): Incident | null => {
  // Nobody could look for so long, and the very alarm that opened it still rings: a new incident would give
  // its attempts the names of executions that are there.
  if (incident?.id === newId) return { ...incident, closedAtMilliseconds: null };
  if (!incident || incident.closedAtMilliseconds !== null) return null;
  if (isUnderWay(incident)) return incident;
  return now - incident.seenAtMilliseconds > quietSeconds * 1000 ? null : incident;
};

const isUnderWay = ({ attempt }: Incident) => attempt !== null && attempt.end === null;

const nothing: Judged = { incident: null, start: null, page: null, parked: [] };

/** Over when nothing rings, nothing is under way, and it has been quiet for long enough. */
const calm = (facts: TriageFacts, before: Incident | null): Judged => {
  const { incident, now } = facts;
  if (!incident || incident.closedAtMilliseconds !== null) return nothing;
  if (before) {
    const waiting = waited(before, facts);
    const { attempt } = waiting;
    if (attempt && attempt.end === null) {
      return attempt.hasBegun ? nothing : { ...nothing, start: startOf(before, attempt, facts) };
    }
    if (before.alarmCount === 0 && waiting === before) return nothing;
    const judged = { ...nothing, incident: { ...waiting, alarmCount: 0, parked: [] } };
    const hasDied = waiting !== before && attempt?.end === "needs-human";
    return hasDied ? deathTold(judged, attempt, facts) : judged;
  }
  return {
    ...nothing,
    incident: { ...incident, alarmCount: 0, parked: [], closedAtMilliseconds: now },
  };
};

const folded = (facts: TriageFacts, before: Incident | null): Incident => {
  const { region, alarms, now, newId } = facts;
  const alarmCount = alarms.length;
  if (before) {
    const mostAlarms = Math.max(before.mostAlarms, alarmCount);
    return { ...before, alarmCount, mostAlarms, seenAtMilliseconds: now };
  }
  return {
    region,
    id: newId,
    openedAtMilliseconds: now,
    seenAtMilliseconds: now,
    alarmCount,
    mostAlarms: alarmCount,
    step: 0,
    attempt: null,
    tried: {},
    parked: [],
    told: [],
    message: null,
    closedAtMilliseconds: null,
  };
};

/** The attempt that has not ended for so long that it may have died; null when none is under way. */
export const silentRun = (incident: Incident | null, now: number): string | null => {
  const attempt = incident?.attempt;
  if (!attempt || attempt.end !== null) return null;
  return now - attempt.startedAtMilliseconds >= silentSeconds * 1000 ? attempt.run : null;
};

/**
 * An attempt that has died, or has not said how it ended for longer than any takes, is for people. One that
 * has ended and could not say so has told them itself: what is left of it is looked at again.
 */
const waited = (incident: Incident, { now, fate }: Pick<TriageFacts, "now" | "fate">): Incident => {
  const { attempt, tried } = incident;
  if (!attempt || attempt.end !== null) return incident;
  const isLost = now - attempt.startedAtMilliseconds >= lostSeconds * 1000;
  const hasDied = isLost || fate === "died";
  if (!hasDied && fate !== "ended") return incident;
  const { playbook, key } = attempt;
  const times = (tried[playbook]?.times ?? 0) + 1;
  const end = hasDied ? ("needs-human" as const) : ("nothing" as const);
  return {
    ...incident,
    attempt: { ...attempt, end, endedAtMilliseconds: now },
    tried: { ...tried, [playbook]: { times, end, key, atMilliseconds: now } },
  };
};

const diedHere =
  ({ alarm, run }: Attempt) =>
  ({ name }: Ringing): string =>
    name === alarm ? `${run} has died` : `waits until what ${run} has done can be seen`;

/** At once: nobody else goes on with what it may have left half done. */
const deathTold = (
  judged: Judged,
  { run, playbook }: Attempt,
  { region }: Pick<TriageFacts, "region">,
): Judged => {
  const { incident } = judged;
  if (!incident) return judged;
  const text =
    `${run} (${playbook}) in ${region} has died, and has not said how far it came. Look at its journal ` +
    `(npm run ops -- journal ${run}) and at what it was about to change. ${playbook} does nothing more ` +
    "in this incident.";
  const told = [...incident.told, run].slice(-namesLimit);
  return { ...judged, incident: { ...incident, told }, page: { key: run, text } };
};

const running = (incident: Incident, facts: TriageFacts, attempt: Attempt): Judged => {
  const parked = parkAll(incident, facts, ({ name }) =>
    name === attempt.alarm ? null : `waits for ${attempt.run} (${attempt.playbook})`,
  );
  const judged = kept(parked, facts);
  return attempt.hasBegun ? judged : { ...judged, start: startOf(incident, attempt, facts) };
};

const startOf = (
  { alarmCount, region, message }: Incident,
  attempt: Attempt,
  { alarms }: Pick<TriageFacts, "alarms">,
): Start => ({
  attempt,
  message,
  others: Math.max(0, alarmCount - 1),
  ringing: alarms.find(({ name }) => name === attempt.alarm) ?? {
    name: attempt.alarm,
    arn: region,
    kind: attempt.playbook,
    resource: null,
    sinceMilliseconds: attempt.startedAtMilliseconds,
    reason: "It has stopped ringing since.",
    held: null,
  },
});

/** Picks the next attempt, or says that nothing is left and people have to look. */
const next = (incident: Incident, facts: TriageFacts): Judged => {
  const [first, ...refusals] = choose(incident, facts);
  if (first && "ringing" in first) {
    const { ringing, covers } = first;
    const step = incident.step + 1;
    const attempt: Attempt = {
      run: `remediation-${incident.region}-${incident.id}-${step}`,
      playbook: covers.name,
      alarm: ringing.name,
      key: keyOf(ringing),
      startedAtMilliseconds: Math.floor(facts.now),
      hasBegun: false,
      end: null,
      endedAtMilliseconds: null,
    };
    return running({ ...incident, step, attempt }, facts, attempt);
  }
  const reasons = [first, ...refusals].filter((each) => each !== undefined);
  const why = new Map(reasons.flatMap((each) => ("why" in each ? [[each.kind, each.why]] : [])));
  const parked = parkAll(incident, facts, ({ kind, held }) => held ?? why.get(kind) ?? uncovered);
  const waiting = reasons.filter((each) => "isWaiting" in each && each.isWaiting);
  const soon = new Set(waiting.flatMap((each) => ("kind" in each ? [each.kind] : [])));
  return paged(kept(parked, facts), facts, soon);
};

const uncovered = "no playbook is for it";

/** The same for every delivery of one change: ARN and time of the change. */
export const keyOf = ({ arn, sinceMilliseconds }: Pick<Ringing, "arn" | "sinceMilliseconds">) =>
  `${arn}@${sinceMilliseconds}`;

type Forbidden = { why: string; isWaiting: boolean };
type Choice = { ringing: Ringing; covers: Covers } | ({ kind: string } & Forbidden);

/** What may begin comes first; else why each kind may not. */
const choose = (incident: Incident, facts: TriageFacts): Choice[] => {
  const refused: Choice[] = [];
  for (const { ringing, covers } of ordered(facts)) {
    const no = forbidden(incident, facts, ringing, covers);
    if (no === null) return [{ ringing, covers }];
    refused.push({ kind: ringing.kind, ...no });
  }
  return refused;
};

const spent: Record<AttemptEnd, string | null> = {
  done: null,
  nothing: null,
  passed: null,
  shadow: "has said what it would do",
  "needs-human": "has asked for a human in this incident",
};

const forbidden = (
  incident: Incident,
  facts: TriageFacts,
  ringing: Ringing,
  covers: Covers,
): Forbidden | null => {
  const final = (why: string): Forbidden => ({ why, isWaiting: false });
  const asked = askedBefore(incident, facts, ringing.kind);
  if (asked) return final(`${asked} ${spent["needs-human"]}`);
  const before = incident.tried[covers.name];
  if (before && spent[before.end] !== null) {
    const isAnother = before.end === "shadow" && before.key !== keyOf(ringing);
    const isLongAgo = facts.now - before.atMilliseconds >= shadowSeconds * 1000;
    if (!isAnother || !isLongAgo) return final(`${covers.name} ${spent[before.end]}`);
  }
  if (before && before.times >= attemptsLimit) {
    return final(`${covers.name} was tried ${before.times} times and it still rings`);
  }
  const mute = facts.mutes[ringing.name];
  if (mute === undefined) return final(`waits behind ${covers.name}`);
  if (!mute.known) return final(`whether it is muted cannot be read (${mute.why})`);
  if (mute.value) return final("a mute rule holds it");
  if (before?.end !== "passed") return null;
  const wait = againSeconds * before.times;
  if (facts.now - before.atMilliseconds >= wait * 1000) return null;
  return { why: `is none of ${covers.name}; looked at again after ${wait} s`, isWaiting: true };
};

/** Whoever has asked people about an alarm of this kind: then no other playbook tries its luck at it. */
const askedBefore = ({ tried }: Incident, { covers }: TriageFacts, kind: string) =>
  covering(covers, kind).find(({ name }) => tried[name]?.end === "needs-human")?.name;

/** By kind, so that a storm is a few lines; `why` gives null for what is being acted upon. */
const parkAll = (
  incident: Incident,
  { alarms, covers }: TriageFacts,
  why: (ringing: Ringing) => string | null,
): Incident => {
  const lines = new Map<string, Incident["parked"][number]>();
  for (const ringing of alarms) {
    const reason = why(ringing);
    if (reason === null) continue;
    const kind = isCovered(covers, ringing.kind) ? ringing.kind : "others";
    const line = lines.get(`${kind} ${reason}`) ?? { kind, count: 0, why: reason };
    lines.set(`${kind} ${reason}`, { ...line, count: line.count + 1 });
  }
  return { ...incident, parked: [...lines.values()].slice(0, parkedLimit) };
};

const lineOf = ({ kind, count, why }: Incident["parked"][number]): string =>
  `${kind}${count > 1 ? ` (${count} alarms)` : ""}: ${why}`;

/** Keeps it when anything has changed, and once a minute to say that it goes on. */
const kept = (incident: Incident, { incident: before }: TriageFacts): Judged => {
  const had = new Set(before?.id === incident.id ? before.parked.map(lineOf) : []);
  const parked = incident.parked.map(lineOf).filter((line) => !had.has(line));
  return { incident, start: null, page: null, parked };
};

/** Tells people once of what nothing is done about any more, by kind and reason. */
const paged = (
  judged: Judged,
  { region, isCut, now, covers }: TriageFacts,
  soon: ReadonlySet<string>,
): Judged => {
  const { incident } = judged;
  // Of what is looked at again soon they are told when nobody looks any more.
  const left = incident?.parked.filter(({ kind }) => !soon.has(kind)) ?? [];
  if (!incident || !left.some(({ kind }) => isCovered(covers, kind))) return judged;
  const lines = left.map(lineOf);
  const key = left
    .map(({ kind, why }) => `${kind} ${why}`)
    .sort()
    .join("; ");
  const short = key.slice(0, 400);
  if (incident.told.includes(short)) return judged;
  const cut = isCut ? " There are more than were read." : "";
  const text =
    `${incident.alarmCount} alarm(s) in ${region} at ${isoSeconds(now)}, and nothing is done by ` +
    `itself.${cut} ${lines.slice(0, 10).join(". ")}.`;
  const told = [...incident.told, short].slice(-namesLimit);
  return { ...judged, incident: { ...incident, told }, page: { key: short, text } };
};
