import { Client } from "pg";
import { bootstrap } from "../../deploy/bootstrap.ts";
import { keyIn, names, tablesIn } from "../../drills/names.ts";
import { verificationPorts } from "../../functions/verification/aws.ts";
import type { VerificationBody } from "../../functions/verification/evidence.ts";
import type { VerificationRequest } from "../../functions/verification/request.ts";
import { verify } from "../../functions/verification/verification.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { type Cloud, cloud } from "../../local/cloud.ts";
import { inProcessHost } from "../../local/lambda/inprocess.ts";
import { memoryStore } from "../../local/lambda/store.ts";
import { network } from "../../local/network.ts";
import { type RealEngine, realEngine } from "../../local/postgres/real.ts";
import { slackStandIn } from "../../local/slack/slack.ts";
import { type ScaledTimeline, scaledTimeline } from "../../local/time/scaled.ts";
import operatorsConfig from "../../nightshift.config.ts";
import { coordination } from "../../shared/coordination.ts";
import { parseRecord } from "../../shared/evidence.ts";
import { grantFirst } from "../../shared/lease.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { directSteps } from "../../shared/steps.ts";
import { clockOn } from "../clock.ts";
import { cardKey, database, filled, first, owner, policy, spoken, withAmcheck } from "./copies.ts";
import { keepImage } from "./stage.ts";

const { primary: home, standby, witness } = operatorsConfig.regions;
const quarantine = {
  prefix: "platform",
  subnetGroup: "quarantine",
  securityGroup: "sg-quarantine",
};
const uploadMilliseconds = 300_000;
const [usual, hurried] = [30, 600];

export type RealStage = Awaited<ReturnType<typeof realStage>>;

/** Two regions with a real primary in one, its backups in both, and nothing else of the platform. */
export const realStage = async () => {
  const broken = (error: unknown) => {
    throw error;
  };
  const now = Date.now();
  const scale = { speed: usual, origin: now, realStart: now };
  const timeline = scaledTimeline(scale, broken);
  const regions = network();
  const { reachable } = regions;
  const engine = await realEngine({ timeline, random: systemRandom, reachable });
  const aws = cloud(
    { timeline, random: systemRandom, network: regions, account: names.account },
    {
      engine,
      host: inProcessHost(timeline, { handlers: () => Promise.reject(new Error("no handlers")) }),
      executions: memoryStore(),
      launch: () => Promise.reject(new Error("no instances")),
      probe: () => Promise.reject(new Error("no probes")),
    },
    { tables: tablesIn(home, standby, witness), onError: broken, hurryDatabases: () => 30 },
  );
  await aws.endpoint.ready();
  const slack = slackStandIn(timeline, { ...operatorsConfig.slack, botToken, signingSecret });
  const links = await prepare(aws);
  const runtime = runtimeOf(aws, timeline, links, slack.fetch as unknown as typeof fetch);
  await grantFirst(coordination(runtime), home, timeline.now() - 86_400_000);
  for (const region of [home, standby]) {
    aws.images.establish(region, names.image.repository, { digest: names.image.digest });
  }
  await keepImage(aws, home, timeline.now());
  const address = await establish(aws, engine);
  return {
    aws,
    engine,
    timeline,
    address,
    slack,
    sql: (text: string) => asOwner(address, text),
    /** What a guard and the daily schedule write, and then the next upload of the log. */
    settle: async () => {
      await spoken(address, Math.floor(timeline.now()));
      timeline.setSpeed(hurried);
      const next = Math.ceil(timeline.now() / uploadMilliseconds) * uploadMilliseconds;
      await timeline.sleep(next + 5000 - timeline.now());
      timeline.setSpeed(usual);
    },
    /** A piece of the log that the backups need is gone. */
    loseSegment: async () => {
      const { DBInstances } = await aws.ask<{ DBInstances: { DbiResourceId: string }[] }>(
        ...(["rds", "DescribeDBInstances", home, {}] as const),
      );
      engine.loseSegment(DBInstances[0]?.DbiResourceId ?? "");
    },
    verify: (wish: Partial<VerificationRequest> = {}) =>
      verify(directSteps(runtime.clock), verificationPorts(runtime), {
        ...{ run: "verification-real", age: { is: "latest" }, by: "U0ANA", reason: "on demand" },
        ...wish,
      }),
    proof: () => proof(aws),
    instances: async () =>
      (
        await aws.ask<{ DBInstances: { DBInstanceIdentifier: string }[] }>(
          ...(["rds", "DescribeDBInstances", standby, {}] as const),
        )
      ).DBInstances,
    close: () => aws.close(),
  };
};

const botToken = "xoxb-planted-bot-token";
const signingSecret = "planted-signing-secret-0123456789";

/** Keys, a bucket and secrets; gives what the function is linked to. */
const prepare = async (aws: Cloud) => {
  for (const region of [home, standby]) aws.keys.establish(keyIn(region, "data"));
  const signs = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", MultiRegion: true };
  const { KeyMetadata } = await aws.ask<{ KeyMetadata: { Arn: string } }>(
    ...(["kms", "CreateKey", standby, signs] as const),
  );
  const Bucket = "platform-evidence";
  await aws.ask("s3", "CreateBucket", standby, { Bucket, ObjectLockEnabledForBucket: true });
  const secret = (Name: string, value: object) =>
    aws.ask("secrets-manager", "CreateSecret", standby, {
      ...{ Name, SecretString: JSON.stringify(value) },
      ClientRequestToken: Name.replace("/", "-").padEnd(32, "-"),
    });
  await secret(names.secrets.slack, { signingSecret, botToken });
  const ring = { first: { secret: cardKey.toString("base64url"), state: "primary" } };
  await secret("platform/encryption-keys", { primary: "first", keys: ring });
  return {
    CoordinationTable: { name: names.coordination },
    JournalTable: { name: names.journal },
    SlackSecret: { arn: names.secrets.slack },
    Evidence: { bucket: Bucket, key: KeyMetadata.Arn },
    Verified: {
      ...{ ...quarantine, parameterGroup: null, database, tls: "off" },
      ...{ databases: { [home]: "platform-home" }, encryptionKeys: "platform/encryption-keys" },
    },
  };
};

const runtimeOf = (
  aws: Cloud,
  timeline: ScaledTimeline,
  links: Record<string, object>,
  send: typeof fetch,
): Runtime => ({
  environment: {
    ...Object.fromEntries(
      Object.entries(links).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
    ),
    ...{ AWS_REGION: standby, AWS_ACCESS_KEY_ID: "AKIDLOCAL", AWS_SECRET_ACCESS_KEY: "local" },
  },
  clock: clockOn(timeline),
  random: systemRandom,
  web: {
    resolve: () => Promise.reject(new Error("no names")),
    request: () => Promise.reject(new Error("no web")),
  },
  config: {
    ...operatorsConfig,
    verification: {
      assertions: [...(policy.assertions ?? [])],
      appendOnly: [...(policy.appendOnly ?? [])],
      ciphertext: [...(policy.ciphertext ?? [])],
      schemaRevision: "9c1f6a0d2b47",
    },
  },
  write: () => undefined,
  fetch: send,
  // Modelled time is many times as fast as this machine, which a bound of five seconds does not know.
  aws: () => ({
    ...frugal,
    requestHandler: inProcess(aws.endpoint, standby, timeline, {
      requestTimeoutMilliseconds: 3_600_000,
    }),
  }),
});

/** The platform's database with all that its checks look for, backed up in both regions. */
const establish = async (aws: Cloud, engine: RealEngine) => {
  const group = { GroupName: "database", Description: "database", VpcId: "vpc-platform" };
  const { GroupId } = await aws.ask<{ GroupId: string }>(
    ...(["ec2", "CreateSecurityGroup", home, group] as const),
  );
  const { Endpoint } = await aws.databases.establish(home, {
    VpcSecurityGroupIds: [GroupId],
    ...{ DBInstanceIdentifier: "platform-home", DBInstanceClass: "db.r7g.large", DBName: database },
    ...{ MasterUsername: owner.user, MasterUserPassword: owner.password },
    ...{ BackupRetentionPeriod: 30, StorageEncrypted: true, KmsKeyId: keyIn(home, "data") },
    Tags: [{ Key: "environment", Value: "production" }],
  });
  const source = { region: home, id: "platform-home" };
  const kept = { BackupRetentionPeriod: 30, KmsKeyId: keyIn(standby, "data") };
  aws.databases.establishBackupCopy(standby, source, kept);
  const address = { host: Endpoint?.Address ?? "", port: Endpoint?.Port ?? 0 };
  await bootstrap({ ...address, database, ...owner }, first);
  await filled(address);
  const client = new Client({ ...engine.administration(`${home}.platform-home`), database });
  await client.connect();
  await withAmcheck(client).finally(() => client.end());
  return address;
};

const asOwner = async (address: { host: string; port: number }, text: string) => {
  const client = new Client({ ...address, database, ...owner });
  await client.connect();
  await client.query(text).finally(() => client.end());
};

const proof = async (aws: Cloud): Promise<VerificationBody[]> => {
  const Bucket = "platform-evidence";
  const { Contents = [] } = await aws.ask<{ Contents?: { Key: string }[] }>(
    ...(["s3", "ListObjectsV2", standby, { Bucket }] as const),
  );
  const bodies: VerificationBody[] = [];
  for (const { Key } of Contents) {
    const { Body } = await aws.ask<{ Body: Uint8Array }>(
      ...(["s3", "GetObject", standby, { Bucket, Key }] as const),
    );
    const record = parseRecord(Buffer.from(Body).toString("utf8"));
    if (record) bodies.push(record.body as unknown as VerificationBody);
  }
  return bodies;
};
