import type {
  CreateTargetGroupCommandInput,
  DeregisterTargetsCommandInput,
  DescribeTargetGroupsCommandInput,
  DescribeTargetHealthCommandInput,
  ModifyTargetGroupAttributesCommandInput,
  RegisterTargetsCommandInput,
  TargetDescription,
  TargetGroup,
  TargetHealthDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { anomalyOf } from "./elbv2-anomalies.ts";
import type { RegionState, Registry, Target, TargetGroupState } from "./elbv2-state.ts";
import { groupOf, hex, inUse, missing, prefix, usersOf } from "./elbv2-state.ts";
import type { Targets } from "./elbv2-targets.ts";
import { pageOf } from "./paging.ts";
import type { Call, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

/** Target groups, and who is in them. */
export const groupOperations = (surroundings: Surroundings, all: Registry) => ({
  CreateTargetGroup: (input: CreateTargetGroupCommandInput, call: Call) => {
    const state = all.region(call.region);
    const { Name: name = "" } = input;
    if ([...state.targetGroups.values()].some((other) => other.name === name)) {
      const message = `A target group with the same name '${name}' exists`;
      throw new AwsError("DuplicateTargetGroupNameException", message);
    }
    const arn = `${prefix(call)}:targetgroup/${name}/${hex(surroundings)}`;
    // The defaults of an HTTP target group of type `instance`.
    const created: TargetGroupState = {
      arn,
      name,
      region: call.region,
      port: input.Port ?? 80,
      vpcId: input.VpcId,
      path: input.HealthCheckPath ?? "/",
      intervalSeconds: input.HealthCheckIntervalSeconds ?? 30,
      timeoutSeconds: input.HealthCheckTimeoutSeconds ?? 5,
      healthyThreshold: input.HealthyThresholdCount ?? 5,
      unhealthyThreshold: input.UnhealthyThresholdCount ?? 2,
      matcher: input.Matcher?.HttpCode ?? "200",
      deregistrationDelaySeconds: 300,
      targets: new Map(),
      turn: -1,
    };
    state.targetGroups.set(arn, created);
    return { TargetGroups: [groupShown(state, created)] };
  },
  DescribeTargetGroups: (input: DescribeTargetGroupsCommandInput, call: Call) => {
    const state = all.region(call.region);
    for (const arn of input.TargetGroupArns ?? []) groupOf(state, arn);
    for (const name of input.Names ?? []) {
      if ([...state.targetGroups.values()].some((group) => group.name === name)) continue;
      throw missing("TargetGroupNotFoundException", "Target groups", name);
    }
    const found = [...state.targetGroups.values()].filter(
      ({ arn, name }) =>
        (!input.TargetGroupArns?.length || input.TargetGroupArns.includes(arn)) &&
        (!input.Names?.length || input.Names.includes(name)) &&
        (!input.LoadBalancerArn || usersOf(state, arn).includes(input.LoadBalancerArn)),
    );
    const page = pageOf(found, input.Marker, input.PageSize ?? 400);
    return { TargetGroups: page.items.map((one) => groupShown(state, one)), NextMarker: page.next };
  },
  ModifyTargetGroupAttributes: (input: ModifyTargetGroupAttributesCommandInput, call: Call) => {
    const group = groupOf(all.region(call.region), input.TargetGroupArn);
    for (const { Key, Value } of input.Attributes ?? []) {
      if (Key !== "deregistration_delay.timeout_seconds") {
        const message = `The attribute '${Key}' is not modelled`;
        throw new AwsError("InvalidConfigurationRequestException", message);
      }
      group.deregistrationDelaySeconds = Number(Value);
    }
    return { Attributes: input.Attributes ?? [] };
  },
});

const groupShown = (state: RegionState, group: TargetGroupState): TargetGroup => ({
  TargetGroupArn: group.arn,
  TargetGroupName: group.name,
  Protocol: "HTTP",
  Port: group.port,
  VpcId: group.vpcId,
  HealthCheckProtocol: "HTTP",
  HealthCheckPort: "traffic-port",
  HealthCheckEnabled: true,
  HealthCheckIntervalSeconds: group.intervalSeconds,
  HealthCheckTimeoutSeconds: group.timeoutSeconds,
  HealthyThresholdCount: group.healthyThreshold,
  UnhealthyThresholdCount: group.unhealthyThreshold,
  HealthCheckPath: group.path,
  Matcher: { HttpCode: group.matcher },
  LoadBalancerArns: usersOf(state, group.arn),
  TargetType: "instance",
});

export const targetOperations = (surroundings: Surroundings, all: Registry, targets: Targets) => ({
  RegisterTargets: (input: RegisterTargetsCommandInput, call: Call) => {
    targets.register(groupOf(all.region(call.region), input.TargetGroupArn), input.Targets ?? []);
    return {};
  },
  DeregisterTargets: (input: DeregisterTargetsCommandInput, call: Call) => {
    targets.deregister(groupOf(all.region(call.region), input.TargetGroupArn), input.Targets ?? []);
    return {};
  },
  DescribeTargetHealth: (input: DescribeTargetHealthCommandInput, call: Call) => {
    const state = all.region(call.region);
    const group = groupOf(state, input.TargetGroupArn);
    const used = inUse(state, group.arn);
    const members = [...group.targets.values()];
    const asked = input.Targets?.length
      ? input.Targets.map((wanted) => members.find(({ id }) => id === wanted.Id) ?? wanted)
      : members;
    const withAnomalies = input.Include?.some((each) => /^(AnomalyDetection|All)$/.test(each));
    const now = surroundings.timeline.now();
    return {
      TargetHealthDescriptions: asked.map((target) => ({
        ...healthShown(target, group, used),
        ...(withAnomalies && "state" in target
          ? { AnomalyDetection: anomalyOf(group, target, now) }
          : {}),
      })),
    };
  },
});

const healthShown = (
  target: Target | TargetDescription,
  group: TargetGroupState,
  used: boolean,
): TargetHealthDescription => {
  const HealthCheckPort = String(group.port);
  if (!("state" in target)) {
    const TargetHealth = { State: "unused", Reason: "Target.NotRegistered" } as const;
    return { Target: { Id: target.Id, Port: target.Port }, HealthCheckPort, TargetHealth };
  }
  const Target = { Id: target.id, Port: target.port };
  if (!used) {
    const TargetHealth = { State: "unused", Reason: "Target.NotInUse" } as const;
    return { Target, HealthCheckPort, TargetHealth };
  }
  const { state: State, reason: Reason, description: Description } = target;
  return { Target, HealthCheckPort, TargetHealth: { State, Reason, Description } };
};
