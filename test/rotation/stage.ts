import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { RotatedLink } from "../../functions/rotation/aws.ts";
import { assemble } from "../../functions/rotation/handler.ts";
import type { Told } from "../../functions/rotation/kinds.ts";
import { scramVerifier } from "../../functions/rotation/scram.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import { elasticache } from "../../local/aws/elasticache.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { secretsmanager } from "../../local/aws/secretsmanager.ts";
import type { Call, Service } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { network } from "../../local/network.ts";
import { modelledCaches } from "../../local/redis/modelled.ts";
import type { Timeline } from "../../local/time/timeline.ts";
import { clientOptions } from "../../shared/clients.ts";
import type { Config } from "../../shared/config.ts";
import { coordination } from "../../shared/coordination.ts";
import type { Line } from "../../shared/journal.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { grantFirst } from "../../shared/lease.ts";
import { seededRandom, systemRandom } from "../../shared/random.ts";
import type { Authenticate, Connect, Runtime } from "../../shared/runtime.ts";
import { systemWeb } from "../../shared/web.ts";
import { clockOn } from "../clock.ts";
import { config } from "../simulation/world.ts";
import { primary, standby, tableDefinitions } from "../tables.ts";
import { type Blow, caller, striking } from "./striking.ts";

export const names = {
  database: "platform/database",
  owner: "platform/owner",
  signing: "platform/signing-keys",
  encryption: "platform/encryption-keys",
  slack: "platform/slack",
  cache: "platform/cache",
} as const;

const arnIn = (region: string) => `arn:aws:lambda:${region}:123456789012:function:rotation`;
const account = "123456789012";

/** Of a database that is a fake. */
const nowhere = { host: "127.0.0.1", port: 5432 };

export type Schedules = NonNullable<NonNullable<Config["rotation"]>["schedules"]>;

interface Given {
  timeline: Timeline;
  connect: Connect;
  address?: { host: string; port: number };
  /** Befalls the function, once. */
  blow?: Blow;
  /** Called before and after whatever the function does to the world. */
  look?(): void;
  /** What a cache says to a token; what it is when left out. */
  authenticate?: Authenticate;
  /** Where rows are sealed with the encryption ring. */
  sealed?: SealedWorld;
  schedules?: Schedules;
  /** What each secret has first. */
  values: Record<string, object>;
}

/** Rows in a database, and what backups of it there are. */
export interface SealedWorld {
  /** What the operator's file says of it. */
  config: Pick<Config, "rotation" | "verification">;
  /** What the database function answers. */
  ask(question: unknown): Promise<unknown>;
  /** Replies for RDS; `home` and `away` are the databases of the two regions. */
  rds: Service;
}

export type Stage = Awaited<ReturnType<typeof stage>>;

/** Orders for the end of an overlap, as the durable function gets them, and what rotation functions ask. */
const recordingLambda = (
  ask: (name: string, region: string, question: unknown) => Promise<unknown>,
) => {
  const orders: { run: string; secret: string; token: string; again: number }[] = [];
  const service: Service = {
    name: "lambda",
    operations: {
      Invoke: async (
        { FunctionName, Payload }: { FunctionName: string; Payload: Uint8Array },
        { region }: Call,
      ) => {
        const event = JSON.parse(Buffer.from(Payload).toString());
        if (FunctionName === "rotation" || FunctionName === "database") {
          const answer = JSON.stringify(await ask(FunctionName, region, event));
          return { StatusCode: 200, Payload: Buffer.from(answer) };
        }
        orders.push(event);
        return { StatusCode: 202 };
      },
    },
  };
  return { service, orders };
};

const linkOf = (
  region: string,
  address: { host: string; port: number },
  sealed: SealedWorld | undefined,
): RotatedLink => ({
  ...(sealed && {
    sealed: { database: "database", databases: { [primary]: "home", [standby]: "away" } },
  }),
  secrets: [
    { name: names.database, kind: "database-login", scope: "database" },
    { name: names.owner, kind: "database-master", scope: "database" },
    { name: names.signing, kind: "signing-ring", scope: "signing-keys" },
    { name: names.encryption, kind: "encryption-ring", scope: "encryption-keys" },
    { name: names.slack, kind: "slack-signing", scope: "slack" },
    { name: names.cache, kind: "redis-auth", scope: "cache" },
  ],
  database: {
    ...address,
    database: "ledger",
    tls: "off",
    logins: ["app_a", "app_b"],
    ownerSecret: names.owner,
  },
  cache: { group: "platform", host: "cache", port: 6379 },
  retirement: "retirement",
  self: arnIn(region),
});

/** The rotation function between the local Secrets Manager, the two tables and a database. */
export const stage = async (given: Given) => {
  const { timeline } = given;
  const regions = network();
  const surroundings = { timeline, random: seededRandom("stage"), network: regions, account };
  const lambda = recordingLambda(async (name, region, question) =>
    name === "rotation" ? assemble(runtimeIn(region))(question) : given.sealed?.ask(question),
  );
  const caches = elasticache(surroundings, modelledCaches());
  const events: string[] = [];
  const failures: string[] = [];
  const steps: string[] = [];
  const struck = striking({ blow: given.blow, ...(given.look ? { look: given.look } : {}) });
  const secrets = secretsmanager(surroundings, {
    emit: (_region, { detail }) => void events.push(String(detail.eventName)),
    invoke: async (region, _arn, event) => {
      steps.push((event as { Step: string }).Step);
      const { signal, died } = struck.begin();
      const fail = (error: unknown) => failures.push(String(error)) === 0;
      return Promise.race([invoke(region, event, signal).then(() => true, fail), died]);
    },
  });
  const tables = dynamodb(surroundings, tableDefinitions);
  const services = [secrets.service, tables.service, caches.service, given.sealed?.rds ?? []];
  const aws = endpoint(surroundings, [...services.flat(), lambda.service], {
    observe: struck.observe,
    faults: struck.faults,
  });
  await aws.ready();
  await raise(caches, given.values[names.cache]);
  const runtimeIn = runtimes(given, { aws, struck, caches });
  const invoke = async (region: string, event: unknown, signal: AbortSignal) =>
    assemble(runtimeIn(region, signal))(event);
  const handle = assemble(runtimeIn(primary));
  const inStandby = assemble(runtimeIn(standby));
  const runtime = runtimeIn(primary);
  const table = coordination(runtime);
  await grantFirst(table, primary, timeline.now());
  const asking = asker(secrets.service);
  for (const [Name, value] of Object.entries(given.values)) keep(asking, Name, value);
  // Each is tried out when its rotation is switched on.
  const isTried = (SecretId: string) =>
    !JSON.stringify(asking("DescribeSecret", { SecretId })).includes("AWSPENDING");
  return {
    timeline,
    regions,
    table,
    events,
    failures,
    steps,
    orders: lambda.orders,
    tokensIn: (region: string) => caches.tokensOf(region, group).tokens,
    /** False while secrets are still being tried out; what comes after it is counted. */
    isReady: (): boolean => {
      if (!Object.keys(given.values).every(isTried)) return false;
      steps.length = 0;
      struck.arm();
      return true;
    },
    /** Every call of AWS, with what was asked and answered. */
    written: struck.written,
    /** How many calls the function has made. */
    calls: struck.calls,
    handle: (event: unknown) => handle(event) as Promise<Told>,
    inStandby: (event: unknown) => inStandby(event) as Promise<Told>,
    secrets: asking,
    ...recorded(timeline, runtime),
    ...read(asking),
  };
};

const recorded = (timeline: Timeline, runtime: Runtime) => {
  const book = dynamodbJournal(new DynamoDBClient(clientOptions(runtime, primary)), "journal");
  return {
    journal: (run: string) => book.list(run, 0, 500),
    /** As another function of Nightshift writes into the journal of a run. */
    append: (run: string, line: Pick<Line, "key" | "kind" | "text">) =>
      journal(book).append(run, { ...line, by: "another", atMilliseconds: timeline.now() }),
  };
};

const read = (asking: Asking) => ({
  value: (SecretId: string, VersionStage = "AWSCURRENT", region: string = primary) => {
    const which = { SecretId, VersionStage };
    const { SecretString, VersionId } = asking("GetSecretValue", which, region);
    return { ...JSON.parse(String(SecretString)), VersionId } as Record<string, string>;
  },
  stages: (SecretId: string) =>
    asking("DescribeSecret", { SecretId }).VersionIdsToStages as Record<string, string[]>,
  ask: (SecretId: string, token: string) =>
    asking("RotateSecret", { SecretId, ClientRequestToken: token }),
});

type Asking = ReturnType<typeof asker>;

/** A secret with a replica, and rotation switched on. */
const keep = (asking: Asking, Name: string, value: object): void => {
  const SecretString = JSON.stringify(value);
  const AddReplicaRegions = [{ Region: standby }];
  const ClientRequestToken = "first".padEnd(32, "0");
  asking("CreateSecret", { Name, SecretString, ClientRequestToken, AddReplicaRegions });
  asking("RotateSecret", {
    SecretId: Name,
    ClientRequestToken: "tried".padEnd(32, "0"),
    RotationLambdaARN: arnIn(primary),
    RotationRules: { AutomaticallyAfterDays: 30 },
    RotateImmediately: false,
  });
};

interface Around {
  aws: ReturnType<typeof endpoint>;
  struck: ReturnType<typeof striking>;
  caches: ReturnType<typeof elasticache>;
}

const group = "platform";

/** A cache in both regions that takes the first token, if there is one. */
const raise = async (caches: Around["caches"], value: object | undefined): Promise<void> => {
  const { token: AuthToken } = (value ?? {}) as { token?: string };
  if (AuthToken === undefined) return;
  const size = { CacheNodeType: "cache.m7g.large", NumCacheClusters: 2 };
  for (const region of [primary, standby]) {
    await caches.establish(region, { ReplicationGroupId: group, ...size, AuthToken });
  }
};

/** As the caches of a region answer to a token. */
const loginIn =
  (caches: Around["caches"], region: string): Authenticate =>
  async (_cache, shown) => {
    const { tokens, withoutToken } = caches.tokensOf(region, group);
    const isIn = shown === null ? withoutToken : tokens.includes(shown);
    return isIn ? { is: "in" } : { is: "refused", why: "WRONGPASS" };
  };

const runtimes =
  (
    { timeline, connect, authenticate, address = nowhere, sealed, schedules }: Given,
    { aws, struck, caches }: Around,
  ) =>
  (region: string, signal?: AbortSignal): Runtime => ({
    environment: {
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: "AKIDLOCAL",
      AWS_SECRET_ACCESS_KEY: "local",
      SST_RESOURCE_CoordinationTable: '{"name":"coordination"}',
      SST_RESOURCE_JournalTable: '{"name":"journal"}',
      SST_RESOURCE_Rotated: JSON.stringify(linkOf(region, address, sealed)),
    },
    clock: clockOn(timeline),
    random: systemRandom,
    web: systemWeb,
    config: { ...config, ...sealed?.config, ...(schedules ? { rotation: { schedules } } : {}) },
    write: (line) => void struck.written.push(line),
    authenticate: authenticate ?? loginIn(caches, region),
    connect: signal ? struck.connecting(connect, signal) : connect,
    aws: ({ answerSeconds }) => ({
      ...frugal,
      requestHandler: inProcess(aws, region, timeline, {
        requestTimeoutMilliseconds: answerSeconds * 1000,
        ...(signal ? { signal, trace: caller } : {}),
      }),
    }),
  });

/** Calls of an operator, past every function. */
const asker =
  (service: Service) =>
  (operation: string, input: object, region: string = primary): Record<string, unknown> => {
    const act = service.operations[operation] as unknown as (
      input: object,
      call: Call,
    ) => Record<string, unknown>;
    return act(input, { service: service.name, operation, region, from: region, account });
  };

export const token = (number: number): string => `version-${number}`.padEnd(32, "-");

export const passwords = { owner: "owner-planted-0123456789", app: "application-planted-012345" };

/** What the secrets have after the deployment. */
export const firstValues = () => ({
  [names.owner]: { username: "platform_owner", password: passwords.owner, host: "home" },
  [names.database]: { username: "app_a", password: passwords.app, host: "home" },
});

/** The roles that deploy/bootstrap.sql makes. */
export const firstRoles = () => {
  const verifier = (password: string) => scramVerifier(password, systemRandom);
  const memberOf = ["application"];
  return [
    ["platform_owner", { verifier: verifier(passwords.owner), canLogin: true, memberOf: [] }],
    ["app_a", { verifier: verifier(passwords.app), canLogin: true, memberOf }],
    ["app_b", { verifier: null, canLogin: true, memberOf }],
  ] as const;
};
