import type { Stage } from "./platform.ts";

/** An alarm that stays as it is set, whatever goes on. */
export const put = (at: Stage, AlarmName: string): Promise<unknown> =>
  at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, {
    AlarmName,
    Namespace: "Story",
    MetricName: "Pain",
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "ignore",
  });

export const set = (at: Stage, AlarmName: string, StateValue = "ALARM"): Promise<unknown> =>
  at.cloud.ask("cloudwatch", "SetAlarmState", at.region, {
    AlarmName,
    StateValue,
    StateReason: "story",
  });
