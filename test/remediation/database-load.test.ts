import { describe, expect, it } from "vitest";
import type {
  BlockingSession,
  Connections,
  Listed,
  ListedSession,
  Running,
} from "../../functions/database/decide.ts";
import type {
  ActivitySeen,
  DatabaseLoadSeen,
} from "../../functions/remediation/evidence-database.ts";
import { databaseLoad } from "../../functions/remediation/playbooks/database-load/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { minute, now, outcomeOf, type Seen, verdictOf } from "./facts.ts";
import { stage } from "./stage.ts";

const one = playbook(databaseLoad);
const none = { now: null, before: null };
const megabyte = 1024 ** 2;

const load = (more: Partial<DatabaseLoadSeen> = {}): Seen => ({
  databaseLoad: {
    minutes: 5,
    cpuPercent: { now: 96, before: 30 },
    freeMemoryBytes: { now: 300 * megabyte, before: 2000 * megabyte },
    swapBytes: { now: 0, before: 0 },
    connections: none,
    readsPerSecond: none,
    writesPerSecond: none,
    queueDepth: none,
    replicaLagSeconds: none,
    ...more,
  },
});

const listed = <T>(...rows: T[]): Listed<T> => ({ rows, more: false });
const answer = <T>(value: T) => ({ known: true as const, value });

const running = (sessions: number, more: Partial<Running> = {}): Running => ({
  fingerprint: "42",
  user: "app_a",
  application: "ledger",
  process: "client backend",
  sessions,
  working: sessions,
  longestSeconds: 3,
  ...more,
});

const session = (pid: number, more: Partial<ListedSession> = {}): ListedSession => ({
  pid,
  backendStart: "2026-11-22T01:00:00.000000Z",
  transactionStart: "2026-11-22T02:00:00.000000Z",
  state: "active",
  stateSince: "2026-11-22T02:00:00.000000Z",
  user: "app_a",
  application: "ledger",
  client: "10.0.0.1",
  stateSeconds: 400,
  transactionSeconds: 400,
  fingerprint: "7",
  wrote: true,
  waits: null,
  spared: null,
  ...more,
});

const behind = (root: ListedSession, waiting = 6): Listed<BlockingSession> =>
  listed(
    { ...root, blockedBy: [] },
    ...Array.from({ length: waiting }, (_, index) => ({
      ...session(100 + index),
      blockedBy: [root.pid],
    })),
  );

const connections = (idle: number): Connections => ({
  most: 100,
  reserved: 6,
  used: idle + 10,
  unseen: 0,
  idleTimeoutSeconds: 60,
  groups: listed({
    user: "app_a",
    application: "ledger",
    state: "idle",
    client: null,
    sessions: idle,
    oldestSeconds: 100,
  }),
  roles: [],
});

const inside = (more: Partial<ActivitySeen> = {}): Seen => ({
  activity: {
    connections: answer(connections(20)),
    running: answer(
      listed(running(2), running(2, { fingerprint: "43" }), running(2, { fingerprint: "44" })),
    ),
    waits: answer(listed()),
    blocking: answer(listed()),
    transactions: answer(listed()),
    slowest: { known: false, why: "pg_stat_statements is not installed in this database" },
    slots: answer(listed()),
    ...more,
  },
});

const users = (perMinute: number): Seen => ({
  load: { slowestSeconds: 0.3, perMinute, perMinuteBefore: 100 },
});

const busy: Seen = {
  ...load(),
  ...inside(),
  ...users(100),
  deploy: null,
  database: {
    id: "platform",
    status: "available",
    isReplica: false,
    allocatedGigabytes: 100,
    maximumGigabytes: null,
    limitGigabytes: 500,
    instanceClass: "db.r7g.large",
    storageType: "gp3",
    multiAz: true,
    zone: "eu-central-1a",
    pending: [],
  },
};

const idle = session(7, { state: "idle in transaction" });
const vacuum = running(3, { process: "autovacuum worker", fingerprint: null, application: "" });

describe("the playbook database-load", () => {
  it.each<[what: string, different: Seen, is: string, then: string, kind?: string]>([
    ["many statements keep it busy", {}, "many-statements", "nothing"],
    ["it is quiet again", load({ cpuPercent: { now: 40, before: 90 } }), "recovered", "passed"],
    ["nobody measures it", { databaseLoad: undefined }, "unknown", "nothing"],
    ["the database says nothing", { activity: undefined }, "unknown", "nothing"],
    [
      "what runs cannot be looked at",
      inside({ running: { known: false, why: "the look took longer than it may (57014)" } }),
      "unknown",
      "nothing",
    ],
    [
      "six wait for a transaction that is forgotten",
      inside({ blocking: answer(behind(idle)) }),
      "blocked-by-forgotten",
      "people",
    ],
    [
      "six wait for one that works",
      inside({ blocking: answer(behind(session(7))) }),
      "blocked-by-one",
      "people",
    ],
    [
      "two wait for one, and one statement does the work",
      inside({
        blocking: answer(behind(idle, 2)),
        running: answer(listed(running(8), running(1))),
      }),
      "one-statement",
      "nothing",
    ],
    [
      "one session has worked on one statement for ten minutes",
      inside({ running: answer(listed(running(1, { longestSeconds: 600 }))) }),
      "one-statement",
      "nothing",
    ],
    [
      "one session has worked for a moment",
      inside({ running: answer(listed(running(1))) }),
      "many-statements",
      "nothing",
    ],
    [
      "vacuum does the work",
      inside({ running: answer(listed(vacuum, running(1))) }),
      "vacuum",
      "nothing",
    ],
    [
      "they wait for the disk",
      inside({
        waits: answer(listed({ type: "IO", event: "DataFileRead", sessions: 8 })),
        running: answer(listed(running(8, { working: 0 }))),
      }),
      "waits-for-disk",
      "nothing",
    ],
    ["users send twice as much", users(200), "load-has-grown", "nothing"],
    [
      "memory is short and most connections are idle",
      inside({ connections: answer(connections(60)) }),
      "too-many-sessions",
      "nothing",
      "database-memory",
    ],
  ])("when %s", (_what, different, is, then, kind = "database-cpu") => {
    expect(outcomeOf(one, { ...busy, ...different }, { kind })).toEqual([is, then]);
  });

  it("names the deed of another playbook for whoever is forgotten, and never ends it itself", () => {
    const seen = { ...busy, ...inside({ blocking: answer(behind(idle)) }) };
    const { finding, decision } = verdictOf(one, seen, { kind: "database-cpu" });
    expect(decision.kind).toBe("refuse");
    expect(finding.advice[0]).toContain("database-connections");
    expect(finding.says).toContain("pid 7 of ledger");
  });

  it("says that statistics are missing, and those of which day they are when they are there", () => {
    const says = (more: Seen) =>
      verdictOf(one, { ...busy, ...more }, { kind: "database-cpu" }).finding.says;
    expect(says({})).toContain("unknown (pg_stat_statements is not installed");
    const statement = { user: "app_a", calls: 900, totalMilliseconds: 9e5, mostMilliseconds: 5e3 };
    const statements = [{ ...statement, fingerprint: "42", meanMilliseconds: 1000 }];
    const slowest = answer({ since: "2026-11-20T02:00:00.000000Z", statements });
    expect(says(inside({ slowest }))).toContain(
      "since 2026-11-20T02:00: query 42 (900 times 1000 ms)",
    );
  });

  it("tells of a deploy that has just ended, of swapping, and of a class that bursts", () => {
    const deploy = {
      id: "r-1",
      status: "Successful",
      startedAtMilliseconds: now - 40 * minute,
      endedAtMilliseconds: now - 20 * minute,
    };
    const small = { ...busy.database, instanceClass: "db.t4g.medium" } as Seen["database"];
    const swaps = load({ swapBytes: { now: 900 * megabyte, before: 10 * megabyte } });
    const seen = { ...busy, ...swaps, deploy, database: small };
    const advice = verdictOf(one, seen, { kind: "database-memory" }).finding.advice.join(" ");
    expect(advice).toMatch(/r-1 ended 20 minutes ago.*burstable.*begins to swap/);
  });

  it("looks and advises when the processor is busy, changes nothing, and holds latency back", async () => {
    const at = await stage({ rights: { latency: "automatic", "database-load": "automatic" } });
    at.cloud.databases.strain(at.region, at.platform.home.databaseId, { cpuPercent: 97 });
    await at.until("it has looked", () =>
      at.results().some(({ playbook: name }) => name === "database-load"),
    );
    const result = at.results().find(({ playbook: name }) => name === "database-load");
    expect(result).toMatchObject({ end: "nothing", code: "not-actionable", acts: 0 });
    expect(result?.notes.join(" ")).toMatch(/processor is \d+ % busy.*Performance Insights/);
    expect(at.bugs).toEqual([]);
  });
});
