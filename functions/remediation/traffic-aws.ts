import type { RemediatedLink } from "./aws.ts";
import type { CapacitySeen, TrafficMinute, TrafficSeen, ZoneSeen } from "./evidence-application.ts";
import type { Point, Query, reader } from "./signals-aws.ts";
import { startsFrom } from "./signals-aws.ts";

type Series = ReturnType<typeof reader>;

/** Two full minutes at least, of metrics that come a minute late. */
export const minutes = 4;
const historyMinutes = 60;
const capacityHours = 24;
const memoryMinutes = 10;

const codes = ["500", "502", "503", "504"] as const;
const namespace = "AWS/ApplicationELB";

/**
 * Metrics of the load balancer, whole and by zone. What the load balancer answers before it has chosen a
 * target has no zone of ours. Source: "CloudWatch metrics for your Application Load Balancer".
 */
export const trafficOf = async (
  series: Series,
  { now, from }: { now: number; from: number },
  link: RemediatedLink,
  zones: string[],
): Promise<TrafficSeen> => {
  const { loadBalancerSuffix, targetGroup } = link;
  const query = (name: string, statistic = "Sum", ...also: [string, string][]): Query => ({
    namespace,
    name,
    dimension: ["LoadBalancer", loadBalancerSuffix],
    also,
    statistic,
    periodSeconds: 60,
  });
  const group: [string, string] = ["TargetGroup", targetGroup.split(":").at(-1) ?? ""];
  const whole = ["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"];
  const [history, byCode, byZone] = await Promise.all([
    series(
      historyMinutes,
      whole.map((name) => query(name)),
    ),
    series(
      minutes,
      codes.map((code) => query(`HTTPCode_ELB_${code}_Count`)),
    ),
    series(
      minutes,
      zones.flatMap((zone) => {
        const there: [string, string] = ["AvailabilityZone", zone];
        return [
          query("RequestCount", "Sum", there),
          query("HTTPCode_Target_5XX_Count", "Sum", there),
          query("HealthyHostCount", "Minimum", group, there),
          query("UnHealthyHostCount", "Maximum", group, there),
        ];
      }),
    ),
  ]);
  const [requests = [], application = [], balancer = []] = history;
  const lately = (points: Point[] = []) => sum(points.filter(startsFrom(from)));
  return {
    minutes: Math.floor((now - from) / 60_000),
    requests: lately(requests),
    application: lately(application),
    balancer: lately(balancer),
    codes: codes
      .map((code, index) => ({ code, count: lately(byCode[index]) }))
      .filter(({ count }) => count > 0),
    zones: zones.map((zone, index) => zoneOf(zone, lately, byZone.slice(4 * index, 4 * index + 4))),
    history: minutesOf(requests, application, balancer),
  };
};

const sum = (points: Point[]): number => points.reduce((total, { value }) => total + value, 0);

/** Null when there is no point: then nobody has measured it. */
const newest = (points: Point[] = []): number | null => points.at(-1)?.value ?? null;

const zoneOf = (
  zone: string,
  lately: (points?: Point[]) => number,
  [requests, errors, healthy, unhealthy]: Point[][],
): ZoneSeen => ({
  zone,
  requests: lately(requests),
  errors: lately(errors),
  healthy: newest(healthy),
  unhealthy: newest(unhealthy),
});

const minutesOf = (requests: Point[], ...errors: Point[][]): TrafficMinute[] => {
  const all = new Map<number, TrafficMinute>();
  const at = (atMilliseconds: number): TrafficMinute => {
    const found = all.get(atMilliseconds) ?? { atMilliseconds, requests: 0, errors: 0 };
    all.set(atMilliseconds, found);
    return found;
  };
  for (const { atMilliseconds, value } of requests) at(atMilliseconds).requests += value;
  for (const { atMilliseconds, value } of errors.flat()) at(atMilliseconds).errors += value;
  return [...all.values()].sort((a, b) => a.atMilliseconds - b.atMilliseconds);
};

/** The busiest five minutes of the last day. */
export const capacityOf = async (series: Series, link: RemediatedLink): Promise<CapacitySeen> => {
  const periodSeconds = 300;
  const [requests = [], cpu = []] = await series(capacityHours * 60, [
    {
      namespace,
      name: "RequestCount",
      dimension: ["LoadBalancer", link.loadBalancerSuffix],
      statistic: "Sum",
      periodSeconds,
    },
    {
      namespace: "AWS/EC2",
      name: "CPUUtilization",
      dimension: ["AutoScalingGroupName", link.autoScalingGroup],
      statistic: "Average",
      periodSeconds,
    },
  ]);
  const most = (points: Point[]) => points.reduce((top, { value }) => Math.max(top, value), 0);
  // It is in the account and the region of its target group.
  const [owner] = link.targetGroup.split(":targetgroup/");
  return {
    hours: capacityHours,
    peakPerMinute: Math.round((most(requests) * 60) / periodSeconds),
    peakCpuPercent: cpu.length === 0 ? null : most(cpu),
    balancerArn: `${owner}:loadbalancer/${link.loadBalancerSuffix}`,
  };
};

/** What the agent on each instance has told last, in their order. */
export const memoryOf = async (
  series: Series,
  group: string,
  hosts: readonly { id: string }[],
): Promise<(number | null)[]> => {
  if (hosts.length === 0) return [];
  const found = await series(
    memoryMinutes,
    hosts.map(({ id }) => ({
      namespace: "CWAgent",
      name: "mem_used_percent",
      dimension: ["AutoScalingGroupName", group],
      also: [["InstanceId", id]],
      statistic: "Maximum",
      periodSeconds: 60,
    })),
  );
  return found.map((points) => newest(points));
};
