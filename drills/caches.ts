import type { Cloud } from "../local/cloud.ts";
import type { Config } from "../shared/config.ts";
import { keyIn, names } from "./names.ts";

/**
 * A cache in each region, and the one secret with the token of both: what is in them is not replicated, so
 * that each is of use to its own region alone.
 */
export const buildCaches = async (
  cloud: Cloud,
  { regions: { primary, standby }, sizes }: Config,
  token: string,
): Promise<Record<string, { host: string; port: number }>> => {
  const addresses: Record<string, { host: string; port: number }> = {};
  for (const region of [primary, standby]) {
    await cloud.caches.establish(region, {
      ReplicationGroupId: names.cache,
      CacheNodeType: sizes.cache.nodeType,
      NumCacheClusters: sizes.cache.nodes,
      AuthToken: token,
    });
    addresses[region] = await addressIn(cloud, region);
  }
  await cloud.ask("secrets-manager", "CreateSecret", primary, {
    Name: names.cacheSecret,
    SecretString: JSON.stringify({ token }),
    ClientRequestToken: "first-version-of-the-cache-token",
    KmsKeyId: keyIn(primary, "secrets"),
    AddReplicaRegions: [{ Region: standby, KmsKeyId: keyIn(standby, "secrets") }],
  });
  return addresses;
};

const addressIn = async (cloud: Cloud, region: string): Promise<{ host: string; port: number }> => {
  const { ReplicationGroups } = await cloud.ask<{ ReplicationGroups: Group[] }>(
    "elasticache",
    "DescribeReplicationGroups",
    region,
    { ReplicationGroupId: names.cache },
  );
  const endpoint = ReplicationGroups[0]?.NodeGroups[0]?.PrimaryEndpoint;
  if (!endpoint) throw new Error(`the cache in ${region} has no endpoint`);
  return { host: endpoint.Address, port: endpoint.Port };
};

/** REDIS_URL of an instance that boots in `region` now: the region's own cache, and the current token. */
export const cacheUrl = async (cloud: Cloud, region: string): Promise<string> => {
  const [{ SecretString }, { host, port }] = await Promise.all([
    cloud.ask<{ SecretString: string }>("secrets-manager", "GetSecretValue", region, {
      SecretId: names.cacheSecret,
    }),
    addressIn(cloud, region),
  ]);
  const { token } = JSON.parse(SecretString) as { token: string };
  return `rediss://:${encodeURIComponent(token)}@${host}:${port}/0`;
};

interface Group {
  NodeGroups: { PrimaryEndpoint: { Address: string; Port: number } }[];
}
