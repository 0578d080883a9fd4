import type { Attempt, AttemptEnd, Incident } from "../../shared/incident.ts";
import { triedOf } from "../../shared/incident.ts";
import type { Covers, Judged, Ringing, Start, TriageFacts } from "./facts.ts";
import { isCovered, keyOf, liveOf } from "./facts.ts";
import { folded, isUnderWay, openOf } from "./memory.ts";
import { lineOf, overdue, paged } from "./telling.ts";

/** What an attempt has done has to show in an alarm's periods before the next one. */
export const settleSeconds = 420;
/** A playbook that did nothing looks again, each time so much later, up to `mostAgainSeconds`. */
export const againSeconds = 120;
export const mostAgainSeconds = 600;
/** After `oftenLimit` looks that came to nothing it looks once an hour: people know by then. */
export const oftenLimit = 8;
export const rarelySeconds = 3600;
/** After a pause, a freeze or a mute forbade what a playbook had found. */
export const heldSeconds = 300;
/** The longest that a playbook that only waits holds back the others. */
export const holdSeconds = 900;
/** What is in shadow says so once, and once more about another alarm so much later. */
export const shadowSeconds = 3600;
/** An attempt that has not ended by then is asked after at Lambda, each time somebody looks. */
export const silentSeconds = 300;
/** No attempt takes longer: an approval, a deed and its proof together take less. */
export const lostSeconds = 3 * 3600;
/** Alarms whose mute rules are looked at, in one round. */
export const candidatesLimit = 5;
const parkedLimit = 24;
/** Pages that wait for Slack: the newest say what matters by then. */
const unsentLimit = 3;

/** All that are for a kind of alarm, the root-most first. */
const covering = (covers: readonly Covers[], kind: string): Covers[] =>
  covers.filter(({ alarms }) => alarms.includes(kind)).toSorted((a, b) => a.rank - b.rank);

interface Pair {
  ringing: Ringing;
  covers: Covers;
}

/**
 * Every playbook that could look at an alarm: those that have not looked since the last repair before those
 * that look again, then the root-most first, then whoever rings longest.
 */
const ordered = (incident: Incident, facts: TriageFacts): Pair[] => {
  const repaired = lastRepair(incident);
  const isFresh = ({ name }: Covers) => (incident.tried[name]?.atMilliseconds ?? 0) <= repaired;
  return liveOf(facts)
    .flatMap((ringing) =>
      covering(facts.covers, ringing.kind)
        .filter(({ right }) => right !== "off")
        .filter(({ onlyWhile }) => onlyWhile === undefined || facts.isDeploying)
        .map((covers) => ({ ringing, covers })),
    )
    .toSorted(
      (a, b) =>
        Number(isFresh(b.covers)) - Number(isFresh(a.covers)) ||
        a.covers.rank - b.covers.rank ||
        a.ringing.sinceMilliseconds - b.ringing.sinceMilliseconds ||
        (a.ringing.name < b.ringing.name ? -1 : 1),
    );
};

const lastRepair = ({ tried }: Incident): number =>
  Math.max(
    0,
    ...Object.values(tried).map(({ end, atMilliseconds }) => (end === "done" ? atMilliseconds : 0)),
  );

/**
 * Alarms whose mute rules have to be read before anything can begin or anybody is called: of each kind the
 * first that could be acted upon, and the next ones when mute rules are known to hold those before.
 */
export const candidates = (facts: TriageFacts): string[] => {
  const live = liveOf(facts);
  if (live.length === 0) return [];
  const incident = folded(facts, live);
  const wanted = overdue(incident, facts).map(({ oldest }) => oldest.name);
  const kinds = new Map<string, { held: Set<string>; open: Set<string> }>();
  for (const { ringing, covers } of isUnderWay(incident) ? [] : ordered(incident, facts)) {
    const { kind, name } = ringing;
    const { held, open } = kinds.get(kind) ?? { held: new Set<string>(), open: new Set<string>() };
    kinds.set(kind, { held, open });
    // One at first; the more of a kind are muted, the more of it are asked about at once.
    if (open.size > 2 * held.size || spentFor(incident, facts, ringing, covers)) continue;
    const mute = facts.mutes[name];
    if (mute?.known && mute.value) held.add(name);
    else {
      open.add(name);
      wanted.push(name);
    }
  }
  const unread = [...new Set(wanted)].filter((name) => facts.mutes[name] === undefined);
  return unread.slice(0, candidatesLimit);
};

/** One region's alarms, its incident, and what happens next. Pure. */
export const judge = (facts: TriageFacts): Judged => {
  const judged = judgedOf(facts);
  const { page, incident } = judged;
  if (!page || !incident) return judged;
  const unsent = [...(incident.unsent ?? []), page.text].slice(-unsentLimit);
  return { ...judged, incident: { ...incident, unsent } };
};

const judgedOf = (facts: TriageFacts): Judged => {
  const live = liveOf(facts);
  const before = openOf(facts);
  // Alarms that no playbook is for open nothing: people have them by e-mail.
  if (live.length === 0) return calm(facts, before);
  const incident = waited(folded(facts, live), facts);
  const { attempt } = incident;
  if (attempt && attempt.end === null) return paged(running(incident, facts, attempt), facts, []);
  if (attempt && before?.attempt?.end === null && attempt.end === "needs-human") {
    return deathTold(kept(parkAll(incident, facts, diedHere(attempt)), facts), attempt, facts);
  }
  const why = facts.brake ?? (attempt && settling(attempt, facts.now));
  if (why === null) return next(incident, facts);
  const parked = parkAll(incident, facts, ({ held }) => held ?? why);
  return paged(kept(parked, facts), facts, []);
};

/** Why nothing begins yet after the attempt that was the last; null when something may. */
const settling = (attempt: Attempt, now: number): string | null => {
  const { endedAtMilliseconds, playbook } = attempt;
  if (!attempt.hasActed) return null;
  const sinceSeconds = (now - (endedAtMilliseconds ?? 0)) / 1000;
  return sinceSeconds < settleSeconds ? `waits until what ${playbook} has done can be seen` : null;
};

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

/** The attempt that has not ended for so long that it may have died; null when none is under way. */
export const silentRun = (incident: Incident | null, now: number): string | null => {
  const attempt = incident?.attempt;
  if (!attempt || attempt.end !== null) return null;
  return now - attempt.startedAtMilliseconds >= silentSeconds * 1000 ? attempt.run : null;
};

/**
 * An attempt that has died, or of which nobody has known anything for longer than any takes, is for people.
 * One that has ended and could not say so has told them itself: what is left of it is looked at again.
 */
const waited = (incident: Incident, { now, fate }: Pick<TriageFacts, "now" | "fate">): Incident => {
  const { attempt, tried } = incident;
  if (!attempt || attempt.end !== null) return incident;
  const isLost = now - attempt.startedAtMilliseconds >= lostSeconds * 1000 && fate !== "alive";
  const hasDied = isLost || fate === "died";
  if (!hasDied && fate !== "ended") return incident;
  const end = hasDied ? ("needs-human" as const) : ("nothing" as const);
  return {
    ...incident,
    // Nobody knows how far one that has died came.
    attempt: { ...attempt, end, endedAtMilliseconds: now, hasActed: hasDied },
    tried: { ...tried, [attempt.playbook]: triedOf(incident, attempt, end, now) },
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
  { region, now }: Pick<TriageFacts, "region" | "now">,
): Judged => {
  const { incident } = judged;
  if (!incident) return judged;
  const text =
    `${run} (${playbook}) in ${region} has died, and has not said how far it came. Look at its journal ` +
    `(npm run ops -- journal ${run}) and at what it was about to change. ${playbook} does nothing more ` +
    "in this incident.";
  return {
    ...judged,
    incident: { ...incident, pagedAtMilliseconds: now },
    page: { key: run, text },
  };
};

const running = (incident: Incident, facts: TriageFacts, attempt: Attempt): Judged => {
  const parked = parkAll(incident, facts, ({ name, held }) =>
    name === attempt.alarm ? null : (held ?? `waits for ${attempt.run} (${attempt.playbook})`),
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
  const refused: (Forbidden & { kind: string })[] = [];
  for (const { ringing, covers } of ordered(incident, facts)) {
    const no = forbidden(incident, facts, ringing, covers);
    if (no === null) return begun(incident, facts, ringing, covers);
    refused.push({ kind: ringing.kind, ...no });
  }
  // Of several reasons for a kind the one that still leaves hope is told, else the root-most one's.
  const why = new Map<string, Forbidden>();
  for (const each of refused) {
    const had = why.get(each.kind);
    if (!had || (each.isWaiting && !had.isWaiting)) why.set(each.kind, each);
  }
  const parked = parkAll(
    incident,
    facts,
    ({ kind, held }) => held ?? why.get(kind)?.why ?? "no playbook is for it",
  );
  // Of what is looked at again soon people are told when nobody looks any more, or when it takes too long.
  const left = parked.parked.filter(({ kind }) => !why.get(kind)?.isWaiting);
  return paged(kept(parked, facts), facts, left);
};

const begun = (
  incident: Incident,
  facts: TriageFacts,
  ringing: Ringing,
  covers: Covers,
): Judged => {
  const step = incident.step + 1;
  const attempt: Attempt = {
    run: `remediation-${incident.region}-${incident.id}-${step}`,
    playbook: covers.name,
    alarm: ringing.name,
    key: keyOf(ringing),
    startedAtMilliseconds: Math.floor(facts.now),
    hasBegun: false,
    hasActed: false,
    end: null,
    endedAtMilliseconds: null,
  };
  return paged(running({ ...incident, step, attempt }, facts, attempt), facts, []);
};

interface Forbidden {
  why: string;
  /** It is looked at again soon, by itself. */
  isWaiting: boolean;
}

const forbidden = (
  incident: Incident,
  facts: TriageFacts,
  ringing: Ringing,
  covers: Covers,
): Forbidden | null => {
  const spent = spentFor(incident, facts, ringing, covers);
  if (spent) return spent;
  const mute = facts.mutes[ringing.name];
  // In a storm there are more than are read at once.
  if (mute === undefined) return { why: "is looked at in a minute", isWaiting: true };
  if (!mute.known) {
    return { why: `whether it is muted cannot be read (${mute.why})`, isWaiting: false };
  }
  return mute.value ? { why: "a mute rule holds it", isWaiting: false } : null;
};

/** What forbids it that is known without asking anybody. */
const spentFor = (
  incident: Incident,
  facts: TriageFacts,
  { kind, ...ringing }: Ringing,
  { name }: Covers,
): Forbidden | null => {
  const asked = askedBefore(incident, facts, kind);
  if (asked) return { why: `${asked} has asked for a human in this incident`, isWaiting: false };
  const holder = holderOf(incident, facts);
  if (holder && holder !== name) return { why: `waits for ${holder}`, isWaiting: true };
  const before = incident.tried[name];
  if (!before) return null;
  const sinceSeconds = (facts.now - before.atMilliseconds) / 1000;
  if (before.end === "needs-human") {
    return { why: `${name} has asked for a human in this incident`, isWaiting: false };
  }
  if (before.end === "shadow") {
    const mayAgain = before.key !== keyOf(ringing) && sinceSeconds >= shadowSeconds;
    return mayAgain ? null : { why: `${name} has said what it would do`, isWaiting: false };
  }
  const wait = waitSeconds(before.end, before.times);
  if (sinceSeconds >= wait) return null;
  const is = words[before.end];
  return { why: `${is.replace("it", name)}; looked at again after ${wait} s`, isWaiting: true };
};

const words: Record<Exclude<AttemptEnd, "needs-human" | "shadow">, string> = {
  done: "it has done what it could",
  nothing: "it has found nothing to do now",
  waits: "it waits for what it has found",
  held: "it is held back",
  passed: "is none of it",
};

const waitSeconds = (end: AttemptEnd, times: number): number => {
  if (end === "done") return 0;
  if (end === "held") return heldSeconds;
  return times > oftenLimit
    ? rarelySeconds
    : Math.min(mostAgainSeconds, againSeconds * Math.max(1, times));
};

/** Whoever knows what is the matter and only waits: as long as its alarm rings, and not for ever. */
const holderOf = ({ attempt, tried }: Incident, facts: TriageFacts): string | null => {
  if (attempt?.end !== "waits") return null;
  const { playbook } = attempt;
  const since = tried[playbook]?.sinceMilliseconds ?? 0;
  const mine = facts.covers.find(({ name }) => name === playbook)?.alarms ?? [];
  const rings = liveOf(facts).some(({ kind }) => mine.includes(kind));
  return rings && facts.now - since < holdSeconds * 1000 ? playbook : null;
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

/** Keeps it, and says what is newly parked. */
const kept = (incident: Incident, { incident: before }: TriageFacts): Judged => {
  const had = new Set(before?.id === incident.id ? before.parked.map(lineOf) : []);
  const parked = incident.parked.map(lineOf).filter((line) => !had.has(line));
  return { incident, start: null, page: null, parked };
};
