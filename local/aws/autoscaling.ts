import type {
  CreateAutoScalingGroupCommandInput,
  DescribeAutoScalingGroupsCommandInput,
  DescribeScalingActivitiesCommandInput,
  SetDesiredCapacityCommandInput,
  SetInstanceHealthCommandInput,
  TerminateInstanceInAutoScalingGroupCommandInput,
  UpdateAutoScalingGroupCommandInput,
} from "@aws-sdk/client-auto-scaling";
import type { Place } from "../network.ts";
import type { GroupState, ScalingPorts } from "./autoscaling-instances.ts";
import { fleet } from "./autoscaling-instances.ts";
import { collectionOperations, groupData } from "./autoscaling-metrics.ts";
import { instanceRefreshes } from "./autoscaling-refresh.ts";
import { groupShown } from "./autoscaling-shown.ts";
import { standbyOperations } from "./autoscaling-standby.ts";
import { pageOf } from "./paging.ts";
import type { Call, Service, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

type Fleet = ReturnType<typeof fleet>;

/** Auto Scaling groups, over whatever `ports.launch` makes an instance of. */
export const autoscaling = (surroundings: Surroundings, ports: ScalingPorts) => {
  const instances = fleet(surroundings, ports);
  const { targets } = ports;
  const named = (call: Call, name: string | undefined) => groupOf(instances, call, name);
  const service: Service = {
    name: "auto-scaling",
    operations: {
      ...changeOperations(surroundings, instances),
      ...capacityOperations(surroundings, instances),
      ...readOperations(instances),
      ...collectionOperations(named),
      ...standbyOperations(surroundings, {
        groupOf: named,
        converge: instances.converge,
        record: instances.record,
        register: ({ region, targetGroups }, id) => {
          for (const arn of targetGroups) targets.register(region, arn, id);
        },
        deregister: ({ region, targetGroups }, id) => {
          for (const arn of targetGroups) targets.deregister(region, arn, id);
        },
      }),
      ...instanceRefreshes(surroundings, {
        groupOf: named,
        converge: instances.converge,
        terminate: instances.terminate,
        targets,
        launchData: ports.machines?.launchData,
        alarmState: ports.alarmState,
        hurryWarmups: ports.hurryWarmups,
      }),
    },
  };
  return {
    service,
    /** Sends a request to the application on an instance; rejects when it does not run. */
    send: instances.send,
    /** What a group's instances are, for whoever measures them or falls ill with them. */
    ail: instances.ail,
    ailmentsOf: instances.ailmentsOf,
    find: instances.find,
    regions: instances.regions,
    groupsIn: (region: Place) => [...instances.inRegion(region).values()],
    groupData,
    /** To be called at every change of a region: a dead one loses its processes at once. */
    onRegionChange: instances.onRegionChange,
    /** Stops every instance. */
    close: instances.close,
  };
};

/** Auto Scaling answers wrong values with a code that its model does not list. */
const invalid = (message: string) => new AwsError("ValidationError", message, { status: 400 });

const groupOf = (fleet: Fleet, call: Call, name: string | undefined): GroupState => {
  const group = fleet.inRegion(call.region).get(name ?? "");
  if (group) return group;
  throw invalid(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`);
};

const checkBounds = (minimum: number, maximum: number, desired: number) => {
  if (minimum > maximum) {
    throw invalid(`Max bound, ${maximum}, must be greater than or equal to min bound, ${minimum}`);
  }
  if (desired >= minimum && desired <= maximum) return;
  throw invalid(
    `Desired capacity:${desired} must be between the specified min size:${minimum} ` +
      `and max size:${maximum}`,
  );
};

const templateName = (input: { LaunchTemplate?: object | undefined }): string | undefined => {
  const { LaunchTemplateId, LaunchTemplateName } = (input.LaunchTemplate ?? {}) as {
    LaunchTemplateId?: string;
    LaunchTemplateName?: string;
  };
  return LaunchTemplateId ?? LaunchTemplateName;
};

const changeOperations = (surroundings: Surroundings, fleet: Fleet) => ({
  CreateAutoScalingGroup: (input: CreateAutoScalingGroupCommandInput, call: Call) => {
    const groups = fleet.inRegion(call.region);
    const { AutoScalingGroupName: name = "", MinSize = 0, MaxSize = 0 } = input;
    if (groups.has(name)) {
      const message = "AutoScalingGroup by this name already exists - A group with the name";
      throw new AwsError("AlreadyExistsFault", `${message} ${name} already exists`);
    }
    const desired = input.DesiredCapacity ?? MinSize;
    checkBounds(MinSize, MaxSize, desired);
    const tail = `autoScalingGroup:${surroundings.random.id()}:autoScalingGroupName/${name}`;
    const group: GroupState = {
      arn: `arn:aws:autoscaling:${call.region}:${call.account}:${tail}`,
      name,
      region: call.region,
      minimum: MinSize,
      maximum: MaxSize,
      desired,
      launchTemplate: templateName(input) ?? "",
      templateVersion: input.LaunchTemplate?.Version ?? "$Default",
      zones: input.AvailabilityZones ?? ["a", "b", "c"].map((letter) => call.region + letter),
      subnets: input.VPCZoneIdentifier ?? "",
      targetGroups: input.TargetGroupARNs ?? [],
      healthCheckType: input.HealthCheckType ?? "EC2",
      // 0 is the default of the API; the console proposes 300.
      graceSeconds: input.HealthCheckGracePeriod ?? 0,
      cooldownSeconds: input.DefaultCooldown ?? 300,
      createdAt: new Date(surroundings.timeline.now()),
      tags: Object.fromEntries((input.Tags ?? []).map(({ Key, Value }) => [Key, Value ?? ""])),
      collected: new Set(),
      instances: new Map(),
      activities: [],
    };
    groups.set(name, group);
    fleet.converge(group, "a user request created an AutoScalingGroup");
    return {};
  },
  /**
   * A minimum above the desired capacity raises it, a maximum below lowers it, unless the request
   * names one (https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html).
   */
  UpdateAutoScalingGroup: (input: UpdateAutoScalingGroupCommandInput, call: Call) => {
    const group = groupOf(fleet, call, input.AutoScalingGroupName);
    const minimum = input.MinSize ?? group.minimum;
    const maximum = input.MaxSize ?? group.maximum;
    const fitting = Math.min(Math.max(group.desired, minimum), maximum);
    const desired = input.DesiredCapacity ?? fitting;
    checkBounds(minimum, maximum, desired);
    Object.assign(group, {
      minimum,
      maximum,
      desired,
      launchTemplate: templateName(input) ?? group.launchTemplate,
      templateVersion: input.LaunchTemplate
        ? (input.LaunchTemplate.Version ?? "$Default")
        : group.templateVersion,
      healthCheckType: input.HealthCheckType ?? group.healthCheckType,
      graceSeconds: input.HealthCheckGracePeriod ?? group.graceSeconds,
    });
    fleet.converge(group, "a user request updated the AutoScalingGroup constraints");
    return {};
  },
});

const managed = (fleet: Fleet, region: Place, id: string | undefined) => {
  for (const group of fleet.inRegion(region).values()) {
    const instance = group.instances.get(id ?? "");
    if (instance) return { group, instance };
  }
  throw invalid(`Instance Id not found - No managed instance found for instance ID ${id}`);
};

const capacityOperations = ({ timeline }: Surroundings, fleet: Fleet) => ({
  SetDesiredCapacity: (input: SetDesiredCapacityCommandInput, call: Call) => {
    const group = groupOf(fleet, call, input.AutoScalingGroupName);
    const desired = input.DesiredCapacity ?? 0;
    if (desired > group.maximum) {
      throw invalid(
        `New SetDesiredCapacity value ${desired} is above max value ${group.maximum} for the ` +
          "AutoScalingGroup.",
      );
    }
    if (desired < group.minimum) {
      throw invalid(
        `New SetDesiredCapacity value ${desired} is below min value ${group.minimum} for the ` +
          "AutoScalingGroup.",
      );
    }
    group.desired = desired;
    fleet.converge(group, `a user request explicitly set group desired capacity to ${desired}`);
    return {};
  },
  TerminateInstanceInAutoScalingGroup: (
    input: TerminateInstanceInAutoScalingGroupCommandInput,
    call: Call,
  ) => {
    const { InstanceId, ShouldDecrementDesiredCapacity: shrink } = input;
    const { group, instance } = managed(fleet, call.region, InstanceId);
    // An instance in standby is no part of the desired capacity any more.
    const counts = instance.lifecycle !== "Standby";
    if (shrink && counts && group.desired - 1 < group.minimum) {
      throw invalid(
        `Currently, desiredSize equals minSize (${group.minimum}). Terminating instance without ` +
          "replacement will violate group's min size constraint.",
      );
    }
    if (shrink && counts) group.desired -= 1;
    const cause = "instance was taken out of service in response to a user request";
    fleet.terminate(group, instance, cause);
    fleet.converge(group, cause);
    return { Activity: group.activities[0] };
  },
  /**
   * Respects the grace period unless told otherwise: until it is over, the call changes nothing, which
   * is the assumption for what AWS calls respecting it. Source: API reference of SetInstanceHealth.
   */
  SetInstanceHealth: (input: SetInstanceHealthCommandInput, call: Call) => {
    const { group, instance } = managed(fleet, call.region, input.InstanceId);
    const { HealthStatus: status } = input;
    if (status !== "Healthy" && status !== "Unhealthy") {
      throw invalid(`The health status ${status} is not valid: use Healthy or Unhealthy.`);
    }
    const graceEnds = (instance.inServiceAt ?? timeline.now()) + group.graceSeconds * 1000;
    const spared = (input.ShouldRespectGracePeriod ?? true) && timeline.now() < graceEnds;
    if (!spared) fleet.setHealth(group, instance, status === "Healthy");
    return {};
  },
});

const readOperations = (fleet: Fleet) => ({
  /** A name that does not exist is left out without an error, as AWS does. */
  DescribeAutoScalingGroups: (input: DescribeAutoScalingGroupsCommandInput, call: Call) => {
    const wanted = input.AutoScalingGroupNames ?? [];
    const found = [...fleet.inRegion(call.region).values()].filter(
      ({ name, tags }) =>
        (wanted.length === 0 || wanted.includes(name)) &&
        (input.Filters ?? []).every(({ Name = "", Values = [] }) => {
          if (Name.startsWith("tag:")) return Values.includes(tags[Name.slice(4)] ?? "");
          if (Name === "tag-key") return Values.some((key) => key in tags);
          throw invalid(`The filter '${Name}' is not modelled`);
        }),
    );
    const page = pageOf(found, input.NextToken, input.MaxRecords ?? 50);
    return { AutoScalingGroups: page.items.map(groupShown), NextToken: page.next };
  },
  DescribeScalingActivities: (input: DescribeScalingActivitiesCommandInput, call: Call) => {
    const { AutoScalingGroupName: name, ActivityIds: ids } = input;
    const groups = name ? [groupOf(fleet, call, name)] : [...fleet.inRegion(call.region).values()];
    const found = groups
      .flatMap(({ activities }) => activities)
      .filter(({ ActivityId }) => !ids?.length || ids.includes(ActivityId ?? ""));
    const page = pageOf(found, input.NextToken, input.MaxRecords ?? 100);
    return { Activities: page.items, NextToken: page.next };
  },
});
