import { sha256 } from "../../shared/canonical.ts";
import type { Incident, Told, Tried } from "../../shared/incident.ts";
import type { Ringing, TriageFacts } from "./facts.ts";
import { keyOf, oldestOf } from "./facts.ts";

/** No alarm for so long, and the next one is another incident. */
export const quietSeconds = 600;
/** What people were told of is told again when its kind of alarm has been quiet for so long. */
export const toldSeconds = 3600;
/** What rings for days is looked at, and told of, anew each day. */
export const rememberSeconds = 86_400;

export const isUnderWay = ({ attempt }: Incident): boolean =>
  attempt !== null && attempt.end === null;

/** The incident that is open, if it is not over by its silence. */
export const openOf = ({ incident, now }: TriageFacts): Incident | null => {
  if (!incident || incident.closedAtMilliseconds !== null) return null;
  if (isUnderWay(incident)) return incident;
  return now - incident.seenAtMilliseconds > quietSeconds * 1000 ? null : incident;
};

/**
 * The incident with what rings now. An alarm that rings for days leaves it open, but not for others: what
 * begins long after the last news is an incident of its own, with a message of its own, that people notice.
 */
export const folded = (facts: TriageFacts, live: Ringing[]): Incident => {
  const { region, alarms, now, incident } = facts;
  const open = openOf(facts);
  const alarmCount = alarms.length;
  const memory = remembered(facts, live);
  if (open && !isOld(open, live, now)) {
    const mostAlarms = Math.max(open.mostAlarms, alarmCount);
    const newsAtMilliseconds = newsOf(open, live);
    return {
      ...{ ...open, ...memory, alarmCount, mostAlarms, newsAtMilliseconds },
      seenAtMilliseconds: now,
    };
  }
  const since = incident?.newsAtMilliseconds ?? 0;
  const first = oldestOf(live.filter((each) => each.sinceMilliseconds > since)) ?? oldestOf(live);
  return {
    region,
    // With the time, since an alarm may open a second incident with the change that opened the first.
    id: sha256(`${first ? keyOf(first) : ""} ${now}`).slice(0, 8),
    openedAtMilliseconds: now,
    seenAtMilliseconds: now,
    newsAtMilliseconds: Math.max(0, ...live.map((each) => each.sinceMilliseconds)),
    alarmCount,
    mostAlarms: alarmCount,
    step: 0,
    attempt: null,
    ...memory,
    parked: [],
    unsent: incident?.unsent ?? [],
    message: null,
    closedAtMilliseconds: null,
  };
};

const isOld = (incident: Incident, live: Ringing[], now: number): boolean =>
  !isUnderWay(incident) &&
  now - incident.newsAtMilliseconds > quietSeconds * 1000 &&
  live.some(({ sinceMilliseconds }) => sinceMilliseconds > incident.newsAtMilliseconds);

/** An alarm that begins is news, and so is what was done; a look that came to nothing is none. */
const newsOf = ({ newsAtMilliseconds, attempt }: Incident, live: Ringing[]): number => {
  return Math.max(
    newsAtMilliseconds,
    attempt?.hasActed ? (attempt.endedAtMilliseconds ?? 0) : 0,
    ...live.map(({ sinceMilliseconds }) => sinceMilliseconds),
  );
};

/** What playbooks have tried and people were told, as long as the alarms it is about have not been quiet. */
const remembered = (
  { incident, covers, now }: TriageFacts,
  live: Ringing[],
): Pick<Incident, "tried" | "told" | "pagedAtMilliseconds"> => {
  const kinds = new Set(live.map(({ kind }) => kind));
  const keys = new Set(live.map(keyOf));
  const isFresh = (milliseconds: number, seconds: number) => now - milliseconds <= seconds * 1000;
  const tried: Record<string, Tried> = {};
  for (const [name, before] of Object.entries(incident?.tried ?? {})) {
    const rings = covers.some(
      (each) => each.name === name && each.alarms.some((k) => kinds.has(k)),
    );
    const wasQuiet = !isFresh(before.rangMilliseconds, quietSeconds) && !keys.has(before.key);
    if (wasQuiet || !isFresh(before.atMilliseconds, rememberSeconds)) continue;
    tried[name] = rings ? { ...before, rangMilliseconds: now } : before;
  }
  const told: Told[] = (incident?.told ?? [])
    .filter(({ atMilliseconds }) => isFresh(atMilliseconds, rememberSeconds))
    .filter(({ rangMilliseconds }) => isFresh(rangMilliseconds, toldSeconds))
    .map((one) => (kinds.has(one.kind) ? { ...one, rangMilliseconds: now } : one));
  return { tried, told, pagedAtMilliseconds: incident?.pagedAtMilliseconds ?? null };
};
