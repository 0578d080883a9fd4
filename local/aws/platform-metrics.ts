import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { Ailment } from "./ailments.ts";
import type { GroupState, LaunchedInstance } from "./autoscaling-instances.ts";
import type { BalancerMetrics } from "./elbv2-metrics.ts";
import type { RegionState } from "./elbv2-state.ts";
import type { Surroundings } from "./service.ts";

interface Ports {
  /** Where there is anything to be measured. */
  regions(): Iterable<Place>;
  put(region: Place, namespace: string, data: MetricDatum[]): void;
  counted: BalancerMetrics;
  balancersIn(region: Place): RegionState;
  groupsIn(region: Place): GroupState[];
  groupData(group: GroupState): MetricDatum[];
  ailmentsOf(launched: LaunchedInstance): Ailment[];
  databaseData(region: Place): Promise<MetricDatum[]>;
  cacheData(region: Place): Promise<MetricDatum[]>;
}

const minute = 60_000;
/** Of an instance that nobody has told to fall ill: figures of no weight, and no noise in them. */
const usualMemoryPercent = 45;
const usualCpuPercent = 25;

/**
 * Publishes each modelled minute what AWS's own services and the agent on the instances publish, with the
 * moment at which the minute began, as CloudWatch shows it. A dead region publishes nothing.
 */
export const publishMetrics = ({ timeline, network }: Surroundings, ports: Ports): void => {
  const publish = async (region: Place, began: number) => {
    const Timestamp = new Date(began);
    const put = (namespace: string, data: MetricDatum[]) =>
      ports.put(
        region,
        namespace,
        data.map((datum) => ({ ...datum, Timestamp })),
      );
    const state = ports.balancersIn(region);
    put("AWS/ApplicationELB", [
      ...ports.counted.take(region),
      ...ports.counted.hosts(region, state),
    ]);
    const groups = ports.groupsIn(region);
    put("AWS/AutoScaling", groups.flatMap(ports.groupData));
    put(
      "AWS/EC2",
      groups.flatMap((group) => perGroup(group, "CPUUtilization", () => usualCpuPercent)),
    );
    const memory = (launched: LaunchedInstance) => memoryOf(ports.ailmentsOf(launched));
    put(
      "CWAgent",
      groups.flatMap((group) => [
        ...perGroup(group, "mem_used_percent", memory),
        ...perInstance(group, "mem_used_percent", memory),
      ]),
    );
    put("AWS/RDS", await ports.databaseData(region));
    put("AWS/ElastiCache", await ports.cacheData(region));
  };
  const tick = async () => {
    // A timer of a scaled timeline may be a little early: the nearest minute is meant.
    const began = Math.round(timeline.now() / minute) * minute - minute;
    const alive = [...new Set(ports.regions())].filter((one) => network.state(one) !== "dead");
    await Promise.all(alive.map((region) => publish(region, began)));
  };
  timeline.after(minute - (timeline.now() % minute), async () => {
    timeline.every(minute, tick);
    await tick();
  });
};

/** The agent's own sample of each running instance, beside the one of its group. */
const perInstance = (
  { name, instances }: GroupState,
  MetricName: string,
  measure: (launched: LaunchedInstance) => number,
): MetricDatum[] =>
  [...instances.values()].flatMap(({ launched, running }) => {
    const Dimensions = [
      { Name: "AutoScalingGroupName", Value: name },
      { Name: "InstanceId", Value: launched.id },
    ];
    return running ? [{ MetricName, Dimensions, Value: measure(launched) }] : [];
  });

/** One sample of each running instance, under the name of its group. */
const perGroup = (
  { name, instances }: GroupState,
  MetricName: string,
  measure: (launched: LaunchedInstance) => number,
): MetricDatum[] => {
  const Values = [...instances.values()].flatMap(({ launched, running }) =>
    running ? [measure(launched)] : [],
  );
  if (Values.length === 0) return [];
  return [{ MetricName, Values, Dimensions: [{ Name: "AutoScalingGroupName", Value: name }] }];
};

const memoryOf = (found: Ailment[]): number => {
  const leak = found.find((ailment) => ailment.is === "leaks");
  return leak?.memoryPercent ?? usualMemoryPercent;
};
