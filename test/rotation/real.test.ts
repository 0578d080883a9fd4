import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { postgresLedger } from "../../local/ledger/database.ts";
import { ledger } from "../../local/ledger/ledger.ts";
import { ledgerSchema, seedAccounts } from "../../local/ledger/schema.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";
import { firstValues, names, passwords, type Stage, stage, token } from "./stage.ts";

/** A hundred in a row take most of a minute; `EVERY_BLOW=1` makes them. */
const rotations = process.env.EVERY_BLOW === "1" ? 100 : 25;
const database = "ledger";

const moment = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

let engine: RealEngine;
let address: { host: string; port: number };
let at: Stage;
const timeline = scaledTimeline(
  { speed: 60, origin: Date.UTC(2026, 10, 22), realStart: Date.now() },
  (error) => {
    throw error;
  },
);

beforeAll(async () => {
  engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  address = await engine.create({
    id: "home",
    region: "eu-central-1",
    masterUser: "platform_owner",
    masterPassword: passwords.owner,
    database,
  });
  const owner = { ...address, user: "platform_owner", password: passwords.owner, database };
  const first = { application: passwords.app, nightshift: "of-nightshift-0123456789" };
  await bootstrap(owner, first);
  const client = new Client(owner);
  await client.connect();
  await client.query(ledgerSchema);
  await client.query(seedAccounts(2));
  await client.end();
  const values = firstValues();
  at = await stage({ timeline, connect: postgresConnect, address, values });
  while (!at.isReady()) await moment();
}, 60_000);

afterAll(async () => {
  await engine.close();
  timeline.close();
});

/** The ledger as an instance runs it, with the login that was current when it was started. */
const instanceOf = (instanceId: string) => {
  const { username: user = "", password = "" } = at.value(names.database);
  const url = `postgres://${user}:${password}@${address.host}:${address.port}/${database}`;
  const pool = postgresLedger(url, () => undefined);
  const identity = { region: "eu-central-1", instanceId };
  return { user, password, pool, answer: ledger(identity, pool, () => systemRandom.id()) };
};

/**
 * Instances of the application: each serves requests from its pool, and logs in anew as well, with what it
 * read when it was started last. `restart` replaces all of them, one after the other, as a fleet is rolled.
 */
const load = (count: number) => {
  const instances = Array.from({ length: count }, (_each, index) => instanceOf(`i-${index}`));
  const counts = { logins: 0, requests: 0, failed: [] as string[] };
  let isOver = false;
  const login = async ({ user, password }: ReturnType<typeof instanceOf>) => {
    const client = new Client({ ...address, user, password, database });
    client.on("error", () => undefined);
    try {
      await client.connect();
      counts.logins += 1;
    } catch (error) {
      counts.failed.push(`${user}: ${error}`);
    } finally {
      await client.end();
    }
  };
  const body = JSON.stringify({ probe: true });
  const request = async ({ user, answer }: ReturnType<typeof instanceOf>) => {
    const { status } = await answer({ method: "POST", path: "/transfers", headers: {}, body });
    if (status < 300) counts.requests += 1;
    else counts.failed.push(`${user}: a request was answered ${status}`);
  };
  const once = async (instance: ReturnType<typeof instanceOf> | undefined) => {
    if (!instance) return;
    await Promise.all([login(instance), request(instance), request(instance)]);
  };
  const inFlight = instances.map(() => Promise.resolve());
  const work = async (index: number) => {
    while (!isOver) {
      inFlight[index] = once(instances[index]);
      await inFlight[index];
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  };
  const working = instances.map((_value, index) => work(index));
  return {
    counts,
    restart: async () => {
      for (const [index, old] of [...instances.entries()]) {
        instances[index] = instanceOf(`i-${index}`);
        await inFlight[index];
        await old.pool.close();
      }
    },
    end: async () => {
      isOver = true;
      await Promise.all(working);
      await Promise.all(instances.map(({ pool }) => pool.close()));
    },
  };
};

it(`fails no login and no request while a password is changed ${rotations} times`, async () => {
  const fleet = load(3);
  const users = new Set<string | undefined>();
  for (let number = 1; number <= rotations; number += 1) {
    const before = at.value(names.database);
    at.ask(names.database, token(number));
    await through(number);
    const after = at.value(names.database);
    expect(after.VersionId).toBe(token(number));
    expect(after.username).not.toBe(before.username);
    users.add(after.username);
    await fleet.restart();
    await retired(number);
  }
  await fleet.end();
  expect(fleet.counts.failed.slice(0, 5)).toEqual([]);
  expect(fleet.counts.logins).toBeGreaterThan(rotations);
  expect(fleet.counts.requests).toBeGreaterThan(2 * rotations);
  if (rotations > 40) process.stdout.write(`${JSON.stringify(fleet.counts)}\n`);
  expect(users).toEqual(new Set(["app_a", "app_b"]));
}, 180_000);

it("ends the sessions of a login whose password somebody else may know", async () => {
  const { username: user, password } = at.value(names.database);
  const thief = new Client({ ...address, user, password, database });
  const ended = new Promise((resolve) => thief.on("error", resolve));
  await thief.connect();
  const about = { secret: names.database, token: token(rotations + 1) };
  const why = { by: "U0ANA", reason: "a laptop was stolen", mode: "compromise" };
  await at.handle({ do: "begin", ...about, ...why });
  await through(rotations + 1);
  expect(await at.handle({ do: "retire", ...about })).toHaveProperty("did");
  expect((await thief.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  expect(await at.handle({ do: "expel", ...about })).toMatchObject({
    did: `1 sessions of ${user} were ended.`,
  });
  await ended;
  await expect(new Client({ ...address, user, password, database }).connect()).rejects.toThrow();
}, 30_000);

/** Until Secrets Manager says that rotation `number` is over. */
const through = async (number: number): Promise<void> => {
  const isOver = () => at.events.filter((event) => event !== "RotationStarted").length >= number;
  while (!isOver()) await moment();
  expect(at.failures).toEqual([]);
};

/** A session that was just ended is still there for a moment, and holds the end of the overlap back. */
const retired = async (number: number): Promise<void> => {
  const question = { do: "retire", secret: names.database, token: token(number) };
  for (let look = 0; look < 200; look += 1) {
    const told = await at.handle(question);
    if ("did" in told) return;
    expect(told.refused.code).toBe("still-in-use");
    await moment();
  }
  throw new Error("sessions are left on the old login");
};
