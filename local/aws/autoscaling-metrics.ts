import type {
  DisableMetricsCollectionQuery,
  EnableMetricsCollectionQuery,
} from "@aws-sdk/client-auto-scaling";
import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { GroupState, InstanceState } from "./autoscaling-instances.ts";
import { AwsError, type Call } from "./service.ts";

type Count = (group: GroupState) => number;

const having =
  (...wanted: InstanceState["lifecycle"][]): Count =>
  ({ instances }) =>
    [...instances.values()].filter(({ lifecycle }) => wanted.includes(lifecycle)).length;

/** Those of the group's metrics that are modelled. Source: "Amazon CloudWatch metrics for Auto Scaling". */
const counts: Record<string, Count> = {
  GroupMinSize: ({ minimum }) => minimum,
  GroupMaxSize: ({ maximum }) => maximum,
  GroupDesiredCapacity: ({ desired }) => desired,
  GroupInServiceInstances: having("InService"),
  GroupPendingInstances: having("Pending"),
  GroupStandbyInstances: having("Standby"),
  GroupTerminatingInstances: having("Terminating"),
  GroupTotalInstances: ({ instances }) => instances.size,
};

/** Groups report nothing until they are asked to; without names, all there is. */
export const collectionOperations = (
  groupOf: (call: Call, name: string | undefined) => GroupState,
) => ({
  EnableMetricsCollection: (input: EnableMetricsCollectionQuery, call: Call) => {
    const group = groupOf(call, input.AutoScalingGroupName);
    if (input.Granularity !== "1Minute") {
      const message = `Granularity ${input.Granularity} is not supported. Use 1Minute.`;
      throw new AwsError("ValidationError", message, { status: 400 });
    }
    for (const name of named(input.Metrics)) group.collected.add(name);
    return {};
  },
  DisableMetricsCollection: (input: DisableMetricsCollectionQuery, call: Call) => {
    const group = groupOf(call, input.AutoScalingGroupName);
    for (const name of named(input.Metrics)) group.collected.delete(name);
    return {};
  },
});

const named = (names: string[] | undefined): string[] => {
  const wanted = names?.length ? names : Object.keys(counts);
  const other = wanted.find((name) => !(name in counts));
  if (other === undefined) return wanted;
  const message = `auto-scaling: the metric ${other} is not modelled`;
  throw new AwsError("NotImplemented", message, { status: 501 });
};

export const groupData = (group: GroupState): MetricDatum[] =>
  [...group.collected].map((MetricName) => ({
    MetricName,
    Dimensions: [{ Name: "AutoScalingGroupName", Value: group.name }],
    Value: counts[MetricName]?.(group) ?? 0,
  }));
