import { readFileSync } from "node:fs";
import { createClient } from "@redis/client";
import { Client } from "pg";
import { authoritiesIn } from "./instances.ts";
import { names } from "./names.ts";
import type { Site } from "./platform.ts";
import type { DrillWorld } from "./world.ts";

export interface Logins {
  tried: number;
  /** When each was tried, modelled milliseconds since 1970. */
  at: number[];
  failed: { atMilliseconds: number; what: string; why: string }[];
}

type Value = Record<string, string>;

const everySeconds = 5;
/** Of this machine's time. */
const answerMilliseconds = 3000;

/** A version of a secret as a region has it; undefined when it has none of that label. */
export const valueIn = async (
  { cloud }: DrillWorld,
  region: string,
  SecretId: string,
  which: { VersionStage?: string; VersionId?: string } = {},
): Promise<{ value: Value; version: string } | undefined> => {
  try {
    const { SecretString, VersionId } = await cloud.ask<{
      SecretString: string;
      VersionId: string;
    }>("secrets-manager", "GetSecretValue", region, { SecretId, ...which });
    return { value: JSON.parse(SecretString) as Value, version: VersionId };
  } catch (error) {
    if ((error as Error).name === "ResourceNotFoundException") return undefined;
    throw error;
  }
};

/** Why a login to the region's database did not come through; undefined when it did. */
export const databaseLogin = async (
  { host, port }: Site,
  { username = "", password = "" }: Value,
): Promise<string | undefined> => {
  const client = new Client({
    ...{ host, port, user: username, password, database: names.database },
    connectionTimeoutMillis: answerMilliseconds,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("select 1");
    return undefined;
  } catch (error) {
    return `${username}: ${(error as Error).message}`;
  } finally {
    await client.end();
  }
};

/** Of the caches' certificates. */
export const authorityOf = ({ folder }: DrillWorld): Buffer => readFileSync(authoritiesIn(folder));

/** Why the region's cache did not take the token; undefined when it did. */
export const cacheLogin = async (
  { cache }: Site,
  { token = "" }: Value,
  ca: Buffer,
): Promise<string | undefined> => {
  if (!cache) return "there is no cache";
  const client = createClient({
    url: `rediss://:${encodeURIComponent(token)}@${cache.host}:${cache.port}/0`,
    disableOfflineQueue: true,
    socket: {
      tls: true,
      ca,
      connectTimeout: answerMilliseconds,
      reconnectStrategy: false,
    },
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.ping();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    client.destroy();
  }
};

/**
 * What an instance that starts at this very moment does, again and again and in both regions: it reads
 * AWSCURRENT there and logs in with it, at the database and at the cache.
 */
export const probe = (world: DrillWorld) => {
  const logins: Logins = { tried: 0, at: [], failed: [] };
  const { timeline, platform } = world;
  const ca = authorityOf(world);
  const count = (what: string, why: string | undefined) => {
    const atMilliseconds = timeline.now();
    logins.tried += 1;
    logins.at.push(atMilliseconds);
    if (why !== undefined) logins.failed.push({ atMilliseconds, what, why });
  };
  const once = async (site: Site) => {
    const found = await valueIn(world, site.region, names.secrets.application);
    count(`database in ${site.region}`, await databaseLogin(site, found?.value ?? {}));
    const held = await valueIn(world, site.region, names.cacheSecret);
    count(`cache in ${site.region}`, await cacheLogin(site, held?.value ?? {}, ca));
  };
  let isOver = false;
  const working = (async () => {
    while (!isOver) {
      await Promise.all([platform.home, platform.standby].map(once));
      await timeline.sleep(everySeconds * 1000);
    }
  })();
  return {
    logins,
    end: async (): Promise<Logins> => {
      isOver = true;
      await working;
      return logins;
    },
  };
};
