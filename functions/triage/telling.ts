import { sha256 } from "../../shared/canonical.ts";
import { isoSeconds } from "../../shared/clock.ts";
import type { Incident, Told } from "../../shared/incident.ts";
import type { Covers, Judged, Ringing, TriageFacts } from "./facts.ts";
import { isCovered, liveOf, oldestOf } from "./facts.ts";

/** What users feel, or soon will: somebody has to look if nothing has helped for so long. */
const userFacing: readonly string[] = [
  "error-rate",
  "latency",
  "unhealthy-hosts",
  "database-connections",
  "database-refusals",
  "region-lost",
];

/** The longest that such an alarm rings with nothing done about it before people are called. */
export const unattendedSeconds = 600;
/** The same for what users do not feel yet. */
export const slowlySeconds = 1800;
/** An attempt that has found nothing to do has ended by then. */
const deedSeconds = 120;
/** Between two pages of an incident; what comes meanwhile is in the next one. */
export const pageSpacingSeconds = 900;
/** The same when something that users feel is new in it. */
export const urgentSpacingSeconds = 300;
const namesLimit = 40;
const linesLimit = 10;

export const lineOf = ({ kind, count, why }: Incident["parked"][number]): string =>
  `${kind}${count > 1 ? ` (${count} alarms)` : ""}: ${why}`;

interface News {
  kind: string;
  hash: string;
  line: string;
}

/** What of it people were not told yet goes to them at once, or with the next page if one has just gone. */
export const paged = (
  judged: Judged,
  facts: TriageFacts,
  left: readonly Incident["parked"][number][],
): Judged => {
  const { incident } = judged;
  if (!incident || judged.page) return judged;
  const given = newOnes(incident, left.filter(isWorthAPage(facts)).map(newsOf));
  const late = overdue(incident, facts).map(({ kind, count, says }) => ({
    kind,
    hash: lateHash,
    line: lineOf({ kind, count, why: says }),
  }));
  const news = [...given, ...late.filter(({ kind }) => !given.some((each) => each.kind === kind))];
  if (news.length === 0 || isTooSoon(incident, news, facts.now)) return judged;
  const told = [...incident.told, ...news.map(toldOf(facts.now))].slice(-namesLimit);
  return {
    ...judged,
    incident: { ...incident, told, pagedAtMilliseconds: facts.now },
    page: {
      key: news.map(({ kind, hash }) => `${kind}#${hash}`).join(" "),
      text: textOf(incident, facts, news, given),
    },
  };
};

const lateHash = "late";

const newsOf = (line: Incident["parked"][number]): News => ({
  kind: line.kind,
  hash: sha256(`${line.kind} ${line.why}`).slice(0, 12),
  line: lineOf(line),
});

const toldOf =
  (now: number) =>
  ({ kind, hash }: News): Told => ({ kind, hash, atMilliseconds: now, rangMilliseconds: now });

/** Nobody is called for what somebody has switched off or suppressed. */
const isWorthAPage =
  ({ covers, alarms }: TriageFacts) =>
  ({ kind, why }: Incident["parked"][number]): boolean =>
    isCovered(covers, kind) && !alarms.some(({ held }) => held === why);

const newOnes = ({ told }: Incident, news: News[]): News[] =>
  news.filter(({ kind, hash }) => !told.some((one) => one.kind === kind && one.hash === hash));

const isTooSoon = ({ pagedAtMilliseconds: at }: Incident, news: News[], now: number): boolean => {
  if (at === null) return false;
  const isUrgent = news.some(({ kind }) => userFacing.includes(kind));
  return now - at < (isUrgent ? urgentSpacingSeconds : pageSpacingSeconds) * 1000;
};

const textOf = (
  { alarmCount }: Incident,
  { region, now, isCut }: TriageFacts,
  news: News[],
  given: News[],
): string => {
  const cut = isCut ? " There are more than were read." : "";
  const none =
    given.length > 0 ? ", and nothing is done by itself" : ", and nothing has helped yet";
  const lines = news.slice(0, linesLimit).map(({ line }) => line.replace(/\.+$/, ""));
  const more = news.length > lines.length ? ` And ${news.length - lines.length} more.` : "";
  const said = `${cut} ${lines.join(". ")}.${more}`;
  return `${alarmCount} alarm(s) in ${region} at ${isoSeconds(now)}${none}.${said}`;
};

interface Unattended {
  kind: string;
  count: number;
  says: string;
  oldest: Ringing;
}

/**
 * Whatever playbooks say, and as far as mute rules are known: kinds that have rung for long with no deed
 * done since, and none under way for them. A kind that people were told of since, for whatever reason, is
 * not among them.
 */
export const overdue = (incident: Incident, facts: TriageFacts): Unattended[] => {
  const { now } = facts;
  const deed = lastDeed(incident);
  const byKind = Map.groupBy(liveOf(facts), ({ kind }) => kind);
  return [...byKind].flatMap(([kind, alarms]): Unattended[] => {
    // One that a mute rule holds does not hide the others of its kind.
    const oldest = oldestOf(alarms.filter(({ name }) => !isMuted(facts, name)));
    if (!oldest || isBeingDealtWith(incident, facts, kind)) return [];
    const since = Math.max(oldest.sinceMilliseconds, deed);
    const lately = Math.min(since, now - slowlySeconds * 1000);
    if (incident.told.some((one) => one.kind === kind && one.atMilliseconds >= lately)) return [];
    const limit = userFacing.includes(kind) ? unattendedSeconds : slowlySeconds;
    if (now - since < limit * 1000) return [];
    const why = incident.parked.find((line) => line.kind === kind)?.why ?? "nobody has looked";
    const says = `rings since ${isoSeconds(oldest.sinceMilliseconds)}; ${why}`;
    return [{ kind, count: alarms.length, says, oldest }];
  });
};

const isMuted = ({ mutes }: TriageFacts, name: string): boolean => {
  const mute = mutes[name];
  return mute?.known === true && mute.value;
};

const lastDeed = ({ tried }: Incident): number =>
  Math.max(
    0,
    ...Object.values(tried).map(({ end, atMilliseconds }) => (end === "done" ? atMilliseconds : 0)),
  );

/**
 * An attempt that has gone on for so long has a deed, or asks people: for this very kind, or for what may
 * be its root. One that has just begun may come to nothing, as all before it have.
 */
const isBeingDealtWith = (
  { attempt }: Incident,
  { alarms, covers, now }: TriageFacts,
  kind: string,
): boolean => {
  if (!attempt || attempt.end !== null) return false;
  const age = (now - attempt.startedAtMilliseconds) / 1000;
  if (age < deedSeconds) return false;
  const own = alarms.find(({ name }) => name === attempt.alarm)?.kind === kind;
  const isFor = ({ name, alarms: kinds }: Covers) =>
    name === attempt.playbook && kinds.includes(kind);
  return own || covers.some(isFor) || age < unattendedSeconds;
};
