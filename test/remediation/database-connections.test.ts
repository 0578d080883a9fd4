import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  BlockingSession,
  Connections,
  ListedSession,
} from "../../functions/database/decide.ts";
import { remainingOf } from "../../functions/database/decide.ts";
import type { Deed, Hands } from "../../functions/remediation/actions.ts";
import {
  isStillMeant,
  malformedOf,
  observeTarget,
  orderOf,
  perform,
  saysOf,
} from "../../functions/remediation/actions.ts";
import type { Looks } from "../../functions/remediation/evidence.ts";
import { databaseConnections } from "../../functions/remediation/playbooks/database-connections/playbook.ts";
import type { Decision, Subject } from "../../functions/remediation/playbooks.ts";
import type { Fact } from "../../shared/outcome.ts";
import { application, postgresServer, type Server } from "../database/server.ts";

const now = Date.UTC(2026, 10, 22, 3);
const subject = (kind = "database-connections"): Subject => ({
  region: "eu-central-1",
  alarm: `nightshift-${kind}`,
  kind,
  resource: null,
  sinceMilliseconds: now,
  reason: "Threshold Crossed",
});

type PlaybookEvidence = Parameters<typeof databaseConnections.diagnose>[0];

const known = <T>(value: T): Fact<T> => ({
  known: true,
  value,
  source: "test",
  atMilliseconds: now,
});
const unknown = (why: string) =>
  ({ known: false, why, source: "database", atMilliseconds: now }) as const;

const session = (pid: number, given: Partial<ListedSession> = {}): ListedSession => ({
  pid,
  backendStart: "2026-11-22T02:00:00.000000Z",
  transactionStart: "2026-11-22T02:30:00.000000Z",
  state: "idle in transaction",
  stateSince: `2026-11-22T02:30:00.${String(pid).padStart(6, "0")}Z`,
  user: application,
  application: "ledger",
  client: "10.0.0.1",
  stateSeconds: 1800,
  transactionSeconds: 1800,
  fingerprint: "-42",
  wrote: false,
  waits: "Client:ClientRead",
  spared: null,
  ...given,
});

const sessions = (count: number, given: Partial<ListedSession> = {}, from = 100) =>
  Array.from({ length: count }, (_, index) => session(from + index, given));

interface Given {
  used?: number;
  unseen?: number;
  idle?: ListedSession[];
  blocking?: BlockingSession[];
  groups?: Connections["groups"]["rows"];
  refused?: number | null;
  changedMinutesBefore?: number | null;
  desired?: number;
  errors?: number;
  blind?: string;
}

const given = (is: Given): PlaybookEvidence => {
  const connections: Connections = {
    most: 103,
    reserved: 3,
    used: is.used ?? 95,
    unseen: is.unseen ?? 0,
    idleTimeoutSeconds: 0,
    groups: { rows: is.groups ?? [], more: false },
    roles: [],
  };
  const idle = { rows: is.idle ?? [], more: false };
  const blocking = { rows: is.blocking ?? [], more: false };
  const seen: Looks["sessions"]["seen"] = {
    connections: { known: true, value: connections },
    idleInTransaction: { known: true, value: idle },
    blocking: { known: true, value: blocking },
  };
  const { changedMinutesBefore: changed = null, refused = 0 } = is;
  const group = { name: "app", minimum: 6, desired: is.desired ?? 6, maximum: 30 };
  const rest = { healthCheckType: "ELB", graceSeconds: 60, suspended: [], instances: [] };
  const database = { id: "platform", status: "available", isReplica: false };
  return {
    sessions: is.blind === undefined ? known({ idleSeconds: 300, seen }) : unknown(is.blind),
    refusals: refused === null ? unknown("no metric") : known({ minutes: 3, refused }),
    login: known({
      secret: "platform/database",
      changedAtMilliseconds: changed === null ? null : now - changed * 60_000,
    }),
    group: known({ ...group, ...rest }),
    service: known({ minutes: 4, requests: 1000, errors: is.errors ?? 0 }),
    database: known({ ...database } as Looks["database"]),
    path: unknown("not linked"),
  };
};

const waiting = (pid: number, blockedBy: number[]): BlockingSession => ({
  ...session(pid, { state: "active", waits: "Lock:transactionid" }),
  blockedBy,
});
const queueBehind = (root: ListedSession, count = 40): BlockingSession[] => [
  { ...root, blockedBy: [] },
  ...Array.from({ length: count }, (_, index) => waiting(100 * root.pid + index, [root.pid])),
];
const idleGroup = (count: number, clients: number): Connections["groups"]["rows"] =>
  Array.from({ length: clients }, (_, index) => ({
    user: application,
    application: "ledger",
    state: "idle",
    client: `10.0.0.${index}`,
    sessions: count / clients,
    oldestSeconds: 30,
  }));
const migration = { application: "alembic", spared: "named" } as const;

const { diagnose, decide } = databaseConnections;
const decided = (evidence: PlaybookEvidence, kind?: string): Decision | "nothing" => {
  const { is } = diagnose(evidence, subject(kind));
  const act = is === "unknown" ? undefined : decide[is];
  return act ? act(evidence, subject(kind)) : "nothing";
};

describe("what is the matter with the connections", () => {
  it.each<[string, Given, string, string?]>([
    ["forgotten transactions eat them", { idle: sessions(60) }, "forgotten-transactions"],
    [
      "they do beside a migration",
      { idle: [session(7, migration), ...sessions(60)] },
      "forgotten-transactions",
    ],
    ["a few forgotten ones are not it", { idle: sessions(4) }, "unknown"],
    ["one in ten is not it", { idle: sessions(9) }, "unknown"],
    ["all that is forgotten is spared", { idle: sessions(60, migration) }, "spared-sessions"],
    ["all wait for one", { blocking: queueBehind(session(7)) }, "blocked-by-one"],
    [
      "all wait for one that works",
      { blocking: queueBehind(session(7, { state: "active" })) },
      "blocked-by-one",
    ],
    [
      "half wait for one, half for another",
      {
        blocking: [...queueBehind(session(7), 25), ...queueBehind(session(8), 25)],
      },
      "unknown",
    ],
    [
      "more are forgotten than wait",
      { idle: sessions(60), blocking: queueBehind(session(7), 30) },
      "forgotten-transactions",
    ],
    [
      "each of twenty instances brings its pool",
      { desired: 20, groups: idleGroup(90, 18) },
      "pool-too-large",
    ],
    [
      "transactions are silent, not yet for long",
      { groups: idleGroup(60, 6).map((each) => ({ ...each, state: "idle in transaction" })) },
      "not-forgotten-yet",
    ],
    ["they are idle, and nothing was scaled out", { groups: idleGroup(90, 6) }, "unknown"],
    [
      "they are all at work",
      { groups: idleGroup(90, 1).map((each) => ({ ...each, state: "active" })) },
      "unknown",
    ],
    ["there is room again", { used: 40 }, "recovered"],
    ["there is room, refusals not counted", { used: 40, refused: null }, "recovered"],
    ["some cannot be looked into", { unseen: 1, idle: sessions(60) }, "unknown"],
    ["nobody can look", { blind: "timeout" }, "unknown"],
    ["nobody listens", { blind: "connect ECONNREFUSED 10.20.128.4:5432" }, "does-not-answer"],
    ["packets are dropped", { blind: "connect ETIMEDOUT 10.20.128.4:5432" }, "does-not-answer"],
    ["TLS does not come about", { blind: "certificate has expired" }, "tls-fails"],
    ["its login is refused", { blind: "password authentication failed" }, "login-refused"],
    [
      "logins fail since the secret was changed",
      { used: 40, refused: 80, changedMinutesBefore: 10 },
      "logins-fail-after-rotation",
      "database-refusals",
    ],
    [
      "logins fail, changed yesterday",
      { used: 40, refused: 80, changedMinutesBefore: 1500 },
      "unknown",
      "database-refusals",
    ],
    ["logins fail, never changed", { used: 40, refused: 80 }, "unknown", "database-refusals"],
    ["hardly any login fails", { used: 40, refused: 2 }, "recovered", "database-refusals"],
    ["refusals are not counted", { used: 40, refused: null }, "unknown", "database-refusals"],
    [
      "logins are refused for want of room",
      { refused: 80, idle: sessions(60) },
      "forgotten-transactions",
      "database-refusals",
    ],
  ])("is told: %s", (_what, is, code, kind) => {
    expect(diagnose(given(is), subject(kind)).is).toBe(code);
  });

  it("says how to look when Nightshift itself has found no connection", () => {
    const blind = "FunctionFailed: database failed: remaining connection slots are reserved";
    expect(diagnose(given({ blind }), subject()).advice.join(" ")).toContain(
      "reserved_connections",
    );
  });

  it("names who blocks and who is spared, and no query", () => {
    const blocker = session(7, { state: "active", stateSeconds: 90 });
    const found = diagnose(given({ blocking: queueBehind(blocker) }), subject());
    expect(found.says).toContain("pid 7 of ledger, active for 90 s, query -42");
    expect(found.advice.join(" ")).toContain("pg_cancel_backend(7)");
    const spared = diagnose(given({ idle: sessions(60, migration) }), subject());
    expect(spared.says).toContain("alembic (named) 60");
  });
});

describe("what is done about the connections", () => {
  it("ends as many forgotten transactions as it takes, the longest silent first", () => {
    const decision = decided(given({ used: 95, idle: [session(7, migration), ...sessions(60)] }));
    if (decision === "nothing" || decision.kind !== "proceed") throw new Error("not decided");
    const { deed } = decision;
    if (deed.do !== "end-sessions") throw new Error(deed.do);
    // From 95 to 60 of 100.
    expect(deed.target.sessions.map(({ pid }) => pid)).toEqual(sessions(35).map(({ pid }) => pid));
    expect(deed.target).toMatchObject({ database: "platform", atMost: 35, idleSeconds: 300 });
    expect(saysOf(deed)).toBe("end 35 forgotten transactions of platform");
    expect(malformedOf(deed)).toBeNull();
  });

  it.each<[string, Given, string?]>([
    ["a pool that is too large", { desired: 20, groups: idleGroup(90, 18) }],
    [
      "logins that fail after a rotation",
      { used: 40, refused: 80, changedMinutesBefore: 10 },
      "database-refusals",
    ],
    ["sessions that are spared", { idle: sessions(60, migration) }],
    ["what it does not understand", {}],
    ["half of a picture", { unseen: 1, idle: sessions(60) }],
  ])("is nothing about %s", (_what, is, kind) => {
    expect(decided(given(is), kind)).toBe("nothing");
  });

  it.each<[string, Partial<ListedSession>, boolean]>([
    ["works", { state: "active" }, true],
    ["is a migration", migration, true],
    ["was silent for a moment only", {}, false],
  ])("is nothing about one that blocks the others and %s", (_what, blocker, isListed) => {
    const root = session(7, blocker);
    const idle = isListed && root.state !== "active" ? [root] : [];
    expect(decided(given({ idle, blocking: queueBehind(root) }))).toMatchObject({
      kind: "refuse",
      refusals: [{ code: "not-forgotten" }],
    });
  });

  it("ends one that blocks the others when it is forgotten, and only that one", () => {
    const root = session(7);
    const others = sessions(3);
    const decision = decided(given({ idle: [root, ...others], blocking: queueBehind(root) }));
    expect(decision).toMatchObject({
      kind: "proceed",
      deed: { target: { sessions: [{ pid: 7 }], atMost: 1 } },
    });
  });

  it("refuses when the database has no name", () => {
    const evidence = { ...given({ idle: sessions(60) }) };
    const nameless = known({ id: "" } as Looks["database"]);
    expect(decided({ ...evidence, database: nameless })).toMatchObject({
      refusals: [{ code: "empty-selector" }],
    });
  });
});

const deedOf = (list: ListedSession[]): Deed<"end-sessions"> => {
  const decision = decided(given({ idle: list, used: 100 }));
  if (decision === "nothing" || decision.kind === "refuse") throw new Error("not decided");
  if (decision.deed.do !== "end-sessions") throw new Error(decision.deed.do);
  return decision.deed;
};

describe("a plan to end sessions", () => {
  it("is still meant when a few have gone on, and another when most have", () => {
    const planned = deedOf(sessions(40));
    expect(isStillMeant(planned, deedOf([...sessions(30), ...sessions(10, {}, 900)]))).toBe(true);
    expect(isStillMeant(planned, deedOf([...sessions(15), ...sessions(25, {}, 900)]))).toBe(false);
  });

  it.each<[string, Partial<Deed<"end-sessions">["target"]>]>([
    ["nobody", { sessions: [] }],
    ["no database", { database: "" }],
    ["no bound", { atMost: 0 }],
  ])("is malformed with %s", (_what, target) => {
    const deed = deedOf(sessions(40));
    expect(malformedOf({ ...deed, target: { ...deed.target, ...target } })).not.toBeNull();
  });

  it("is done when none of them is what it was, also when the list was cut off", () => {
    const frozen = deedOf(sessions(40)).target.sessions;
    const list = (rows: ListedSession[], more = false) => remainingOf(frozen, { rows, more });
    expect(list(sessions(40))).toBe(40);
    expect(list([])).toBe(0);
    expect(
      list(sessions(40).map((each) => ({ ...each, stateSince: "2026-11-22T02:59:00.000000Z" }))),
    ).toBe(0);
    // Whoever is on the list after them has been silent for less long: they would have been before it.
    expect(list(sessions(5, {}, 900), true)).toBe(0);
    expect(list([session(110)], true)).toBe(30);
  });
});

describe("the proof", () => {
  const judge = (after: Given) => {
    const deed = deedOf(sessions(40));
    return databaseConnections.proof.judge(given({ idle: sessions(60) }), given(after), deed).is;
  };
  it.each<[string, Given, string]>([
    ["room again and nobody refused", { used: 60 }, "healed"],
    ["as full as before", { used: 95 }, "same"],
    ["room, but logins are refused", { used: 60, refused: 9 }, "same"],
    ["room, refusals not counted", { used: 60, refused: null }, "unknown"],
    ["nobody can look", { blind: "timeout" }, "unknown"],
    ["room, and more requests fail than before", { used: 60, errors: 200 }, "worse"],
    ["nobody can look, and more requests fail", { blind: "timeout", errors: 200 }, "worse"],
  ])("of %s is %s", (_what, after, is) => {
    expect(judge(after)).toBe(is);
  });
});

describe("on PostgreSQL", () => {
  let server: Server;
  beforeAll(async () => {
    server = await postgresServer();
    const administrator = await server.administrator();
    await administrator.query("alter system set reserved_connections = 3");
    await server.leave();
    await server.restart();
  });
  afterAll(() => server?.close());

  const idleSeconds = 1;
  const evidence = async (): Promise<PlaybookEvidence> => {
    const looks: ["connections", "idleInTransaction", "blocking"] = [
      "connections",
      "idleInTransaction",
      "blocking",
    ];
    const seen = await server.ask({ do: "examine", looks, idleSeconds });
    return { ...given({}), sessions: known({ idleSeconds, seen }) };
  };
  const hands = {
    sessionsLeft: async (frozen, seconds) => {
      const looks: ["idleInTransaction"] = ["idleInTransaction"];
      const answer = await server.ask({ do: "examine", looks, idleSeconds: seconds });
      if (!answer.idleInTransaction?.known) throw new Error("not answered");
      return remainingOf(frozen, answer.idleInTransaction.value);
    },
    endSessions: async (target) => void (await server.ask({ do: "endSessions", ...target })),
  } satisfies Partial<Hands>;

  it("frees a database that a flood of forgotten transactions has filled", async () => {
    await server.flood();
    await new Promise((resolve) => setTimeout(resolve, 1000 * idleSeconds + 100));
    const before = await evidence();
    expect(diagnose(before, subject()).is).toBe("forgotten-transactions");
    const decision = decided(before);
    if (decision === "nothing" || decision.kind !== "proceed") throw new Error("not decided");
    const order = orderOf(decision.deed, null);
    if ("code" in order) throw new Error(order.reason);
    const look = () => observeTarget(hands as unknown as Hands, decision.deed);
    expect(await look()).toMatchObject({ isDone: false, changed: null });
    await perform(hands as unknown as Hands, order);
    expect(await look()).toMatchObject({ isDone: true });
    const after = await evidence();
    expect(databaseConnections.proof.judge(before, after, decision.deed).is).toBe("healed");
    await server.login(application, "ledger");
  });
});
