import type {
  CompositeAlarm,
  MetricAlarm,
  MetricDataQuery,
  PutCompositeAlarmCommandInput,
  PutMetricAlarmCommandInput,
  StateValue,
} from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { breaches, type Threshold } from "./alarm-evaluation.ts";
import type { Rule } from "./alarm-rule.ts";
import type { Measured } from "./metric-queries.ts";

/** Why a composite alarm tells of a change and yet does nothing. */
export type SuppressedBy = "WaitPeriod" | "ExtensionPeriod" | "Alarm";

export interface State {
  value: StateValue;
  reason: string;
  reasonData?: string;
  since: number;
  suppressedBy?: SuppressedBy;
}

interface Common {
  region: Place;
  name: string;
  arn: string;
  configured: number;
  state: State;
  /** When its value changed last; `state.since` is when anything of its state did. */
  transitioned: number;
}

export interface MetricWatch extends Common {
  kind: "metric";
  input: PutMetricAlarmCommandInput;
  rule: Threshold;
  /**
   * Undefined for an alarm on an anomaly band: a band is learnt from two weeks of values, which nobody
   * has here, so such an alarm stays as it is until somebody sets its state.
   */
  measured: Measured | undefined;
  periodMilliseconds: number;
}

export interface CompositeWatch extends Common {
  kind: "composite";
  input: PutCompositeAlarmCommandInput;
  rule: Rule;
}

export type Watch = MetricWatch | CompositeWatch;

/** CloudWatch writes moments in events as `2026-11-22T03:14:07.000+0000`. */
export const stamp = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace("Z", "+0000");

const suppression = ({ suppressedBy: by }: State, name: "actions" | "Actions") =>
  by === undefined
    ? {}
    : {
        [`${name}SuppressedBy`]: by,
        [`${name}SuppressedReason`]: `Actions suppressed by ${by}`,
      };

export const eventState = (state: State) => ({
  value: state.value,
  reason: state.reason,
  ...(state.reasonData !== undefined && { reasonData: state.reasonData }),
  timestamp: stamp(state.since),
  ...suppression(state, "actions"),
});

const metricStat = (
  {
    Namespace,
    MetricName,
    Dimensions = [],
  }: NonNullable<MetricDataQuery["MetricStat"]>["Metric"] & {},
  period: number | undefined,
  stat: string | undefined,
) => {
  const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));
  return { metric: { namespace: Namespace, name: MetricName, dimensions }, period, stat };
};

const queryShown = (query: MetricDataQuery) => {
  const { MetricStat: of, Expression: expression, Label: label } = query;
  return {
    id: query.Id,
    ...(of ? { metricStat: metricStat(of.Metric ?? {}, of.Period, of.Stat) } : { expression }),
    ...(label === undefined ? {} : { label }),
    returnData: query.ReturnData ?? true,
  };
};

/** As events carry it. Source: the sample events in "Alarm events and EventBridge". */
export const configuration = (watch: Watch): Record<string, unknown> => {
  const description = watch.input.AlarmDescription;
  const told = description === undefined ? {} : { description };
  if (watch.kind === "composite") {
    const { ActionsSuppressor: actionsSuppressor } = watch.input;
    return {
      ...told,
      alarmRule: watch.input.AlarmRule,
      ...(actionsSuppressor === undefined
        ? {}
        : {
            actionsSuppressor,
            actionsSuppressorWaitPeriod: watch.input.ActionsSuppressorWaitPeriod,
            actionsSuppressorExtensionPeriod: watch.input.ActionsSuppressorExtensionPeriod,
          }),
    };
  }
  const { input } = watch;
  if (input.Metrics) return { ...told, metrics: input.Metrics.map(queryShown) };
  const stat = metricStat(input, input.Period, watch.measured?.statistic);
  return { ...told, metrics: [{ id: "m1", metricStat: stat, returnData: true }] };
};

export const reasonOf = (
  { rule }: MetricWatch,
  points: (number | undefined)[],
  value: StateValue,
): string => {
  const { evaluationPeriods, threshold, comparison } = rule;
  const recent = points.filter((point) => point !== undefined).slice(-evaluationPeriods);
  const missing = evaluationPeriods - recent.length;
  if (value === "INSUFFICIENT_DATA")
    return `Insufficient Data: ${missing} datapoints were unknown.`;
  if (recent.length === 0) {
    return (
      `Threshold Crossed: no datapoints were received for ${missing} periods and ` +
      `${missing} missing datapoints were treated as [${rule.treatMissingData}].`
    );
  }
  const breaching = recent.filter((point) => breaches(point, rule)).length;
  const count = value === "ALARM" ? breaching : recent.length - breaching;
  return (
    `Threshold Crossed: ${count} out of the last ${recent.length} datapoints ` +
    `[${recent.join(", ")}] ${value === "ALARM" ? "breached" : "did not breach"} ` +
    `${comparison} ${threshold}.`
  );
};

const stateFields = (watch: Watch) => ({
  AlarmName: watch.name,
  AlarmArn: watch.arn,
  ...(watch.input.AlarmDescription !== undefined && {
    AlarmDescription: watch.input.AlarmDescription,
  }),
  AlarmConfigurationUpdatedTimestamp: new Date(watch.configured),
  ActionsEnabled: watch.input.ActionsEnabled ?? true,
  OKActions: watch.input.OKActions ?? [],
  AlarmActions: watch.input.AlarmActions ?? [],
  InsufficientDataActions: watch.input.InsufficientDataActions ?? [],
  StateValue: watch.state.value,
  StateReason: watch.state.reason,
  ...(watch.state.reasonData !== undefined && { StateReasonData: watch.state.reasonData }),
  StateUpdatedTimestamp: new Date(watch.state.since),
  StateTransitionedTimestamp: new Date(watch.transitioned),
});

export const describedComposite = (watch: CompositeWatch): CompositeAlarm => ({
  ...stateFields(watch),
  AlarmRule: watch.input.AlarmRule,
  ActionsSuppressor: watch.input.ActionsSuppressor,
  ActionsSuppressorWaitPeriod: watch.input.ActionsSuppressorWaitPeriod,
  ActionsSuppressorExtensionPeriod: watch.input.ActionsSuppressorExtensionPeriod,
  ...suppression(watch.state, "Actions"),
});

export const describedMetric = (watch: MetricWatch): MetricAlarm => {
  const { input, rule } = watch;
  return {
    ...stateFields(watch),
    ...(input.Metrics
      ? { Metrics: input.Metrics, ThresholdMetricId: input.ThresholdMetricId }
      : {
          MetricName: input.MetricName,
          Namespace: input.Namespace,
          Statistic: input.Statistic,
          ExtendedStatistic: input.ExtendedStatistic,
          Dimensions: input.Dimensions ?? [],
          Period: watch.periodMilliseconds / 1000,
        }),
    EvaluationPeriods: rule.evaluationPeriods,
    DatapointsToAlarm: rule.datapointsToAlarm,
    Threshold: input.Threshold,
    ComparisonOperator: rule.comparison,
    TreatMissingData: rule.treatMissingData,
  };
};
