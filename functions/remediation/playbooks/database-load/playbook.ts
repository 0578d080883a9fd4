import type {
  Connections,
  Looks as Examined,
  ListedSession,
  Running,
} from "../../../database/decide.ts";
import { blockersOf } from "../../../database/decide.ts";
import type { LoadSeen } from "../../evidence.ts";
import type { ActivitySeen, DatabaseLoadSeen, Level } from "../../evidence-database.ts";
import type { Evidence, Finding, Playbook, Subject } from "../../playbooks.ts";
import { blockerLines, slowestLines } from "../../statements.ts";

type Need = "databaseLoad" | "activity" | "load" | "deploy" | "database";

type Code =
  | "recovered"
  | "blocked-by-forgotten"
  | "blocked-by-one"
  | "one-statement"
  | "vacuum"
  | "waits-for-disk"
  | "too-many-sessions"
  | "load-has-grown"
  | "many-statements";

/** As `stacks/alarms/data.ts` has it. */
const busyPercent = 85;
/** Fewer that wait are what a busy database always has. */
const leastWaiting = 5;
/** So large a part of what works is what makes it busy. */
const tellingShare = 0.5;
/** A statement that one session runs is named only when it has run for so long. */
const longSeconds = 60;
const grown = 1.4;
/** So long after a deploy its statements are the first to be suspected. */
const deployHours = 2;
const namedMost = 3;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

/** The parts that every rule rests on; statistics and slots may be missing. */
interface Inside {
  connections: Connections;
  running: Running[];
  waits: Examined["waits"]["rows"];
  blocking: Examined["blocking"]["rows"];
  transactions: ListedSession[];
}

const insideOf = (seen: ActivitySeen): Inside | { blind: string[] } => {
  const { connections, running, waits, blocking, transactions } = seen;
  if (
    !connections?.known ||
    !running?.known ||
    !waits?.known ||
    !blocking?.known ||
    !transactions?.known
  ) {
    const parts = Object.entries({ connections, running, waits, blocking, transactions });
    return {
      blind: parts.flatMap(([name, part]) =>
        part?.known ? [] : [`${name}: ${part?.why ?? "no answer"}`],
      ),
    };
  }
  return {
    connections: connections.value,
    running: running.value.rows,
    waits: waits.value.rows,
    blocking: blocking.value.rows,
    transactions: transactions.value.rows,
  };
};

const diagnose = (evidence: Evidence<Need>, subject: Subject): Finding<Code> => {
  const { databaseLoad, activity } = evidence;
  if (!databaseLoad.known) {
    return finding("unknown", `How busy it is cannot be seen (${databaseLoad.why}).`, byHand);
  }
  const load = databaseLoad.value;
  const says = levels(subject, load);
  const cpu = load.cpuPercent.now;
  if (subject.kind === "database-cpu" && cpu !== null && cpu < busyPercent) {
    return finding("recovered", `${says}.`);
  }
  const also = [...afterDeploy(evidence), ...burst(evidence)];
  if (!activity.known) return unseen(says, `${activity.source}: ${activity.why}`, also);
  const inside = insideOf(activity.value);
  if ("blind" in inside) return unseen(says, inside.blind.join("; "), also);
  const found = cause(inside, evidence, subject) ?? many(inside);
  const statements = [...blockerLines(activity.value), ...slowestLines(activity.value)];
  const advice = [...found.advice, ...also, ...memoryAdvice(subject, inside, load), ...statements];
  return {
    is: found.is,
    says: `${says}; ${found.says}. ${statistics(activity.value)}`,
    advice,
  };
};

const byHand = ["Look at Performance Insights: top statements, and what they wait for."];

const unseen = (says: string, why: string, also: string[]): Finding<Code> =>
  finding("unknown", `${says}; what it works on cannot be seen (${why}).`, [...byHand, ...also]);

/** From the cause that explains the others to those that explain only themselves. */
const cause = (inside: Inside, evidence: Evidence<Need>, subject: Subject): Finding<Code> | null =>
  blocked(inside) ??
  oneStatement(inside) ??
  vacuum(inside) ??
  waitsForDisk(inside) ??
  (subject.kind === "database-memory" ? tooMany(inside) : null) ??
  hasGrown(evidence);

const blocked = ({ blocking }: Inside): Finding<Code> | null => {
  const [first] = blockersOf(blocking);
  if (!first || first.waiting < leastWaiting) return null;
  const { session, pid, waiting } = first;
  const state = session?.state ?? "a prepared transaction";
  const seconds = Math.round(session?.stateSeconds ?? 0);
  const who = `pid ${pid} of ${session?.application || session?.user || "nameless"}`;
  const says = `${waiting} sessions wait for ${who} (${state} for ${seconds} s)`;
  if (session?.state?.startsWith("idle in transaction")) {
    return finding("blocked-by-forgotten", says, [
      "The playbook database-connections ends it by itself when connections run out and it is forgotten.",
      session.spared
        ? `It is spared (${session.spared}): ask whoever it belongs to.`
        : `Before that: select pg_terminate_backend(${pid}), once you know whose it is.`,
    ]);
  }
  return finding("blocked-by-one", says, [
    `It works${session?.fingerprint ? ` on query ${session.fingerprint}` : ""}: may it be lost? ` +
      `Then select pg_cancel_backend(${pid}).`,
  ]);
};

const isClient = ({ process }: Running): boolean => process !== "autovacuum worker";

const workingOf = (some: readonly Running[]): number =>
  some.reduce((sum, { working }) => sum + working, 0);

/** By the sessions that have, or want, a processor: who waits for a lock makes nothing busy. */
const oneStatement = ({ running }: Inside): Finding<Code> | null => {
  const all = workingOf(running);
  const first = running.find((each) => isClient(each) && each.working > 0);
  if (!first || first.working < tellingShare * all) return null;
  const seconds = Math.round(first.longestSeconds ?? 0);
  if (first.working < 2 && seconds < longSeconds) return null;
  return finding("one-statement", `${first.working} of ${all} that work run ${named(first)}`, [
    "Which statement it is: select query from pg_stat_activity where query_id = … (it may hold data).",
    "A plan that has changed, an index that is missing, a report that nobody waits for? Cancel that.",
  ]);
};

const vacuum = ({ running }: Inside): Finding<Code> | null => {
  const all = workingOf(running);
  const own = workingOf(running.filter((each) => !isClient(each)));
  if (all === 0 || own < tellingShare * all) return null;
  return finding("vacuum", `${own} of ${all} that work are vacuum`, [
    "Let it end: without it tables grow, and transaction ids run out. Make it gentler by day.",
  ]);
};

const waitsForDisk = ({ waits }: Inside): Finding<Code> | null => {
  const all = waits.reduce((sum, { sessions }) => sum + sessions, 0);
  const disk = waits.filter(({ type }) => type === "IO");
  const sessions = disk.reduce((sum, each) => sum + each.sessions, 0);
  if (sessions < leastWaiting || sessions < tellingShare * all) return null;
  const events = disk.map(({ event }) => event).slice(0, namedMost);
  return finding(
    "waits-for-disk",
    `${sessions} of ${all} wait for the disk (${events.join(", ")})`,
    ["A table is read whole, or memory no longer holds what is used: look at ReadIOPS."],
  );
};

/** Each connection has memory of its own, also while it is idle. */
const tooMany = ({ connections }: Inside): Finding<Code> | null => {
  const idle = connections.groups.rows
    .filter(({ state }) => state === "idle")
    .reduce((sum, { sessions }) => sum + sessions, 0);
  const room = Math.max(1, connections.most - connections.reserved);
  if (idle < tellingShare * room) return null;
  return finding("too-many-sessions", `${idle} of ${room} connections are idle, each with memory`, [
    "Make the pools of the application smaller, or put RDS Proxy in between (sizes.database.proxy).",
  ]);
};

const hasGrown = ({ load }: Evidence<Need>): Finding<Code> | null => {
  if (!load.known) return null;
  const times = growthOf(load.value);
  if (times === null || times < grown) return null;
  const says = `users send ${times.toFixed(1)} times the requests of the hour before`;
  return finding("load-has-grown", says, [
    "Slow down whoever sends them, or plan a larger class: changing it interrupts the database.",
    "More instances of the application would make it worse.",
  ]);
};

const growthOf = ({ perMinute, perMinuteBefore }: LoadSeen): number | null =>
  perMinuteBefore > 0 ? perMinute / perMinuteBefore : null;

const many = ({ running }: Inside): Finding<Code> => {
  const first = running.slice(0, namedMost).map(named);
  const says = first.length === 0 ? "nothing works on it now" : `most work is ${first.join(", ")}`;
  return finding("many-statements", says, byHand);
};

const named = ({ fingerprint, user, application, sessions, longestSeconds }: Running): string => {
  const who = application || user || "nameless";
  const what = fingerprint === null ? "a statement without fingerprint" : `query ${fingerprint}`;
  return `${what} of ${who} (${sessions} sessions, ${Math.round(longestSeconds ?? 0)} s)`;
};

/** What has taken most time in all; not known is not none. */
const statistics = ({ slowest }: ActivitySeen): string => {
  if (!slowest?.known) return `Slowest in all: unknown (${slowest?.why ?? "no answer"}).`;
  const { since, statements } = slowest.value;
  const first = statements.slice(0, namedMost).map(({ fingerprint, calls, meanMilliseconds }) => {
    const mean = `${meanMilliseconds.toFixed(0)} ms`;
    return `query ${fingerprint ?? "without fingerprint"} (${calls} times ${mean})`;
  });
  const from = since === null ? "" : ` since ${since.slice(0, 16)}`;
  return `Slowest in all${from}: ${first.join(", ") || "none"}.`;
};

const levels = ({ kind }: Subject, load: DatabaseLoadSeen): string => {
  const cpu = `its processor is ${busy(load.cpuPercent)}`;
  if (kind !== "database-memory") return cpu[0]?.toUpperCase() + cpu.slice(1);
  const swap = (load.swapBytes.now ?? 0) / megabyte;
  return `${free(load.freeMemoryBytes)}, ${Math.round(swap)} MB swapped; ${cpu}`;
};

const megabyte = 1024 ** 2;

const busy = ({ now, before }: Level): string => {
  if (now === null) return "busy to an unknown part";
  const earlier = before === null ? "" : ` (${before.toFixed(0)} % in the hour before)`;
  return `${now.toFixed(0)} % busy${earlier}`;
};

const free = ({ now, before }: Level): string => {
  if (now === null) return "An unknown part of its memory is free";
  const earlier = before === null ? "" : ` (${Math.round(before / megabyte)} in the hour before)`;
  return `${Math.round(now / megabyte)} MB of its memory are free${earlier}`;
};

const afterDeploy = ({ deploy }: Evidence<Need>): string[] => {
  if (!deploy.known) return [`Whether something was deployed is unknown (${deploy.why}).`];
  if (deploy.value === null) return [];
  const { id, endedAtMilliseconds } = deploy.value;
  if (endedAtMilliseconds === null)
    return [`Deploy ${id} is under way: which statements does it bring?`];
  const hours = (deploy.atMilliseconds - endedAtMilliseconds) / 3_600_000;
  if (hours > deployHours) return [];
  return [`Deploy ${id} ended ${Math.round(hours * 60)} minutes ago: what of this is new in it?`];
};

/** A burstable class is held down to its share once its credits are used. */
const burst = ({ database }: Evidence<Need>): string[] =>
  database.known && database.value.instanceClass.startsWith("db.t")
    ? [`${database.value.instanceClass} is a burstable class: look at CPUCreditBalance.`]
    : [];

const memoryAdvice = ({ kind }: Subject, { transactions }: Inside, load: DatabaseLoadSeen) => {
  if (kind !== "database-memory") return [];
  const [oldest] = transactions;
  const seconds = Math.round(oldest?.transactionSeconds ?? 0);
  const old =
    oldest && seconds > longSeconds
      ? [
          `The oldest transaction is open for ${seconds} s: pid ${oldest.pid} of ${oldest.application}.`,
        ]
      : [];
  const swaps = (load.swapBytes.now ?? 0) > (load.swapBytes.before ?? 0) * 2 + 64 * megabyte;
  const swapping =
    "It begins to swap: the next large sort may have PostgreSQL killed and restarted.";
  return [
    ...(swaps ? [swapping] : []),
    ...old,
    "work_mem is for each sort of each session: look at what runs many at once before a larger class.",
  ];
};

/** A database that is busy, or short of memory. What helps is a decision of people: nothing is done. */
export const databaseLoad: Playbook<Need, Code> = {
  name: "database-load",
  rank: 40,
  alarms: ["database-cpu", "database-memory"],
  evidence: ["databaseLoad", "activity", "load", "deploy", "database"],
  diagnose,
  // A failover does not make a statement quicker, and a larger class interrupts the database.
  decide: {},
  next: {
    recovered: "passes",
    "blocked-by-forgotten": "people",
    "blocked-by-one": "people",
    "one-statement": "again",
    vacuum: "again",
    "waits-for-disk": "again",
    "too-many-sessions": "again",
    "load-has-grown": "again",
    "many-statements": "again",
    unknown: "again",
  },
  proof: {
    what: "the processor is less than 85 % busy",
    judge: () => ({ is: "unknown", says: "Nothing is ever done" }),
    withinSeconds: 900,
    holdSeconds: 120,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "shadow",
  approvals: 1,
};
