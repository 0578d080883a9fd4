import type { AlarmOptions, Metric } from "../alarm.ts";
import { alarm } from "../alarm.ts";
import type { Alerts } from "../alerts.ts";
import type { Site } from "../platform.ts";
import { named } from "../regions.ts";
import type { Stage } from "../stage.ts";
import { connectionLimit, gigabyte, memoryOf } from "./connections.ts";

/** The database and the cache. */
export const dataAlarms = (stage: Stage, told: Alerts, site: Site) => {
  countRefusals(stage, site);
  tellEvents(stage, told, site);
  return [...load(stage, site), ...room(stage, site), ...copies(stage, site), ...cache(site)].map(
    (options) => alarm(stage, told, options),
  );
};

/** Source: "Amazon CloudWatch instance-level metrics for Amazon RDS". */
const database =
  ({ databaseId }: Site) =>
  (name: string, statistic: Metric["statistic"]): Metric => ({
    namespace: "AWS/RDS",
    name,
    dimensions: { DBInstanceIdentifier: databaseId },
    statistic,
  });

const load = (stage: Stage, site: Site): AlarmOptions[] => {
  const of = database(site);
  const { instanceClass } = stage.config.sizes.database;
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
      when: { above: Math.floor(0.8 * connectionLimit(instanceClass)) },
      periodSeconds: 60,
      during: [3, 5],
      silenceIs: "well",
    },
    {
      name: "database-refusals",
      says: "The database refuses connections: a wrong password, or none are left.",
      of: refusals(stage),
      when: { above: 5 },
      periodSeconds: 60,
      during: [2, 3],
      silenceIs: "well",
    },
  ];
};

const room = ({ config }: Stage, site: Site): AlarmOptions[] => {
  const of = database(site);
  const { instanceClass, storageGigabytes } = config.sizes.database;
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
const copies = ({ config }: Stage, site: Site): AlarmOptions[] => {
  const of = database(site);
  return [
    {
      name: "replica-lag",
      says: "The replica is further behind than may be lost: a failover would ask for a yes to it.",
      of: of("ReplicaLag", "Maximum"),
      when: { above: Math.max(60, config.failover.maximumLagSeconds) },
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

const refusals = ({ metricNamespace }: Stage): Metric => ({
  // By stage, since a filter's metric has no dimensions: a word of a line would become one.
  namespace: `${metricNamespace}/Database`,
  name: "ConnectionsRefused",
  dimensions: {},
  statistic: "Sum",
});

/**
 * RDS has no metric of connections that were refused, so they are counted in PostgreSQL's log: every
 * refusal before a session is there is a line with FATAL.
 */
const countRefusals = (stage: Stage, site: Site): void => {
  const { namespace, name } = refusals(stage);
  new aws.cloudwatch.LogMetricFilter(
    named("CountRefusals", site.region),
    {
      name: `${stage.prefix}-database-refusals`,
      logGroupName: site.databaseLogGroup,
      pattern:
        '?"password authentication failed" ?"remaining connection slots" ?"no pg_hba.conf entry"',
      metricTransformation: { namespace, name, value: "1", defaultValue: "0" },
    },
    { provider: site.region.provider },
  );
};

/**
 * What RDS tells of and has no metric: that replication has stopped, that an instance has failed. Source:
 * "Amazon RDS event categories and event messages".
 */
const tellEvents = (stage: Stage, { topic }: Alerts, site: Site): void => {
  const { region, databaseId, databaseArn } = site;
  new aws.rds.EventSubscription(
    named("DatabaseEvents", region),
    {
      name: `${stage.prefix}-database`,
      snsTopic: topic.arn,
      sourceType: "db-instance",
      // By its name, and not before it is there: RDS takes no name that it does not know.
      sourceIds: [databaseArn.apply(() => databaseId)],
      eventCategories: ["failure", "low storage", "read replica"],
    },
    { provider: region.provider },
  );
};

/** Source: "Metrics for Valkey and Redis OSS" of ElastiCache. By node: the group has no metrics. */
const cache = ({ cacheNodes }: Site): AlarmOptions[] =>
  cacheNodes.flatMap((CacheClusterId, index) => {
    const of = (name: string, statistic: Metric["statistic"]): Metric => ({
      namespace: "AWS/ElastiCache",
      name,
      dimensions: { CacheClusterId },
      statistic,
    });
    const node = `cache-${index + 1}`;
    return [
      {
        name: `${node}-memory`,
        says: "The cache is nearly full: soon it evicts.",
        of: of("DatabaseMemoryUsagePercentage", "Maximum"),
        when: { above: 80 },
        periodSeconds: 300,
        during: [2, 3],
        silenceIs: "well",
      },
      {
        name: `${node}-evictions`,
        says: "The cache throws entries away for want of memory.",
        of: of("Evictions", "Sum"),
        when: { above: 0 },
        periodSeconds: 300,
        during: [2, 3],
        silenceIs: "well",
      },
      {
        name: `${node}-cpu`,
        says: "The cache's one thread is busy.",
        of: of("EngineCPUUtilization", "Average"),
        when: { above: 85 },
        periodSeconds: 300,
        during: [3, 3],
        silenceIs: "well",
      },
    ];
  });
