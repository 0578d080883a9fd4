import type { Cloud } from "../local/cloud.ts";
import { applicationAlarms } from "../stacks/alarms/application.ts";
import { dataAlarms } from "../stacks/alarms/data.ts";
import type { AlarmOptions, Metric } from "../stacks/alarms/options.ts";
import { judgedBy, silence } from "../stacks/alarms/options.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

/** All alarms of the platform begin with it. */
export const prefix = "nightshift";

/** What a filter on the database's log would count. */
export const refusals = { namespace: "Nightshift/Database", name: "ConnectionsRefused" };

/** PostgreSQL on this machine takes a hundred sessions, whatever the class of the instance. */
const connections = 100;

/** `app/<name>/<id>`: how metrics know a load balancer. */
export const balancerSuffix = (arn: string): string => arn.split(":loadbalancer/")[1] ?? arn;

/** The alarms of a site, the very same as those of a deployment. */
export const alarmsOf = ({ config }: Platform, site: Site): AlarmOptions[] => {
  const { sizes, failover } = config;
  const { instanceClass, storageGigabytes } = sizes.database;
  return [
    ...applicationAlarms({
      balancerSuffix: balancerSuffix(site.loadBalancer),
      targetGroupSuffix: site.targetGroup.split(":").at(-1) ?? site.targetGroup,
      group: names.group,
      zones: site.zones,
      certificateArn: site.certificate,
    }),
    ...dataAlarms({
      databaseId: site.databaseId,
      instanceClass,
      storageGigabytes,
      connections,
      maximumLagSeconds: failover.maximumLagSeconds,
      refusals: { ...refusals, dimensions: {}, statistic: "Sum" },
      cacheNodes: Array.from(
        { length: sizes.cache.nodes },
        (_, index) => `${names.cache}-${String(index + 1).padStart(3, "0")}`,
      ),
    }),
  ];
};

/** Puts them, as SST does on AWS. */
export const putAlarms = async (cloud: Cloud, platform: Platform, site: Site): Promise<void> => {
  for (const options of alarmsOf(platform, site)) {
    await cloud.ask("cloudwatch", "PutMetricAlarm", site.region, alarmInput(options));
  }
};

/** What PutMetricAlarm is given for it. */
export const alarmInput = (options: AlarmOptions): Record<string, unknown> => {
  const { name, says, when, periodSeconds, during, silenceIs } = options;
  const [DatapointsToAlarm, EvaluationPeriods] = during;
  const measured = judgedBy(options);
  const isBand = "unusual" in when;
  return {
    AlarmName: `${prefix}-${name}`,
    AlarmDescription: says,
    ...("metrics" in measured
      ? {
          Metrics: [
            ...Object.entries(measured.metrics).map(([Id, metric]) => ({
              Id,
              // Of a band both are asked for: the metric, and what it is compared with.
              ReturnData: isBand,
              MetricStat: {
                Metric: metricInput(metric),
                Period: periodSeconds,
                Stat: metric.statistic,
              },
            })),
            { Id: "result", Expression: measured.result, Label: measured.label, ReturnData: true },
          ],
        }
      : { ...metricInput(measured), ...statisticOf(measured), Period: periodSeconds }),
    EvaluationPeriods,
    DatapointsToAlarm,
    ...thresholdOf(when),
    TreatMissingData: silence[silenceIs],
  };
};

const metricInput = ({ namespace, name, dimensions }: Metric) => ({
  Namespace: namespace,
  MetricName: name,
  Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
});

const statisticOf = ({ statistic }: Metric) =>
  statistic.startsWith("p") ? { ExtendedStatistic: statistic } : { Statistic: statistic };

const thresholdOf = (when: AlarmOptions["when"]) => {
  if ("unusual" in when) {
    return {
      ThresholdMetricId: "result",
      ComparisonOperator: "LessThanLowerOrGreaterThanUpperThreshold",
    };
  }
  return "above" in when
    ? { ComparisonOperator: "GreaterThanThreshold", Threshold: when.above }
    : { ComparisonOperator: "LessThanThreshold", Threshold: when.below };
};
