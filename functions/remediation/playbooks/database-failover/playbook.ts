import type { DatabaseEventSeen, DatabaseSeen, ServiceSeen } from "../../evidence.ts";
import type { DatabaseLoadSeen, LeaseSeen, WritesSeen } from "../../evidence-database.ts";
import { closedWay } from "../../path.ts";
import type { Decision, Evidence, Finding, Playbook, Subject, Verdict } from "../../playbooks.ts";
import { alarmingShare } from "../../traffic.ts";

type Need =
  | "database"
  | "databaseEvents"
  | "databaseLoad"
  | "lease"
  | "writes"
  | "service"
  | "path";

type Code =
  | "answers"
  | "not-active"
  | "no-room"
  | "login-refused"
  | "fenced"
  | "path-closed"
  | "rds-is-at-it"
  | "changed-lately"
  | "modification-pending"
  | "single-zone"
  | "busy"
  | "users-are-well"
  | "primary-sick";

/** The guard writes a heartbeat every few seconds, so this many are missing. */
const silentSeconds = 60;
/** A guard that has not told of itself for longer is no witness of the database. */
const witnessSeconds = 90;
/** Whatever RDS has done within it may be why, and a second failover right after one does not help. */
const lateHours = 1;
/** A processor that is this busy may leave no time for a login: another zone runs the same statements. */
const busyPercent = 90;
/** So many requests have to fail, of enough to say so, before anybody is cut off for it. */
const suffering = 0.2;
const tellingRequests = 20;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

/** What all rules need; null with the reasons when any of it is missing. */
interface Picture {
  database: DatabaseSeen;
  events: DatabaseEventSeen[];
  load: DatabaseLoadSeen;
  lease: LeaseSeen;
  writes: WritesSeen;
  service: ServiceSeen;
  atMilliseconds: number;
}

const pictureOf = (evidence: Evidence<Need>): Picture | { blind: string[] } => {
  const { database, databaseEvents, databaseLoad, lease, writes, service } = evidence;
  if (
    !database.known ||
    !databaseEvents.known ||
    !databaseLoad.known ||
    !lease.known ||
    !writes.known ||
    !service.known
  ) {
    const facts = [database, databaseEvents, databaseLoad, lease, writes, service];
    return { blind: facts.flatMap((fact) => (fact.known ? [] : [`${fact.source}: ${fact.why}`])) };
  }
  return {
    database: database.value,
    events: databaseEvents.value,
    load: databaseLoad.value,
    lease: lease.value,
    writes: writes.value,
    service: service.value,
    atMilliseconds: Math.floor(database.atMilliseconds),
  };
};

/** What it is instead, from the harmless to the grave: the first that fits. */
const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  const picture = pictureOf(evidence);
  if ("blind" in picture) {
    const says = `Not everything could be seen (${picture.blind.join("; ")}).`;
    return finding("unknown", says, ["Nothing is failed over on half of a picture."]);
  }
  return (
    elsewhere(picture) ??
    onTheWay(evidence, subject) ??
    atItself(picture) ??
    sick(picture, evidence.path.known)
  );
};

/** From inside it looks like a sick primary, and no failover opens a security group. */
const onTheWay = ({ path }: Evidence<Need>, { region }: Subject): Finding<Code> | null => {
  const closed = closedWay(path, ["the database"], region);
  if (!closed) return null;
  if (closed.by === "fence") return finding("fenced", `${closed.says}.`, closed.advice);
  if (closed.by === "unknown") return finding("unknown", `${closed.says}.`, closed.advice);
  return finding("path-closed", `${closed.says}.`, closed.advice);
};

/** The database is well, or it is a matter of another playbook. */
const elsewhere = ({ writes, lease, database }: Picture): Finding<Code> | null => {
  const { id } = database;
  if (!lease.isHere || database.isReplica || writes.isReplica === true) {
    return finding(
      "not-active",
      `${lease.region} holds the lease; ${id} takes no writes of users.`,
    );
  }
  if (writes.fence.length > 0) {
    return finding("fenced", `The guard has closed ${writes.fence.join(" and ")} of this region.`, [
      "A fence is opened by the guard and by nobody else: docs/runbook/failover.md.",
    ]);
  }
  if (writes.reach === "no-room") {
    return finding("no-room", `${id} answers, and has no room for a login (${writes.why}).`);
  }
  if (writes.reach === "login-refused") {
    return finding("login-refused", `${id} answers, and refuses the login (${writes.why}).`, [
      "Nightshift's own secret and role differ. Compare AWSCURRENT with the role.",
    ]);
  }
  if (writes.guardSeconds === null || writes.guardSeconds > witnessSeconds) {
    const since = writes.guardSeconds === null ? "never" : `${round(writes.guardSeconds)} s ago`;
    return finding("unknown", `The guard told of itself ${since}: it is no witness.`, [
      "Look at the guard's own alarms first.",
    ]);
  }
  if (writes.reach === "answers" && isFresh(writes)) {
    return finding("answers", `${id} takes logins and writes: it is none of its host's faults.`);
  }
  return null;
};

const isFresh = ({ heartbeatSeconds }: WritesSeen): boolean =>
  heartbeatSeconds !== null && heartbeatSeconds <= silentSeconds;

/** RDS is at it, was at it just now, or has something in store for the next reboot. */
const atItself = ({ database, events, atMilliseconds }: Picture): Finding<Code> | null => {
  const { id, status, pending } = database;
  if (status !== "available") {
    return finding("rds-is-at-it", `${id} is ${status}: RDS takes no failover then.`, [
      "RDS fails a Multi-AZ database over by itself when it finds its host or zone gone. Wait for it.",
    ]);
  }
  const [last] = events
    .filter((each) => atMilliseconds - each.atMilliseconds < lateHours * 3_600_000)
    .filter(({ text }) => upheavals.test(text))
    .toSorted((a, b) => b.atMilliseconds - a.atMilliseconds);
  if (last) {
    const ago = Math.round((atMilliseconds - last.atMilliseconds) / 60_000);
    return finding("changed-lately", `${id} does not serve; ${ago} minutes ago: ${last.text}`, [
      "What happened then is the likely cause, and another failover would come on top of it.",
      "Clients may still have the old address: look at connections, and restart what keeps an address.",
    ]);
  }
  if (pending.length > 0) {
    return finding(
      "modification-pending",
      `${id} does not serve; ordered: ${pending.join(", ")}.`,
      ["A reboot could apply what is ordered. Decide about that first."],
    );
  }
  return null;
};

/** Failovers, restarts, patches, changes of class or storage. Source: "Amazon RDS event categories". */
const upheavals =
  /failover|restart|reboot|shut ?down|recover|patch|maintenance|modif|convert|upgrad/i;

const sick = ({ database, writes, load, service }: Picture, isPathSeen: boolean): Finding<Code> => {
  const { id, multiAz } = database;
  const silent =
    writes.heartbeatSeconds === null ? "ever" : `for ${round(writes.heartbeatSeconds)} s`;
  const reach = writes.reach === "answers" ? "takes logins" : `does not answer (${writes.why})`;
  const says = `RDS says that ${id} is available; it ${reach}, and no heartbeat was written ${silent}`;
  const cpu = load.cpuPercent.now;
  if (cpu !== null && cpu >= busyPercent) {
    return finding("busy", `${says}; its processor is ${round(cpu)} % busy.`, [
      "Bad SQL is as bad in another zone: look at the statements first, and stop what is new.",
    ]);
  }
  const share = service.requests >= tellingRequests ? service.errors / service.requests : null;
  const users = share === null ? "too few requests to tell" : `${percent(share)} of requests fail`;
  if (share === null || share < suffering) {
    return finding("users-are-well", `${says}; ${users}.`, [
      "Is it only Nightshift that does not reach it? Look at its own network and at security groups.",
    ]);
  }
  if (!multiAz) {
    return finding("single-zone", `${says}; ${users}. It has no standby in another zone.`, [
      "A reboot without failover, or a failover to the other region, is for people to decide.",
    ]);
  }
  const unseen = "A security group that was changed looks the same: look at it before you approve.";
  return finding("primary-sick", `${says}; ${users}.`, isPathSeen ? [] : [unseen]);
};

const round = (value: number) => Math.round(value);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

const failOver = (evidence: Evidence<Need>): Decision => {
  const { database } = evidence;
  if (!database.known || database.value.id === "" || database.value.zone === "") {
    const reason = "The database is not known by name and zone.";
    return { kind: "refuse", refusals: [{ code: "empty-selector", reason }], advice: [] };
  }
  const { id, zone } = database.value;
  return {
    kind: "ask",
    deed: {
      do: "reboot-with-failover",
      target: {
        database: id,
        zone,
        plannedAtMilliseconds: Math.floor(database.atMilliseconds),
      },
    },
    reasons: [
      "Three see it: the guard's heartbeats, this look, and users.",
      "Whatever runs on it is cut off, for 60 to 120 seconds and longer with large transactions.",
      "It does not help against bad SQL or a wrong security group: look at both before you approve.",
    ],
  };
};

/** Users and writes, and not what RDS says: it said `available` all the time. */
const judge = (before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  if (!now.writes.known || !now.service.known) {
    return { is: "unknown", says: "Writes or users cannot be seen" };
  }
  const { writes, service } = { writes: now.writes.value, service: now.service.value };
  const share = service.requests >= tellingRequests ? service.errors / service.requests : null;
  const users = share === null ? "too few requests to tell" : `${percent(share)} of requests fail`;
  const isWritable = writes.reach === "answers" && isFresh(writes);
  const says = `${isWritable ? "it takes writes" : "it takes no writes"}, ${users}`;
  if (!isWritable || share === null) return { is: "same", says };
  const old = before.service.known ? before.service.value : null;
  const shareBefore = old && old.requests > 0 ? old.errors / old.requests : 1;
  return { is: share <= Math.min(alarmingShare, shareBefore) ? "healed" : "same", says };
};

/** The primary of a Multi-AZ database that takes no writes although RDS finds it available. */
export const databaseFailover: Playbook<Need, Code> = {
  name: "database-failover",
  rank: 45,
  alarms: ["error-rate", "database-connections", "database-refusals"],
  evidence: ["database", "databaseEvents", "databaseLoad", "lease", "writes", "service", "path"],
  diagnose,
  decide: { "primary-sick": failOver },
  next: {
    answers: "passes",
    "not-active": "passes",
    "no-room": "passes",
    "login-refused": "passes",
    fenced: "waits",
    "path-closed": "people",
    "rds-is-at-it": "waits",
    "changed-lately": "people",
    "modification-pending": "people",
    "single-zone": "people",
    busy: "people",
    "users-are-well": "people",
    "primary-sick": "deed",
    unknown: "again",
  },
  proof: {
    what: "the guard's heartbeats are written again, and no more than 1 % of requests fail",
    judge,
    withinSeconds: 900,
    holdSeconds: 120,
    everySeconds: 30,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "ask",
  approvals: 2,
};
