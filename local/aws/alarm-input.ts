import type { PutMetricAlarmCommandInput } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { MetricWatch } from "./alarm-watch.ts";
import type { MetricStore } from "./cloudwatch-metrics.ts";
import { invalidValue, type Measured, measuredMetric, measuredQueries } from "./metric-queries.ts";
import { AwsError } from "./service.ts";

type Input = PutMetricAlarmCommandInput;

export const notModelled = (what: string): AwsError =>
  new AwsError("NotImplemented", `cloudwatch: ${what} is not modelled`, { status: 501 });

const missing = (): AwsError =>
  new AwsError("MissingParameter", "A required parameter is missing", { status: 400 });

const bandPattern = /^\s*ANOMALY_DETECTION_BAND\(\s*([a-z]\w*)\s*(?:,\s*\d+(?:\.\d+)?\s*)?\)\s*$/;

/**
 * An alarm watches one metric, or the one query of several whose data it returns. Source: API reference
 * of PutMetricAlarm, `Metrics`.
 */
const queried = (store: MetricStore, region: Place, input: Input): Measured => {
  const queries = input.Metrics ?? [];
  if (input.MetricName !== undefined || input.Period !== undefined) {
    throw new AwsError(
      "InvalidParameterCombination",
      "MetricName, Period, … must not be specified when Metrics is.",
      { status: 400 },
    );
  }
  const returned = queries.filter(({ ReturnData }) => ReturnData ?? true);
  const [one] = returned;
  if (!one || returned.length > 1) {
    throw invalidValue("Exactly one element of the metrics list should return data.");
  }
  const measured = measuredQueries(store, region, queries).get(one.Id ?? "");
  if (!measured) throw invalidValue(`The id ${one.Id} is not defined in the request.`);
  return measured;
};

/** Checks an alarm on an anomaly band and gives the period of the metric in it. */
const bandPeriod = ({ Metrics = [], ThresholdMetricId }: Input): number => {
  const band = Metrics.find(({ Id }) => Id === ThresholdMetricId);
  const of = bandPattern.exec(band?.Expression ?? "")?.[1];
  const metric = Metrics.find(({ Id }) => Id === of)?.MetricStat;
  if (!metric) throw invalidValue("ThresholdMetricId must be an ANOMALY_DETECTION_BAND function.");
  return metric.Period ?? 60;
};

/** What an alarm looks at, and by which rule it judges it. */
export const watched = (
  store: MetricStore,
  region: Place,
  input: Input,
): Pick<MetricWatch, "rule" | "measured" | "periodMilliseconds"> => {
  const { ComparisonOperator: comparison, EvaluationPeriods: evaluationPeriods } = input;
  if (!input.AlarmName || !comparison || !evaluationPeriods) throw missing();
  if (input.EvaluateLowSampleCountPercentile === "ignore") {
    throw notModelled("an alarm that ignores low sample counts");
  }
  const onBand = input.ThresholdMetricId !== undefined;
  if (!onBand && input.Threshold === undefined) throw missing();
  const rule = {
    comparison,
    threshold: input.Threshold ?? Number.NaN,
    evaluationPeriods,
    datapointsToAlarm: input.DatapointsToAlarm ?? evaluationPeriods,
    treatMissingData: input.TreatMissingData ?? "missing",
  };
  if (onBand) {
    return { rule, measured: undefined, periodMilliseconds: bandPeriod(input) * 1000 };
  }
  const measured = input.Metrics ? queried(store, region, input) : named(store, region, input);
  return { rule, measured, periodMilliseconds: measured.periodMilliseconds };
};

const named = (store: MetricStore, region: Place, input: Input): Measured => {
  const Stat = input.Statistic ?? input.ExtendedStatistic;
  if (!input.Period || !Stat) throw missing();
  return measuredMetric(store, region, { Metric: input, Period: input.Period, Stat });
};
