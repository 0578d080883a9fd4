import { names } from "../../drills/names.ts";
import type { DatabaseSite } from "../../drills/platform.ts";
import type { Cloud } from "../../local/cloud.ts";
import { askInProcess, cachingResolver } from "../../local/dns/resolver.ts";
import { modelledLedger } from "../../local/ledger/modelled.ts";
import { throughName } from "../../local/load/generator.ts";
import { internet } from "../../local/network.ts";
import type { ModelledEngine } from "../../local/postgres/modelled.ts";
import { DatabaseError, type ModelledSession } from "../../local/postgres/session.ts";
import type { Random } from "../../shared/random.ts";
import type { Web } from "../../shared/web.ts";
import { entered } from "./entering.ts";

/** The application comes in while the security group lets it; Nightshift has a group of its own. */
export const admits = (aws: Cloud, site: DatabaseSite | undefined, user: string): boolean => {
  if (!site || !(names.roles as readonly string[]).includes(user)) return true;
  return aws.machines
    .ingressFrom(site.region, site.databaseSecurityGroup)
    .some(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup));
};

export const simulatedWeb = (aws: Cloud, region: string): Web => ({
  resolve: async (name) => {
    if (!aws.network.reachable(region, internet)) throw new Error(`ETIMEDOUT resolving ${name}`);
    const direct = aws.balancers.addressesOf(name);
    if (direct.length > 0) return direct;
    const { records } = aws.names.answer(name, "A");
    return records.filter(({ type }) => type === "A").map(({ value }) => value);
  },
  request: async ({ url, method = "GET", body, address }) => {
    const { pathname, hostname } = new URL(url);
    const request = { method, path: pathname, ...(body === undefined ? {} : { body }) };
    return aws.balancers.serve(address ?? hostname, request, region);
  },
});

export const usersSend = (aws: Cloud, publicName: string, timeline: { now(): number }) =>
  throughName(publicName, {
    resolver: cachingResolver({ ask: askInProcess(aws.names.answer), now: timeline.now }),
    send: (address, request) => aws.balancers.serve(address, request, internet),
  });

/**
 * What `made` gives, until `killed`: from then on nothing that the dead code still asks for is
 * answered, and so nothing of it has an effect.
 */
export const untilKilled = <Arguments extends unknown[], Result>(
  killed: AbortSignal,
  act: (...values: Arguments) => Promise<Result>,
): ((...values: Arguments) => Promise<Result>) => {
  return (...values) => (killed.aborted ? new Promise<Result>(() => undefined) : act(...values));
};

/** An instance reads its login at boot and its own region's database address, as user data does. */
export const launchLedger = async (
  aws: Cloud,
  engine: ModelledEngine,
  site: DatabaseSite | undefined,
  instanceId: string,
  random: Random,
) => {
  if (!site) throw new Error("no site for this region");
  const { SecretString } = await aws.ask<{ SecretString: string }>(
    "secrets-manager",
    "GetSecretValue",
    site.region,
    { SecretId: names.secrets.application },
  );
  const { username, password } = JSON.parse(SecretString) as Record<string, string>;
  const user = username ?? "";
  let session: ModelledSession | undefined;
  /** A broken session is dropped and the next request opens another, as a pool does. */
  const using = async <T>(act: (open: ModelledSession) => T): Promise<T> => {
    if (!session) {
      const opened = entered(engine, site.engineId, {
        user,
        from: site.region,
        ...(password === undefined ? {} : { password }),
      });
      if (opened instanceof DatabaseError) throw opened;
      session = opened;
    }
    try {
      return act(session);
    } catch (error) {
      session = undefined;
      throw error;
    }
  };
  const ledger = modelledLedger({
    identity: { region: site.region, instanceId },
    user,
    newId: random.id,
    database: {
      commit: (_user, key, value) => using((open) => void open.write(key, value)),
      read: (_user, key) => using((open) => open.read(key)),
      ready: () => using((open) => open.read("nightshift.schema") !== "never"),
    },
  });
  return {
    ...ledger,
    stop: async () => {
      await ledger.stop();
      // An instance that is gone holds no connection.
      session?.end();
    },
  };
};
