import {
  AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  type InstanceRefresh,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { readReservations } from "../../shared/budget.ts";
import { clientOptions } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import type { Lookers } from "./evidence.ts";
import { countedFrom } from "./evidence.ts";
import type {
  ApplicationLooks,
  ContainerSeen,
  MemorySeen,
  RefreshDetail,
  ReleaseSeen,
} from "./evidence-application.ts";
import { commandsOn } from "./machine-aws.ts";
import type { Subject } from "./playbooks.ts";
import { reader } from "./signals-aws.ts";
import { capacityOf, memoryOf, minutes, trafficOf } from "./traffic-aws.ts";

/** As `stacks/alarms/application.ts` has it for `instance-memory`. */
const memoryBoundPercent = 85;

type ApplicationLookers = Pick<Lookers, keyof ApplicationLooks>;

export const applicationLooks = (
  runtime: Runtime,
  region: string,
  link: RemediatedLink,
): ApplicationLookers => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const balancers = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  const series = reader(runtime, region);
  const table = coordination(runtime);
  const inspect = commandsOn(runtime, region, link).inspect;
  const { autoScalingGroup: AutoScalingGroupName, targetGroup: TargetGroupArn } = link;
  const group = () => groupNamed(scaling, AutoScalingGroupName, region);
  const memory = async (): Promise<MemorySeen> => {
    const hosts = membersOf(await group());
    const percents = await memoryOf(series, AutoScalingGroupName, hosts);
    return {
      boundPercent: memoryBoundPercent,
      hosts: hosts.map(({ id, zone, version }, index) => ({
        id,
        zone,
        version,
        percent: percents[index] ?? null,
      })),
    };
  };
  return {
    traffic: async (_subject: Subject, since?: number | null) => {
      const now = runtime.clock.now();
      const from = countedFrom(now, minutes, since);
      return trafficOf(series, { now, from }, link, zonesOf(await group()));
    },
    anomalies: async () => {
      const { TargetHealthDescriptions = [] } = await balancers.send(
        new DescribeTargetHealthCommand({ TargetGroupArn, Include: ["AnomalyDetection"] }),
      );
      const compared = TargetHealthDescriptions.filter(({ AnomalyDetection }) => AnomalyDetection);
      return {
        ids: compared.flatMap(({ Target, AnomalyDetection }) =>
          Target?.Id && AnomalyDetection?.Result === "anomalous" ? [Target.Id] : [],
        ),
        compared: compared.length,
      };
    },
    release: async () => {
      const [found, { InstanceRefreshes }] = await Promise.all([
        group(),
        scaling.send(new DescribeInstanceRefreshesCommand({ AutoScalingGroupName, MaxRecords: 1 })),
      ]);
      return releaseOf(found, InstanceRefreshes?.[0]);
    },
    capacity: () => capacityOf(series, link),
    memory,
    container: async (): Promise<ContainerSeen | null> => {
      const { hosts, boundPercent } = await memory();
      const [fullest, ...others] = hosts.filter(
        ({ percent }) => percent !== null && percent > boundPercent,
      );
      return fullest && others.length === 0 ? inspect(fullest.id) : null;
    },
    deeds: async () =>
      (await readReservations(table, region)).map(({ by, deed, resource, atMilliseconds }) => ({
        by,
        ...(deed ? { deed } : {}),
        resource,
        atMilliseconds,
      })),
  };
};

export const groupNamed = async (
  scaling: AutoScalingClient,
  name: string,
  region: string,
): Promise<AutoScalingGroup> => {
  const { AutoScalingGroups } = await scaling.send(
    new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
  );
  const group = AutoScalingGroups?.[0];
  if (!group) throw new Error(`Auto Scaling does not know ${name} in ${region}`);
  return group;
};

/** A group with Spot in it names its template one level further down. */
export const templateIn = ({
  LaunchTemplate,
  MixedInstancesPolicy,
}: Pick<AutoScalingGroup, "LaunchTemplate" | "MixedInstancesPolicy">) =>
  LaunchTemplate ?? MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification;

const membersOf = ({ Instances = [] }: AutoScalingGroup) =>
  Instances.map((instance) => ({
    id: instance.InstanceId ?? "",
    zone: instance.AvailabilityZone ?? "",
    lifecycle: instance.LifecycleState ?? "unknown",
    version: instance.LaunchTemplate?.Version ?? "unknown",
  }));

const zonesOf = (group: AutoScalingGroup): string[] =>
  [...new Set(membersOf(group).map(({ zone }) => zone))].filter((zone) => zone !== "").sort();

const releaseOf = (group: AutoScalingGroup, refresh: InstanceRefresh | undefined): ReleaseSeen => ({
  group: group.AutoScalingGroupName ?? "",
  version: templateIn(group)?.Version ?? "unknown",
  refresh: refresh ? refreshOf(refresh) : null,
  instances: membersOf(group),
});

const refreshOf = (refresh: InstanceRefresh): RefreshDetail => {
  const { Preferences, DesiredConfiguration } = refresh;
  const alarms = Preferences?.AlarmSpecification?.Alarms ?? [];
  return {
    id: refresh.InstanceRefreshId ?? "",
    status: refresh.Status ?? "unknown",
    reason: refresh.StatusReason ?? "",
    startedAtMilliseconds: refresh.StartTime?.getTime() ?? 0,
    endedAtMilliseconds: refresh.EndTime?.getTime() ?? null,
    percent: refresh.PercentageComplete ?? 0,
    toVersion: (DesiredConfiguration && templateIn(DesiredConfiguration)?.Version) ?? null,
    rollsBackItself: Preferences?.AutoRollback === true && alarms.length > 0,
    alarms,
  };
};
