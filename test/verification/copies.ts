import { createCipheriv, createHmac } from "node:crypto";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, escapeIdentifier } from "pg";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { runStatement } from "../../functions/database/database.ts";
import { sessionPolicyOf } from "../../functions/database/decide.ts";
import { checksOf } from "../../functions/verification/checks/all.ts";
import type { CheckHooks, CheckPolicy } from "../../functions/verification/checks/policy.ts";
import type { CheckResult, CopyFacts, Json } from "../../functions/verification/checks.ts";
import { isMore } from "../../functions/verification/checks.ts";
import { ledgerSchema, seedAccounts } from "../../local/ledger/schema.ts";
import type { Address } from "../../local/postgres/engine.ts";
import type { RealEngine } from "../../local/postgres/real.ts";
import { realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { seededRandom, systemRandom } from "../../shared/random.ts";

export const database = "platform";
export const owner = { user: "platform_owner", password: "of the owner" };
export const first = { application: "of the application", nightshift: "of nightshift" };
export const identity = "app.example.com";
export const transfers = 4000;
const cards = 40;

const random = seededRandom("cards");
/** As `cryptography.fernet.Fernet` takes it: 32 bytes. */
export const cardKey = random.bytes(32);

export const policy: CheckPolicy = {
  identity,
  assertions: [
    {
      name: "ledger-sums-to-zero",
      sql: "select coalesce(sum(amount), 0) from entries",
      expect: "0",
    },
  ],
  appendOnly: [{ table: "public.transfers", column: "booked_at" }],
  ciphertext: [{ table: "public.cards", column: "number", format: "fernet" }],
};

export const hooks: CheckHooks = { keyRing: async () => ({ keys: { first: cardKey } }) };

const fernet = (text: string): string => {
  const iv = random.bytes(16);
  const cipher = createCipheriv("aes-128-cbc", cardKey.subarray(16), iv);
  const body = Buffer.concat([cipher.update(text), cipher.final()]);
  const signed = Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8), iv, body]);
  const tag = createHmac("sha256", cardKey.subarray(0, 16)).update(signed).digest();
  return Buffer.concat([signed, tag]).toString("base64url");
};

export interface Copies {
  /** A copy of the sound database, to be damaged, under its own name. */
  copy(): Promise<string>;
  /** Past all rights, in one of the databases. */
  administrator(name: string, work: (client: Client) => Promise<unknown>): Promise<void>;
  /** Flips one bit of a table's file while the server is down. */
  flip(name: string, table: string, offset: number): Promise<void>;
  /** Everything that the checks say of one copy, as the workflow would have it. */
  look(name: string, given?: Partial<Given>): Promise<CheckResult[]>;
  close(): Promise<void>;
}

export interface Given {
  policy: CheckPolicy;
  hooks: CheckHooks;
  facts: Partial<CopyFacts>;
  /** Those that the test is about; all of them when left out. */
  only: readonly string[];
  /** Chunks until a turn is over; all in one turn when left out. */
  chunksPerTurn: number;
}

/** One real server with the platform's database as bootstrap and migrations make it, and a manifest. */
export const platformCopies = async (): Promise<Copies> => {
  const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
    throw error;
  });
  const engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  const { user: masterUser, password: masterPassword } = owner;
  const wanted = { id: "home", region: "eu-central-1", masterUser, masterPassword, database };
  const address = await engine.create(wanted);
  await bootstrap({ ...address, database, ...owner }, first);
  const administrator: Copies["administrator"] = async (name, work) => {
    const client = new Client({ ...engine.administration("home"), database: name });
    await client.connect();
    await work(client).finally(() => client.end());
  };
  await filled(address);
  await administrator(database, withAmcheck);
  const now = Date.now();
  await spoken(address, now);
  let made = 0;
  return {
    copy: async () => {
      made += 1;
      const name = `copy_${made}`;
      await administrator("postgres", (client) =>
        client.query(
          `create database ${name} template ${database} owner ${owner.user} strategy file_copy`,
        ),
      );
      return name;
    },
    administrator,
    flip: (name, table, offset) => flipped(engine, administrator, { name, table, offset }),
    look: (name, given) => looked(address, name, now, given),
    close: async () => {
      await engine.close();
      timeline.close();
    },
  };
};

/** The ledger, booked two hours ago, and a table with ciphertext and values too large for their rows. */
export const filled = async (address: Address): Promise<void> => {
  const client = new Client({ ...address, database, ...owner });
  await client.connect();
  const statements = [
    ledgerSchema,
    seedAccounts(10),
    `insert into transfers (id, amount, booked_at)
     select 'transfer-' || n, n, now() - interval '2 hours' from generate_series(1, ${transfers}) n`,
    `insert into entries select 'transfer-' || n, 'account-' || 1 + n % 10, n
     from generate_series(1, ${transfers}) n
     union all select 'transfer-' || n, 'account-' || 1 + (n + 1) % 10, -n
     from generate_series(1, ${transfers}) n`,
    "create table cards (id serial primary key, number text not null, picture bytea)",
    "alter table cards alter picture set storage external",
  ];
  for (const statement of statements) await client.query(statement);
  for (let card = 0; card < cards; card += 1) {
    await client.query("insert into cards (number, picture) values ($1, $2)", [
      fernet(`4000 0000 0000 ${1000 + card}`),
      random.bytes(20_000),
    ]);
  }
  await client.query("analyze");
  await client.end();
};

/** As an administrator installs it on a server whose provider lets nobody else. */
export const withAmcheck = async (client: Client): Promise<void> => {
  await client.query("create schema amcheck");
  await client.query("create extension amcheck schema amcheck");
  await client.query(`grant usage on schema amcheck to ${escapeIdentifier(owner.user)}`);
  await client.query(
    `grant execute on all functions in schema amcheck to ${escapeIdentifier(owner.user)}`,
  );
};

/** What Nightshift writes on the primary, through its own function and with its own login. */
export const spoken = async (address: Address, now: number): Promise<void> => {
  const session = () =>
    postgresConnect({
      ...address,
      database,
      user: "nightshift",
      password: first.nightshift,
      tls: "off",
    });
  const roles = ["app_a", "app_b"];
  const ports = {
    session,
    roles,
    sessionPolicy: sessionPolicyOf(undefined),
    tell: () => undefined,
  };
  await runStatement(ports, {
    do: "heartbeat",
    region: "eu-central-1",
    epoch: 1,
    writtenAtMilliseconds: now - 4000,
    contactAtMilliseconds: now - 4000,
  });
  const appendOnly = [...(policy.appendOnly ?? [])];
  const takenAtMilliseconds = now - 3_600_000;
  await runStatement(ports, { do: "manifest", takenAtMilliseconds, identity, appendOnly });
};

const flipped = async (
  engine: RealEngine,
  administrator: Copies["administrator"],
  { name, table, offset }: { name: string; table: string; offset: number },
): Promise<void> => {
  let path = "";
  await administrator(name, async (client) => {
    await client.query("checkpoint");
    const { rows } = await client.query(
      "select current_setting('data_directory') as folder, pg_relation_filepath($1) as file",
      [table],
    );
    path = join(rows[0].folder, rows[0].file);
  });
  await engine.kill("home");
  const file = await openFile(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, offset);
  await file.close();
  await engine.start("home");
};

const looked = async (
  address: Address,
  name: string,
  now: number,
  given: Partial<Given> = {},
): Promise<CheckResult[]> => {
  const results: CheckResult[] = [];
  const checks = checksOf(given.policy ?? policy, given.hooks ?? hooks);
  for (const check of checks.filter(({ name }) => given.only?.includes(name) ?? true)) {
    const lacking = check.needs.filter((need) =>
      results.some((result) => result.name === need && result.is !== "passed"),
    );
    if (lacking.length > 0) continue;
    const facts: CopyFacts = {
      run: "verification-1",
      region: "eu-west-1",
      sourceRegion: "eu-central-1",
      database: name,
      aim: "latest",
      restoredToMilliseconds: now,
      orderedAtMilliseconds: now + 2000,
      maximumLossSeconds: 60,
      schemaRevision: "9c1f6a0d2b47",
      before: results,
      ...given.facts,
    };
    let cursor: Json = null;
    for (let turn = 0; ; turn += 1) {
      if (turn > 5000) throw new Error(`${check.name} never ends`);
      let chunks = 0;
      const isOver = () => ++chunks >= (given.chunksPerTurn ?? Number.POSITIVE_INFINITY);
      const session = await postgresConnect({ ...address, database: name, ...owner, tls: "off" });
      const told = await check
        .run(session, facts, { cursor, now: () => Date.now(), isOver })
        .finally(() => session.end());
      if (!isMore(told)) {
        results.push(told);
        break;
      }
      // Through JSON, as a checkpoint is.
      cursor = JSON.parse(JSON.stringify(told.more)) as Json;
    }
  }
  return results;
};

/** Names of the checks that are not green. */
export const red = (results: readonly CheckResult[]): string[] =>
  results.filter(({ is }) => is !== "passed").map(({ name }) => name);
