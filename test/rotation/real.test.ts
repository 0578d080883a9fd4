import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";
import { firstValues, names, passwords, type Stage, stage, token } from "./stage.ts";

/** A hundred in a row take half a minute; `EVERY_BLOW=1` makes them. */
const rotations = process.env.EVERY_BLOW === "1" ? 100 : 40;
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
  await client.query("create table transfers (id bigserial primary key, amount int)");
  await client.end();
  const values = firstValues();
  at = await stage({ timeline, connect: postgresConnect, address, values });
  while (!at.isReady()) await moment();
}, 60_000);

afterAll(async () => {
  await engine.close();
  timeline.close();
});

/**
 * Instances of the application: each logs in again and again, with what it read when it was started last,
 * and writes. `restart` has all of them read the secret again, one after the other.
 */
const load = (instances: number) => {
  const read = () => {
    const { username, password } = at.value(names.database);
    return { username, password };
  };
  const values = Array.from({ length: instances }, read);
  const counts = { logins: 0, failed: [] as string[] };
  let isOver = false;
  const once = async (instance: number) => {
    const { username: user, password } = values[instance] ?? read();
    const client = new Client({ ...address, user, password, database });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query("insert into transfers (amount) values (1)");
      counts.logins += 1;
    } catch (error) {
      counts.failed.push(`${user}: ${error}`);
    } finally {
      await client.end();
    }
  };
  const inFlight: Promise<void>[] = values.map(() => Promise.resolve());
  const work = async (instance: number) => {
    while (!isOver) {
      inFlight[instance] = once(instance);
      await inFlight[instance];
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  };
  const working = values.map((_value, instance) => work(instance));
  return {
    counts,
    restart: async () => {
      for (const instance of values.keys()) {
        values[instance] = read();
        await inFlight[instance];
      }
    },
    end: async () => {
      isOver = true;
      await Promise.all(working);
    },
  };
};

it(`fails no login while the application's password is changed ${rotations} times`, async () => {
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
  expect(fleet.counts.failed).toEqual([]);
  expect(fleet.counts.logins).toBeGreaterThan(rotations);
  expect(users).toEqual(new Set(["app_a", "app_b"]));
}, 180_000);

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
