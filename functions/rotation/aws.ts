import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { standingOf } from "../../shared/abort.ts";
import { clientOptions, invocation } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { declareFreeze, endFreeze, readFreezes } from "../../shared/freeze.ts";
import { readIncident } from "../../shared/incident.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readPause } from "../../shared/pause.ts";
import { advanceFlight, markSent, readFlight, takeFlight } from "../../shared/rotation.ts";
import type { Authenticate, Connect, Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { CacheLink } from "./cache-aws.ts";
import { cachePort } from "./cache-aws.ts";
import { databaseLogin } from "./kinds/database-login.ts";
import { databaseMaster } from "./kinds/database-master.ts";
import { redisAuth } from "./kinds/redis-auth.ts";
import { encryptionRing, signingRing } from "./kinds/rings.ts";
import { slackSigning } from "./kinds/slack-signing.ts";
import type { Kind, KindName, Tools } from "./kinds.ts";
import type { Credential, Server } from "./logins.ts";
import { loginsOf } from "./logins.ts";
import type { Ports, Registered } from "./ports.ts";
import type { SecretPorts } from "./secrets-aws.ts";
import { secretPorts } from "./secrets-aws.ts";

/** What this region's function may rotate, and with what. */
export interface RotatedLink extends Record<string, unknown> {
  /** `scope`: what has at most two valid secrets at a time; owner and logins share one. */
  secrets: { name: string; kind: KindName; scope: string }[];
  database: Server & { logins: string[]; ownerSecret: string };
  cache?: CacheLink;
  /** The durable function that ends overlaps, in this region. */
  retirement: string;
}

const kinds: readonly Kind[] = [
  databaseLogin,
  databaseMaster,
  redisAuth,
  signingRing,
  encryptionRing,
  slackSigning,
];

/** Longer than a step lasts, and short enough that a rotation that has died is soon out of the way. */
const exchangeSeconds = 1800;

export const rotationPorts = (
  runtime: Runtime,
  ways: { connect: Connect; authenticate: Authenticate },
): Ports => {
  const region = regionOf(runtime);
  const link = linked<RotatedLink>(runtime, "Rotated");
  const table = coordination(runtime);
  const now = () => Math.floor(runtime.clock.now());
  const secrets = secretPorts(runtime, region);
  const invoke = invoker(runtime, invocation);
  return {
    name: `rotation in ${region}`,
    region,
    now,
    ...secrets,
    registered: (secret) => registeredIn(link, secret),
    tools: toolsOf(runtime, link, secrets, ways),
    readPause: () => readPause(table),
    repairUnderWay: async () => {
      const attempt = (await readIncident(table, region))?.incident.attempt;
      return attempt && attempt.end === null ? attempt.run : null;
    },
    ...flights(table, now),
    ...records(runtime, region, table),
    hold: async (run, reason) => {
      const untilMilliseconds = now() + exchangeSeconds * 1000;
      const freeze = { what: "rotation" as const, by: run, reason, untilMilliseconds };
      const held = await declareFreeze(table, region, freeze, now());
      return "refused" in held ? held.refused : undefined;
    },
    letGo: (run) => endFreeze(table, region, { what: "rotation", by: run }, now()),
    startRetirement: (order) => invoke.tell(region, link.retirement, order, order.run),
  };
};

/** The event of Secrets Manager has the ARN, which ends in a hyphen and six characters of its own. */
const registeredIn = ({ secrets }: RotatedLink, secret: string): Registered | undefined => {
  const [, named = secret] = /^arn:[^:]+:secretsmanager:[^:]+:\d+:secret:(.+)$/.exec(secret) ?? [];
  const found = secrets.find(({ name }) => named === name || named.slice(0, -7) === name);
  const kind = kinds.find(({ name }) => name === found?.kind);
  return found && kind && { name: found.name, scope: found.scope, kind };
};

const flights = (
  table: Coordination,
  now: () => number,
): Pick<Ports, "takeFlight" | "readFlight" | "advanceFlight" | "markSent"> => ({
  takeFlight: (wanted) =>
    takeFlight(table, { ...wanted, untilMilliseconds: now() + exchangeSeconds * 1000 }, now()),
  readFlight: (scope) => readFlight(table, scope),
  advanceFlight: (flight, phase) => advanceFlight(table, flight, phase),
  markSent: (flight) => markSent(table, flight, now()),
});

const records = (
  runtime: Runtime,
  region: string,
  table: Coordination,
): Pick<Ports, "readFreezes" | "record"> => {
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const book = () => journal(dynamodbJournal(tables, journalTable));
  return {
    readFreezes: () =>
      readFreezes(table, region, runtime.clock.now(), async (run) => {
        // Anew each time: another function writes it.
        const { begun, ended } = standingOf(await book().read(run));
        return begun && !ended;
      }),
    // Anew each time as well: the durable half writes the same run.
    record: async (run, { data, ...line }) => {
      const atMilliseconds = Math.floor(runtime.clock.now());
      const by = `rotation in ${region}`;
      const more = data ? { data: { ...data } } : {};
      await book().append(run, { ...line, ...more, atMilliseconds, by });
    },
  };
};

const toolsOf =
  (
    runtime: Runtime,
    link: RotatedLink,
    secrets: SecretPorts,
    { connect, authenticate }: { connect: Connect; authenticate: Authenticate },
  ): Ports["tools"] =>
  (markOf) => {
    const { host, port, database: name, tls, logins, ownerSecret } = link.database;
    const database = loginsOf(connect, { host, port, database: name, tls });
    const tools: Tools = {
      random: runtime.random,
      now: runtime.clock.now,
      sleep: (milliseconds) => runtime.clock.sleep(milliseconds),
      database,
      logins,
      owner: () => ownerOf(secrets, ownerSecret),
      cache: cachePort(runtime, regionOf(runtime), link.cache, authenticate),
      markSent: markOf,
    };
    return tools;
  };

const ownerOf = async (secrets: SecretPorts, secret: string): Promise<Credential> => {
  const { username, password } = await secrets.current(secret);
  if (typeof username !== "string" || typeof password !== "string") {
    throw new Error(`secret ${secret} has no "username" and "password"`);
  }
  return { username, password };
};
