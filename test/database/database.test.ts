import { Client, escapeIdentifier } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runStatement } from "../../functions/database/database.ts";
import type { DatabaseAnswers, DatabaseRequest } from "../../functions/database/decide.ts";
import { isFenced, isOpen, sessionPolicyOf } from "../../functions/database/decide.ts";
import { assemble } from "../../functions/database/handler.ts";
import { statements } from "../../functions/database/statements.ts";
import type { Address } from "../../local/postgres/engine.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import config from "../../nightshift.config.ts";
import { systemClock } from "../../shared/clock.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";
import { systemWeb } from "../../shared/web.ts";

const [home, standby] = ["eu-central-1", "eu-west-1"];
const database = "ledger";
const master = { user: "master", password: "of the master" };
const nightshift = { user: "nightshift", password: "of nightshift" };
/** The second name would be three statements, were it spliced into one. */
const roles = ["app_a", `app"; drop table transfers; --`];
const rolePassword = "of the application";

const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
let engine: RealEngine;
let primary: Address;
let replica: Address;
const open = new Set<Client>();

const login = async (address: Address, as: { user: string; password: string }): Promise<Client> => {
  const client = new Client({ ...address, ...as, database, connectionTimeoutMillis: 3000 });
  // Sessions are ended by the server here, which `pg` would otherwise throw into the process.
  client.on("error", () => undefined);
  await client.connect();
  open.add(client);
  return client;
};

const asRole = (user: string, address = primary) =>
  login(address, { user, password: rolePassword });

/** Sessions of Nightshift that were opened and closed by the code under test. */
const sessions = { opened: 0, closed: 0 };

const ask = async <Do extends DatabaseRequest["do"]>(
  address: Address,
  request: Extract<DatabaseRequest, { do: Do }>,
  of = roles,
): Promise<DatabaseAnswers[Do]> => {
  const session = async () => {
    const { user, password } = nightshift;
    const made = await postgresConnect({ ...address, database, user, password, tls: "off" });
    sessions.opened += 1;
    return {
      ...made,
      end: async () => {
        await made.end();
        sessions.closed += 1;
      },
    };
  };
  const sessionPolicy = sessionPolicyOf(undefined);
  const ports = { session, roles: of, sessionPolicy, tell: () => undefined };
  return (await runStatement(ports, request)) as DatabaseAnswers[Do];
};

const heartbeat = (epoch: number, writtenAtMilliseconds: number) =>
  ({
    do: "heartbeat",
    region: home,
    epoch,
    writtenAtMilliseconds,
    contactAtMilliseconds: writtenAtMilliseconds - 10_000,
  }) as const;

/** Roles and rights as the platform's migrations give them. */
const migrate = async (): Promise<void> => {
  const client = await login(primary, master);
  await client.query("create table transfers (id text primary key)");
  await client.query(`create role nightshift login createrole password '${nightshift.password}'`);
  await client.query("grant pg_signal_backend, pg_monitor to nightshift");
  await client.query("grant create on database ledger to nightshift");
  for (const role of roles.map(escapeIdentifier)) {
    await client.query(`create role ${role} login password '${rolePassword}'`);
    await client.query(`grant select, insert on transfers to ${role}`);
    await client.query(`grant ${role} to nightshift with admin option`);
  }
};

beforeAll(async () => {
  engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  const { user: masterUser, password: masterPassword } = master;
  const wanted = { id: "home", region: home, masterUser, masterPassword, database };
  primary = await engine.create(wanted);
  await migrate();
  replica = await engine.replicate("home", { id: "standby", region: standby });
});

afterEach(async () => {
  expect(sessions.closed, "every session is closed").toBe(sessions.opened);
  for (const client of open) await client.end().catch(() => undefined);
  open.clear();
});

afterAll(async () => {
  await engine?.close();
  timeline.close();
});

/** The position of a log as a number, so that two can be compared. */
const lsnNumber = (lsn: string): bigint => {
  const [high = "0", low = "0"] = lsn.split("/");
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

/** Until the replica has replayed `lsn`; replication tells nobody when it is done. */
const replayed = async (lsn: string): Promise<void> => {
  for (let look = 0; look < 200; look += 1) {
    const position = await ask(replica, { do: "position" });
    if (lsnNumber(position.lsn) >= lsnNumber(lsn)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the replica never came to ${lsn}`);
};

describe("the database function on PostgreSQL", () => {
  it("prepares its own tables, and does so again without harm", async () => {
    await expect(ask(primary, { do: "position" })).rejects.toMatchObject({ code: "42P01" });
    await ask(primary, { do: "prepare" });
    await ask(primary, { do: "prepare" });
    expect(await ask(primary, { do: "position" })).toMatchObject({
      recovery: false,
      heartbeat: null,
    });
  });

  it("keeps one heartbeat row, the newest, and the replica tells the same one", async () => {
    const writtenAtMilliseconds = Date.UTC(2026, 10, 22, 3, 0, 0);
    await ask(primary, heartbeat(1, writtenAtMilliseconds));
    const { lsn } = await ask(primary, heartbeat(2, writtenAtMilliseconds + 60_000));
    const expected = {
      region: home,
      epoch: 2,
      writtenAtMilliseconds: writtenAtMilliseconds + 60_000,
      contactAtMilliseconds: writtenAtMilliseconds + 50_000,
    };
    const there = await ask(primary, { do: "position" });
    expect(there).toMatchObject({ recovery: false, heartbeat: expected });
    expect(lsnNumber(there.lsn)).toBeGreaterThanOrEqual(lsnNumber(lsn));
    await replayed(there.lsn);
    expect(await ask(replica, { do: "position" })).toMatchObject({
      recovery: true,
      heartbeat: expected,
    });
  });

  it("proves by a committed write that a primary takes writes", async () => {
    expect(await ask(primary, { do: "probeWrite", epoch: 2 })).toEqual({ epoch: 2 });
    expect(await ask(primary, { do: "probeWrite", epoch: 3 })).toEqual({ epoch: 3 });
  });

  it.each<DatabaseRequest>([
    { do: "probeWrite", epoch: 3 },
    heartbeat(3, Date.UTC(2026, 10, 22, 4, 0, 0)),
    { do: "fence" },
    { do: "liftFence" },
  ])("cannot $do on a replica, and closes its session all the same", async (request) => {
    await expect(ask(replica, request)).rejects.toMatchObject({ code: "25006" });
  });

  it("says who may log in and who is there", async () => {
    await asRole("app_a");
    await asRole("app_a");
    const { roles: found } = await ask(primary, { do: "logins" });
    expect(found.find(({ role }) => role === "app_a")).toEqual({
      role: "app_a",
      canLogin: true,
      sessions: 2,
    });
    expect(found.map(({ role }) => role).toSorted()).toEqual(roles.toSorted());
    expect(isOpen({ roles: found })).toBe(true);
    expect(isFenced({ roles: found })).toBe(false);
  });
});

describe("the fence on PostgreSQL", () => {
  it("closes every role, ends its sessions, and names a position after the last write", async () => {
    const writers = await Promise.all(roles.map((role) => asRole(role)));
    for (const [index, writer] of writers.entries()) {
      await writer.query("insert into transfers values ($1)", [`before the fence ${index}`]);
    }
    // A write that is under way when the fence comes is neither acknowledged nor kept.
    const [first] = writers;
    await first?.query("begin");
    await first?.query("insert into transfers values ('under way')");
    const fenced = await ask(primary, { do: "fence" });
    expect(fenced.ended).toBe(2);
    expect(isFenced(fenced)).toBe(true);
    await expect(first?.query("commit")).rejects.toThrow();
    for (const role of roles) await expect(asRole(role)).rejects.toMatchObject({ code: "28000" });
    await replayed(fenced.lsn);
    const reader = await login(replica, master);
    const { rows } = await reader.query("select id from transfers order by id");
    expect(rows.map(({ id }) => id)).toEqual(["before the fence 0", "before the fence 1"]);
  });

  it("reads its position only when nobody is left who could still commit", async () => {
    const leaving = [2, 1, 0, 0];
    const order: string[] = [];
    const query = async (text: string) => {
      const name = Object.entries(statements).find(([, each]) => each.text === text)?.[0] ?? "";
      order.push(name);
      if (name === "position") return { rows: [{ recovery: false, lsn: "0/10" }] };
      if (name !== "logins") return { rows: [] };
      return { rows: [{ role: "app_a", can_login: false, sessions: leaving.shift() }] };
    };
    const session = async () => ({ query, end: async () => undefined });
    const sessionPolicy = sessionPolicyOf(undefined);
    const ports = { session, roles: ["app_a"], sessionPolicy, tell: () => undefined };
    expect(await runStatement(ports, { do: "fence" })).toMatchObject({
      lsn: "0/10",
      roles: [{ sessions: 0 }],
    });
    expect(order.slice(3)).toEqual(["logins", "moment", "logins", "moment", "logins", "position"]);
  });

  it("makes what a closed role might still run read-only", async () => {
    const client = await login(primary, master);
    const { rows } = await client.query("select rolconfig from pg_roles where rolname = any ($1)", [
      roles,
    ]);
    expect(rows.map(({ rolconfig }) => rolconfig)).toEqual([
      ["default_transaction_read_only=on"],
      ["default_transaction_read_only=on"],
    ]);
  });

  it("is raised a second time without harm, and says that nobody was there any more", async () => {
    const again = await ask(primary, { do: "fence" });
    expect(again.ended).toBe(0);
    expect(isFenced(again)).toBe(true);
    expect(isFenced(await ask(primary, { do: "logins" }))).toBe(true);
  });

  it("leaves Nightshift's own login open, and other roles alone", async () => {
    await login(primary, master);
    expect(await ask(primary, { do: "probeWrite", epoch: 4 })).toEqual({ epoch: 4 });
  });

  it("is not a fence as long as one role is open", async () => {
    const client = await login(primary, master);
    await client.query("alter role app_a login");
    expect(isFenced(await ask(primary, { do: "logins" }))).toBe(false);
    expect(isOpen(await ask(primary, { do: "logins" }))).toBe(false);
  });

  it("is not lifted by whoever has read an older epoch of the lease, and is by the newer one", async () => {
    await ask(primary, { do: "fence", epoch: 5 });
    await expect(ask(primary, { do: "liftFence", epoch: 4 })).rejects.toThrow(/fenced at epoch 5/);
    expect(isFenced(await ask(primary, { do: "logins" }))).toBe(true);
    // A fence that is raised late, or in isolation, does not make the newer one forgotten.
    await ask(primary, { do: "fence", epoch: 3 });
    await expect(ask(primary, { do: "liftFence", epoch: 4 })).rejects.toThrow(/fenced at epoch 5/);
    expect(isOpen(await ask(primary, { do: "liftFence", epoch: 5 }))).toBe(true);
  });

  it("is lifted for every role, which then log in and write; twice does no harm", async () => {
    await ask(primary, { do: "fence" });
    expect(isOpen(await ask(primary, { do: "liftFence" }))).toBe(true);
    expect(isOpen(await ask(primary, { do: "liftFence" }))).toBe(true);
    for (const role of roles) {
      const writer = await asRole(role);
      await writer.query("insert into transfers values ($1)", [`after ${role}`]);
    }
  });

  it("is never taken for closed when no role of its names exists", async () => {
    const logins = await ask(primary, { do: "logins" }, ["nobody"]);
    expect([isFenced(logins), isOpen(logins)]).toEqual([false, false]);
  });
});

const older = "2026-11-22T03:00:00.000000Z";
const forgotten = {
  pid: 4711,
  backendStart: older,
  transactionStart: older,
  state: "idle in transaction",
  stateSince: "2026-11-22T03:00:01.000000Z",
};
const endOf = (sessions: unknown[]) => ({
  do: "endSessions",
  sessions,
  atMost: 10,
  idleSeconds: 300,
});

describe("a request that must not reach a database", () => {
  it("is refused when no application role is configured", async () => {
    const before = sessions.opened;
    await expect(ask(primary, { do: "fence" }, [])).rejects.toThrow(/no application role/);
    expect(sessions.opened).toBe(before);
  });

  it.each<[string, unknown]>([
    ["a statement that is not on the menu", { do: "dropEverything" }],
    ["SQL", { do: "position", sql: "drop table transfers" }],
    ["roles that the caller chooses", { do: "fence", roles: ["postgres"] }],
    ["an epoch that is no number", { do: "probeWrite", epoch: "1; drop table transfers" }],
    ["a heartbeat without its time", { do: "heartbeat", region: home, epoch: 1 }],
    ["text", "fence"],
    ["nothing", undefined],
    ["a look that is not on the menu", { do: "examine", looks: ["passwords"] }],
    ["no look at all", { do: "examine", looks: [] }],
    ["nobody to end", endOf([])],
    ["everybody of a user", { do: "endSessions", user: "app_a" }],
    ["a session that works", endOf([{ ...forgotten, state: "active" }])],
    ["a session whose start is not known", endOf([{ ...forgotten, backendStart: null }])],
    ["a session whose start is SQL", endOf([{ ...forgotten, backendStart: "now()" }])],
    ["the same process twice", endOf([forgotten, { ...forgotten, stateSince: older }])],
    ["more than 300", endOf(Array.from({ length: 301 }, (_, pid) => ({ ...forgotten, pid })))],
    ["as many as there are", { ...endOf([forgotten]), atMost: 1000 }],
    ["those that were silent for a second", { ...endOf([forgotten]), idleSeconds: 1 }],
  ])("is refused before a connection is made: %s", (_what, event) => {
    let connects = 0;
    const handle = assemble({
      environment: {
        AWS_REGION: home,
        AWS_ACCESS_KEY_ID: "AKIDLOCAL",
        AWS_SECRET_ACCESS_KEY: "local",
        SST_RESOURCE_Database: JSON.stringify({
          ...primary,
          database,
          secret: "s",
          roles,
          tls: "off",
        }),
      },
      clock: systemClock,
      random: systemRandom,
      web: systemWeb,
      config,
      write: () => undefined,
      connect: async () => {
        connects += 1;
        throw new Error("no connection is wanted here");
      },
    });
    expect(() => handle(event)).toThrow(/invalid/i);
    expect(connects).toBe(0);
  });
});
