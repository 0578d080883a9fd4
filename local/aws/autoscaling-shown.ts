import type { AutoScalingGroup } from "@aws-sdk/client-auto-scaling";
import type { GroupState, InstanceState } from "./autoscaling-instances.ts";

/** As DescribeAutoScalingGroups answers it. */
export const groupShown = (group: GroupState): AutoScalingGroup => ({
  AutoScalingGroupName: group.name,
  AutoScalingGroupARN: group.arn,
  LaunchTemplate: templateShown(group.launchTemplate, group.templateVersion),
  MinSize: group.minimum,
  MaxSize: group.maximum,
  DesiredCapacity: group.desired,
  DefaultCooldown: group.cooldownSeconds,
  AvailabilityZones: group.zones,
  VPCZoneIdentifier: group.subnets,
  TargetGroupARNs: group.targetGroups,
  HealthCheckType: group.healthCheckType,
  HealthCheckGracePeriod: group.graceSeconds,
  CreatedTime: group.createdAt,
  SuspendedProcesses: [],
  EnabledMetrics: [...group.collected].map((Metric) => ({ Metric, Granularity: "1Minute" })),
  Instances: [...group.instances.values()].map(instanceShown),
  Tags: Object.entries(group.tags).map(([Key, Value]) => ({
    Key,
    Value,
    ResourceId: group.name,
    ResourceType: "auto-scaling-group",
  })),
});

/** By id or by name, whichever it is. */
export const templateShown = (idOrName: string, Version: string) =>
  idOrName.startsWith("lt-")
    ? { LaunchTemplateId: idOrName, Version }
    : { LaunchTemplateName: idOrName, Version };

const instanceShown = ({ launched, lifecycle, healthy }: InstanceState) => ({
  InstanceId: launched.id,
  InstanceType: launched.instanceType,
  AvailabilityZone: launched.availabilityZone,
  LifecycleState: lifecycle,
  HealthStatus: healthy ? "Healthy" : "Unhealthy",
  ProtectedFromScaleIn: false,
  ...(launched.templateVersion === undefined
    ? {}
    : { LaunchTemplate: templateShown(launched.launchTemplate, `${launched.templateVersion}`) }),
});
