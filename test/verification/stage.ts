import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { onTestFinished } from "vitest";
import { keyIn, names } from "../../drills/names.ts";
import { statements } from "../../functions/database/statements.ts";
import type { Check, Checks } from "../../functions/verification/checks.ts";
import type { VerificationBody } from "../../functions/verification/evidence.ts";
import { assemble } from "../../functions/verification/handler.ts";
import type { VerificationRequest } from "../../functions/verification/request.ts";
import type { Result } from "../../functions/verification/verification.ts";
import type { Cloud } from "../../local/cloud.ts";
import type { FunctionDefinition } from "../../local/lambda/host.ts";
import type { Execution } from "../../local/lambda/store.ts";
import type { Config } from "../../shared/config.ts";
import { type EvidenceRecord, parseRecord } from "../../shared/evidence.ts";
import type { Entry } from "../../shared/journal.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { type Hooks, type HookTools, type Plant, type World, world } from "../simulation/world.ts";

export interface StageOptions {
  seed?: string;
  /** What the operator's file says beside its usual values. */
  verification?: Config["verification"];
  /** Instead of the two quick ones: checks, or what makes them for a function. */
  checks?: Checks | ((runtime: Runtime) => Checks);
  hooks?(tools: HookTools): Hooks;
  /** Around the functions of verification: a bug that somebody might write. */
  plant?: Plant;
}

/** What a modelled database can be asked: whether it has the newest heartbeat. */
export const heartbeat: Check = {
  name: "heartbeat",
  title: "The newest data is as new as it has to be",
  needs: [],
  run: async (session, { restoredToMilliseconds, maximumLossSeconds }) => {
    const { rows } = await session.query(statements.position.text);
    const at = Number(rows[0]?.written_at_ms ?? 0);
    const lossSeconds = (restoredToMilliseconds - at) / 1000;
    const is = lossSeconds >= 0 && lossSeconds <= maximumLossSeconds ? "passed" : "failed";
    const found = { expected: `within ${maximumLossSeconds} s`, actual: `${lossSeconds} s` };
    return { name: "heartbeat", is, ...found, says: "A heartbeat.", measured: { lossSeconds } };
  },
};

/** Reads in three turns, each in a session of its own. */
export const inTurns: Check = {
  name: "readable-in-full",
  title: "Every row can be read",
  needs: ["heartbeat"],
  run: async (session, _facts, { cursor }) => {
    await session.query(statements.position.text);
    const done = Number(cursor ?? 0) + 1;
    if (done < 3) return { more: done };
    const found = { expected: "three parts", actual: `${done} parts` };
    return { name: "readable-in-full", is: "passed", ...found, says: "All of it was read." };
  },
};

export const quarantine = {
  prefix: "platform",
  subnetGroup: "platform-quarantine",
  securityGroup: "sg-quarantine",
};

const linksOf = (bucket: string, key: string, databases: Record<string, string>) => {
  const values = {
    CoordinationTable: { name: names.coordination },
    JournalTable: { name: names.journal },
    SlackSecret: { arn: names.secrets.slack },
    Evidence: { bucket, key },
    Verified: {
      ...quarantine,
      parameterGroup: names.parameterGroup,
      database: names.database,
      databases,
      tls: "off",
    },
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
  );
};

export type Stage = Awaited<ReturnType<typeof raised>>;

/** A platform whose backups are verified, taken down at the end of the test. */
export const stage = async (options: StageOptions = {}): Promise<Stage> => {
  const built = await raised(options);
  onTestFinished(() => built.close());
  return built;
};

const configured = (runtime: Runtime, { verification }: StageOptions): Runtime =>
  verification ? { ...runtime, config: { ...runtime.config, verification } } : runtime;

const checksFor = ({ checks = [heartbeat, inTurns] }: StageOptions, runtime: Runtime): Checks =>
  typeof checks === "function" ? checks(runtime) : checks;

const patienceSeconds = 24 * 3600;

/** A minute past the first upload of logs, and past the first beats. */
const settledSeconds = 660;

export const raised = async (options: StageOptions = {}) => {
  const built = await world({
    seed: options.seed ?? "verification",
    scripts: [],
    ...(options.hooks ? { hooks: options.hooks } : {}),
    plant: (definition, runtime: Runtime, usual) => {
      const made = (given: Runtime) =>
        definition.name === "verification"
          ? assemble(configured(given, options), checksFor(options, given))
          : usual(given);
      return options.plant ? options.plant(definition, runtime, made) : made(runtime);
    },
  });
  const { cloud, platform, timeline } = built;
  const { home, standby } = platform;
  const evidence = await deploy(built);
  // No readiness is looked at here, so what it would tell each five minutes holds for the whole test.
  await keepImage(built.cloud, home.region, timeline.now() + 7 * 86_400_000);
  built.users.start();
  await timeline.advance(settledSeconds * 1000);
  const executions = (): Execution[] => cloud.functions.executions(standby.region, "verification");
  return {
    ...built,
    home,
    standby,
    evidence,
    executions,
    ...looks(built, evidence.bucket),
    start: (wish: Partial<VerificationRequest> = {}) => start(built, wish),
    ended: async (): Promise<Result> => {
      const run = executions().at(-1);
      if (!run) throw new Error("nothing was started");
      const end = await timeline.run(cloud.functions.finished(run.arn), patienceSeconds * 1000);
      if (end.status !== "SUCCEEDED" || end.result === undefined) {
        throw new Error(`${end.name} is ${end.status}: ${end.error?.ErrorMessage}`);
      }
      return JSON.parse(end.result) as Result;
    },
  };
};

/** As readiness does in the region with the lease: which container runs there. */
export const keepImage = async (aws: Cloud, region: string, now: number): Promise<void> => {
  const { repository, digest } = names.image;
  await aws.ask("dynamodb", "PutItem", region, {
    TableName: names.coordination,
    Item: marshall({
      ...{ id: `footprint#${region}`, region, atMilliseconds: Math.floor(now) },
      image: `${repository}@${digest}`,
    }),
  });
};

/** The function in both regions, and what its evidence is signed with and kept in. */
const deploy = async ({ cloud, platform }: World) => {
  const { home, standby } = platform;
  const bucket = "platform-evidence";
  const signs = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", MultiRegion: true };
  const { region } = standby;
  const { KeyMetadata } = await cloud.ask<{ KeyMetadata: { Arn: string } }>(
    ...(["kms", "CreateKey", region, signs] as const),
  );
  for (const each of [home, standby]) {
    cloud.keys.establish(keyIn(each.region, "data"));
    const Bucket = each === standby ? bucket : `${bucket}-home`;
    await cloud.ask("s3", "CreateBucket", each.region, {
      Bucket,
      ObjectLockEnabledForBucket: true,
    });
  }
  const databases = { [home.region]: home.databaseId, [standby.region]: standby.databaseId };
  const definition: FunctionDefinition = {
    name: "verification",
    region,
    entry: "functions/verification/handler.ts",
    timeoutSeconds: 900,
    durable: { executionTimeoutSeconds: 24 * 3600 },
    environment: linksOf(bucket, KeyMetadata.Arn, databases),
  };
  cloud.functions.define(definition);
  cloud.functions.define({
    name: "sweep",
    region,
    entry: "functions/sweep/handler.ts",
    timeoutSeconds: 120,
    environment: {
      ...definition.environment,
      SST_RESOURCE_Swept: JSON.stringify({ prefix: quarantine.prefix, databases }),
      SST_RESOURCE_VerificationFunction: JSON.stringify({ name: "verification" }),
    },
  });
  return { bucket, key: KeyMetadata.Arn };
};

const start = async (
  { cloud, platform, timeline }: World,
  wish: Partial<VerificationRequest>,
): Promise<void> => {
  const asked: VerificationRequest = {
    run: "verification-2026-11-22",
    age: { is: "latest" },
    by: "schedule",
    reason: "every day",
    ...wish,
  };
  await timeline.run(
    cloud.ask("lambda", "Invoke", platform.standby.region, {
      FunctionName: "verification",
      InvocationType: "Event",
      DurableExecutionName: asked.run,
      Payload: Buffer.from(JSON.stringify(asked)),
    }),
  );
};

interface Instance {
  DBInstanceIdentifier: string;
  DBInstanceStatus: string;
  DBInstanceClass: string;
  BackupRetentionPeriod: number;
  TagList: { Key: string; Value: string }[];
  VpcSecurityGroups: { VpcSecurityGroupId: string }[];
}

const looks = ({ cloud, platform }: World, Bucket: string) => {
  const { region } = platform.standby;
  const items = async (TableName: string) => {
    const { Items = [] } = await cloud.ask<{ Items?: Record<string, never>[] }>(
      ...(["dynamodb", "Scan", region, { TableName }] as const),
    );
    return Items.map((item) => unmarshall(item));
  };
  const instancesIn = async (where: string): Promise<Instance[]> =>
    (
      await cloud.ask<{ DBInstances: Instance[] }>(
        ...(["rds", "DescribeDBInstances", where, {}] as const),
      )
    ).DBInstances;
  return {
    items,
    instancesIn,
    copies: async () =>
      (await instancesIn(region)).filter((each) =>
        each.DBInstanceIdentifier.startsWith(`${quarantine.prefix}-verify-`),
      ),
    journal: async (): Promise<Entry[]> =>
      ((await items(names.journal)) as unknown as Entry[])
        .filter(({ run }) => run.startsWith("verification-"))
        .sort((one, other) => one.sequence - other.sequence),
    records: async (): Promise<EvidenceRecord[]> => {
      const { Contents = [] } = await cloud.ask<{ Contents?: { Key: string }[] }>(
        ...(["s3", "ListObjectsV2", region, { Bucket }] as const),
      );
      const texts = await Promise.all(
        Contents.map(async ({ Key }) => {
          const { Body } = await cloud.ask<{ Body: Uint8Array }>(
            ...(["s3", "GetObject", region, { Bucket, Key }] as const),
          );
          return Buffer.from(Body).toString("utf8");
        }),
      );
      return texts.flatMap((text) => parseRecord(text) ?? []);
    },
  };
};

/** What the only record says. */
export const onlyRecord = async (at: Stage) => {
  const [record, ...more] = await at.records();
  if (!record || more.length > 0) throw new Error(`not one record but ${more.length + 1}`);
  const body = record.body as unknown as VerificationBody;
  const inPart = (wanted: string) => body.checks.filter(({ part }) => part === wanted);
  return {
    ...body,
    landed: inPart("landed"),
    restored: inPart("restored"),
    checks: inPart("content"),
  };
};
