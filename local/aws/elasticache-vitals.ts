import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { CacheEngine } from "../redis/engine.ts";
import type { CacheGroup } from "./elasticache-groups.ts";

/** Of a group that no drill strains: figures of no weight. */
const usualMemoryPercent = 40;
const usualCpuPercent = 5;

/**
 * The metrics of namespace AWS/ElastiCache that are modelled, by node. Connections and refused logins are
 * what the cache counts, and belong to the primary. Source: "Metrics for Valkey and Redis OSS",
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
 */
export const cacheVitals = async (
  groups: CacheGroup[],
  engine: CacheEngine,
  /** Refused logins since a node was last asked about. */
  newlyRefused: (engineId: string, total: number) => number,
): Promise<MetricDatum[]> => {
  const dataOf = async (group: CacheGroup): Promise<MetricDatum[]> => {
    // One that restarts while it is asked answers nobody.
    const vitals = await engine.vitals(group.engineId).catch(() => undefined);
    const { strain } = group;
    const refused = vitals && newlyRefused(group.engineId, vitals.refusedLogins);
    return group.nodes.flatMap((CacheClusterId, index) => {
      const isPrimary = index === 0;
      const values: Record<string, number | undefined> = {
        DatabaseMemoryUsagePercentage: strain.memoryPercent ?? usualMemoryPercent,
        Evictions: isPrimary ? (strain.evictionsPerMinute ?? 0) : 0,
        EngineCPUUtilization: strain.cpuPercent ?? usualCpuPercent,
        CurrConnections: isPrimary ? (strain.connections ?? vitals?.connections) : 0,
        BytesUsedForCache: vitals?.usedBytes,
        AuthenticationFailures: isPrimary ? refused : 0,
        ReplicationLag: isPrimary ? undefined : 0,
      };
      return Object.entries(values).flatMap(([MetricName, Value]) =>
        Value === undefined
          ? []
          : [
              {
                MetricName,
                Value,
                Dimensions: [{ Name: "CacheClusterId", Value: CacheClusterId }],
              },
            ],
      );
    });
  };
  return (await Promise.all(groups.map(dataOf))).flat();
};
