import type { AutoScalingGroup, Instance, InstanceRefresh } from "@aws-sdk/client-auto-scaling";
import type { ServiceEvent } from "../../local/aws/alarms.ts";
import { autoscaling } from "../../local/aws/autoscaling.ts";
import { cloudwatch } from "../../local/aws/cloudwatch.ts";
import { ec2 } from "../../local/aws/ec2.ts";
import { elbv2 } from "../../local/aws/elbv2.ts";
import { balancerMetrics } from "../../local/aws/elbv2-metrics.ts";
import { publishMetrics } from "../../local/aws/platform-metrics.ts";
import { around, asking, home } from "./asking.ts";

export const AutoScalingGroupName = "application";
export const minute = 60_000;

export const ids = (instances: Instance[]) => instances.map(({ InstanceId = "" }) => InstanceId);

/** Load balancer, Auto Scaling, launch templates and CloudWatch, wired as the cloud wires them. */
const services = () => {
  const { timeline, faults, surroundings } = around();
  const machines = ec2(surroundings);
  const events: ServiceEvent[] = [];
  const watch = cloudwatch(surroundings, { emit: (_, event) => void events.push(event) });
  const counted = balancerMetrics(
    (region, id) => scaling.find(region, id)?.launched.availabilityZone,
  );
  const balancing = elbv2(surroundings, {
    send: (region, { id }, request) => scaling.send(region, id, request),
    counting: { now: timeline.now, count: counted.count },
  });
  const scaling = autoscaling(surroundings, {
    machines,
    alarmState: watch.stateOf,
    targets: balancing.targets,
    launch: async () => ({
      send: async () => {
        await timeline.sleep(20);
        return { status: 200, headers: {}, body: "well" };
      },
      stop: async () => undefined,
    }),
  });
  publishMetrics(surroundings, {
    regions: scaling.regions,
    put: watch.put,
    counted,
    balancersIn: balancing.inRegion,
    groupsIn: scaling.groupsIn,
    groupData: scaling.groupData,
    ailmentsOf: scaling.ailmentsOf,
    databaseData: async () => [],
    cacheData: async () => [],
  });
  return { timeline, faults, surroundings, machines, events, watch, balancing, scaling };
};

type Ask = ReturnType<typeof asking>;

/** What can be seen of the group from outside. */
const looks = ({ ask, lb, TargetGroupArn }: { ask: Ask; lb: Ask; TargetGroupArn: string }) => {
  const group = () =>
    (
      ask("DescribeAutoScalingGroups", { AutoScalingGroupNames: [AutoScalingGroupName] })
        .AutoScalingGroups as [AutoScalingGroup]
    )[0];
  return {
    group,
    inState: (state: string) =>
      (group().Instances ?? []).filter((one) => one.LifecycleState === state),
    healthy: () =>
      (
        lb("DescribeTargetHealth", { TargetGroupArn }).TargetHealthDescriptions as {
          Target: { Id: string };
          TargetHealth: { State: string; Reason?: string };
        }[]
      ).filter(({ TargetHealth }) => TargetHealth.State === "healthy"),
    refresh: () =>
      (
        ask("DescribeInstanceRefreshes", { AutoScalingGroupName }).InstanceRefreshes as [
          InstanceRefresh,
        ]
      )[0],
  };
};

/** One group of three behind a load balancer, five minutes old. */
export const fleetStage = async (settings: object = {}) => {
  const built = services();
  const { timeline, machines, watch, balancing, scaling } = built;
  const ask = asking(scaling.service);
  const [lb, machine, cw] = [
    asking(balancing.service),
    asking(machines.service),
    asking(watch.service),
  ];
  machine("CreateLaunchTemplate", {
    LaunchTemplateName: "application",
    LaunchTemplateData: { InstanceType: "m7g.large", ImageId: "ami-1" },
  });
  const [{ LoadBalancerArn, DNSName }] = lb("CreateLoadBalancer", { Name: "home" })
    .LoadBalancers as [{ LoadBalancerArn: string; DNSName: string }];
  const target = { Name: "app", HealthCheckPath: "/health", HealthCheckIntervalSeconds: 10 };
  const [{ TargetGroupArn }] = lb("CreateTargetGroup", target).TargetGroups as [
    { TargetGroupArn: string },
  ];
  const DefaultActions = [{ Type: "forward", TargetGroupArn }];
  lb("CreateListener", { LoadBalancerArn, Port: 80, Protocol: "HTTP", DefaultActions });
  ask("CreateAutoScalingGroup", {
    AutoScalingGroupName,
    MinSize: 2,
    MaxSize: 4,
    DesiredCapacity: 3,
    LaunchTemplate: { LaunchTemplateName: "application", Version: "1" },
    TargetGroupARNs: [TargetGroupArn],
    HealthCheckType: "ELB",
    HealthCheckGracePeriod: 120,
    ...settings,
  });
  await timeline.advance(5 * minute);
  return {
    ...built,
    services: [scaling, balancing, machines, watch].map(({ service }) => service),
    ask,
    lb,
    machine,
    cw,
    TargetGroupArn,
    suffixes: {
      LoadBalancer: LoadBalancerArn.split(":loadbalancer/")[1] ?? "",
      TargetGroup: TargetGroupArn.split(":").at(-1) ?? "",
    },
    ...looks({ ask, lb, TargetGroupArn }),
    /** So many requests of a user, one after the other, and how they ended. */
    users: async (count: number) => {
      const statuses: number[] = [];
      for (let sent = 0; sent < count; sent += 1) {
        const request = { method: "GET" as const, path: "/" };
        statuses.push((await timeline.run(balancing.serve(DNSName, request))).status);
      }
      return statuses;
    },
  };
};

export type FleetStage = Awaited<ReturnType<typeof fleetStage>>;

/** One statistic of one metric, minute by minute, oldest first. */
export const measured = (
  { cw, timeline }: Pick<FleetStage, "cw" | "timeline">,
  Namespace: string,
  MetricName: string,
  dimensions: Record<string, string>,
  Stat = "Sum",
): number[] => {
  const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
  const MetricStat = { Metric: { Namespace, MetricName, Dimensions }, Period: 60, Stat };
  const { MetricDataResults } = cw(
    "GetMetricData",
    {
      MetricDataQueries: [{ Id: "m", MetricStat }],
      StartTime: new Date(timeline.now() - 30 * minute),
      EndTime: new Date(timeline.now()),
      ScanBy: "TimestampAscending",
    },
    home,
  );
  return (MetricDataResults as [{ Values: number[] }])[0].Values;
};
