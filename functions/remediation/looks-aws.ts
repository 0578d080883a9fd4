import {
  type Activity,
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  DescribeScalingActivitiesCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { DescribeDBInstancesCommand, DescribeEventsCommand, RDSClient } from "@aws-sdk/client-rds";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import { certificateLooks } from "./certificate-aws.ts";
import type { GroupSeen, Lookers } from "./evidence.ts";
import { applicationLooks } from "./looks-application-aws.ts";
import { cacheLooks } from "./looks-cache-aws.ts";
import { databaseLooksOf } from "./looks-database-aws.ts";
import { pastLooks } from "./looks-past-aws.ts";
import { pathLooks } from "./looks-path-aws.ts";
import { regionLooksOf } from "./looks-regions-aws.ts";
import { sessionLooks } from "./sessions-aws.ts";
import { signalsOf } from "./signals-aws.ts";

export const lookersOf = (runtime: Runtime, region: string, link: RemediatedLink): Lookers => ({
  ...fleetLooks(runtime, region, link),
  ...signalsOf(runtime, region, link),
  ...databaseLooks(runtime, region, link),
  ...sessionLooks(runtime, region, link),
  ...applicationLooks(runtime, region, link),
  ...cacheLooks(runtime, region, link),
  ...certificateLooks(runtime, region, link),
  ...databaseLooksOf(runtime, region, link),
  ...regionLooksOf(runtime, region, link),
  ...pathLooks(runtime, region, link),
  ...pastLooks(runtime, region, link),
});

const fleetLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const balancers = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  const { autoScalingGroup: AutoScalingGroupName, targetGroup: TargetGroupArn } = link;
  return {
    targets: async () => {
      const { TargetHealthDescriptions } = await balancers.send(
        new DescribeTargetHealthCommand({ TargetGroupArn }),
      );
      return (TargetHealthDescriptions ?? []).map(({ Target, TargetHealth }) => ({
        id: Target?.Id ?? "",
        state: TargetHealth?.State ?? "unknown",
        reason: TargetHealth?.Reason ?? "",
      }));
    },
    group: async (): Promise<GroupSeen> => {
      const [{ AutoScalingGroups }, { Activities }] = await Promise.all([
        scaling.send(
          new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [AutoScalingGroupName] }),
        ),
        scaling.send(
          new DescribeScalingActivitiesCommand({
            AutoScalingGroupName,
            MaxRecords: newestLaunches,
          }),
        ),
      ]);
      const group = AutoScalingGroups?.[0];
      const graceMilliseconds = 1000 * (group?.HealthCheckGracePeriod ?? 0);
      const starting = startedSince(Activities ?? [], runtime.clock.now() - graceMilliseconds);
      if (!group) throw new Error(`Auto Scaling does not know ${AutoScalingGroupName}`);
      return {
        name: AutoScalingGroupName,
        minimum: group.MinSize ?? 0,
        desired: group.DesiredCapacity ?? 0,
        maximum: group.MaxSize ?? 0,
        healthCheckType: group.HealthCheckType ?? "",
        graceSeconds: group.HealthCheckGracePeriod ?? 0,
        suspended: (group.SuspendedProcesses ?? []).flatMap(({ ProcessName }) =>
          ProcessName ? [ProcessName] : [],
        ),
        instances: (group.Instances ?? []).map((instance) => ({
          id: instance.InstanceId ?? "",
          zone: instance.AvailabilityZone ?? "",
          lifecycle: instance.LifecycleState ?? "unknown",
          healthy: instance.HealthStatus === "Healthy",
          isStarting: starting.has(instance.InstanceId ?? ""),
        })),
      };
    },
    /** The newest is first. Source: DescribeInstanceRefreshes, "sorted by creation timestamp". */
    deploy: async () => {
      const { InstanceRefreshes } = await scaling.send(
        new DescribeInstanceRefreshesCommand({ AutoScalingGroupName, MaxRecords: 1 }),
      );
      const newest = InstanceRefreshes?.[0];
      if (!newest) return null;
      return {
        id: newest.InstanceRefreshId ?? "",
        status: newest.Status ?? "unknown",
        startedAtMilliseconds: newest.StartTime?.getTime() ?? 0,
        endedAtMilliseconds: newest.EndTime?.getTime() ?? null,
      };
    },
  };
};

/** The newest come first, and no group starts more than these within its grace period. */
const newestLaunches = 100;
/** Source: "Verify a scaling activity for an Auto Scaling group", where this is the description. */
const launch = /^Launching a new EC2 instance: (i-[0-9a-f]+)/;

/** An activity of a launch ends when the instance is in service, and then its grace period begins. */
const startedSince = (activities: Activity[], since: number): Set<string> =>
  new Set(
    activities.flatMap(({ Description, StartTime, EndTime }) => {
      const id = launch.exec(Description ?? "")?.[1];
      const at = (EndTime ?? StartTime)?.getTime() ?? 0;
      return id && at > since ? [id] : [];
    }),
  );

const databaseLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const rds = new RDSClient(clientOptions(runtime, region));
  const { databaseId } = link;
  return {
    database: async () => {
      const { DBInstances } = await rds.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: databaseId }),
      );
      const instance = DBInstances?.[0];
      if (!instance) throw new Error(`RDS does not know ${databaseId} in ${region}`);
      return {
        id: databaseId,
        status: instance.DBInstanceStatus ?? "unknown",
        isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
        allocatedGigabytes: instance.AllocatedStorage ?? 0,
        maximumGigabytes: instance.MaxAllocatedStorage ?? null,
        limitGigabytes: runtime.config.sizes.database.maximumStorageGigabytes,
        instanceClass: instance.DBInstanceClass ?? "",
        storageType: instance.StorageType ?? "",
        multiAz: instance.MultiAZ ?? false,
        zone: instance.AvailabilityZone ?? "",
        // Names only: a pending value may be a password.
        pending: Object.entries(instance.PendingModifiedValues ?? {}).flatMap(([name, value]) =>
          value === undefined ? [] : [name],
        ),
      };
    },
    databaseEvents: async () => {
      const { Events } = await rds.send(
        new DescribeEventsCommand({
          SourceIdentifier: databaseId,
          SourceType: "db-instance",
          Duration: 8 * 60,
          MaxRecords: 100,
        }),
      );
      return (Events ?? []).map(({ Date: at, Message }) => ({
        atMilliseconds: at?.getTime() ?? 0,
        text: Message ?? "",
      }));
    },
  };
};
