import { describe, expect, it } from "vitest";
import { home } from "./asking.ts";
import { AutoScalingGroupName, fleetStage, ids, measured, minute } from "./fleet-stage.ts";

const balancer = "AWS/ApplicationELB";

describe("metrics of a load balancer", () => {
  it("counts requests, tells targets' errors from its own, and leaves health checks out", async () => {
    const at = await fleetStage();
    const { LoadBalancer, TargetGroup } = at.suffixes;
    const [first = ""] = ids(at.inState("InService"));
    at.scaling.ail({ instanceId: first }, { is: "errors" });
    expect((await at.users(30)).filter((status) => status === 500)).toHaveLength(10);
    await at.timeline.advance(minute);
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    const count = (name: string, dimensions: Record<string, string>) =>
      sum(measured(at, balancer, name, dimensions));
    expect(count("RequestCount", { LoadBalancer })).toBe(30);
    expect(count("RequestCount", { LoadBalancer, TargetGroup })).toBe(30);
    expect(count("HTTPCode_Target_5XX_Count", { LoadBalancer })).toBe(10);
    expect(count("HTTPCode_Target_2XX_Count", { LoadBalancer, TargetGroup })).toBe(20);
    const zone = at.scaling.find(home, first)?.launched.availabilityZone ?? "";
    expect(count("HTTPCode_Target_5XX_Count", { LoadBalancer, AvailabilityZone: zone })).toBe(10);
    expect(measured(at, balancer, "HTTPCode_ELB_5XX_Count", { LoadBalancer })).toEqual([]);
  });

  it("answers 504 itself for an instance that hangs, after a minute", async () => {
    const at = await fleetStage({ HealthCheckType: "EC2" });
    const { LoadBalancer } = at.suffixes;
    at.scaling.ail({ region: home }, { is: "hangs" });
    expect(await at.users(1)).toEqual([504]);
    await at.timeline.advance(2 * minute);
    expect(measured(at, balancer, "HTTPCode_ELB_5XX_Count", { LoadBalancer })).toEqual([1]);
    expect(measured(at, balancer, "HTTPCode_ELB_504_Count", { LoadBalancer })).toEqual([1]);
    expect(measured(at, balancer, "TargetResponseTime", { LoadBalancer }, "p95")).toEqual([]);
    const reasons = at.lb("DescribeTargetHealth", { TargetGroupArn: at.TargetGroupArn });
    expect(reasons.TargetHealthDescriptions).toContainEqual(
      expect.objectContaining({
        TargetHealth: expect.objectContaining({ State: "unhealthy", Reason: "Target.Timeout" }),
      }),
    );
  });

  it("shows one slow instance of three in the ninety-fifth percentile and not in the median", async () => {
    const at = await fleetStage();
    const { LoadBalancer } = at.suffixes;
    const [first = ""] = ids(at.inState("InService"));
    at.scaling.ail({ instanceId: first }, { is: "slow", milliseconds: 1480 });
    await at.users(12);
    await at.timeline.advance(minute);
    const seconds = (statistic: string) =>
      measured(at, balancer, "TargetResponseTime", { LoadBalancer }, statistic);
    expect(seconds("p50")).toEqual([0.02]);
    expect(seconds("p95")).toEqual([1.5]);
  });

  it("counts hosts by group and by zone, and a draining one as neither well nor ill", async () => {
    const at = await fleetStage({ HealthCheckType: "EC2" });
    const [first = "", second = ""] = ids(at.inState("InService"));
    at.scaling.ail({ instanceId: first }, { is: "unready" });
    at.lb("DeregisterTargets", { TargetGroupArn: at.TargetGroupArn, Targets: [{ Id: second }] });
    await at.timeline.advance(2 * minute);
    const latest = (name: string, more: Record<string, string> = {}) =>
      measured(at, balancer, name, { ...at.suffixes, ...more }, "Maximum").at(-1);
    expect(latest("HealthyHostCount")).toBe(1);
    expect(latest("UnHealthyHostCount")).toBe(1);
    const AvailabilityZone = at.scaling.find(home, first)?.launched.availabilityZone ?? "";
    expect(latest("HealthyHostCount", { AvailabilityZone })).toBe(0);
    expect(latest("UnHealthyHostCount", { AvailabilityZone })).toBe(1);
  });
});

describe("metrics of a group", () => {
  it("publishes nothing before it is asked to, and then each minute", async () => {
    const at = await fleetStage();
    const inService = () =>
      measured(at, "AWS/AutoScaling", "GroupInServiceInstances", { AutoScalingGroupName });
    expect(inService()).toEqual([]);
    at.ask("EnableMetricsCollection", { AutoScalingGroupName, Granularity: "1Minute" });
    expect(at.group().EnabledMetrics).toContainEqual({
      Metric: "GroupDesiredCapacity",
      Granularity: "1Minute",
    });
    await at.timeline.advance(2 * minute);
    expect(inService()).toEqual([3, 3]);
    at.ask("DisableMetricsCollection", {
      AutoScalingGroupName,
      Metrics: ["GroupInServiceInstances"],
    });
    await at.timeline.advance(2 * minute);
    expect(inService()).toEqual([3, 3]);
  });

  it("shows the memory of an instance that leaks among those of its group", async () => {
    const at = await fleetStage();
    const memory = (statistic: string) =>
      measured(at, "CWAgent", "mem_used_percent", { AutoScalingGroupName }, statistic).at(-1);
    expect(memory("Maximum")).toBe(45);
    const [instanceId = ""] = ids(at.inState("InService"));
    const heal = at.scaling.ail({ instanceId }, { is: "leaks", memoryPercent: 96 });
    await at.timeline.advance(minute);
    expect(memory("Maximum")).toBe(96);
    expect(memory("Average")).toBe(62);
    heal();
    await at.timeline.advance(minute);
    expect(memory("Maximum")).toBe(45);
  });

  it("shows which instance it is, as its agent does", async () => {
    const at = await fleetStage();
    const [sick = "", well = ""] = ids(at.inState("InService"));
    at.scaling.ail({ instanceId: sick }, { is: "leaks", memoryPercent: 96 });
    await at.timeline.advance(minute);
    const memory = (InstanceId: string) =>
      measured(at, "CWAgent", "mem_used_percent", { AutoScalingGroupName, InstanceId }, "Maximum");
    expect([memory(sick).at(-1), memory(well).at(-1)]).toEqual([96, 45]);
  });

  it("finds the target anomalous that answers with errors, among three that serve", async () => {
    const at = await fleetStage();
    const { TargetGroupArn } = at;
    const anomalous = (Include: string[]) =>
      (
        at.lb("DescribeTargetHealth", { TargetGroupArn, Include }).TargetHealthDescriptions as {
          Target: { Id: string };
          AnomalyDetection?: { Result: string };
        }[]
      ).flatMap(({ Target, AnomalyDetection }) =>
        AnomalyDetection?.Result === "anomalous" ? [Target.Id] : [],
      );
    const [bad = ""] = ids(at.inState("InService"));
    const heal = at.scaling.ail({ instanceId: bad }, { is: "errors" });
    await at.users(30);
    expect(anomalous([])).toEqual([]);
    expect(anomalous(["AnomalyDetection"])).toEqual([bad]);
    heal();
    await at.timeline.advance(3 * minute);
    await at.users(30);
    expect(anomalous(["AnomalyDetection"])).toEqual([]);
  });

  it("publishes nothing of a dead region", async () => {
    const at = await fleetStage();
    const before = measured(at, "CWAgent", "mem_used_percent", { AutoScalingGroupName });
    at.faults.set(home, "dead");
    await at.scaling.onRegionChange(home, "dead");
    await at.timeline.advance(3 * minute);
    const after = measured(at, "CWAgent", "mem_used_percent", { AutoScalingGroupName });
    expect(after).toEqual(before);
  });
});

it("raises an error-rate alarm on metric math over what the load balancer counts", async () => {
  const at = await fleetStage();
  const Dimensions = [{ Name: "LoadBalancer", Value: at.suffixes.LoadBalancer }];
  const query = (Id: string, MetricName: string) => ({
    Id,
    MetricStat: {
      Metric: { Namespace: balancer, MetricName, Dimensions },
      Period: 60,
      Stat: "Sum",
    },
    ReturnData: false,
  });
  at.cw("PutMetricAlarm", {
    AlarmName: "platform-errors",
    Metrics: [
      {
        Id: "result",
        Expression: "100 * (FILL(application, 0) + FILL(balancer, 0)) / FILL(requests, 1)",
        Label: "errors in percent",
      },
      query("application", "HTTPCode_Target_5XX_Count"),
      query("balancer", "HTTPCode_ELB_5XX_Count"),
      query("requests", "RequestCount"),
    ],
    EvaluationPeriods: 2,
    DatapointsToAlarm: 2,
    Threshold: 1,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "notBreaching",
  });
  const state = () =>
    (at.cw("DescribeAlarms", {}).MetricAlarms as { StateValue: string }[])[0]?.StateValue;
  await at.timeline.advance(2 * minute);
  expect(state()).toBe("OK");
  const [instanceId = ""] = ids(at.inState("InService"));
  const heal = at.scaling.ail({ instanceId }, { is: "errors" });
  for (let passed = 0; passed < 3; passed += 1) {
    await at.users(6);
    await at.timeline.advance(minute);
  }
  expect(state()).toBe("ALARM");
  expect(at.events.at(-1)).toMatchObject({
    detail: {
      alarmName: "platform-errors",
      configuration: {
        metrics: [
          { id: "result", expression: expect.stringContaining("FILL"), label: "errors in percent" },
          {
            id: "application",
            returnData: false,
            metricStat: { metric: { namespace: balancer }, period: 60, stat: "Sum" },
          },
          { id: "balancer" },
          { id: "requests" },
        ],
      },
      state: { value: "ALARM", reasonData: expect.not.stringContaining("statistic") },
    },
  });
  heal();
  await at.timeline.advance(3 * minute);
  expect(state()).toBe("OK");
});
