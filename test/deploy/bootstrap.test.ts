import { readFileSync } from "node:fs";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bootstrap, verifierOf } from "../../deploy/bootstrap.ts";
import { names } from "../../drills/names.ts";
import { runStatement } from "../../functions/database/database.ts";
import type { DatabaseAnswers, DatabaseRequest } from "../../functions/database/decide.ts";
import { isFenced, isOpen, looks, sessionPolicyOf } from "../../functions/database/decide.ts";
import { statements } from "../../functions/database/statements.ts";
import type { Address } from "../../local/postgres/engine.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";

const database = "platform";
const owner = { user: "platform_owner", password: "of the owner" };
const first = { application: "of the application", nightshift: "of nightshift" };
const roles = [...names.roles];

const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
let engine: RealEngine;
let address: Address;
const open = new Set<Client>();

const login = async (user: string, password: string): Promise<Client> => {
  const client = new Client({ ...address, database, user, password });
  // Sessions are ended by the server here, which `pg` would otherwise throw into the process.
  client.on("error", () => undefined);
  await client.connect();
  open.add(client);
  return client;
};

const asOwner = () => login(owner.user, owner.password);
const asApplication = () => login("app_a", first.application);
const asNightshift = () => login("nightshift", first.nightshift);
const run = (passwords = first) => bootstrap({ ...address, database, ...owner }, passwords);

const ask = async <Do extends DatabaseRequest["do"]>(
  request: Extract<DatabaseRequest, { do: Do }>,
): Promise<DatabaseAnswers[Do]> => {
  const session = () =>
    postgresConnect({
      ...address,
      database,
      user: "nightshift",
      password: first.nightshift,
      tls: "off",
    });
  const ports = {
    session,
    roles,
    sessionPolicy: sessionPolicyOf(undefined),
    tell: () => undefined,
  };
  return (await runStatement(ports, request)) as DatabaseAnswers[Do];
};

beforeAll(async () => {
  engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  address = await engine.create({
    id: "home",
    region: "eu-central-1",
    masterUser: owner.user,
    masterPassword: owner.password,
    database,
  });
  await run();
  await (await asOwner()).query("create table transfers (id serial primary key, amount int)");
});

afterEach(async () => {
  for (const client of open) await client.end().catch(() => undefined);
  open.clear();
});

afterAll(async () => {
  await engine?.close();
  timeline.close();
});

describe("a new database after its bootstrap", () => {
  it("takes heartbeats and probes from Nightshift, and says where it stands", async () => {
    const [writtenAtMilliseconds, contactAtMilliseconds] = [2000, 1000];
    const beat = { region: "a", epoch: 1, writtenAtMilliseconds, contactAtMilliseconds };
    expect(await ask({ do: "position" })).toMatchObject({ recovery: false, heartbeat: null });
    expect(await ask({ do: "heartbeat", ...beat })).toMatchObject({ lsn: expect.any(String) });
    expect(await ask({ do: "position" })).toMatchObject({ heartbeat: beat });
    expect(await ask({ do: "probeWrite", epoch: 1 })).toEqual({ epoch: 1 });
    expect(isOpen(await ask({ do: "logins" }))).toBe(true);
  });

  it("lets Nightshift see every session, and end a forgotten one", async () => {
    const forgetful = await asApplication();
    await forgetful.query("begin");
    await forgetful.query("insert into transfers (amount) values (1)");
    const examined = await ask({ do: "examine", looks: [...looks], idleSeconds: 5 });
    const unknown = Object.entries(examined).filter(([, looked]) => !looked?.known);
    // The statistics of statements need a library that no server here is started with.
    expect(unknown.map(([name]) => name)).toEqual(["slowest"]);
    expect(examined.connections).toMatchObject({ value: { unseen: 0 } });
    const administrator = await asNightshift();
    const { rows } = await administrator.query(
      "select pg_terminate_backend(pid) as ended from pg_stat_activity where usename = 'app_a'",
    );
    expect(rows).toEqual([{ ended: true }]);
  });

  it("is closed by the fence for both logins, and opened again", async () => {
    const working = await asApplication();
    await working.query("select 1");
    const fenced = await ask({ do: "fence", epoch: 2 });
    expect(isFenced(fenced)).toBe(true);
    expect(fenced.roles.map(({ role }) => role)).toEqual(["app_a", "app_b"]);
    await expect(working.query("select 1")).rejects.toThrow();
    await expect(asApplication()).rejects.toMatchObject({ code: "28000" });
    await expect(ask({ do: "liftFence", epoch: 1 })).rejects.toThrow("fenced at epoch 2");
    // Whoever repeats the bootstrap during a fence opens nothing, and changes no password.
    await run({ application: "another", nightshift: "another" });
    await expect(asApplication()).rejects.toMatchObject({ code: "28000" });
    expect(isOpen(await ask({ do: "liftFence", epoch: 2 }))).toBe(true);
    await asApplication();
  });

  it("lets the application work with rows, also of tables that come later, and no more", async () => {
    await (await asOwner()).query("create table later (id serial primary key, amount int)");
    const client = await asApplication();
    // Somebody else's session, for the last of what is forbidden below.
    await asNightshift();
    for (const table of ["transfers", "later"]) {
      await client.query(`insert into ${table} (amount) values (1)`);
      await client.query(`update ${table} set amount = 2`);
      await client.query(`delete from ${table}`);
    }
    for (const forbidden of [
      "create table mine (id int)",
      "drop table transfers",
      "alter role app_b nologin",
      "alter role nightshift password 'x'",
      "create role friend",
      "set role application",
      "select * from nightshift.heartbeat",
      "grant app_a to nightshift",
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'nightshift'",
    ]) {
      await expect(client.query(forbidden), forbidden).rejects.toMatchObject({
        code: expect.stringMatching(/^(42501|0LP01)$/),
      });
    }
  });

  it("keeps Nightshift from the application's rows, and from every role but its two", async () => {
    const client = await asNightshift();
    for (const forbidden of [
      "select * from public.transfers",
      "set role app_a",
      "create schema another",
      "create table public.mine (id int)",
      "alter role platform_owner nologin",
      "alter role application login",
      "grant application to nightshift",
      "drop table public.transfers",
    ]) {
      await expect(client.query(forbidden), forbidden).rejects.toMatchObject({ code: "42501" });
    }
  });

  it("lets nobody in by the second login before the first rotation, nor by any other", async () => {
    for (const password of ["", first.application]) {
      await expect(login("app_b", password)).rejects.toThrow();
    }
    await (await asOwner()).query("create role stranger login password 'stranger'");
    await expect(login("stranger", "stranger")).rejects.toMatchObject({ code: "42501" });
  });

  it("leaves the owner no way to act as Nightshift", async () => {
    const client = await asOwner();
    await expect(client.query("set role nightshift")).rejects.toMatchObject({ code: "42501" });
  });

  it("has the tables that Nightshift would make for itself", async () => {
    const columns = async (client: Client) => {
      const { rows } = await client.query(
        `select table_name, column_name, data_type, column_default, is_nullable
         from information_schema.columns
         where table_schema = 'nightshift' and table_name <> 'reencryption' order by 1, 2`,
      );
      return rows;
    };
    const made = await columns(await asNightshift());
    expect(made).toHaveLength(14);
    const again = await asNightshift();
    await again.query(statements.prepare.text);
    await again.query(
      "drop table nightshift.heartbeat, nightshift.probe, nightshift.fence, " +
        "nightshift.manifest, nightshift.canary",
    );
    await again.query(statements.prepare.text);
    expect(await columns(again)).toEqual(made);
  });
});

describe("the bootstrap", () => {
  it("hands the server verifiers only, and no statement holds one", () => {
    const text = readFileSync(new URL("../../deploy/bootstrap.sql", import.meta.url), "utf8");
    expect(text.replace(/^--.*$/gm, "")).not.toMatch(/^\\|:'/m);
    const verifier = verifierOf("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"));
    // The example of RFC 7677, as PostgreSQL writes it.
    expect(verifier).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" +
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
    expect(() => verifierOf("pässword")).toThrow("ASCII");
  });

  it("says what it could not give", async () => {
    expect(await run()).toEqual([
      expect.stringContaining("no reserved connections"),
      expect.stringContaining("pg_stat_statements is not loaded"),
    ]);
  });

  it("makes the logins that the deployment and the drills speak of", async () => {
    const text = readFileSync(new URL("../../stacks/secrets.ts", import.meta.url), "utf8");
    expect(text).toContain(`logins: ["${roles.join('", "')}"]`);
    expect(text).toContain(`nightshift: "${names.nightshiftLogin}"`);
  });

  it("changes nothing in a database when a password is missing", async () => {
    const other = await engine.create({
      id: "other",
      region: "eu-central-1",
      masterUser: owner.user,
      masterPassword: owner.password,
      database,
    });
    const client = new Client({ ...other, database, ...owner });
    await client.connect();
    open.add(client);
    const text = readFileSync(new URL("../../deploy/bootstrap.sql", import.meta.url), "utf8");
    await client.query("set bootstrap.application = 'plain text'");
    await expect(client.query(text)).rejects.toThrow("bootstrap.application is no SCRAM verifier");
    await client.query("rollback");
    const { rows } = await client.query("select to_regrole('application') as role");
    expect(rows).toEqual([{ role: null }]);
  });
});
