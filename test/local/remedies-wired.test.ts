import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeInstanceRefreshesCommand,
  EnableMetricsCollectionCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  IrreversibleInstanceRefreshFault,
  RollbackInstanceRefreshCommand,
  SetInstanceHealthCommand,
  StartInstanceRefreshCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetAlarmMuteRuleCommand,
  GetMetricDataCommand,
  ListAlarmMuteRulesCommand,
  ListMetricsCommand,
  PutAlarmMuteRuleCommand,
  PutCompositeAlarmCommand,
  PutMetricAlarmCommand,
} from "@aws-sdk/client-cloudwatch";
import { expect, it } from "vitest";
import { endpoint } from "../../local/aws/endpoint.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { account, home } from "./asking.ts";
import { AutoScalingGroupName, fleetStage, ids, minute } from "./fleet-stage.ts";

/** The fleet behind the endpoint, and the SDK's own clients in front of it. */
const wired = async () => {
  const at = await fleetStage();
  const aws = endpoint(at.surroundings, at.services);
  await aws.ready();
  const options = {
    ...frugal,
    region: home,
    credentials: async () => ({ accessKeyId: `AKIA${account}`, secretAccessKey: "secret" }),
    maxAttempts: 1,
    requestHandler: inProcess(aws, home, at.timeline),
  };
  return {
    at,
    groups: new AutoScalingClient(options),
    watch: new CloudWatchClient(options),
  };
};

it("tends instances through the SDK", async () => {
  const { at, groups } = await wired();
  const [first = "", second = ""] = ids(at.inState("InService"));
  const input = { AutoScalingGroupName, InstanceIds: [first] };
  const left = await groups.send(
    new EnterStandbyCommand({ ...input, ShouldDecrementDesiredCapacity: true }),
  );
  expect(left.Activities?.[0]?.Description).toBe(`Moving EC2 instance to Standby: ${first}`);
  await at.timeline.advance(minute);
  expect((await groups.send(new ExitStandbyCommand(input))).Activities).toHaveLength(1);
  const sick = { InstanceId: second, HealthStatus: "Unhealthy" };
  await groups.send(new SetInstanceHealthCommand(sick));
  const collection = { AutoScalingGroupName, Granularity: "1Minute" };
  await groups.send(new EnableMetricsCollectionCommand(collection));
  await at.timeline.advance(3 * minute);
  const { AutoScalingGroups } = await groups.send(new DescribeAutoScalingGroupsCommand({}));
  expect(AutoScalingGroups?.[0]).toMatchObject({ DesiredCapacity: 3 });
  expect(AutoScalingGroups?.[0]?.EnabledMetrics).toHaveLength(8);
  expect(AutoScalingGroups?.[0]?.Instances?.[0]?.LaunchTemplate).toEqual({
    LaunchTemplateName: "application",
    Version: "1",
  });
});

it("rolls a refresh back through the SDK, or is told why not", async () => {
  const { at, groups } = await wired();
  const rollBack = () => groups.send(new RollbackInstanceRefreshCommand({ AutoScalingGroupName }));
  await groups.send(new StartInstanceRefreshCommand({ AutoScalingGroupName }));
  const refused = await rollBack().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(IrreversibleInstanceRefreshFault);
  at.ask("CancelInstanceRefresh", { AutoScalingGroupName });
  await at.timeline.advance(5 * minute);
  at.machine("CreateLaunchTemplateVersion", {
    LaunchTemplateName: "application",
    LaunchTemplateData: { ImageId: "ami-2" },
  });
  const LaunchTemplate = { LaunchTemplateName: "application", Version: "2" };
  await groups.send(
    new StartInstanceRefreshCommand({
      AutoScalingGroupName,
      DesiredConfiguration: { LaunchTemplate },
    }),
  );
  await at.timeline.advance(minute);
  const { InstanceRefreshId } = await rollBack();
  const { InstanceRefreshes } = await groups.send(
    new DescribeInstanceRefreshesCommand({ AutoScalingGroupName }),
  );
  expect(InstanceRefreshes?.[0]).toMatchObject({
    InstanceRefreshId,
    Status: "RollbackInProgress",
    RollbackDetails: { RollbackStartTime: expect.any(Date) },
    DesiredConfiguration: { LaunchTemplate },
  });
});

it("reads numbers, lists and mutes through the SDK", async () => {
  const { at, watch } = await wired();
  await at.users(4);
  await at.timeline.advance(minute);
  const Dimensions = [{ Name: "LoadBalancer", Value: at.suffixes.LoadBalancer }];
  const Metric = { Namespace: "AWS/ApplicationELB", MetricName: "RequestCount", Dimensions };
  const requests = {
    Id: "requests",
    MetricStat: { Metric, Period: 60, Stat: "Sum" },
    ReturnData: false,
  };
  const { MetricDataResults } = await watch.send(
    new GetMetricDataCommand({
      MetricDataQueries: [{ Id: "half", Expression: "requests / 2" }, requests],
      StartTime: new Date(at.timeline.now() - 5 * minute),
      EndTime: new Date(at.timeline.now()),
    }),
  );
  expect(MetricDataResults).toMatchObject([{ Id: "half", Values: [2], StatusCode: "Complete" }]);
  const listed = await watch.send(new ListMetricsCommand({ MetricName: "RequestCount" }));
  expect(listed.Metrics).toContainEqual(Metric);
  const Schedule = { Expression: "cron(0 2 * * SUN)", Duration: "PT4H" };
  const MuteTargets = { AlarmNames: ["errors"] };
  const mute = { Name: "weekly", Rule: { Schedule }, MuteTargets };
  await watch.send(new PutAlarmMuteRuleCommand(mute));
  const AlarmMuteRuleName = "weekly";
  const kept = await watch.send(new GetAlarmMuteRuleCommand({ AlarmMuteRuleName }));
  expect(kept).toMatchObject({
    ...mute,
    Status: "SCHEDULED",
    LastUpdatedTimestamp: expect.any(Date),
  });
  const { AlarmMuteRuleSummaries } = await watch.send(new ListAlarmMuteRulesCommand({}));
  expect(AlarmMuteRuleSummaries).toHaveLength(1);
});

it("describes math and suppressed alarms through the SDK", async () => {
  const { at, watch } = await wired();
  const stat = (Id: string) => ({
    Id,
    MetricStat: { Metric: { Namespace: "Shop", MetricName: Id }, Period: 60, Stat: "p99" },
    ReturnData: false,
  });
  await watch.send(
    new PutMetricAlarmCommand({
      AlarmName: "errors",
      Metrics: [{ Id: "rate", Expression: "a / b" }, stat("a"), stat("b")],
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: "GreaterThanThreshold",
    }),
  );
  await watch.send(
    new PutCompositeAlarmCommand({
      AlarmName: "shop",
      AlarmRule: "INSUFFICIENT_DATA(errors)",
      ActionsSuppressor: "errors",
      ActionsSuppressorWaitPeriod: 60,
      ActionsSuppressorExtensionPeriod: 60,
    }),
  );
  await at.timeline.advance(1000);
  const { MetricAlarms, CompositeAlarms } = await watch.send(
    new DescribeAlarmsCommand({ AlarmTypes: ["MetricAlarm", "CompositeAlarm"] }),
  );
  expect(MetricAlarms?.[0]).toMatchObject({
    AlarmName: "errors",
    Metrics: [{ Id: "rate", Expression: "a / b" }, { Id: "a" }, { Id: "b" }],
  });
  expect(MetricAlarms?.[0]?.MetricName).toBeUndefined();
  expect(CompositeAlarms?.[0]).toMatchObject({
    StateValue: "ALARM",
    ActionsSuppressedBy: "WaitPeriod",
    ActionsSuppressor: "errors",
  });
});
