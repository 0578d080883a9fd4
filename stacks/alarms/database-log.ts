import type { Alerts } from "../alerts.ts";
import type { Site } from "../platform.ts";
import { named } from "../regions.ts";
import type { Stage } from "../stage.ts";
import type { Metric } from "./options.ts";

/** By stage, since a filter's metric has no dimensions: a word of a line would become one. */
export const refusalsOf = ({ metricNamespace }: Stage): Metric<never> => ({
  namespace: `${metricNamespace}/Database`,
  name: "ConnectionsRefused",
  dimensions: {},
  statistic: "Sum",
});

/**
 * RDS has no metric of connections that were refused, so they are counted in PostgreSQL's log: every
 * refusal before a session is there is a line with FATAL.
 */
export const countRefusals = (stage: Stage, site: Site): void => {
  const { namespace, name } = refusalsOf(stage);
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
export const tellEvents = (stage: Stage, { topic }: Alerts, site: Site): void => {
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
