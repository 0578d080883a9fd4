import {
  AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  type DesiredConfiguration,
  type InstanceRefresh,
  type LaunchTemplateSpecification,
  type RefreshPreferences,
  StartInstanceRefreshCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { CloudWatchClient, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import { DescribeLaunchTemplateVersionsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { clientOptions } from "../shared/clients.ts";
import type { Runtime } from "../shared/runtime.ts";
import type { GroupSeen, NewestVersion, RefreshSeen } from "./release-plan.ts";

/** The instances of one region, for whoever releases to them. */
export interface Fleet {
  /** Of the Auto Scaling group. */
  name: string;
  group(): Promise<GroupSeen>;
  newest(): Promise<NewestVersion>;
  /** State by name; undefined for an alarm that nobody made. */
  alarms(names: string[]): Promise<Map<string, string | undefined>>;
  /** The refresh that was started last, or the one of that id. */
  refresh(id?: string): Promise<RefreshSeen | undefined>;
  start(version: string, preferences: RefreshPreferences): Promise<string>;
  /** Gives an empty group the version that it starts with next. */
  save(version: string): Promise<void>;
}

export const fleetOf = (runtime: Runtime, region: string, groupName: string): Fleet => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const machines = new EC2Client(clientOptions(runtime, region));
  const watch = new CloudWatchClient(clientOptions(runtime, region));
  const AutoScalingGroupName = groupName;
  const found = async (): Promise<AutoScalingGroup> => {
    const input = { AutoScalingGroupNames: [groupName] };
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand(input));
    const group = AutoScalingGroups?.[0];
    if (!group) throw new Error(`there is no group ${groupName} in ${region}: deploy it first`);
    return group;
  };
  const desired = async (version: string) => withVersion(await found(), version);
  return {
    name: groupName,
    group: async () => seen(await found()),
    newest: async () => {
      const { LaunchTemplateId, LaunchTemplateName } = templateOf(await found());
      const by = LaunchTemplateId ? { LaunchTemplateId } : { LaunchTemplateName };
      const { LaunchTemplateVersions } = await machines.send(
        new DescribeLaunchTemplateVersionsCommand({ ...by, Versions: ["$Latest"] }),
      );
      const [newest] = LaunchTemplateVersions ?? [];
      if (!newest?.VersionNumber) throw new Error(`the template in ${region} has no version`);
      const tags = (newest.LaunchTemplateData?.TagSpecifications ?? []).flatMap(
        ({ Tags }) => Tags ?? [],
      );
      const image = tags.find(({ Key }) => Key === "nightshift:image")?.Value ?? "no image";
      return { version: `${newest.VersionNumber}`, image };
    },
    alarms: async (AlarmNames) => {
      const { MetricAlarms } = await watch.send(new DescribeAlarmsCommand({ AlarmNames }));
      const states = new Map(MetricAlarms?.map((each) => [each.AlarmName, each.StateValue]));
      return new Map(AlarmNames.map((name) => [name, states.get(name)]));
    },
    refresh: async (id) => {
      const input = { AutoScalingGroupName, ...(id ? { InstanceRefreshIds: [id] } : {}) };
      const command = new DescribeInstanceRefreshesCommand({ ...input, MaxRecords: 1 });
      const { InstanceRefreshes } = await scaling.send(command);
      const [latest] = InstanceRefreshes ?? [];
      return latest && refreshSeen(latest);
    },
    start: async (version, Preferences) => {
      const DesiredConfiguration = await desired(version);
      const input = { AutoScalingGroupName, DesiredConfiguration, Preferences };
      const answer = await scaling.send(new StartInstanceRefreshCommand(input));
      if (!answer.InstanceRefreshId) throw new Error(`${region} began a refresh without an id`);
      return answer.InstanceRefreshId;
    },
    save: async (version) => {
      const input = { AutoScalingGroupName, ...(await desired(version)) };
      await scaling.send(new UpdateAutoScalingGroupCommand(input));
    },
  };
};

/** A group with Spot in it names its template one level further down. */
const templateOf = ({
  LaunchTemplate,
  MixedInstancesPolicy,
}: Pick<AutoScalingGroup, "LaunchTemplate" | "MixedInstancesPolicy">) => {
  const template: LaunchTemplateSpecification | undefined =
    LaunchTemplate ?? MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification;
  if (!template) throw new Error("the group has no launch template");
  return template;
};

/** What the group is, with another version of its template. Only one of name and id may be given. */
const withVersion = (group: AutoScalingGroup, Version: string): DesiredConfiguration => {
  const { LaunchTemplateId, LaunchTemplateName } = templateOf(group);
  const by = LaunchTemplateId ? { LaunchTemplateId } : { LaunchTemplateName };
  const template = { ...by, Version };
  const { MixedInstancesPolicy: mixed } = group;
  if (!mixed) return { LaunchTemplate: template };
  return {
    MixedInstancesPolicy: {
      ...mixed,
      LaunchTemplate: { ...mixed.LaunchTemplate, LaunchTemplateSpecification: template },
    },
  };
};

const seen = (group: AutoScalingGroup): GroupSeen => {
  const { LaunchTemplateId, LaunchTemplateName, Version = "$Default" } = templateOf(group);
  return {
    desired: group.DesiredCapacity ?? 0,
    template: LaunchTemplateName ?? LaunchTemplateId ?? "none",
    version: Version,
    running: (group.Instances ?? []).map(
      ({ LaunchTemplate }) => LaunchTemplate?.Version ?? "unknown",
    ),
  };
};

const refreshSeen = (refresh: InstanceRefresh): RefreshSeen => {
  const { DesiredConfiguration: wanted } = refresh;
  return {
    id: refresh.InstanceRefreshId ?? "unknown",
    status: refresh.Status ?? "Pending",
    version: wanted && templateOf(wanted).Version,
    percent: refresh.PercentageComplete ?? 0,
    toGo: refresh.InstancesToUpdate ?? 0,
    reason: refresh.RollbackDetails?.RollbackReason ?? refresh.StatusReason,
  };
};
