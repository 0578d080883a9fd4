import type { Dimension, MetricDatum, Statistic } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import { AwsError } from "./service.ts";

/** What CloudWatch keeps of all values of one metric in one stretch of time. */
export interface Aggregate {
  sum: number;
  count: number;
  minimum: number;
  maximum: number;
}

interface Bucket extends Aggregate {
  /** Each value with how often it came; undefined where only ready statistics were put. */
  values: [value: number, count: number][] | undefined;
}

/** A metric that somebody has put a value of. */
export interface KnownMetric {
  namespace: string;
  name: string;
  dimensions: Dimension[];
}

interface Metric extends KnownMetric {
  region: Place;
  /** 60,000, or 1,000 for metrics put with `StorageResolution` 1. */
  resolutionMilliseconds: number;
  buckets: Map<number, Bucket>;
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

const plainStatistics = ["Average", "Sum", "Minimum", "Maximum", "SampleCount"] as const;

/** One of CloudWatch's five, or a percentile: `p95`, `p99.9`. */
export type StatisticName = Statistic | `p${number}`;

const isPlain = (name: string | undefined): name is Statistic =>
  plainStatistics.some((known) => known === name);

/** Trimmed means and their like are statistics of CloudWatch as well, and not modelled. */
export const statisticNamed = (name: string | undefined): StatisticName => {
  if (isPlain(name)) return name;
  const percent = Number(/^p(\d{1,2}(?:\.\d{1,10})?|100)$/.exec(name ?? "")?.[1] ?? Number.NaN);
  if (!Number.isNaN(percent)) return `p${percent}`;
  throw new AwsError("NotImplemented", `cloudwatch: the statistic ${name} is not modelled`, {
    status: 501,
  });
};

export const statisticOf = (aggregate: Aggregate, statistic: Statistic): number => {
  if (statistic === "Sum") return aggregate.sum;
  if (statistic === "SampleCount") return aggregate.count;
  if (statistic === "Minimum") return aggregate.minimum;
  if (statistic === "Maximum") return aggregate.maximum;
  return aggregate.sum / aggregate.count;
};

/** By nearest rank: how CloudWatch fills the space between two values is not published. */
const percentileOf = (values: [value: number, count: number][], percent: number): number => {
  const sorted = values.toSorted(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil((percent / 100) * total));
  let seen = 0;
  for (const [value, count] of sorted) {
    seen += count;
    if (seen >= rank) return value;
  }
  return sorted.at(-1)?.[0] ?? Number.NaN;
};

const addTo = (bucket: Bucket, more: Bucket): void => {
  bucket.sum += more.sum;
  bucket.count += more.count;
  bucket.minimum = Math.min(bucket.minimum, more.minimum);
  bucket.maximum = Math.max(bucket.maximum, more.maximum);
  if (bucket.values && more.values) bucket.values.push(...more.values);
  else bucket.values = undefined;
};

/** One datum of PutMetricData has a value, or values with counts, or ready statistics. */
const bucketOf = (datum: MetricDatum): Bucket | undefined => {
  const ready = datum.StatisticValues;
  if (ready) {
    const { Sum = 0, SampleCount = 0, Minimum = 0, Maximum = 0 } = ready;
    // Percentiles of ready statistics are known only when all values were the same.
    const values: Bucket["values"] = Minimum === Maximum ? [[Minimum, SampleCount]] : undefined;
    return { sum: Sum, count: SampleCount, minimum: Minimum, maximum: Maximum, values };
  }
  const values = datum.Values ?? (datum.Value === undefined ? [] : [datum.Value]);
  let bucket: Bucket | undefined;
  for (const [index, value] of values.entries()) {
    const count = datum.Values ? (datum.Counts?.[index] ?? 1) : 1;
    const one: Bucket = {
      sum: value * count,
      count,
      minimum: value,
      maximum: value,
      values: [[value, count]],
    };
    if (bucket) addTo(bucket, one);
    else bucket = one;
  }
  return bucket;
};

/** The metrics of all regions. */
export const metricStore = () => {
  const metrics = new Map<string, Metric>();

  const put = (region: Place, namespace: string, datum: MetricDatum, now: number): void => {
    const added = bucketOf(datum);
    if (!added) return;
    const name = datum.MetricName ?? "";
    const dimensions = datum.Dimensions ?? [];
    const key = `${region}\n${metricKey(namespace, name, dimensions)}`;
    let metric = metrics.get(key);
    if (!metric) {
      const resolutionMilliseconds = datum.StorageResolution === 1 ? 1000 : 60_000;
      const known = { region, namespace, name, dimensions };
      metric = { ...known, resolutionMilliseconds, buckets: new Map() };
      metrics.set(key, metric);
    }
    const at = datum.Timestamp?.getTime() ?? now;
    const start = Math.floor(at / metric.resolutionMilliseconds) * metric.resolutionMilliseconds;
    const bucket = metric.buckets.get(start);
    if (bucket) addTo(bucket, added);
    else metric.buckets.set(start, added);
    const oldest = metric.buckets.keys().next().value;
    if (metric.buckets.size > keptBuckets && oldest !== undefined) metric.buckets.delete(oldest);
  };

  const bucketsIn = (region: Place, key: string, start: number, end: number): Bucket[] => {
    const metric = metrics.get(`${region}\n${key}`);
    if (!metric) return [];
    const step = metric.resolutionMilliseconds;
    const found: Bucket[] = [];
    for (let at = Math.ceil(start / step) * step; at < end; at += step) {
      const bucket = metric.buckets.get(at);
      if (bucket) found.push(bucket);
    }
    return found;
  };

  /** All values in [start, end); `undefined` when there are none. */
  const read = (region: Place, key: string, start: number, end: number): Aggregate | undefined => {
    const [first, ...others] = bucketsIn(region, key, start, end);
    if (!first || others.length === 0) return first;
    const sum: Bucket = { ...first, values: undefined };
    for (const bucket of others) addTo(sum, bucket);
    return sum;
  };

  /** A statistic of all values in [start, end); `undefined` when there are none to take it of. */
  const point = (
    region: Place,
    key: string,
    statistic: StatisticName,
    [start, end]: [start: number, end: number],
  ): number | undefined => {
    if (isPlain(statistic)) {
      const aggregate = read(region, key, start, end);
      return aggregate && statisticOf(aggregate, statistic);
    }
    const buckets = bucketsIn(region, key, start, end);
    const values = buckets.flatMap((bucket) => bucket.values ?? []);
    const isWhole = buckets.length > 0 && buckets.every((bucket) => bucket.values);
    return isWhole ? percentileOf(values, Number(statistic.slice(1))) : undefined;
  };

  const list = (region: Place): KnownMetric[] =>
    [...metrics.values()].filter((metric) => metric.region === region);

  return { put, read, point, list };
};

export type MetricStore = ReturnType<typeof metricStore>;
