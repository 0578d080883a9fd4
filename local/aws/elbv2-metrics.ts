import type { Dimension, MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { LoadBalancerState, RegionState, Target, TargetGroupState } from "./elbv2-state.ts";
import { usersOf } from "./elbv2-state.ts";

/** One request that went through a load balancer, as it counts in its metrics. */
export interface Served {
  loadBalancer: LoadBalancerState;
  /** Absent when the request was answered before a target was chosen. */
  chosen?: { group: TargetGroupState; target: Target };
  status: number;
  /** Who made the answer: a target that is silent or refuses leaves that to the load balancer. */
  by: "target" | "balancer";
  seconds: number;
}

/** The part of an ARN that dimensions carry: `app/name/0123456789abcdef`, `targetgroup/name/…`. */
const balancerSuffix = (arn: string): string => arn.split(":loadbalancer/")[1] ?? arn;
const groupSuffix = (arn: string): string => arn.split(":").at(-1) ?? arn;

interface Tally {
  dimensions: Dimension[];
  counts: Map<string, number>;
  /** Seconds, in steps of a millisecond, with how often each came. */
  times: Map<number, number>;
}

/**
 * The metrics of namespace AWS/ApplicationELB, counted between two calls of `take`. RequestCount counts
 * only requests for which a target was chosen, health checks count nowhere, codes are reported when
 * there is a value other than zero. Zones are those of the targets: nodes of load balancers are not
 * modelled, so what the load balancer answers itself has no zone. An answer takes a millisecond at
 * least, since a modelled application may answer at once. Source: "CloudWatch metrics for your
 * Application Load Balancer".
 */
export const balancerMetrics = (
  zoneOf: (region: Place, targetId: string) => string | undefined,
) => {
  const tallies = new Map<Place, Map<string, Tally>>();
  const tallyOf = (region: Place, dimensions: Dimension[]): Tally => {
    const there = tallies.get(region) ?? new Map<string, Tally>();
    tallies.set(region, there);
    const key = dimensions.map(({ Value }) => Value).join(" ");
    const tally = there.get(key) ?? { dimensions, counts: new Map(), times: new Map() };
    there.set(key, tally);
    return tally;
  };
  return {
    count: (served: Served): void => {
      const { loadBalancer, chosen, status, by, seconds } = served;
      const whole = [{ Name: "LoadBalancer", Value: balancerSuffix(loadBalancer.arn) }];
      const zone = chosen && zoneOf(loadBalancer.region, chosen.target.id);
      const family = `${Math.floor(status / 100)}XX`;
      const whenBalancer = by === "balancer" && status >= 400;
      if (whenBalancer) {
        const { counts } = tallyOf(loadBalancer.region, whole);
        bump(counts, `HTTPCode_ELB_${family}_Count`);
        if (status >= 500) bump(counts, `HTTPCode_ELB_${status}_Count`);
      }
      if (!chosen) return;
      for (const dimensions of cuts(whole, chosen.group, zone)) {
        const { counts, times } = tallyOf(loadBalancer.region, dimensions);
        bump(counts, "RequestCount");
        if (by !== "target") continue;
        bump(counts, `HTTPCode_Target_${family}_Count`);
        bump(times, Math.max(1, Math.round(seconds * 1000)) / 1000);
      }
    },
    /** What a region has counted since it was asked last. */
    take: (region: Place): MetricDatum[] => {
      const found = [...(tallies.get(region)?.values() ?? [])];
      tallies.delete(region);
      return found.flatMap(dataOf);
    },
    hosts: (region: Place, state: RegionState): MetricDatum[] =>
      [...state.targetGroups.values()].flatMap((group) => hostsOf(state, group, region, zoneOf)),
  };
};

export type BalancerMetrics = ReturnType<typeof balancerMetrics>;

const bump = <Key>(counts: Map<Key, number>, key: Key): void =>
  void counts.set(key, (counts.get(key) ?? 0) + 1);

/** The four ways to look at a request: all of it, by group, by zone, by both. */
const cuts = (
  whole: Dimension[],
  group: TargetGroupState,
  zone: string | undefined,
): Dimension[][] => {
  const inGroup = [...whole, { Name: "TargetGroup", Value: groupSuffix(group.arn) }];
  if (zone === undefined) return [whole, inGroup];
  const inZone = { Name: "AvailabilityZone", Value: zone };
  return [whole, inGroup, [...whole, inZone], [...inGroup, inZone]];
};

const dataOf = ({ dimensions, counts, times }: Tally): MetricDatum[] => {
  const data: MetricDatum[] = [...counts].map(([MetricName, count]) => ({
    MetricName,
    Dimensions: dimensions,
    // Every request is a sample of 1, so that Average, Minimum and Maximum are 1 as on AWS.
    Values: [1],
    Counts: [count],
  }));
  if (times.size > 0) {
    const [Values, Counts] = [[...times.keys()], [...times.values()]];
    data.push({ MetricName: "TargetResponseTime", Dimensions: dimensions, Values, Counts });
  }
  return data;
};

const hostsOf = (
  state: RegionState,
  group: TargetGroupState,
  region: Place,
  zoneOf: (region: Place, targetId: string) => string | undefined,
): MetricDatum[] => {
  const targets = [...group.targets.values()];
  const zones = [...new Set(targets.flatMap(({ id }) => zoneOf(region, id) ?? []))].sort();
  return usersOf(state, group.arn).flatMap((arn) => {
    const Dimensions = [
      { Name: "LoadBalancer", Value: balancerSuffix(arn) },
      { Name: "TargetGroup", Value: groupSuffix(group.arn) },
    ];
    return [
      ...hostData(Dimensions, targets),
      ...zones.flatMap((zone) =>
        hostData(
          [...Dimensions, { Name: "AvailabilityZone", Value: zone }],
          targets.filter(({ id }) => zoneOf(region, id) === zone),
        ),
      ),
    ];
  });
};

/** A target whose first checks are under way, or that drains, is neither healthy nor unhealthy. */
const hostData = (Dimensions: Dimension[], targets: Target[]): MetricDatum[] => {
  const among = (wanted: string) => targets.filter(({ state }) => state === wanted).length;
  return [
    { MetricName: "HealthyHostCount", Dimensions, Value: among("healthy") },
    { MetricName: "UnHealthyHostCount", Dimensions, Value: among("unhealthy") },
  ];
};
