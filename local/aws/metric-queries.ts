import type { MetricDataQuery } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import {
  type MetricStore,
  metricKey,
  type StatisticName,
  statisticNamed,
} from "./cloudwatch-metrics.ts";
import { parseExpression } from "./metric-math.ts";
import { AwsError } from "./service.ts";

/** One series of numbers, as an alarm watches it or GetMetricData answers it. */
export interface Measured {
  label: string | undefined;
  periodMilliseconds: number;
  /** Undefined for math. */
  statistic: StatisticName | undefined;
  /** Its value in the period that begins then; undefined when there is none. */
  at(start: number): number | undefined;
}

export const invalidValue = (message: string): AwsError =>
  new AwsError("ValidationError", message, { status: 400 });

/** The metric that a request names field by field, or as `MetricStat` does. */
export interface NamedMetric {
  Metric?: Parameters<typeof keyOf>[0] | undefined;
  Period?: number | undefined;
  Stat?: string | undefined;
}

const keyOf = (metric: {
  Namespace?: string | undefined;
  MetricName?: string | undefined;
  Dimensions?: { Name: string | undefined; Value: string | undefined }[] | undefined;
}): string => metricKey(metric.Namespace, metric.MetricName, metric.Dimensions);

export const measuredMetric = (store: MetricStore, region: Place, named: NamedMetric): Measured => {
  const { Metric: metric = {}, Period: period, Stat } = named;
  if (!period) throw invalidValue("The parameter Period is required.");
  if (period >= 60 ? period % 60 !== 0 : ![1, 5, 10, 20, 30].includes(period)) {
    throw invalidValue("Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
  }
  const [key, statistic] = [keyOf(metric), statisticNamed(Stat)];
  const periodMilliseconds = period * 1000;
  return {
    label: metric.MetricName,
    periodMilliseconds,
    statistic,
    at: (start) => store.point(region, key, statistic, [start, start + periodMilliseconds]),
  };
};

/**
 * What each query stands for, by its id. Throws for ids that are not there, not unique, or refer to
 * each other in a circle. Source: API reference of MetricDataQuery.
 */
export const measuredQueries = (
  store: MetricStore,
  region: Place,
  queries: MetricDataQuery[],
): Map<string, Measured> => {
  const byId = new Map(queries.map((query) => [query.Id ?? "", query]));
  if (byId.size < queries.length) throw invalidValue("The values for Id are not unique.");
  const found = new Map<string, Measured>();
  const measure = (id: string, path: string[]): Measured => {
    const known = found.get(id);
    if (known) return known;
    const query = byId.get(id);
    if (!query) throw invalidValue(`The id ${id} is not defined in the request.`);
    if (!/^[a-z][A-Za-z0-9_]*$/.test(id)) throw invalidValue(`${id} is no valid id.`);
    if (path.includes(id)) throw invalidValue(`The expression ${id} refers to itself.`);
    const made = query.MetricStat
      ? measuredMetric(store, region, query.MetricStat)
      : calculated(query, (other) => measure(other, [...path, id]));
    const labelled = { ...made, label: query.Label ?? made.label };
    found.set(id, labelled);
    return labelled;
  };
  for (const id of byId.keys()) measure(id, []);
  return found;
};

const calculated = (query: MetricDataQuery, of: (id: string) => Measured): Measured => {
  const text = query.Expression ?? "";
  const expression = parseExpression(text);
  const parts = new Map(expression.ids.map((id) => [id, of(id)]));
  const periods = new Set([...parts.values()].map(({ periodMilliseconds }) => periodMilliseconds));
  const [periodMilliseconds = 60_000] = periods;
  if (periods.size > 1) {
    throw new AwsError("NotImplemented", "cloudwatch: math over several periods is not modelled", {
      status: 501,
    });
  }
  return {
    label: query.Id,
    periodMilliseconds,
    statistic: undefined,
    at: (start) => expression.value((id) => parts.get(id)?.at(start)),
  };
};
