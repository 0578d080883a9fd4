import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { network } from "../../local/network.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { systemRandom } from "../../shared/random.ts";

const [home, standby] = ["eu-west-1", "eu-central-1"];
const timeline = scaledTimeline({ speed: 20, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
const { reachable } = network();
let engine: RealEngine;

const login = { user: "master", password: "secret", database: "ledger" };

const ask = async (id: string, text: string): Promise<unknown[]> => {
  const { host, port, ...as } = engine.administration(id);
  const client = new Client({ host, port, ...as });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(text);
  await client.end();
  return rows.flatMap((row) => Object.values(row));
};

beforeAll(async () => {
  engine = await realEngine({ timeline, random: systemRandom, reachable });
  const { user: masterUser, password: masterPassword, database } = login;
  const ledger = { id: "ledger", region: home, masterUser, masterPassword, database };
  await engine.create(ledger);
  await ask("ledger", "create table entries (amount int)");
  await engine.archive("ledger", "backups");
}, 60_000);

afterAll(() => engine.close());

describe("backups of a real PostgreSQL", () => {
  it("give back every commit until the moment asked for, and none after it, at any speed", async () => {
    const insert = (amount: number) =>
      ask("ledger", `insert into entries select ${amount} from generate_series(1, 1000)`);
    await insert(1);
    await sleep(150);
    const then = timeline.now();
    await sleep(150);
    timeline.setSpeed(200);
    await insert(2);
    await ask("ledger", "drop table entries");
    await sleep(100);
    await engine.restoreTo("backups", then, { id: "copy", region: standby });
    expect(await ask("copy", "select amount, count(*)::int from entries group by 1")).toEqual([
      1, 1000,
    ]);
    expect(await ask("copy", "select pg_is_in_recovery()")).toEqual([false]);
    await ask("copy", "insert into entries values (3)");
    await engine.remove("copy");
  }, 60_000);

  it("outlive the instance that they are of, and hold what it did last", async () => {
    await ask("ledger", "create table last (id int)");
    await sleep(50);
    const then = timeline.now();
    await sleep(50);
    await ask("ledger", "create table after (id int)");
    await engine.remove("ledger");
    await engine.restoreTo("backups", then, { id: "copy", region: standby });
    const tables = "select relname from pg_class where relname in ('last', 'after')";
    expect(await ask("copy", tables)).toEqual(["last"]);
  }, 60_000);
});
