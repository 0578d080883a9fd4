import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LedgerDatabase } from "../../local/ledger/ledger.ts";
import { ledger } from "../../local/ledger/ledger.ts";
import { modelledLedger } from "../../local/ledger/modelled.ts";
import type { LedgerProcess } from "../../local/ledger/process.ts";
import { bundleLedger, launchLedger } from "../../local/ledger/process.ts";
import { ledgerGrants, ledgerSchema, seedAccounts } from "../../local/ledger/schema.ts";
import type { RealEngine } from "../../local/postgres/real.ts";
import { realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { seededRandom } from "../../shared/random.ts";
import { keyIdOf, opensSealed } from "../../shared/sealed.ts";

const identity = { region: "eu-west-1", instanceId: "i-1" };
const transfer = (id: string, amount = 5) =>
  JSON.stringify({ id, from: "account-1", to: "account-2", amount });
const post = (body: string) => ({ method: "POST", path: "/transfers", body }) as const;
const get = (path: string) => ({ method: "GET", path }) as const;

describe("the ledger", () => {
  const database: LedgerDatabase = {
    book: () => Promise.reject(new Error("the server is gone")),
    transfer: () => Promise.reject(new Error("the server is gone")),
    account: () => Promise.resolve(undefined),
    ready: () => Promise.reject(new Error("the server is gone")),
  };
  const answer = ledger(identity, database, () => "1");

  it("acknowledges nothing while the database is away, and lives on", async () => {
    expect(await answer(post(transfer("t-1")))).toMatchObject({
      status: 503,
      headers: { "x-served-by": "eu-west-1/i-1" },
    });
    expect(await answer(get("/health/ready"))).toMatchObject({ status: 503 });
    expect(await answer(get("/health"))).toMatchObject({ status: 503 });
    expect(await answer(get("/health/live"))).toMatchObject({ status: 200 });
    expect(await answer(get("/transfers/t-1"))).toMatchObject({ status: 503 });
  });

  it("refuses what is no transfer", async () => {
    for (const body of [
      "",
      "[",
      "null",
      "{}",
      transfer("t", 0),
      transfer("t", 1.5),
      transfer(" "),
    ]) {
      expect((await answer(post(body))).status).toBe(422);
    }
    expect((await answer(get("/accounts/none"))).status).toBe(404);
    expect((await answer(get("/elsewhere"))).status).toBe(404);
  });
});

describe("the modelled ledger", () => {
  it("answers as the real one does, and not at all after its end", async () => {
    const values = new Map<string, string>();
    let away = false;
    const instance = modelledLedger({
      identity,
      user: "app",
      newId: () => "1",
      database: {
        commit: async (_user, key, value) => {
          if (away) throw new Error("57P01");
          values.set(key, value);
        },
        read: async (_user, key) => values.get(key),
        ready: async () => !away,
      },
    });
    expect(await instance.send(post(transfer("t-1")))).toMatchObject({ status: 201 });
    expect(await instance.send(post(transfer("t-1")))).toMatchObject({ status: 201 });
    expect(await instance.send(post(transfer("t-1", 6)))).toMatchObject({ status: 409 });
    expect(await instance.send(post('{"probe":true}'))).toMatchObject({ status: 201 });
    expect([...values.keys()]).toEqual(["t-1", "probe-1"]);
    away = true;
    expect(await instance.send(post(transfer("t-2")))).toMatchObject({ status: 503 });
    expect(await instance.send(get("/health/ready"))).toMatchObject({ status: 503 });
    await instance.stop();
    await expect(instance.send(get("/health/live"))).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });
});

/** A process that has ended and was not yet collected by its new parent (state Z) is gone. */
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // No such process.
    return false;
  }
};

const environment = (DATABASE_URL: string) => ({
  SECRET_KEY: "secret",
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64url"),
  DATABASE_URL,
  REDIS_URL: "redis://127.0.0.1:1",
  CLOUD_PROVIDER: "aws",
  REGION: "eu-west-1",
  INSTANCE_ID: "i-1",
});

describe("a ledger process on a real database", () => {
  const timeline = scaledTimeline({ speed: 1, origin: 0, realStart: 0 }, (error) => {
    throw error;
  });
  let folder: string;
  let engine: RealEngine;
  let app: LedgerProcess;
  let owner: pg.Client;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "nightshift-ledger-"));
    engine = await realEngine({ timeline, random: seededRandom(1), reachable: () => true });
    const { host, port } = await engine.create({
      id: "database",
      region: "eu-west-1",
      masterUser: "owner",
      masterPassword: "owner-password",
      database: "ledger",
    });
    owner = new pg.Client({
      host,
      port,
      user: "owner",
      password: "owner-password",
      database: "ledger",
    });
    // The test restarts and stops the server under this session.
    owner.on("error", () => undefined);
    await owner.connect();
    await owner.query(ledgerSchema);
    await owner.query(seedAccounts(3));
    await owner.query("create role app login password 'app-password'");
    await owner.query(ledgerGrants("app"));
    const url = `postgresql://app:app-password@${host}:${port}/ledger`;
    const options = { entry: await bundleLedger(folder) };
    app = await launchLedger(environment(url), options);
  });
  afterAll(async () => {
    await app?.stop();
    await owner?.end();
    await engine?.close();
    timeline.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("keeps a holder's name sealed by the platform's key, and tells it", async () => {
    const path = "/holders/account-1";
    const kept = { method: "POST", path, body: "Ada Lovelace" } as const;
    expect(await app.send(kept)).toMatchObject({ status: 201 });
    expect(await app.send({ ...kept, path: "/holders/nobody" })).toMatchObject({ status: 422 });
    const told = await app.send({ method: "GET", path });
    expect(JSON.parse(told.body)).toEqual({ name: "Ada Lovelace" });
    const { rows } = await owner.query<{ name: string }>("select name from holders");
    const [{ name } = { name: "" }] = rows;
    expect(name).not.toContain("Ada");
    // What the restore test opens, and what Nightshift counts by.
    expect(opensSealed(name, Buffer.alloc(32, 7))).toBe(true);
    expect(opensSealed(name, Buffer.alloc(32, 8))).toBe(false);
    const elsewhere = name.replace(/^v1\.[0-9a-f]{16}/, `v1.${keyIdOf(Buffer.alloc(32, 8))}`);
    expect(opensSealed(elsewhere, Buffer.alloc(32, 8))).toBe(false);
  });

  it("books both entries in one transaction, once per id", async () => {
    expect(await app.send(get("/health/ready"))).toMatchObject({ status: 200 });
    expect(await app.send(post(transfer("t-1")))).toMatchObject({ status: 201 });
    expect(await app.send(post(transfer("t-1")))).toMatchObject({ status: 201 });
    expect(await app.send(post(transfer("t-1", 6)))).toMatchObject({ status: 409 });
    const nobody = JSON.stringify({ id: "t-2", from: "account-1", to: "nobody", amount: 1 });
    expect(await app.send(post(nobody))).toMatchObject({ status: 422 });
    expect(await app.send(get("/transfers/t-2"))).toMatchObject({ status: 404 });
    expect(JSON.parse((await app.send(get("/transfers/t-1"))).body)).toEqual({
      id: "t-1",
      from: "account-1",
      to: "account-2",
      amount: 5,
    });
    const account = await app.send(get("/accounts/account-1"));
    expect(JSON.parse(account.body)).toMatchObject({ balance: "-5" });
    expect(await app.send(post('{"probe":true}'))).toMatchObject({ status: 201 });
  });

  it("cannot be made to write one side only: the database refuses", async () => {
    await owner.query("begin");
    await owner.query("insert into transfers (id, amount) values ('lame', 5)");
    await owner.query("insert into entries values ('lame', 'account-1', -5)");
    await expect(owner.query("commit")).rejects.toMatchObject({ code: "23514" });
  });

  it("acknowledges nothing on a read-only database, stays ready, and recovers", async () => {
    await owner.query("alter role app set default_transaction_read_only = on");
    await owner.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'",
    );
    expect(await app.send(post(transfer("t-3")))).toMatchObject({ status: 503 });
    expect(await app.send(get("/health/ready"))).toMatchObject({ status: 200 });
    await owner.query("alter role app reset default_transaction_read_only");
    await owner.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'",
    );
    await expect
      .poll(async () => (await app.send(post(transfer("t-4")))).status, { timeout: 5000 })
      .toBe(201);
    expect(await app.send(get("/transfers/t-3"))).toMatchObject({ status: 404 });
  });

  it("comes back by itself after the database restarts", async () => {
    await engine.restart("database");
    await expect
      .poll(async () => (await app.send(post(transfer("t-5")))).status, { timeout: 10_000 })
      .toBe(201);
  });

  it("answers 503 in bounded time when the database has lost its power", async () => {
    await engine.kill("database");
    const before = performance.now();
    expect(await app.send(post(transfer("t-6")))).toMatchObject({ status: 503 });
    expect(performance.now() - before).toBeLessThan(4000);
    expect(await app.send(get("/health/live"))).toMatchObject({ status: 200 });
  });

  it("is gone after its plug is pulled", async () => {
    expect(alive(app.pid)).toBe(true);
    await app.stop();
    expect(alive(app.pid)).toBe(false);
    await expect(app.send(get("/health/live"))).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("a ledger process", () => {
  it("names what is missing in its environment, and leaves no process", async () => {
    const launched = launchLedger({ ...environment(""), SECRET_KEY: "" });
    await expect(launched).rejects.toThrow("not set: SECRET_KEY, DATABASE_URL");
  });

  it("ends when the process that started it dies", async () => {
    const launcher = new URL("../../local/ledger/process.ts", import.meta.url).href;
    const script = `
      const { launchLedger } = await import(${JSON.stringify(launcher)});
      const app = await launchLedger(${JSON.stringify(environment("postgresql://127.0.0.1:1/x"))});
      console.log(app.pid);
    `;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once("data", (text: Buffer) => resolve(Number(text.toString())));
    });
    expect(alive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await expect.poll(() => alive(pid), { timeout: 5000 }).toBe(false);
  });
});
