import { readContact } from "../../shared/contact.ts";
import { coordination } from "../../shared/coordination.ts";
import { FunctionFailed } from "../../shared/invoke.ts";
import { readLease } from "../../shared/lease.ts";
import { sentence } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { Look as Examined } from "../database/decide.ts";
import type { RemediatedLink } from "./aws.ts";
import type {
  ActivitySeen,
  DatabaseLoadSeen,
  LeaseSeen,
  Level,
  WritesSeen,
} from "./evidence-database.ts";
import type { Subject } from "./playbooks.ts";
import { asking } from "./sessions-aws.ts";
import type { Point, Query } from "./signals-aws.ts";
import { reader } from "./signals-aws.ts";

export const recentMinutes = 5;
const hourMinutes = 60;

/** What stands in front of the bytes and percents. Source: "CloudWatch instance-level metrics for RDS". */
const metrics = {
  cpuPercent: "CPUUtilization",
  freeMemoryBytes: "FreeableMemory",
  swapBytes: "SwapUsage",
  connections: "DatabaseConnections",
  readsPerSecond: "ReadIOPS",
  writesPerSecond: "WriteIOPS",
  queueDepth: "DiskQueueDepth",
  replicaLagSeconds: "ReplicaLag",
} as const satisfies Record<Exclude<keyof DatabaseLoadSeen, "minutes">, string>;

export const databaseQuery = (id: string, name: string): Query => ({
  namespace: "AWS/RDS",
  name,
  dimension: ["DBInstanceIdentifier", id],
  statistic: "Average",
  periodSeconds: 60,
});

/** The mean of the last minutes and of the hour before, each null without a point. */
export const levelOf = (points: readonly Point[], now: number): Level => {
  const split = now - recentMinutes * 60_000;
  const mean = (some: readonly Point[]): number | null =>
    some.length === 0 ? null : some.reduce((sum, { value }) => sum + value, 0) / some.length;
  return {
    now: mean(points.filter(({ atMilliseconds }) => atMilliseconds >= split)),
    before: mean(points.filter(({ atMilliseconds }) => atMilliseconds < split)),
  };
};

/** Levels of several metrics of one database, in the order asked for. */
export const levelsOf = async (
  series: ReturnType<typeof reader>,
  now: number,
  id: string,
  names: readonly string[],
): Promise<Level[]> => {
  const found = await series(
    hourMinutes + recentMinutes,
    names.map((name) => databaseQuery(id, name)),
  );
  return found.map((points) => levelOf(points, now));
};

const activityLooks: Examined[] = [
  "connections",
  "running",
  "slowest",
  "waits",
  "blocking",
  "transactions",
  "slots",
];

export const databaseLooksOf = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const ask = asking(runtime, region);
  const series = reader(runtime, region);
  const table = coordination(runtime);
  return {
    databaseLoad: async (): Promise<DatabaseLoadSeen> => {
      const names = Object.keys(metrics) as (keyof typeof metrics)[];
      const wanted = names.map((name) => metrics[name]);
      const levels = await levelsOf(series, runtime.clock.now(), link.databaseId, wanted);
      const byName = Object.fromEntries(names.map((name, index) => [name, levels[index]]));
      return { minutes: recentMinutes, ...(byName as Record<(typeof names)[number], Level>) };
    },
    activity: (): Promise<ActivitySeen> => ask({ do: "examine", looks: activityLooks }),
    statements: async (_subject: Subject, since?: number | null): Promise<ActivitySeen> => {
      if (since) throw new Error("it is looked at before a deed only");
      return ask({ do: "examine", looks: ["running", "blocking", "slowest"] });
    },
    lease: async (): Promise<LeaseSeen> => {
      const { region: active, state, holder } = await readLease(table);
      return { isHere: active === region, region: active, state, holder };
    },
    writes: async (): Promise<WritesSeen> => {
      const [contact, answer] = await Promise.all([
        readContact(table, region),
        reached(() => ask({ do: "position" })),
      ]);
      const since = (at: number | undefined): number | null =>
        at === undefined ? null : (runtime.clock.now() - at) / 1000;
      return {
        ...answer,
        heartbeatSeconds: since(contact?.heartbeatAtMilliseconds),
        guardSeconds: since(contact?.contactAtMilliseconds),
        fence: (contact?.fence ?? [])
          .filter(({ result }) => result === "fenced")
          .map(({ layer }) => layer),
      };
    },
  };
};

/** PostgreSQL's sentences, and RDS's, for a database that has no room or knows another password. */
const noRoom = /remaining connection slots|too many clients|53300/;
const otherLogin =
  /password authentication failed|no pg_hba\.conf entry|is not permitted to log in/;
/** What `pg` and the network say when nobody is there, and PostgreSQL while it comes or goes. */
const silence = new RegExp(
  [
    "time(d )?out",
    "ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH",
    "terminated|starting up|shutting down|recovery mode",
  ].join("|"),
  "i",
);

/**
 * What the database itself said, told from a function that could not even ask it: that is no witness, and
 * is thrown.
 */
const reached = async (
  ask: () => Promise<{ recovery: boolean }>,
): Promise<Pick<WritesSeen, "reach" | "why" | "isReplica">> => {
  try {
    const { recovery } = await ask();
    return { reach: "answers", why: "", isReplica: recovery };
  } catch (error) {
    if (!(error instanceof FunctionFailed)) throw error;
    const why = sentence(error);
    const silent = { why, isReplica: null };
    if (noRoom.test(why)) return { reach: "no-room", ...silent };
    if (otherLogin.test(why)) return { reach: "login-refused", ...silent };
    if (silence.test(why)) return { reach: "no-answer", ...silent };
    throw error;
  }
};
