import { createCipheriv, createHmac, createPublicKey } from "node:crypto";
import { Client, escapeIdentifier } from "pg";
import type { Cloud } from "../local/cloud.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import type { Config } from "../shared/config.ts";
import { type Random, seededRandom } from "../shared/random.ts";
import { keyIn, names } from "./names.ts";
import type { DrillWorld } from "./world.ts";

/** Where copies go, and what they are called. */
export const quarantine = {
  prefix: "platform",
  subnetGroup: "platform-quarantine",
  securityGroup: "sg-quarantine",
} as const;

const bucket = "platform-evidence";

/** What the operator's file says of this platform's data, beside its usual values. */
export const verifying = (config: Config): Config => ({
  ...config,
  verification: {
    ...config.verification,
    schemaRevision: "9c1f6a0d2b47",
    assertions: [
      {
        name: "ledger-sums-to-zero",
        sql: "select coalesce(sum(amount), 0) from entries",
        expect: "0",
      },
    ],
    appendOnly: [{ table: "public.transfers", column: "booked_at" }],
    ciphertext: [{ table: "public.cards", column: "number", format: "fernet" }],
  },
});

export interface VerificationGround {
  /** The evidence's bucket in the standby region, and the public key of what signs it, in PEM. */
  bucket: string;
  publicKey: string;
  /** Gives the ring another key, so that nothing of before opens any more. */
  loseKey(): Promise<void>;
}

/** What a deployment adds for restore tests: functions, bucket, key, and data that is worth a test. */
export const deployVerification = async (
  world: DrillWorld,
  seed: string,
): Promise<VerificationGround> => {
  const { cloud, platform } = world;
  const { home, standby } = platform;
  const random = seededRandom(`restore tests ${seed}`);
  for (const { region } of [home, standby]) cloud.keys.establish(keyIn(region, "data"));
  const signs = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", MultiRegion: true };
  const { KeyMetadata } = await cloud.ask<{ KeyMetadata: { Arn: string } }>(
    ...(["kms", "CreateKey", standby.region, signs] as const),
  );
  const key = KeyMetadata.Arn;
  await cloud.ask("s3", "CreateBucket", standby.region, {
    Bucket: bucket,
    ObjectLockEnabledForBucket: true,
  });
  const cards = random.bytes(32);
  await keepRing(cloud, standby.region, cards, "CreateSecret");
  for (const definition of functionsOf(world, key)) cloud.functions.define(definition);
  await fill(world, cards, random);
  const loseKey = () => keepRing(cloud, standby.region, random.bytes(32), "PutSecretValue");
  return { bucket, publicKey: await publicKeyOf(cloud, standby.region, key), loseKey };
};

const publicKeyOf = async (cloud: Cloud, region: string, KeyId: string): Promise<string> => {
  const { PublicKey } = await cloud.ask<{ PublicKey: Uint8Array }>(
    ...(["kms", "GetPublicKey", region, { KeyId }] as const),
  );
  const given = { key: Buffer.from(PublicKey), format: "der", type: "spki" } as const;
  return createPublicKey(given).export({ type: "spki", format: "pem" }).toString();
};

const keepRing = async (
  cloud: Cloud,
  region: string,
  secret: Buffer,
  operation: "CreateSecret" | "PutSecretValue",
): Promise<void> => {
  const id = names.rotated.encryption;
  const keys = { first: { secret: secret.toString("base64url"), state: "primary" } };
  await cloud.ask("secrets-manager", operation, region, {
    ...(operation === "CreateSecret" ? { Name: id } : { SecretId: id }),
    SecretString: JSON.stringify({ primary: "first", keys }),
    ClientRequestToken: `${operation}-of-encryption-keys`.padEnd(32, "-"),
  });
};

const functionsOf = ({ automation, platform }: DrillWorld, key: string): FunctionDefinition[] => {
  const { home, standby } = platform;
  const { region } = standby;
  const { SLACK_API_URL = "" } = automation.find(({ name }) => name === "slack")?.environment ?? {};
  const databases = { [home.region]: home.databaseId, [region]: standby.databaseId };
  const links = {
    CoordinationTable: { name: names.coordination },
    JournalTable: { name: names.journal },
    SlackSecret: { arn: names.secrets.slack },
    Evidence: { bucket, key },
    Verified: {
      ...{ ...quarantine, parameterGroup: names.parameterGroup, database: names.database },
      ...{ databases, tls: "off", encryptionKeys: names.rotated.encryption },
    },
    Swept: { prefix: quarantine.prefix, databases },
    VerificationFunction: { name: "verification" },
    DatabaseFunction: { name: "database" },
  };
  const environment = {
    SLACK_API_URL,
    ...Object.fromEntries(
      Object.entries(links).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
    ),
  };
  return [
    {
      ...{ name: "verification", region, entry: "functions/verification/handler.ts" },
      ...{ timeoutSeconds: 900, durable: { executionTimeoutSeconds: 24 * 3600 }, environment },
    },
    {
      ...{ name: "sweep", region, entry: "functions/sweep/handler.ts" },
      ...{ timeoutSeconds: 120, environment },
    },
  ];
};

/** Of this machine's time: two hours back is before any window of a manifest that is written now ends. */
const history = 4000;
const cardsCount = 40;

/** A ledger with a past, ciphertext, and values too large for their rows. Amcheck as RDS would have it. */
const fill = async (world: DrillWorld, key: Buffer, random: Random): Promise<void> => {
  await asAdministrator(world, async (client) => {
    await client.query(tables);
    await client.query(past);
    for (let card = 0; card < cardsCount; card += 1) {
      const number = fernet(key, random, `4000 0000 0000 ${1000 + card}`);
      const picture = random.bytes(20_000);
      await client.query("insert into cards (number, picture) values ($1, $2)", [number, picture]);
    }
    await client.query("insert into notes select id, 'a note' from cards");
    await client.query("analyze");
    await client.query("create schema amcheck");
    await client.query("create extension amcheck schema amcheck");
    const master = escapeIdentifier(names.master);
    await client.query(`grant usage on schema amcheck to ${master}`);
    await client.query(`grant execute on all functions in schema amcheck to ${master}`);
  });
};

const tables = `
create table cards (id serial primary key, number text not null, picture bytea);
alter table cards alter picture set storage external;
create table documents (id serial primary key, name text not null);
create index documents_by_name on documents (name);
insert into documents (name) select 'document ' || n from generate_series(1, 500) n;
create table notes (card integer not null references cards (id), says text not null);
alter table notes owner to ${names.master};
alter table cards owner to ${names.master};
alter table documents owner to ${names.master}`;

const past = `
with booked as (
  insert into transfers (id, amount, booked_at)
  select 'past-' || n, n, now() - interval '2 hours' from generate_series(1, ${history}) n
  returning id, amount
)
insert into entries
select id, 'account-' || 1 + amount % 10, amount from booked
union all select id, 'account-' || 1 + (amount + 1) % 10, -amount from booked`;

/** As Python's cryptography makes it. */
const fernet = (key: Buffer, random: Random, text: string): string => {
  const iv = random.bytes(16);
  const cipher = createCipheriv("aes-128-cbc", key.subarray(16), iv);
  const body = Buffer.concat([cipher.update(text), cipher.final()]);
  const signed = Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8), iv, body]);
  const tag = createHmac("sha256", key.subarray(0, 16)).update(signed).digest();
  return Buffer.concat([signed, tag]).toString("base64url");
};

/** Past all rights, in the primary's database. */
export const asAdministrator = async (
  { engine, platform }: DrillWorld,
  work: (client: Client) => Promise<unknown>,
): Promise<void> => {
  const { host, port, user, password } = engine.administration(platform.home.engineId);
  const client = new Client({ host, port, user, password, database: names.database });
  await client.connect();
  await work(client).finally(() => client.end());
};

/** As the sweep of the next hour would: a busy machine may be too slow for the bounds of AWS. */
const attempts = 5;

/**
 * What the primary says of its own content, for whoever restores it later. PostgreSQL dates rows by this
 * machine's clock, so the manifest is of that, and not of the modelled one, which is ahead.
 */
export const writeManifest = async ({
  cloud,
  config,
  platform,
  timeline,
}: DrillWorld): Promise<void> => {
  const takenAtMilliseconds = Math.floor(timeline.machineAt(timeline.now()));
  const appendOnly = config.verification?.appendOnly ?? [];
  const request = { do: "manifest", takenAtMilliseconds, identity: config.domain.name, appendOnly };
  const Payload = Buffer.from(JSON.stringify(request));
  let why = "";
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const answer = await cloud.ask<{ FunctionError?: string; Payload?: Uint8Array }>(
      ...([
        "lambda",
        "Invoke",
        platform.home.region,
        { FunctionName: "database", Payload },
      ] as const),
    );
    if (!answer.FunctionError) return;
    why = Buffer.from(answer.Payload ?? []).toString();
    await timeline.sleep(20_000);
  }
  throw new Error(`no manifest was written: ${why}`);
};
