import { CloudWatchClient, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { CallBounds } from "../../shared/clients.ts";
import { clientOptions, near } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import type { LoadSeen, ServiceSeen, StorageSeen } from "./evidence.ts";
import { countedFrom } from "./evidence.ts";
import type { Subject } from "./playbooks.ts";

/** Long enough to hold a few full minutes of a metric that comes a minute late. */
const serviceMinutes = 4;
/** What the load of now is compared with. */
const beforeMinutes = 60;
/** Long enough to see how fast a database fills. */
const storageMinutes = 180;

export interface Query {
  namespace: string;
  name: string;
  dimension: [name: string, value: string];
  /** Further dimensions, such as a zone. */
  also?: readonly [name: string, value: string][];
  statistic: string;
  periodSeconds: number;
}

export interface Point {
  atMilliseconds: number;
  value: number;
}

/** What users get and what a database has left, in numbers that CloudWatch keeps. */
export const signalsOf = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const { loadBalancerSuffix, databaseId } = link;
  const series = reader(runtime, region);
  const balancer = (name: string, statistic = "Sum"): Query => ({
    namespace: "AWS/ApplicationELB",
    name,
    dimension: ["LoadBalancer", loadBalancerSuffix],
    statistic,
    periodSeconds: 60,
  });
  return {
    /** Minutes without requests are not reported at all, which is none and not unknown. */
    service: async (_subject: Subject, since?: number | null): Promise<ServiceSeen> => {
      const now = runtime.clock.now();
      const from = countedFrom(now, serviceMinutes, since);
      const [requests, application, own] = await series(serviceMinutes, [
        balancer("RequestCount"),
        balancer("HTTPCode_Target_5XX_Count"),
        balancer("HTTPCode_ELB_5XX_Count"),
      ]);
      const counted = (points: Point[] = []) => sum(points.filter(startsFrom(from)));
      return {
        minutes: Math.floor((now - from) / 60_000),
        requests: counted(requests),
        errors: counted(application) + counted(own),
      };
    },
    load: async (_subject: Subject, since?: number | null): Promise<LoadSeen> => {
      const now = runtime.clock.now();
      const split = now - serviceMinutes * 60_000;
      const from = countedFrom(now, serviceMinutes, since);
      const [requests = [], seconds = []] = await series(beforeMinutes + serviceMinutes, [
        balancer("RequestCount"),
        balancer("TargetResponseTime", "p95"),
      ]);
      const recent = seconds
        .filter(startsFrom(from))
        .map(({ value }) => value)
        .toSorted((a, b) => a - b);
      return {
        slowestSeconds: recent[Math.floor(recent.length / 2)] ?? null,
        minutes: Math.floor((now - from) / 60_000),
        perMinute: mean(requests.filter(startsFrom(from))),
        perMinuteBefore: mean(requests.filter(({ atMilliseconds }) => atMilliseconds < split)),
      };
    },
    storage: async (): Promise<StorageSeen> => {
      const [free = []] = await series(storageMinutes, [
        {
          namespace: "AWS/RDS",
          name: "FreeStorageSpace",
          dimension: ["DBInstanceIdentifier", databaseId],
          statistic: "Minimum",
          periodSeconds: 300,
        },
      ]);
      return {
        points: free.map(({ atMilliseconds, value }) => ({ atMilliseconds, freeBytes: value })),
      };
    },
  };
};

export const startsFrom =
  (from: number) =>
  ({ atMilliseconds }: Point): boolean =>
    atMilliseconds >= from;

const sum = (points: Point[] = []): number => points.reduce((total, { value }) => total + value, 0);

const mean = (points: Point[]): number => Math.round(sum(points) / Math.max(1, points.length));

/** Oldest first, a list for each query. Throws for half an answer: what is missing is not none. */
export const reader = (runtime: Runtime, region: string, bounds: CallBounds = near) => {
  const client = new CloudWatchClient(clientOptions(runtime, region, bounds));
  return async (minutes: number, queries: Query[]): Promise<Point[][]> => {
    const now = runtime.clock.now();
    const { MetricDataResults = [], NextToken } = await client.send(
      new GetMetricDataCommand({
        StartTime: new Date(now - minutes * 60_000),
        EndTime: new Date(now),
        ScanBy: "TimestampAscending",
        MetricDataQueries: queries.map((query, index) => queryOf(query, `m${index}`)),
      }),
    );
    return queries.map(({ name }, index) => {
      const found = MetricDataResults.find(({ Id }) => Id === `m${index}`);
      if (found?.StatusCode !== "Complete" || NextToken !== undefined) {
        throw new Error(`CloudWatch gives only a part of ${name}: ${found?.StatusCode}`);
      }
      return (found.Timestamps ?? []).flatMap((at, point) => {
        const value = found.Values?.[point];
        return value === undefined ? [] : [{ atMilliseconds: at.getTime(), value }];
      });
    });
  };
};

const queryOf = ({ namespace, name, statistic, periodSeconds, ...query }: Query, Id: string) => ({
  Id,
  MetricStat: {
    Metric: {
      Namespace: namespace,
      MetricName: name,
      Dimensions: [query.dimension, ...(query.also ?? [])].map(([Name, Value]) => ({
        Name,
        Value,
      })),
    },
    Period: periodSeconds,
    Stat: statistic,
  },
});
