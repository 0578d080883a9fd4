import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { runStatement } from "../../functions/database/database.ts";
import type { DatabaseRequest } from "../../functions/database/decide.ts";
import { sessionPolicyOf } from "../../functions/database/decide.ts";
import type { Address } from "../../local/postgres/engine.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { canaryBytes, parseManifest } from "../../shared/manifest.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";

const database = "platform";
const owner = { user: "platform_owner", password: "of the owner" };
const first = { application: "of the application", nightshift: "of nightshift" };
const hour = 3_600_000;
const now = Date.now();

const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
let engine: RealEngine;
let address: Address;

const session = () =>
  postgresConnect({
    ...address,
    database,
    user: "nightshift",
    password: first.nightshift,
    tls: "off",
  });

type Request = Extract<DatabaseRequest, { do: "manifest" }>;

const ask = (given: Partial<Request> = {}) =>
  runStatement(
    {
      session,
      roles: ["app_a", "app_b"],
      sessionPolicy: sessionPolicyOf(undefined),
      tell: () => undefined,
    },
    {
      do: "manifest",
      takenAtMilliseconds: now,
      identity: "app.example.com",
      appendOnly: [{ table: "public.transfers", column: "booked_at" }],
      ...given,
    },
  );

/** As the owner, who reads what Nightshift writes: a copy is looked into by this login. */
const rows = async (sql: string): Promise<Record<string, unknown>[]> => {
  const client = new Client({ ...address, database, ...owner });
  await client.connect();
  const found = await client.query(sql);
  await client.end();
  return found.rows;
};

beforeAll(async () => {
  engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  const { user: masterUser, password: masterPassword } = owner;
  const wanted = { id: "home", region: "eu-central-1", masterUser, masterPassword, database };
  address = await engine.create(wanted);
  await bootstrap({ ...address, database, ...owner }, first);
  await rows("create table transfers (id int primary key, booked_at timestamptz not null)");
  await rows(`insert into transfers
    select n, now() - n * interval '1 hour' from generate_series(0, 99) n`);
});
afterAll(async () => {
  await engine?.close();
  timeline.close();
});

describe("the manifest of a database", () => {
  it("counts tables that Nightshift may not read, and sums the rows of the day before", async () => {
    await expect(ask()).resolves.toEqual({ written: true });
    const [row] = await rows("select lsn, content from nightshift.manifest");
    const manifest = parseManifest(row?.content);
    expect(manifest?.tables).toEqual([{ name: "public.transfers", rows: 100, exact: true }]);
    expect(manifest?.windows).toMatchObject([{ table: "public.transfers", rows: 24 }]);
    expect(manifest?.extensions.map(({ name }) => name)).toContain("plpgsql");
    const reader = await session();
    await expect(reader.query("select 1 from public.transfers")).rejects.toThrow(
      /permission denied/,
    );
    await reader.end();
  });

  it("is not written again so soon, however often it is asked for", async () => {
    const later = (hours: number) =>
      ask({ takenAtMilliseconds: now + hours * hour, atMostEveryHours: 20 });
    await expect(later(1)).resolves.toEqual({ written: false });
    await expect(later(21)).resolves.toEqual({ written: true });
    expect(await rows("select 1 from nightshift.manifest")).toHaveLength(2);
  });

  it("is forgotten when no backup can be so old", async () => {
    await ask({ takenAtMilliseconds: now + 41 * 24 * hour });
    expect(await rows("select 1 from nightshift.manifest")).toHaveLength(1);
  });

  it("keeps the canary as it was first written", async () => {
    await ask({ identity: "app.example.org" });
    const [row] = await rows("select bytes from nightshift.canary");
    expect(canaryBytes("app.example.com").equals(row?.bytes as Buffer)).toBe(true);
  });

  it("takes no name that is more than a table's", async () => {
    const sly = [{ table: "public.transfers; drop table transfers", column: "booked_at" }];
    await expect(ask({ appendOnly: sly })).rejects.toThrow();
    const column = 'booked_at" is not null or "id';
    await expect(ask({ appendOnly: [{ table: "public.transfers", column }] })).rejects.toThrow();
    expect(await rows("select 1 from transfers")).toHaveLength(100);
  });

  it("is refused to everybody but Nightshift", async () => {
    const application = new Client({
      ...address,
      database,
      user: "app_a",
      password: first.application,
    });
    await application.connect();
    await expect(application.query("select nightshift.counted(0, '[]')")).rejects.toThrow(
      /permission denied/,
    );
    await application.end();
  });
});
