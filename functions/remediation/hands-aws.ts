import {
  AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import {
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { GroupStanding, Hands, StorageStanding } from "./actions.ts";
import type { RemediatedLink } from "./aws.ts";
import { change } from "./bounds.ts";
import { certificateHands } from "./certificate-aws.ts";
import { applicationHands } from "./hands-application-aws.ts";
import { failoverHands } from "./hands-database-aws.ts";
import { sessionHands } from "./sessions-aws.ts";

/** The calls of the closed menu: nothing else of AWS is ever changed by a playbook. */
export const handsOf = (runtime: Runtime, region: string, link: RemediatedLink): Hands => ({
  ...machines(runtime, region, link),
  ...databases(runtime, region),
  ...sessionHands(runtime, region),
  ...certificateHands(runtime, link),
  ...failoverHands(runtime, region),
  ...applicationHands(runtime, region, link),
});

const machines = (runtime: Runtime, region: string, { targetGroup }: RemediatedLink) => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const changing = new AutoScalingClient(clientOptions(runtime, region, change));
  const balancers = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  return {
    instance: async (name: string, id: string) => {
      const [{ AutoScalingGroups }, { TargetHealthDescriptions }] = await Promise.all([
        scaling.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] })),
        balancers.send(new DescribeTargetHealthCommand({ TargetGroupArn: targetGroup })),
      ]);
      const group = AutoScalingGroups?.[0];
      if (!group) throw new Error(`Auto Scaling does not know ${name} in ${region}`);
      const found = group.Instances?.find(({ InstanceId }) => InstanceId === id);
      const target = TargetHealthDescriptions?.find(({ Target }) => Target?.Id === id);
      return {
        lifecycle: found ? (found.LifecycleState ?? "unknown") : null,
        target: target?.TargetHealth?.State ?? null,
        ...sizeOf(group),
      };
    },
    group: async (name: string) => {
      const { AutoScalingGroups } = await scaling.send(
        new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] }),
      );
      const group = AutoScalingGroups?.[0];
      if (!group) throw new Error(`Auto Scaling does not know ${name} in ${region}`);
      return sizeOf(group);
    },
    setDesired: async (AutoScalingGroupName: string, DesiredCapacity: number) => {
      await changing.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity }));
    },
    terminateInstance: async (InstanceId: string) => {
      // The group stays as large as it is wanted, so it starts another one.
      await changing.send(
        new TerminateInstanceInAutoScalingGroupCommand({
          InstanceId,
          ShouldDecrementDesiredCapacity: false,
        }),
      );
    },
  };
};

const sizeOf = (group: AutoScalingGroup): GroupStanding => {
  const { LaunchTemplateName, LaunchTemplateId, Version } = group.LaunchTemplate ?? {};
  return {
    minimum: group.MinSize ?? 0,
    desired: group.DesiredCapacity ?? 0,
    maximum: group.MaxSize ?? 0,
    launchTemplate: `${LaunchTemplateName ?? LaunchTemplateId} ${Version}`,
  };
};

const databases = (runtime: Runtime, region: string) => {
  const client = new RDSClient(clientOptions(runtime, region));
  const changing = new RDSClient(clientOptions(runtime, region, change));
  return {
    storage: async (id: string): Promise<StorageStanding> => {
      const { DBInstances } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
      );
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${id} in ${region}`);
      return {
        status: instance.DBInstanceStatus ?? "unknown",
        allocatedGigabytes: instance.AllocatedStorage ?? 0,
        pendingGigabytes: instance.PendingModifiedValues?.AllocatedStorage ?? null,
        instanceClass: instance.DBInstanceClass ?? "",
        storageType: instance.StorageType ?? "",
        multiAz: instance.MultiAZ ?? false,
        isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
      };
    },
    growStorage: async (DBInstanceIdentifier: string, AllocatedStorage: number) => {
      await changing.send(
        new ModifyDBInstanceCommand({
          DBInstanceIdentifier,
          AllocatedStorage,
          ApplyImmediately: true,
        }),
      );
    },
  };
};
