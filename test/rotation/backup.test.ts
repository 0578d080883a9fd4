import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { runStatement } from "../../functions/database/database.ts";
import { request, sessionPolicyOf } from "../../functions/database/decide.ts";
import { ringOf } from "../../functions/rotation/kinds/ring.ts";
import { ciphertext } from "../../functions/verification/checks/ciphertext.ts";
import type { CheckResult } from "../../functions/verification/checks.ts";
import { type Rds, rds } from "../../local/aws/rds.ts";
import type { Call, Surroundings } from "../../local/aws/service.ts";
import { type Holders, postgresHolders } from "../../local/ledger/holders.ts";
import { ledgerSchema, seedAccounts } from "../../local/ledger/schema.ts";
import { type SealingKeys, sealingKeys } from "../../local/ledger/sealing.ts";
import { network } from "../../local/network.ts";
import type { Address } from "../../local/postgres/engine.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";
import { primary } from "../tables.ts";
import { column, retentionDays, sealedConfig } from "./ring-world.ts";
import { firstRing } from "./sealing.ts";
import { names, passwords, type Stage, stage, token } from "./stage.ts";

const database = "ledger";
const holders = 40;
/** Two batches, with a second between them. */
const reencryption = { rows: 25, pauseSeconds: 1 };
const application = "of-the-application-0123456789";
const nightshift = "of-nightshift-0123456789";

const moment = (milliseconds = 5) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

const timeline = scaledTimeline(
  { speed: 60, origin: Date.UTC(2026, 10, 22), realStart: Date.now() },
  (error) => {
    throw error;
  },
);
let engine: RealEngine;
let made: Rds;
let address: Address;
let at: Stage;

const askRds = async (operation: string, input: object): Promise<unknown> => {
  const act = made.service.operations[operation] as unknown as (i: object, c: Call) => unknown;
  const around = { region: primary, from: primary, account: "123456789012" };
  return act(input, { service: "rds", operation, ...around });
};

const login = async (to: Address, user: string, password: string): Promise<Client> => {
  const client = new Client({ ...to, user, password, database });
  client.on("error", () => undefined);
  await client.connect();
  return client;
};
const asOwner = (to: Address) => login(to, "platform_owner", passwords.owner);

const session = (to: Address, user: string, password: string) =>
  postgresConnect({ ...to, database, user, password, tls: "off" });

const ask = (given: unknown) => {
  const sessionPolicy = sessionPolicyOf(undefined);
  const ports = { roles: ["app_a", "app_b"], sessionPolicy, tell: () => undefined };
  return runStatement(
    { ...ports, session: () => session(address, "nightshift", nightshift) },
    request.parse(given),
  );
};

const addressOf = async (id: string): Promise<Address> => {
  for (;;) {
    const found = (await askRds("DescribeDBInstances", { DBInstanceIdentifier: id })) as {
      DBInstances: { DBInstanceStatus: string; Endpoint?: { Address: string; Port: number } }[];
    };
    const [instance] = found.DBInstances;
    if (instance?.DBInstanceStatus === "available" && instance.Endpoint) {
      return { host: instance.Endpoint.Address, port: instance.Endpoint.Port };
    }
    await moment(20);
  }
};

beforeAll(async () => {
  const regions = network();
  const { reachable } = regions;
  engine = await realEngine({ timeline, random: systemRandom, reachable });
  const account = "123456789012";
  const around: Surroundings = { timeline, random: systemRandom, network: regions, account };
  made = rds(around, engine);
  await made.establish(primary, {
    DBInstanceIdentifier: "home",
    DBInstanceClass: "db.t4g.medium",
    AllocatedStorage: 20,
    DBName: database,
    MasterUsername: "platform_owner",
    MasterUserPassword: passwords.owner,
    BackupRetentionPeriod: retentionDays,
  });
  address = await addressOf("home");
  const owner = { ...address, user: "platform_owner", password: passwords.owner, database };
  await bootstrap(owner, { application, nightshift });
  const client = await asOwner(address);
  await client.query(ledgerSchema);
  await client.query(seedAccounts(holders));
  await client.end();
  at = await stage({
    timeline,
    connect: postgresConnect,
    address,
    values: { [names.encryption]: firstRing() },
    sealed: { config: sealedConfig({ rotation: { reencryption } }), ask, rds: made.service },
  });
  while (!at.isReady()) await moment();
}, 60_000);

afterAll(async () => {
  await engine.close();
  timeline.close();
});

const ring = () => ringOf(at.value(names.encryption));

/** As an instance reads the ring when it is started: stacks/boot.sh. */
const keysNow = (): SealingKeys => {
  const { primary: name, keys } = ring();
  const others = Object.entries(keys).filter(([id]) => id !== name);
  const found = sealingKeys(
    randomBytes,
    keys[name]?.secret ?? "",
    others.map(([, { secret }]) => secret).join(","),
  );
  if (!found) throw new Error("the ring has a key that is not of 32 bytes");
  return found;
};

const launched = (): Holders => {
  const { host, port } = address;
  return postgresHolders(`postgres://app_a:${application}@${host}:${port}/${database}`, keysNow());
};

const nameOf = (account: number) => `Holder ${account} of Example Street`;

const namesIn = async (to: Address): Promise<string[]> => {
  const client = await asOwner(to);
  const { rows } = await client.query<{ name: string }>(
    "select name from holders order by split_part(account_id, '-', 2)::int",
  );
  await client.end();
  return rows.map(({ name }) => keysNow().open(name));
};

const all = Array.from({ length: holders }, (_, index) => nameOf(index + 1));

/** Everything up to where rows are sealed again. */
const promoted = async (number: number) => {
  at.ask(names.encryption, token(number));
  const isOver = () => at.events.filter((event) => event !== "RotationStarted").length >= number;
  while (!isOver()) await moment();
  expect(at.failures).toEqual([]);
  const about = { secret: names.encryption, token: token(number) };
  expect(await at.handle({ do: "promote", ...about })).toHaveProperty("did");
  return about;
};

/** As long as rows are left; gives how many rows each batch had. */
const sealedAgain = async (about: object, app: Holders): Promise<number[]> => {
  const batches: number[] = [];
  for (;;) {
    const told = await at.handle({ do: "reencrypt", ...about });
    if (!("left" in told)) throw new Error(JSON.stringify(told));
    if (told.left === 0) return batches;
    const count = await app.sealAgain();
    if (count > 0) batches.push(count);
    else await moment(300);
  }
};

const look = async (to: Address, keys: Record<string, Uint8Array>): Promise<CheckResult> => {
  const hooks = { keyRing: async () => ({ keys }) };
  const check = ciphertext([{ ...column, format: "keyed-aes-256-gcm" }], hooks);
  const opened = await session(to, "platform_owner", passwords.owner);
  const told = await check.run(opened, {} as never, {
    ...{ cursor: null, now: Date.now, isOver: () => false },
  });
  await opened.end();
  return told as CheckResult;
};

const bytesOf = () =>
  Object.fromEntries(
    Object.entries(ring().keys).map(([id, { secret }]) => [id, Buffer.from(secret, "base64url")]),
  );

/** A transaction that has sealed rows again, and whose session is ended before it commits. */
const killedInTheMiddle = async (): Promise<void> => {
  const client = await login(address, "app_a", application);
  // The last batch of the rotation before was less than a pause ago.
  await moment(1000 * reencryption.pauseSeconds);
  await client.query("begin");
  const { rows } = await client.query("select nightshift.next_batch() as rows");
  expect(rows).toEqual([{ rows: reencryption.rows }]);
  await client.query("update holders set name = 'v1.0123456789abcdef.AAAA'");
  // Nobody else is at work meanwhile, and nobody waits for it.
  const second = launched();
  expect(await second.sealAgain()).toBe(0);
  await second.close();
  const { rows: own } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const administrator = await login(address, "nightshift", nightshift);
  await administrator.query("select pg_terminate_backend($1)", [own[0]?.pid]);
  await administrator.end();
  await client.end().catch(() => undefined);
};

/** Sealed by the first key, as by an instance that nobody has replaced. */
const fromAnOldInstance = async (app: SealingKeys, account: string, name: string) => {
  const client = await asOwner(address);
  await client.query("update holders set name = $2 where account_id = $1", [
    account,
    app.seal(name),
  ]);
  await client.end();
};

it("opens every row of a backup from before the first of five rotations of the key", async () => {
  const old = keysNow();
  const users = launched();
  for (const [index, name] of all.entries()) await users.keep(`account-${index + 1}`, name);
  await users.close();
  await moment(100);
  const before = new Date(timeline.now());
  await moment(100);
  for (let number = 1; number <= 5; number += 1) {
    const about = await promoted(number);
    const app = launched();
    // Nothing is permitted before it was asked for.
    expect(await app.sealAgain()).toBe(0);
    if (number === 3) {
      await at.handle({ do: "reencrypt", ...about });
      await killedInTheMiddle();
    }
    expect(await sealedAgain(about, app)).toEqual([25, 15]);
    if (number === 5) {
      await fromAnOldInstance(old, "account-7", nameOf(7));
      const told = await at.handle({ do: "retire", ...about });
      expect(told).toMatchObject({ refused: { code: "rows-left" } });
      expect(JSON.stringify(told)).toContain("1 row of public.holders.name (1 by first)");
      expect(await sealedAgain(about, app)).toEqual([1]);
    }
    expect(await at.handle({ do: "retire", ...about })).toHaveProperty("did");
    await app.close();
    expect(await namesIn(address)).toEqual(all);
  }
  expect(Object.values(ring().keys).filter(({ mayGoAt }) => mayGoAt !== undefined)).toHaveLength(5);
  await askRds("RestoreDBInstanceToPointInTime", {
    SourceDBInstanceIdentifier: "home",
    TargetDBInstanceIdentifier: "copy",
    RestoreTime: before,
    // Its own would be begun as soon as it is there.
    BackupRetentionPeriod: 0,
  });
  timeline.setSpeed(5000);
  const copy = await addressOf("copy");
  timeline.setSpeed(60);
  expect(await namesIn(copy)).toEqual(all);
  const found = await look(copy, bytesOf());
  expect(found).toMatchObject({ is: "passed", actual: expect.stringContaining("by key first") });
  const { first: _first, ...others } = bytesOf();
  expect(await look(copy, others)).toMatchObject({ is: "failed" });
}, 60_000);

it("lets the application ask for a batch, and not permit one to itself", async () => {
  const client = await login(address, "app_a", application);
  for (const text of [
    "update nightshift.reencryption set until = 'infinity'",
    "select * from nightshift.reencryption",
    `select nightshift.sealed('v1.0123456789abcdef.', '[]', 1)`,
  ]) {
    await expect(client.query(text)).rejects.toMatchObject({ code: "42501" });
  }
  await client.end();
});

it("counts by keys, shows nothing of what stands in a column, and cannot be used to guess it", async () => {
  const owner = await asOwner(address);
  await owner.query("create table secrets (plain text, bytes bytea)");
  const row = ["4000 1234 5678 9010", Buffer.from("v1.00000000000000aa.xyz")];
  await owner.query("insert into secrets values ($1, $2)", row);
  await owner.query("insert into secrets values (null, null)");
  await owner.end();
  const columns = ["plain", "bytes"].map((name) => ({ table: "public.secrets", column: name }));
  const answer = await ask({ do: "sealed", key: "00000000000000bb", columns });
  expect(answer).toEqual({
    left: [
      { ...columns[0], keys: {}, unmarked: 1, more: false },
      { ...columns[1], keys: { "00000000000000aa": 1 }, unmarked: 0, more: false },
    ],
  });
  expect(JSON.stringify(answer)).not.toContain("4000");
  const administrator = await login(address, "nightshift", nightshift);
  const guess = administrator.query("select nightshift.sealed('4000 1', $1, 1)", [
    JSON.stringify(columns),
  ]);
  await expect(guess).rejects.toThrow("no header");
  await administrator.end();
});
