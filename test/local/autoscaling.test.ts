import type { AutoScalingGroup, Instance, InstanceRefresh } from "@aws-sdk/client-auto-scaling";
import { describe, expect, it } from "vitest";
import { autoscaling } from "../../local/aws/autoscaling.ts";
import { ec2 } from "../../local/aws/ec2.ts";
import { elbv2 } from "../../local/aws/elbv2.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const AutoScalingGroupName = "application";
const minute = 60_000;

/** Auto Scaling, load balancer and EC2 as they belong together, over instances that are objects. */
const setUp = async (settings: object = {}) => {
  const { timeline, faults, surroundings } = around();
  const running = new Set<string>();
  const sick = new Set<string>();
  const problems: Error[] = [];
  const machines = ec2(surroundings);
  const balancing = elbv2(surroundings, {
    send: (region, { id }, request) => scaling.send(region, id, request),
  });
  const scaling = autoscaling(surroundings, {
    machines,
    targets: balancing.targets,
    launch: async ({ id, availabilityZone }) => {
      const problem = problems.shift();
      if (problem) throw problem;
      running.add(id);
      const answer = () => ({ status: sick.has(id) ? 503 : 200, headers: {} });
      return {
        send: async () => ({ ...answer(), body: availabilityZone }),
        stop: async () => void running.delete(id),
      };
    },
  });
  const ask = asking(scaling.service);
  const lb = asking(balancing.service);
  const LoadBalancers = lb("CreateLoadBalancer", { Name: "home" }).LoadBalancers;
  const [{ LoadBalancerArn, DNSName }] = LoadBalancers as [
    { LoadBalancerArn: string; DNSName: string },
  ];
  const target = { Name: "app", HealthCheckPath: "/health", HealthCheckIntervalSeconds: 10 };
  const TargetGroups = lb("CreateTargetGroup", target).TargetGroups;
  const [{ TargetGroupArn }] = TargetGroups as [{ TargetGroupArn: string }];
  const DefaultActions = [{ Type: "forward", TargetGroupArn }];
  lb("CreateListener", { LoadBalancerArn, Port: 80, Protocol: "HTTP", DefaultActions });
  ask("CreateAutoScalingGroup", {
    AutoScalingGroupName,
    MinSize: 1,
    MaxSize: 6,
    DesiredCapacity: 3,
    LaunchTemplate: { LaunchTemplateName: "application" },
    TargetGroupARNs: [TargetGroupArn],
    HealthCheckType: "ELB",
    HealthCheckGracePeriod: 120,
    ...settings,
  });
  const group = () => {
    const names = { AutoScalingGroupNames: [AutoScalingGroupName] };
    return (ask("DescribeAutoScalingGroups", names).AutoScalingGroups as [AutoScalingGroup])[0];
  };
  const inState = (state: string) =>
    (group().Instances ?? []).filter((one) => one.LifecycleState === state);
  await timeline.advance(3 * minute);
  return {
    timeline,
    faults,
    scaling,
    balancing,
    machines,
    ask,
    group,
    inState,
    running,
    sick,
    problems,
    DNSName,
  };
};

const ids = (instances: Instance[]) => instances.map(({ InstanceId = "" }) => InstanceId);

describe("an Auto Scaling group", () => {
  it("starts its instances in three zones and puts them behind the load balancer", async () => {
    const { inState, running, balancing, machines, DNSName } = await setUp();
    const zones = inState("InService").map(({ AvailabilityZone }) => AvailabilityZone);
    expect(zones.sort()).toEqual([`${home}a`, `${home}b`, `${home}c`]);
    expect(running.size).toBe(3);
    expect(balancing.healthy(DNSName)).toBe(true);
    const served = await balancing.serve(DNSName, { method: "GET", path: "/" });
    expect(served.status).toBe(200);
    const Filters = [{ Name: "instance-state-name", Values: ["running"] }];
    const found = asking(machines.service)("DescribeInstances", { Filters }).Reservations;
    expect(found).toHaveLength(3);
  });

  it("goes through Pending and Terminating, and is empty a minute after it is set to zero", async () => {
    const { timeline, ask, inState, group, running } = await setUp();
    ask("UpdateAutoScalingGroup", { AutoScalingGroupName, MinSize: 0, DesiredCapacity: 0 });
    await timeline.advance(10_000);
    expect(inState("Terminating")).toHaveLength(3);
    await timeline.advance(minute);
    expect(group().Instances).toEqual([]);
    expect(running.size).toBe(0);
    ask("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity: 2 });
    await timeline.advance(11_000);
    expect(inState("Pending")).toHaveLength(2);
    await timeline.advance(2 * minute);
    expect(running.size).toBe(2);
    const { Activities } = ask("DescribeScalingActivities", {
      AutoScalingGroupName,
      MaxRecords: 3,
    });
    expect(Activities).toMatchObject([{ StatusCode: "Successful" }, {}, {}]);
  });

  it("raises the desired capacity to a new minimum and lowers it to a new maximum", async () => {
    const { ask, group } = await setUp();
    ask("UpdateAutoScalingGroup", { AutoScalingGroupName, MinSize: 4 });
    expect(group().DesiredCapacity).toBe(4);
    ask("UpdateAutoScalingGroup", { AutoScalingGroupName, MinSize: 1, MaxSize: 2 });
    expect(group().DesiredCapacity).toBe(2);
  });

  it("refuses a capacity outside its bounds and names a group that does not exist", async () => {
    const { ask } = await setUp();
    const above = () => ask("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity: 7 });
    expect(failure(above)).toMatchObject({ name: "ValidationError", status: 400 });
    const beyond = { AutoScalingGroupName, MinSize: 5, DesiredCapacity: 4 };
    expect(failure(() => ask("UpdateAutoScalingGroup", beyond)).name).toBe("ValidationError");
    const other = { AutoScalingGroupName: "none", DesiredCapacity: 1 };
    expect(failure(() => ask("SetDesiredCapacity", other)).message).toContain("not found");
    const none = ask("DescribeAutoScalingGroups", { AutoScalingGroupNames: ["none"] });
    expect(none.AutoScalingGroups).toEqual([]);
    expect(ask("DescribeAutoScalingGroups", {}, standby).AutoScalingGroups).toEqual([]);
  });

  it("replaces an instance whose application is sick, and leaves the others alone", async () => {
    const { timeline, inState, running, sick } = await setUp();
    const before = ids(inState("InService"));
    sick.add(before[0] ?? "");
    await timeline.advance(5 * minute);
    const after = ids(inState("InService"));
    expect(after).toHaveLength(3);
    expect(after).not.toContain(before[0]);
    expect(after).toEqual(expect.arrayContaining(before.slice(1)));
    expect(running.size).toBe(3);
  });

  it("keeps a sick instance while its grace period lasts", async () => {
    const { timeline, inState, sick } = await setUp({ HealthCheckGracePeriod: 600 });
    const [first = ""] = ids(inState("InService"));
    sick.add(first);
    await timeline.advance(2 * minute);
    expect(ids(inState("InService"))).toContain(first);
    await timeline.advance(12 * minute);
    expect(ids(inState("InService"))).not.toContain(first);
  });

  it("tries again when an application does not start", async () => {
    const { timeline, ask, inState, running, problems } = await setUp();
    problems.push(new Error("image not found"));
    ask("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity: 4 });
    await timeline.advance(2 * minute);
    expect(running.size).toBe(3);
    await timeline.advance(4 * minute);
    expect(running.size).toBe(4);
    expect(inState("InService")).toHaveLength(4);
  });

  it("ends one instance on request, with or without a replacement", async () => {
    const { timeline, ask, inState, group } = await setUp();
    const [first, second] = ids(inState("InService"));
    ask("TerminateInstanceInAutoScalingGroup", {
      InstanceId: first,
      ShouldDecrementDesiredCapacity: true,
    });
    await timeline.advance(3 * minute);
    expect(group()).toMatchObject({ DesiredCapacity: 2 });
    expect(inState("InService")).toHaveLength(2);
    ask("TerminateInstanceInAutoScalingGroup", {
      InstanceId: second,
      ShouldDecrementDesiredCapacity: false,
    });
    await timeline.advance(3 * minute);
    expect(inState("InService")).toHaveLength(2);
    expect(ids(inState("InService"))).not.toContain(second);
  });
});

describe("a region that dies", () => {
  it("loses every process at once and gets new instances when it comes back", async () => {
    const { timeline, faults, scaling, inState, running } = await setUp();
    const before = ids(inState("InService"));
    faults.set(home, "dead");
    await scaling.onRegionChange(home, "dead");
    expect(running.size).toBe(0);
    await timeline.advance(10 * minute);
    expect(running.size).toBe(0);
    faults.set(home, "up");
    await scaling.onRegionChange(home, "up");
    await timeline.advance(3 * minute);
    expect(running.size).toBe(3);
    expect(ids(inState("InService")).filter((id) => before.includes(id))).toEqual([]);
  });

  it("starts nothing that was on its way when it died, or when the cloud was closed", async () => {
    const { timeline, faults, scaling, ask, running } = await setUp();
    ask("SetDesiredCapacity", { AutoScalingGroupName, DesiredCapacity: 6 });
    await timeline.advance(15_000);
    faults.set(home, "dead");
    await scaling.onRegionChange(home, "dead");
    await timeline.advance(10 * minute);
    expect(running.size).toBe(0);
    faults.set(home, "up");
    await scaling.onRegionChange(home, "up");
    await timeline.advance(15_000);
    await scaling.close();
    await timeline.advance(10 * minute);
    expect(running.size).toBe(0);
  });

  it("gives the same instances for the same seed", async () => {
    const [one, two] = [await setUp(), await setUp()];
    expect(one.group()).toEqual(two.group());
  });
});

describe("an instance refresh", () => {
  const refreshing = async (Preferences: object = {}) => {
    const at = await setUp();
    const before = ids(at.inState("InService"));
    const lookAt = () => {
      const { InstanceRefreshes } = at.ask("DescribeInstanceRefreshes", { AutoScalingGroupName });
      return (InstanceRefreshes as [InstanceRefresh])[0];
    };
    const start = () => at.ask("StartInstanceRefresh", { AutoScalingGroupName, Preferences });
    /** The fewest and the most instances that served at any time until it has ended. */
    const untilEnded = async () => {
      const serving = [];
      for (let step = 0; step < 1000 && lookAt().EndTime === undefined; step += 1) {
        await at.timeline.advance(5000);
        serving.push(at.running.size);
      }
      return { fewest: Math.min(...serving), most: Math.max(...serving) };
    };
    return { ...at, before, lookAt, start, untilEnded };
  };

  it("replaces every instance, one at a time, and stays within the minimum healthy percentage", async () => {
    const at = await refreshing({ MinHealthyPercentage: 60, InstanceWarmup: 30 });
    at.start();
    expect(at.lookAt()).toMatchObject({ Status: "Pending", PercentageComplete: 0 });
    expect(await at.untilEnded()).toEqual({ fewest: 2, most: 3 });
    const after = ids(at.inState("InService"));
    expect(after).toHaveLength(3);
    expect(after.filter((id) => at.before.includes(id))).toEqual([]);
    expect(at.lookAt()).toMatchObject({
      Status: "Successful",
      PercentageComplete: 100,
      InstancesToUpdate: 0,
    });
  });

  it("launches before it terminates when all have to stay healthy", async () => {
    const at = await refreshing({ MinHealthyPercentage: 100, InstanceWarmup: 0 });
    at.start();
    expect(await at.untilEnded()).toEqual({ fewest: 3, most: 4 });
    expect(at.group()).toMatchObject({ DesiredCapacity: 3 });
    expect(ids(at.inState("InService")).filter((id) => at.before.includes(id))).toEqual([]);
    await at.timeline.advance(3 * minute);
    expect(at.running.size).toBe(3);
  });

  it("replaces all at once when none has to stay healthy", async () => {
    const at = await refreshing({ MinHealthyPercentage: 0, InstanceWarmup: 0 });
    at.start();
    expect((await at.untilEnded()).fewest).toBe(0);
    expect(at.running.size).toBe(3);
  });

  it("goes on to the next only when the new one is healthy and warm", async () => {
    const at = await refreshing({ MinHealthyPercentage: 60, InstanceWarmup: 600 });
    at.start();
    await at.timeline.advance(9 * minute);
    expect(ids(at.inState("InService")).filter((id) => at.before.includes(id))).toHaveLength(2);
    expect(at.lookAt()).toMatchObject({ Status: "InProgress", InstancesToUpdate: 3 });
    await at.timeline.advance(4 * minute);
    expect(at.lookAt()).toMatchObject({ InstancesToUpdate: 2, PercentageComplete: 33 });
    expect(ids(at.inState("InService")).filter((id) => at.before.includes(id))).toHaveLength(1);
  });

  it("is refused while another one is under way, and in a form that is not modelled", async () => {
    const at = await refreshing();
    at.start();
    expect(failure(at.start).name).toBe("InstanceRefreshInProgressFault");
    const other = { AutoScalingGroupName, Preferences: { CheckpointDelay: 60 } };
    expect(failure(() => at.ask("StartInstanceRefresh", other)).message).toContain(
      "CheckpointDelay is not modelled",
    );
  });

  it("can be cancelled: what was replaced stays replaced, and the rest stays", async () => {
    const at = await refreshing({ MinHealthyPercentage: 60, InstanceWarmup: 0 });
    const cancel = () => at.ask("CancelInstanceRefresh", { AutoScalingGroupName });
    expect(failure(cancel).name).toBe("ActiveInstanceRefreshNotFoundFault");
    at.start();
    await at.timeline.advance(30_000);
    cancel();
    expect(at.lookAt()).toMatchObject({ Status: "Cancelling" });
    await at.untilEnded();
    expect(at.lookAt()).toMatchObject({ Status: "Cancelled" });
    const kept = () => ids(at.inState("InService")).filter((id) => at.before.includes(id));
    expect(kept()).toHaveLength(2);
    await at.timeline.advance(10 * minute);
    expect(kept()).toHaveLength(2);
    expect(at.running.size).toBe(3);
    at.start();
    await at.untilEnded();
    expect(kept()).toEqual([]);
  });
});
