import type { Input } from "@pulumi/pulumi";
import type { Calculated, Metric, AlarmOptions as Options } from "./alarms/options.ts";
import { judgedBy, silence } from "./alarms/options.ts";
import type { Alerts } from "./alerts.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

type Text = Input<string>;
export type AlarmOptions = Options<Text>;

/** Makes one alarm, which tells when it begins and when it is over. */
export const alarm = (stage: Stage, { region, topic }: Alerts, options: AlarmOptions) => {
  const { during, periodSeconds } = options;
  const [datapointsToAlarm, evaluationPeriods] = during;
  const actions = options.tells === false ? [] : [topic.arn];
  return new aws.cloudwatch.MetricAlarm(
    named(titled(options.name), region),
    {
      name: `${stage.prefix}-${options.name}`,
      alarmDescription: options.says,
      ...judged(options, periodSeconds),
      evaluationPeriods,
      datapointsToAlarm,
      treatMissingData: silence[options.silenceIs],
      alarmActions: actions,
      okActions: actions,
    },
    { provider: region.provider },
  );
};

/** `database-storage` to `DatabaseStorage`. */
export const titled = (name: string): string =>
  name
    .split("-")
    .map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`)
    .join("");

/** What is compared with what. */
const judged = ({ of, when }: Pick<AlarmOptions, "of" | "when">, period: number) => {
  const measured = judgedBy({ of, when });
  const metrics = "metrics" in measured ? calculated(measured, period) : simple(measured, period);
  if ("unusual" in when) {
    return {
      // Of a band both are asked for: the metric, and what it is compared with.
      metricQueries: ("metricQueries" in metrics ? metrics.metricQueries : []).map((query) => ({
        ...query,
        returnData: true,
      })),
      thresholdMetricId: "result",
      comparisonOperator: "LessThanLowerOrGreaterThanUpperThreshold",
    };
  }
  return {
    ...metrics,
    ...("above" in when
      ? { comparisonOperator: "GreaterThanThreshold", threshold: when.above }
      : { comparisonOperator: "LessThanThreshold", threshold: when.below }),
  };
};

const statisticOf = ({ statistic }: Metric<Text>) =>
  statistic.startsWith("p") ? { extendedStatistic: statistic } : { statistic };

const simple = (metric: Metric<Text>, period: number) => ({
  namespace: metric.namespace,
  metricName: metric.name,
  dimensions: metric.dimensions,
  period,
  ...statisticOf(metric),
});

const calculated = ({ metrics, result, label }: Calculated<Text>, period: number) => ({
  metricQueries: [
    ...Object.entries(metrics).map(([id, { namespace, name, dimensions, statistic }]) => ({
      id,
      metric: { namespace, metricName: name, dimensions, stat: statistic, period },
    })),
    { id: "result", expression: result, label, returnData: true },
  ],
});
