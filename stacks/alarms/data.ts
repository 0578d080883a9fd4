import { gigabyte, memoryOf } from "./connections.ts";
import type { AlarmOptions, Metric } from "./options.ts";

/** The database and the cache, as metrics know them. */
export interface Keeping<Text> {
  databaseId: Text;
  /** `db.r7g.large` */
  instanceClass: string;
  storageGigabytes: number;
  /** So many sessions it takes. */
  connections: number;
  /** A replica that is further behind makes a failover ask. */
  maximumLagSeconds: number;
  /** Counted in PostgreSQL's log: RDS has no metric of connections that were refused. */
  refusals: Metric<Text>;
  /** The nodes of the cache: the group has no metrics. */
  cacheNodes: readonly Text[];
}

/** The database and the cache. */
export const dataAlarms = <Text>(keeping: Keeping<Text>): AlarmOptions<Text>[] => [
  ...load(keeping),
  ...room(keeping),
  ...copies(keeping),
  ...cache(keeping),
];

/** Source: "Amazon CloudWatch instance-level metrics for Amazon RDS". */
const database =
  <Text>({ databaseId }: Keeping<Text>) =>
  (name: string, statistic: Metric["statistic"]): Metric<Text> => ({
    namespace: "AWS/RDS",
    name,
    dimensions: { DBInstanceIdentifier: databaseId },
    statistic,
  });

const load = <Text>(keeping: Keeping<Text>): AlarmOptions<Text>[] => {
  const of = database(keeping);
  return [
    {
      name: "database-cpu",
      says: "The database is busy: look at Performance Insights for the statements that are new.",
      of: of("CPUUtilization", "Average"),
      when: { above: 85 },
      periodSeconds: 300,
      during: [3, 3],
      silenceIs: "well",
    },
    {
      name: "database-connections",
      says: "Four of five connections of the database are in use: soon it refuses new ones.",
      of: of("DatabaseConnections", "Maximum"),
      when: { above: Math.floor(0.8 * keeping.connections) },
      periodSeconds: 60,
      during: [3, 5],
      silenceIs: "well",
    },
    {
      name: "database-refusals",
      says: "The database refuses connections: a wrong password, or none are left.",
      of: keeping.refusals,
      when: { above: 5 },
      periodSeconds: 60,
      during: [2, 3],
      silenceIs: "well",
    },
  ];
};

const room = <Text>(keeping: Keeping<Text>): AlarmOptions<Text>[] => {
  const of = database(keeping);
  const { instanceClass, storageGigabytes } = keeping;
  return [
    {
      name: "database-memory",
      says: "The database has next to no memory left.",
      of: of("FreeableMemory", "Average"),
      when: { below: Math.floor(0.05 * memoryOf(instanceClass)) },
      periodSeconds: 300,
      during: [3, 3],
      silenceIs: "well",
    },
    {
      name: "database-storage",
      // Storage autoscaling begins at 10 % and waits six hours between two steps.
      says: "Less than 15 % of the database's storage is free. A full database takes no writes.",
      of: of("FreeStorageSpace", "Minimum"),
      when: { below: Math.floor(0.15 * storageGigabytes * gigabyte) },
      periodSeconds: 300,
      during: [2, 3],
      silenceIs: "well",
    },
    {
      name: "database-transaction-ids",
      // PostgreSQL stops taking writes near two thousand millions.
      says: "Vacuum falls behind: transaction ids run out, and then the database takes no writes.",
      of: of("MaximumUsedTransactionIDs", "Maximum"),
      when: { above: 1_000_000_000 },
      periodSeconds: 300,
      during: [1, 1],
      silenceIs: "well",
    },
  ];
};

/** What a failover would stand on. Only a replica has a lag, so the other region is silent. */
const copies = <Text>(keeping: Keeping<Text>): AlarmOptions<Text>[] => {
  const of = database(keeping);
  return [
    {
      name: "replica-lag",
      says: "The replica is further behind than may be lost: a failover would ask for a yes to it.",
      of: of("ReplicaLag", "Maximum"),
      when: { above: Math.max(60, keeping.maximumLagSeconds) },
      periodSeconds: 60,
      during: [5, 5],
      silenceIs: "well",
    },
    {
      name: "replica-slot-lag",
      says: "Write-ahead log piles up for a replica that does not take it.",
      of: of("OldestReplicationSlotLag", "Maximum"),
      when: { above: 10 * gigabyte },
      periodSeconds: 300,
      during: [2, 3],
      silenceIs: "well",
    },
  ];
};

/** Source: "Metrics for Valkey and Redis OSS" of ElastiCache. */
const cache = <Text>({ cacheNodes }: Keeping<Text>): AlarmOptions<Text>[] =>
  cacheNodes.flatMap((CacheClusterId, index): AlarmOptions<Text>[] => {
    const of = (name: string, statistic: Metric["statistic"]): Metric<Text> => ({
      namespace: "AWS/ElastiCache",
      name,
      dimensions: { CacheClusterId },
      statistic,
    });
    const node = index + 1;
    return [
      {
        name: `cache-memory-${node}`,
        says: "The cache is nearly full: soon it evicts.",
        of: of("DatabaseMemoryUsagePercentage", "Maximum"),
        when: { above: 80 },
        periodSeconds: 300,
        during: [2, 3],
        silenceIs: "well",
      },
      {
        name: `cache-evictions-${node}`,
        says: "The cache throws entries away for want of memory.",
        of: of("Evictions", "Sum"),
        when: { above: 0 },
        periodSeconds: 300,
        during: [2, 3],
        silenceIs: "well",
      },
      {
        name: `cache-cpu-${node}`,
        says: "The cache's one thread is busy.",
        of: of("EngineCPUUtilization", "Average"),
        when: { above: 85 },
        periodSeconds: 300,
        during: [3, 3],
        silenceIs: "well",
      },
    ];
  });
