import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { standingOf } from "../../shared/abort.ts";
import { againOf, executionName } from "../../shared/again.ts";
import { clientOptions, invocation } from "../../shared/clients.ts";
import { usualOverlap } from "../../shared/config-rotation.ts";
import type { Coordination } from "../../shared/coordination.ts";
import { coordination } from "../../shared/coordination.ts";
import { declareFreeze, endFreeze, readFreezes, readStandby } from "../../shared/freeze.ts";
import { readIncident } from "../../shared/incident.ts";
import { invoker } from "../../shared/invoke.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { readLease } from "../../shared/lease.ts";
import { readPause } from "../../shared/pause.ts";
import {
  advanceFlight,
  keepRotated,
  markSent,
  readFlight,
  takeFlight,
} from "../../shared/rotation.ts";
import { keepRule, readMode } from "../../shared/rotation-order.ts";
import type { Authenticate, Connect, Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { CacheLink } from "./cache-aws.ts";
import { cachePort, loginElsewhere } from "./cache-aws.ts";
import { ciphertextsOf, type SealedLink } from "./ciphertexts-aws.ts";
import { credentialOf, databaseLogin } from "./kinds/database-login.ts";
import { databaseMaster } from "./kinds/database-master.ts";
import { redisAuth } from "./kinds/redis-auth.ts";
import { encryptionRing, signingRing } from "./kinds/rings.ts";
import { slackSigning } from "./kinds/slack-signing.ts";
import type { Kind, KindName, Told, Tools } from "./kinds.ts";
import type { Credential, Logins, Server } from "./logins.ts";
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
  sealed?: SealedLink;
  /** The durable function that ends overlaps, in this region. */
  retirement: string;
  /** This function's ARN, as Secrets Manager calls it. */
  self?: string;
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
    readAtOrigin: (secret, version) =>
      secretPorts(runtime, otherThan(runtime)).read(secret, version),
    activeRegion: async () => (await readLease(table)).region,
    readPause: () => readPause(table),
    repairUnderWay: async () => {
      const regions = [region, otherThan(runtime)];
      const found = await Promise.all(regions.map((one) => readIncident(table, one)));
      const attempts = found.map((read) => read?.incident.attempt);
      return attempts.find((attempt) => attempt?.end === null)?.run ?? null;
    },
    openIncident: async () => {
      const incident = (await readIncident(table, region))?.incident;
      return incident && incident.closedAtMilliseconds === null ? incident.id : null;
    },
    ...flights(table, now),
    keepRule: (run, rule) => keepRule(table, run, rule),
    readMode: (run) => readMode(table, run),
    keepRotated: (secret) => keepRotated(table, secret, now()),
    ...records(runtime, region, table),
    hold: async (run, reason) => {
      const untilMilliseconds = now() + exchangeSeconds * 1000;
      const freeze = { what: "rotation" as const, by: run, reason, untilMilliseconds };
      const held = await declareFreeze(table, region, freeze, now());
      return "refused" in held ? held.refused : undefined;
    },
    letGo: (run) => endFreeze(table, region, { what: "rotation", by: run }, now()),
    startRetirement: (order) => {
      const execution = executionName(order.run, order.again);
      return invoke.tell(region, link.retirement, order, execution);
    },
  };
};

const otherThan = (runtime: Runtime): string => {
  const { primary, standby } = runtime.config.regions;
  return regionOf(runtime) === primary ? standby : primary;
};

/** The event of Secrets Manager has the ARN, which ends in a hyphen and six characters of its own. */
const registeredIn = ({ secrets }: RotatedLink, secret: string): Registered | undefined => {
  const [, named = secret] = /^arn:[^:]+:secretsmanager:[^:]+:\d+:secret:(.+)$/.exec(secret) ?? [];
  // People name what is rotated by its kind, of which there is one each.
  const found = secrets.find(
    ({ name, kind }) => named === name || named.slice(0, -7) === name || secret === kind,
  );
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
  markSent: (flight, place) => markSent(table, flight, place, now()),
});

const records = (
  runtime: Runtime,
  region: string,
  table: Coordination,
): Pick<Ports, "readFreezes" | "record" | "retirementsEnded"> => {
  const tables = new DynamoDBClient(clientOptions(runtime, region));
  const { name: journalTable } = linked<{ name: string }>(runtime, "JournalTable");
  const book = () => journal(dynamodbJournal(tables, journalTable));
  return {
    readFreezes: async () => {
      const isUnderWay = async (run: string) => {
        // Anew each time: another function writes it.
        const { begun, ended } = standingOf(await book().read(run));
        return begun && !ended;
      };
      const at = runtime.clock.now();
      // A rotation replaces the instances of both regions, and restore tests are in the other one.
      const found = await Promise.all([
        readStandby(table, region),
        ...[region, otherThan(runtime)].map((one) => readFreezes(table, one, at, isUnderWay)),
      ]);
      return found.flat();
    },
    retirementsEnded: async (run) => {
      const entries = await book().read(run);
      const ended = entries.filter(({ key }) =>
        /(^|: )ended: (needs-human|not-finished)$/.test(key),
      );
      return Math.max(0, ...ended.map(({ key }) => againOf(key) + 1));
    },
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
  (about, markOf) => {
    const { host, port, database: name, tls, logins, ownerSecret } = link.database;
    const database = loginsOf(connect, { host, port, database: name, tls });
    const cache = cachePort(runtime, regionOf(runtime), link.cache, authenticate);
    const functions = invoker(runtime, invocation);
    // As Lambda tells it; functions of the same names are in both regions.
    const { AWS_LAMBDA_FUNCTION_NAME: self = "rotation" } = runtime.environment;
    const tools: Tools = {
      random: runtime.random,
      now: runtime.clock.now,
      sleep: (milliseconds) => runtime.clock.sleep(milliseconds),
      database,
      logins,
      owner: () => ownerOf(secrets, ownerSecret, database),
      sessionSeconds: runtime.config.rotation?.sessionSeconds ?? usualOverlap.sessionSeconds,
      ciphertexts: ciphertextsOf(runtime, link.sealed),
      cache,
      caches: async () => {
        const { replicas } = await secrets.describe(about.secret);
        const others = replicas.map(({ region }) => {
          const ask = (question: object) => functions.ask<Told>(region, self, question);
          return cachePort(runtime, region, link.cache, loginElsewhere(ask, about));
        });
        return [cache, ...others];
      },
      markSent: markOf,
    };
    return tools;
  };

/**
 * AWSCURRENT, or AWSPENDING while a rotation of the owner is stuck between the change of the password and
 * the move of the label.
 */
const ownerOf = async (
  secrets: SecretPorts,
  secret: string,
  database: Logins,
): Promise<Credential> => {
  const found = await secrets.labelled(secret, "AWSCURRENT");
  if (!found) throw new Error(`secret ${secret} has no AWSCURRENT`);
  const current = credentialOf(found);
  const answer = await database.login(current);
  // Who cannot be reached, or is fenced, is so with any password.
  if (answer.is !== "refused") return current;
  const next = await secrets.labelled(secret, "AWSPENDING");
  if (!next) return current;
  const pending = credentialOf(next);
  return (await database.login(pending)).is === "in" ? pending : current;
};
