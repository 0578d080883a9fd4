import type { Input } from "@pulumi/pulumi";
import type { Alerts } from "./alerts.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** A number that CloudWatch keeps. deploy/policies/metrics.ts knows which ones there are. */
export interface Metric {
  namespace: string;
  name: string;
  dimensions: Record<string, Input<string>>;
  /** `p95` as well. */
  statistic: "Sum" | "Average" | "Minimum" | "Maximum" | `p${number}`;
}

/** One metric, or several and what is calculated from them as `result`. */
export type Measured = Metric | { metrics: Record<string, Metric>; result: string; label: string };

export interface AlarmOptions {
  /** `database-storage`: the end of its name. */
  name: string;
  /** What is wrong and what to do, for whoever gets the e-mail. */
  says: string;
  of: Measured;
  /** `unusual`: so many standard deviations away from what this hour and weekday have had before. */
  when: { above: Input<number> } | { below: Input<number> } | { unusual: number };
  periodSeconds: number;
  /** So many of the last so many periods. */
  during: [periods: number, ofPeriods: number];
  /** What silence means: nothing wrong, something wrong, or nothing at all. */
  silenceIs: "well" | "wrong" | "unknown";
  /** Whether anybody is told; false for alarms that others are made of. */
  tells?: boolean;
}

const silence = { well: "notBreaching", wrong: "breaching", unknown: "missing" } as const;

/** Makes one alarm, which tells when it begins and when it is over. */
export const alarm = (stage: Stage, { region, topic }: Alerts, options: AlarmOptions) => {
  const { of, when, during, periodSeconds } = options;
  const [datapointsToAlarm, evaluationPeriods] = during;
  const actions = options.tells === false ? [] : [topic.arn];
  return new aws.cloudwatch.MetricAlarm(
    named(titled(options.name), region),
    {
      name: `${stage.prefix}-${options.name}`,
      alarmDescription: options.says,
      ...judged(of, when, periodSeconds),
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
const judged = (of: Measured, when: AlarmOptions["when"], period: number) => {
  if ("unusual" in when) {
    if ("metrics" in of) throw new Error("only a plain metric can be unusual");
    const result = `ANOMALY_DETECTION_BAND(m, ${when.unusual})`;
    const { metricQueries } = calculated({ metrics: { m: of }, result, label: "usual" }, period);
    return {
      // Of a band both are asked for: the metric, and what it is compared with.
      metricQueries: metricQueries.map((query) => ({ ...query, returnData: true })),
      thresholdMetricId: "result",
      comparisonOperator: "LessThanLowerOrGreaterThanUpperThreshold",
    };
  }
  return {
    ...("metrics" in of ? calculated(of, period) : simple(of, period)),
    ...("above" in when
      ? { comparisonOperator: "GreaterThanThreshold", threshold: when.above }
      : { comparisonOperator: "LessThanThreshold", threshold: when.below }),
  };
};

const statisticOf = ({ statistic }: Metric) =>
  statistic.startsWith("p") ? { extendedStatistic: statistic } : { statistic };

const simple = (metric: Metric, period: number) => ({
  namespace: metric.namespace,
  metricName: metric.name,
  dimensions: metric.dimensions,
  period,
  ...statisticOf(metric),
});

const calculated = ({ metrics, result, label }: Exclude<Measured, Metric>, period: number) => ({
  metricQueries: [
    ...Object.entries(metrics).map(([id, { namespace, name, dimensions, statistic }]) => ({
      id,
      metric: { namespace, metricName: name, dimensions, stat: statistic, period },
    })),
    { id: "result", expression: result, label, returnData: true },
  ],
});
