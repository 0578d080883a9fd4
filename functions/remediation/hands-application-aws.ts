import {
  AutoScalingClient,
  DescribeInstanceRefreshesCommand,
  RollbackInstanceRefreshCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { ApplicationHands } from "./actions-application.ts";
import type { RemediatedLink } from "./aws.ts";
import { change } from "./bounds.ts";
import { groupNamed, templateIn } from "./looks-application-aws.ts";
import { commandsOn } from "./machine-aws.ts";

/** The calls of `actions-application.ts`. */
export const applicationHands = (
  runtime: Runtime,
  region: string,
  link: RemediatedLink,
): ApplicationHands => {
  const scaling = new AutoScalingClient(clientOptions(runtime, region));
  const changing = new AutoScalingClient(clientOptions(runtime, region, change));
  const balancers = new ElasticLoadBalancingV2Client(clientOptions(runtime, region));
  const { inspect, restart } = commandsOn(runtime, region, link);
  const target = async (Id: string) => {
    const { TargetHealthDescriptions = [] } = await balancers.send(
      new DescribeTargetHealthCommand({
        TargetGroupArn: link.targetGroup,
        Include: ["AnomalyDetection"],
      }),
    );
    return TargetHealthDescriptions.find(({ Target }) => Target?.Id === Id);
  };
  const templateOf = (group: Awaited<ReturnType<typeof groupNamed>>): string => {
    const { LaunchTemplateName, LaunchTemplateId, Version } = templateIn(group) ?? {};
    return `${LaunchTemplateName ?? LaunchTemplateId} ${Version}`;
  };
  return {
    refresh: async (AutoScalingGroupName) => {
      const [group, { InstanceRefreshes }] = await Promise.all([
        groupNamed(scaling, AutoScalingGroupName, region),
        scaling.send(new DescribeInstanceRefreshesCommand({ AutoScalingGroupName, MaxRecords: 1 })),
      ]);
      const newest = InstanceRefreshes?.[0];
      return {
        id: newest?.InstanceRefreshId ?? null,
        status: newest?.Status ?? "unknown",
        minimum: group.MinSize ?? 0,
        desired: group.DesiredCapacity ?? 0,
        maximum: group.MaxSize ?? 0,
        launchTemplate: templateOf(group),
      };
    },
    // It names the group and not the refresh: that it is still the one of the plan was looked at just before.
    rollbackRefresh: async (AutoScalingGroupName) => {
      await changing.send(new RollbackInstanceRefreshCommand({ AutoScalingGroupName }));
    },
    container: async (name, id) => {
      const [group, found] = await Promise.all([groupNamed(scaling, name, region), target(id)]);
      const member = group.Instances?.find(({ InstanceId }) => InstanceId === id);
      const isThere = member?.LifecycleState === "InService";
      const startedAt = isThere ? (await inspect(id)).startedAt : null;
      return {
        lifecycle: member?.LifecycleState ?? null,
        target: found?.TargetHealth?.State ?? null,
        startedAt,
        launchTemplate: templateOf(group),
      };
    },
    restartContainer: restart,
    isAnomalous: async (id) => (await target(id))?.AnomalyDetection?.Result === "anomalous",
  };
};
