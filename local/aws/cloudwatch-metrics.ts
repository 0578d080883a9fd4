import type { Dimension, MetricDatum, Statistic } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";

/** What CloudWatch keeps of all values of one metric in one stretch of time. */
export interface Aggregate {
  sum: number;
  count: number;
  minimum: number;
  maximum: number;
}

interface Metric {
  namespace: string;
  name: string;
  dimensions: Dimension[];
  /** 60,000, or 1,000 for metrics put with `StorageResolution` 1. */
  resolutionMilliseconds: number;
  buckets: Map<number, Aggregate>;
}

/** Older values are dropped: a drill or a simulated failover looks back minutes, not weeks. */
const keptBuckets = 5000;

/** Names one metric; the order of dimensions does not matter. */
export const metricKey = (
  namespace: string | undefined,
  name: string | undefined,
  dimensions: Dimension[] | undefined,
): string =>
  [namespace, name, ...(dimensions ?? []).map(({ Name, Value }) => `${Name}=${Value}`).sort()].join(
    "\n",
  );

export const statisticOf = (aggregate: Aggregate, statistic: Statistic): number => {
  if (statistic === "Sum") return aggregate.sum;
  if (statistic === "SampleCount") return aggregate.count;
  if (statistic === "Minimum") return aggregate.minimum;
  if (statistic === "Maximum") return aggregate.maximum;
  return aggregate.sum / aggregate.count;
};

const merge = (a: Aggregate | undefined, b: Aggregate): Aggregate =>
  a
    ? {
        sum: a.sum + b.sum,
        count: a.count + b.count,
        minimum: Math.min(a.minimum, b.minimum),
        maximum: Math.max(a.maximum, b.maximum),
      }
    : b;

/** One datum of PutMetricData has a value, or values with counts, or ready statistics. */
const aggregateOf = (datum: MetricDatum): Aggregate | undefined => {
  const ready = datum.StatisticValues;
  if (ready) {
    const { Sum = 0, SampleCount = 0, Minimum = 0, Maximum = 0 } = ready;
    return { sum: Sum, count: SampleCount, minimum: Minimum, maximum: Maximum };
  }
  const values = datum.Values ?? (datum.Value === undefined ? [] : [datum.Value]);
  let aggregate: Aggregate | undefined;
  for (const [index, value] of values.entries()) {
    const count = datum.Values ? (datum.Counts?.[index] ?? 1) : 1;
    aggregate = merge(aggregate, { sum: value * count, count, minimum: value, maximum: value });
  }
  return aggregate;
};

/** The metrics of all regions. */
export const metricStore = () => {
  const metrics = new Map<string, Metric>();

  const put = (region: Place, namespace: string, datum: MetricDatum, now: number): void => {
    const aggregate = aggregateOf(datum);
    if (!aggregate) return;
    const name = datum.MetricName ?? "";
    const dimensions = datum.Dimensions ?? [];
    const key = `${region}\n${metricKey(namespace, name, dimensions)}`;
    let metric = metrics.get(key);
    if (!metric) {
      const resolutionMilliseconds = datum.StorageResolution === 1 ? 1000 : 60_000;
      metric = { namespace, name, dimensions, resolutionMilliseconds, buckets: new Map() };
      metrics.set(key, metric);
    }
    const at = datum.Timestamp?.getTime() ?? now;
    const bucket = Math.floor(at / metric.resolutionMilliseconds) * metric.resolutionMilliseconds;
    metric.buckets.set(bucket, merge(metric.buckets.get(bucket), aggregate));
    const oldest = metric.buckets.keys().next().value;
    if (metric.buckets.size > keptBuckets && oldest !== undefined) metric.buckets.delete(oldest);
  };

  /** All values in [start, end); `undefined` when there are none. */
  const read = (region: Place, key: string, start: number, end: number): Aggregate | undefined => {
    const metric = metrics.get(`${region}\n${key}`);
    if (!metric) return undefined;
    const step = metric.resolutionMilliseconds;
    let aggregate: Aggregate | undefined;
    for (let at = Math.ceil(start / step) * step; at < end; at += step) {
      const bucket = metric.buckets.get(at);
      if (bucket) aggregate = merge(aggregate, bucket);
    }
    return aggregate;
  };

  return { put, read };
};

export type MetricStore = ReturnType<typeof metricStore>;
