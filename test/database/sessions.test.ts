import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FrozenSession, ListedSession, Look } from "../../functions/database/decide.ts";
import {
  blockersOf,
  freeze,
  leastIdleSeconds,
  looks,
  mostEnded,
} from "../../functions/database/decide.ts";
import { statements } from "../../functions/database/statements.ts";
import { application, postgresServer, type Server } from "./server.ts";

let server: Server;

beforeAll(async () => {
  server = await postgresServer();
  const administrator = await server.administrator();
  await administrator.query("alter system set reserved_connections = 3");
  await administrator.query("alter system set compute_query_id = on");
  await server.restart();
});

afterEach(async () => {
  await server.leave();
  await emptied();
});

afterAll(() => server?.close());

const pidOf = async (client: Client): Promise<number> => {
  const { rows } = await client.query("select pg_backend_pid() as pid");
  return rows[0].pid;
};

/** A session that begins, does something, and then says nothing more. */
const forgetful = async (user = application, name = "ledger", sql = "select 1") => {
  const client = await server.login(user, name);
  const pid = await pidOf(client);
  await client.query("begin");
  await client.query(sql);
  return { client, pid };
};

/** Sessions leave a moment after their client has gone. */
const emptied = async (): Promise<void> => {
  const administrator = await server.administrator();
  for (let look = 0; look < 100; look += 1) {
    const { rows } = await administrator.query(
      "select count(*)::int as n from pg_stat_activity where usename = any ($1)",
      [[application, "reporting", "platform_owner"]],
    );
    if (rows[0].n === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await server.leave();
};

/** As if everybody had been silent for an hour: the look's own bound is tested by itself. */
const idle = async (policy?: Parameters<Server["ask"]>[1]): Promise<ListedSession[]> => {
  const { idleInTransaction } = await server.ask(
    { do: "examine", looks: ["idleInTransaction"], idleSeconds: 0 },
    policy,
  );
  if (!idleInTransaction?.known) throw new Error(idleInTransaction?.why);
  return idleInTransaction.value.rows;
};

const end = (sessions: FrozenSession[], atMost = mostEnded, idleSeconds = 0) =>
  server.ask({ do: "endSessions", sessions, atMost, idleSeconds });

const works = async (client: Client): Promise<boolean> =>
  client.query("select 1").then(
    () => true,
    () => false,
  );

describe("a flood of transactions that were forgotten", () => {
  it("is seen and ended although it has eaten every connection, and nobody else is", async () => {
    const names = ["alembic", "psql"];
    const spared = [
      await forgetful("platform_owner", "ledger"),
      await forgetful("reporting", "ledger"),
      ...(await Promise.all(names.map((name) => forgetful(application, name)))),
      await forgetful(application, "ledger", "lock table transfers in share mode"),
    ];
    const busy = await server.login(application, "ledger");
    const work = busy.query("select pg_sleep(1.5)").then(() => "answered");
    const flood = await server.flood();
    // Whoever comes now is turned away, and only a login with a reserved place comes in.
    await expect(server.login(application)).rejects.toMatchObject({ code: "53300" });
    const { connections } = await server.ask({ do: "examine", looks: ["connections"] });
    if (!connections?.known) throw new Error(connections?.why);
    const { most, reserved, used, unseen, groups } = connections.value;
    expect({ most, reserved, unseen }).toEqual({ most: 100, reserved: 6, unseen: 0 });
    expect(used).toBeGreaterThanOrEqual(most - reserved);
    expect(groups.rows[0]).toMatchObject({
      user: application,
      application: "ledger",
      state: "idle in transaction",
      client: "127.0.0.1",
      sessions: flood + 1,
    });
    const answer = await end(freeze(await idle()));
    expect([answer.ended.length, answer.spared]).toEqual([flood, []]);
    for (const { client } of spared) expect(await works(client)).toBe(true);
    expect(await work).toBe("answered");
    expect(await works(await server.login(application))).toBe(true);
  });
});

describe("a list of sessions to end", () => {
  it("tells who would be spared, and why, before anybody is ended", async () => {
    await forgetful("platform_owner");
    await forgetful("reporting");
    await forgetful(application, "Alembic-1.13");
    await forgetful(application, "nightly-report");
    await forgetful(application, "ledger", "update transfers set amount = 3 where id = 'one'");
    const seen = await idle({ neverEnd: ["Nightly-"] });
    const told = seen.map(({ user, application: name, wrote, spared }) => [
      `${user} as ${name}${wrote ? ", wrote" : ""}`,
      spared,
    ]);
    expect(Object.fromEntries(told)).toEqual({
      "platform_owner as ledger": "privileged",
      "reporting as ledger": "not-the-application",
      "app_a as Alembic-1.13": "named",
      "app_a as nightly-report": "named",
      "app_a as ledger, wrote": null,
    });
    expect(freeze(seen)).toHaveLength(1);
    const only = await idle({ onlyEnd: ["worker"] });
    expect(freeze(only)).toEqual([]);
  });

  it("names a session that changes tables, whatever it calls itself", async () => {
    const { client, pid } = await forgetful();
    await client.query("lock table transfers in access exclusive mode");
    expect(await idle()).toMatchObject([{ pid, spared: "changes-tables" }]);
  });

  it("spares who is on it by mistake or by malice: owner, stranger, migration, Nightshift", async () => {
    const cases = [
      ["platform_owner", "ledger", "privileged"],
      ["reporting", "ledger", "not-the-application"],
      [application, "Migrations", "named"],
    ] as const;
    for (const [user, name, because] of cases) {
      const { client, pid } = await forgetful(user, name);
      const [seen] = (await idle()).filter((one) => one.pid === pid);
      const forged = freeze(seen ? [{ ...seen, spared: null }] : []);
      expect(forged).toHaveLength(1);
      const answer = await end(forged);
      expect(answer).toMatchObject({ ended: [], spared: [{ pid, because }] });
      expect(await works(client)).toBe(true);
    }
  });

  it("never ends PostgreSQL's own processes", async () => {
    const administrator = await server.administrator();
    const { rows } = await administrator.query(
      `select pid, to_char(backend_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as start
       from pg_stat_activity where backend_type = 'checkpointer'`,
    );
    const [{ pid, start: backendStart }] = rows;
    const state = "idle in transaction" as const;
    const forged = { pid, backendStart, transactionStart: null, state, stateSince: backendStart };
    expect((await end([forged])).spared[0]?.because).toMatch(/unseen|not-a-client/);
  });
});

describe("a session that has changed between the look and the act", () => {
  const looked = async (pid: number) => {
    const sessions = freeze((await idle()).filter((one) => one.pid === pid));
    expect(sessions).toHaveLength(1);
    return sessions;
  };

  it("is spared when another one has its process id by now", async () => {
    const { client, pid } = await forgetful();
    const [was] = await looked(pid);
    // Process ids are not used anew at will, so the list is as old as it would be.
    const older = { ...was, backendStart: "2026-01-01T00:00:00.000000Z" } as FrozenSession;
    expect(await end([older])).toMatchObject({
      ended: [],
      spared: [{ pid, because: "another-session" }],
    });
    expect(await works(client)).toBe(true);
  });

  it("is spared when it works again", async () => {
    const { client, pid } = await forgetful();
    const sessions = await looked(pid);
    const answer = client.query("select pg_sleep(0.7)").then(() => "answered");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await end(sessions)).toMatchObject({
      ended: [],
      spared: [{ pid, because: "not-idle-in-transaction" }],
    });
    expect(await answer).toBe("answered");
  });

  it("is spared when it has committed and begun another transaction", async () => {
    const { client, pid } = await forgetful();
    const sessions = await looked(pid);
    await client.query("commit");
    await client.query("begin");
    await client.query("select 1");
    expect((await end(sessions)).spared).toMatchObject([{ pid, because: "another-transaction" }]);
    expect(await works(client)).toBe(true);
  });

  it("is spared when it has answered in the same transaction since", async () => {
    const { client, pid } = await forgetful();
    const sessions = await looked(pid);
    await client.query("select 1");
    expect((await end(sessions)).spared).toMatchObject([{ pid, because: "worked-since" }]);
    expect(await works(client)).toBe(true);
  });

  it("is spared when it has not been silent for as long as was asked for", async () => {
    const { client, pid } = await forgetful();
    const answer = await end(await looked(pid), 1, leastIdleSeconds);
    expect(answer.spared).toMatchObject([{ pid, because: "too-recent" }]);
    expect(await works(client)).toBe(true);
  });

  it("is spared when its transaction has failed since", async () => {
    const { client, pid } = await forgetful();
    const sessions = await looked(pid);
    await expect(client.query("select 1 / 0")).rejects.toThrow();
    expect((await end(sessions)).spared).toMatchObject([{ pid, because: "another-state" }]);
  });

  it("is ended when its transaction had failed and it kept its connection", async () => {
    const { client, pid } = await forgetful();
    await expect(client.query("select 1 / 0")).rejects.toThrow();
    expect(await end(await looked(pid))).toMatchObject({
      ended: [{ pid, transactionStart: null }],
    });
  });

  it("is told to be gone when it is, and when it was ended before", async () => {
    const { client, pid } = await forgetful();
    const sessions = await looked(pid);
    expect(await end(sessions)).toMatchObject({ ended: [{ pid }], lingering: [], spared: [] });
    expect(await works(client)).toBe(false);
    expect(await end(sessions)).toMatchObject({ ended: [], spared: [{ pid, because: "gone" }] });
  });

  it("loses only what was not acknowledged", async () => {
    const insert = "insert into transfers values ('open', 1)";
    const { client, pid } = await forgetful(application, "ledger", insert);
    await end(await looked(pid));
    await expect(client.query("commit")).rejects.toThrow();
    const reader = await server.login(application);
    const { rows } = await reader.query("select id from transfers where id = 'open'");
    expect(rows).toEqual([]);
  });

  it("is one of no more than was allowed, the oldest first", async () => {
    const first = await forgetful();
    const second = await forgetful();
    const sessions = freeze(await idle());
    expect(await end(sessions.toReversed(), 1)).toMatchObject({
      ended: [{ pid: first.pid }],
      spared: [{ pid: second.pid, because: "over-the-limit" }],
    });
    expect(await works(second.client)).toBe(true);
  });
});

describe("what is sent to PostgreSQL", () => {
  it("is a statement of the menu, in a transaction that cannot write when it only looks", async () => {
    const menu = new Set<string>(Object.values(statements).map(({ text }) => text));
    server.sent.length = 0;
    await server.ask({ do: "examine", looks: [...looks] });
    expect(server.sent.filter((text) => !menu.has(text))).toEqual([]);
    const opened = server.sent.filter((text) => text === statements.beginLook.text);
    expect(opened).toHaveLength(looks.length);
    expect(statements.beginLook.text).toMatch(
      /READ ONLY;[\s\S]*statement_timeout[\s\S]*lock_timeout/,
    );
    await forgetful();
    server.sent.length = 0;
    await end(freeze(await idle()));
    expect(server.sent.filter((text) => !menu.has(text))).toEqual([]);
  });

  it("tells no text and no parameter of a query in any look", async () => {
    const secret = "4111111111111111";
    await forgetful(application, "ledger", `select * from transfers where id = '${secret}'`);
    const blocker = await forgetful(application, "ledger", "update transfers set amount = 9");
    const waiting = await server.login(application, "ledger");
    const waits = waiting.query("update transfers set amount = 5 where id <> $1", [secret]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const answer = await server.ask({ do: "examine", looks: [...looks], idleSeconds: 0 });
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(JSON.stringify(answer)).not.toMatch(/transfers where|update transfers|lock table/);
    const { idleInTransaction } = answer;
    const rows = idleInTransaction?.known ? idleInTransaction.value.rows : [];
    expect(rows[0]?.fingerprint).toMatch(/^-?\d+$/);
    await blocker.client.query("rollback");
    await waits;
  });
});

describe("a look", () => {
  const known = async <L extends Look>(look: L) => {
    const answer = (await server.ask({ do: "examine", looks: [look] }))[look];
    if (!answer?.known) throw new Error(answer?.why);
    return answer.value;
  };

  it("finds who stands at the root of a tree of waiting sessions", async () => {
    const root = await forgetful(application, "ledger", "update transfers set amount = 2");
    const names = ["second", "third"];
    const waiting = [];
    for (const name of names) {
      const client = await server.login(application, name);
      waiting.push(client.query("update transfers set amount = 7 where id = 'one'"));
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const { rows, more } = await known("blocking");
    expect(more).toBe(false);
    expect(rows.map(({ application: name, blockedBy }) => [name, blockedBy.length > 0])).toEqual(
      expect.arrayContaining([
        ["ledger", false],
        ["second", true],
        ["third", true],
      ]),
    );
    const [blocker, ...others] = blockersOf(rows);
    expect(blocker).toMatchObject({ pid: root.pid, waiting: 2, session: { spared: null } });
    expect(others).toEqual([]);
    const waits = await known("waits");
    expect(waits.rows).toContainEqual({ type: "Lock", event: "transactionid", sessions: 1 });
    await root.client.query("rollback");
    await Promise.all(waiting);
  });

  it("shows what is worked on now by its fingerprint, and who of it waits for nothing", async () => {
    const busy = "select count(*) from generate_series(1, 100000000)";
    const clients = await Promise.all(
      ["ledger", "ledger", "report"].map((name) => server.login(application, name)),
    );
    const statements = [busy, busy, "select pg_sleep(20)"];
    const ended = clients.map((client, index) =>
      client.query(statements[index] ?? "").catch((error: unknown) => String(error)),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { rows, more } = await known("running");
    const administrator = await server.administrator();
    await administrator.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1",
      [application],
    );
    await Promise.all(ended);
    expect(more).toBe(false);
    const [first, second] = rows.filter(({ user }) => user === application);
    expect(first).toMatchObject({ application: "ledger", process: "client backend", sessions: 2 });
    expect(first?.fingerprint).toMatch(/^-?\d+$/);
    expect(first?.longestSeconds).toBeGreaterThan(0.2);
    expect(second).toMatchObject({ application: "report", sessions: 1, working: 0 });
    expect(JSON.stringify(rows)).not.toContain("generate_series");
  });

  it("shows the longest transactions first, whatever they do", async () => {
    const first = await forgetful();
    const second = await forgetful("reporting");
    const { rows } = await known("transactions");
    expect(rows.map(({ pid, spared }) => [pid, spared])).toEqual([
      [first.pid, null],
      [second.pid, "not-the-application"],
    ]);
    expect(rows[0]?.transactionSeconds).toBeGreaterThan(rows[1]?.transactionSeconds ?? Infinity);
  });

  it("shows a slot that nobody reads, with the log that is kept for it", async () => {
    const administrator = await server.administrator();
    await administrator.query("select pg_create_physical_replication_slot('forgotten', true)");
    const writer = await server.login("platform_owner");
    await writer.query("create table filler as select generate_series(1, 20000) as n");
    const { rows } = await known("slots");
    expect(rows).toMatchObject([{ name: "forgotten", active: false, status: "reserved" }]);
    expect(rows[0]?.retainedBytes).toBeGreaterThan(1_000_000);
    const { bytes, tables } = await known("size");
    expect(bytes).toBeGreaterThan(5_000_000);
    expect(tables).toHaveLength(10);
    await administrator.query("select pg_drop_replication_slot('forgotten')");
    await writer.query("drop table filler");
  });

  it("says of pg_stat_statements that it is not there, and of the rest what is", async () => {
    const { slowest, size } = await server.ask({ do: "examine", looks: ["slowest", "size"] });
    expect(slowest).toMatchObject({ known: false, why: expect.stringMatching(/not installed/) });
    expect(size?.known).toBe(true);
  });

  it("does not take somebody's table of that name for it", async () => {
    const stranger = await server.login(application);
    await stranger.query("create view public.pg_stat_statements as select 1 as queryid");
    const { slowest } = await server.ask({ do: "examine", looks: ["slowest"] });
    expect(slowest).toMatchObject({ known: false, why: expect.stringMatching(/not installed/) });
    await stranger.query("drop view public.pg_stat_statements");
  });

  it("reads it when it is there, and tells no value that it keeps", async () => {
    const administrator = await server.administrator();
    await administrator.query("alter system set shared_preload_libraries = pg_stat_statements");
    await server.leave();
    await server.restart();
    const again = await server.administrator();
    await again.query("create extension pg_stat_statements");
    const client = await server.login(application);
    for (let times = 0; times < 3; times += 1) await client.query("select pg_sleep(0.05)");
    await again.query("do $$ begin perform pg_sleep(0.2), 'secret'; end $$");
    await client.query("begin; select pg_sleep(0.2), /* secret */ 'secret' as who");
    const { since, statements: found, underWay } = await known("slowest");
    await client.query("rollback");
    expect(JSON.stringify([found, underWay])).not.toContain("secret");
    expect(underWay).toMatchObject([{ shape: "select pg_sleep($1), $2 as who" }]);
    expect(since).toMatch(/^20/);
    const mine = found.find(({ user, calls }) => user === application && calls === 3);
    expect(mine?.meanMilliseconds).toBeGreaterThan(45);
    expect(mine?.fingerprint).toMatch(/^-?\d+$/);
  });

  it("gives up on what would take too long, and answers the rest", async () => {
    const administrator = await server.administrator();
    await administrator.query("begin");
    await administrator.query("lock table pg_extension in access exclusive mode");
    const answer = await server.ask({ do: "examine", looks: ["slowest", "connections"] });
    await administrator.query("rollback");
    expect(answer.slowest).toMatchObject({ known: false, why: expect.stringMatching(/55P03/) });
    expect(answer.connections?.known).toBe(true);
  });

  it("says how many sessions it may not see, when it lacks the right", async () => {
    const owner = await server.login("platform_owner");
    await owner.query("revoke pg_monitor from nightshift");
    const { pid } = await forgetful("reporting");
    const { unseen } = await known("connections");
    const { rows } = await known("transactions");
    await owner.query("grant pg_monitor to nightshift");
    // The owner's is the other one.
    expect(unseen).toBe(2);
    expect(rows.filter((row) => row.pid === pid)).toEqual([]);
  });
});
