import { describe, expect, it } from "vitest";
import { failure, home } from "./asking.ts";
import { AutoScalingGroupName, type FleetStage, fleetStage, ids, minute } from "./fleet-stage.ts";

describe("a custom health check", () => {
  it("replaces an instance that it calls unhealthy, without a smaller group", async () => {
    const at = await fleetStage();
    const [InstanceId = ""] = ids(at.inState("InService"));
    at.ask("SetInstanceHealth", { InstanceId, HealthStatus: "Unhealthy" });
    const shown = () => at.group().Instances?.find((one) => one.InstanceId === InstanceId);
    expect(shown()).toMatchObject({ LifecycleState: "InService", HealthStatus: "Unhealthy" });
    await at.timeline.advance(3 * minute);
    expect(shown()).toBeUndefined();
    expect(at.inState("InService")).toHaveLength(3);
    expect(at.healthy()).toHaveLength(3);
  });

  it("can be taken back before anybody has acted on it", async () => {
    const at = await fleetStage();
    const [InstanceId = ""] = ids(at.inState("InService"));
    at.ask("SetInstanceHealth", { InstanceId, HealthStatus: "Unhealthy" });
    at.ask("SetInstanceHealth", { InstanceId, HealthStatus: "Healthy" });
    await at.timeline.advance(3 * minute);
    expect(ids(at.inState("InService"))).toContain(InstanceId);
  });

  it("respects the grace period unless it is told not to", async () => {
    const at = await fleetStage({ HealthCheckGracePeriod: 3600 });
    const [InstanceId = ""] = ids(at.inState("InService"));
    const sick = { InstanceId, HealthStatus: "Unhealthy" };
    at.ask("SetInstanceHealth", sick);
    await at.timeline.advance(3 * minute);
    expect(ids(at.inState("InService"))).toContain(InstanceId);
    at.ask("SetInstanceHealth", { ...sick, ShouldRespectGracePeriod: false });
    await at.timeline.advance(3 * minute);
    expect(ids(at.inState("InService"))).not.toContain(InstanceId);
  });

  it("is refused for an instance that nobody manages, and for a word that is no health", async () => {
    const at = await fleetStage();
    const [InstanceId = ""] = ids(at.inState("InService"));
    const other = { InstanceId: "i-unknown", HealthStatus: "Unhealthy" };
    expect(failure(() => at.ask("SetInstanceHealth", other)).message).toContain("Instance Id not");
    const wrong = { InstanceId, HealthStatus: "Sick" };
    expect(failure(() => at.ask("SetInstanceHealth", wrong)).name).toBe("ValidationError");
  });
});

describe("standby", () => {
  it("keeps an instance for a look at it, and starts another in its place", async () => {
    const at = await fleetStage();
    const [first = ""] = ids(at.inState("InService"));
    const input = { AutoScalingGroupName, InstanceIds: [first] };
    at.ask("EnterStandby", { ...input, ShouldDecrementDesiredCapacity: false });
    await at.timeline.advance(3 * minute);
    expect(ids(at.inState("Standby"))).toEqual([first]);
    expect(at.inState("InService")).toHaveLength(3);
    expect(at.healthy().map(({ Target }) => Target.Id)).not.toContain(first);
    expect(at.group().DesiredCapacity).toBe(3);
    at.scaling.ail({ instanceId: first }, { is: "unready" });
    await at.timeline.advance(5 * minute);
    expect(ids(at.inState("Standby"))).toEqual([first]);
    at.ask("TerminateInstanceInAutoScalingGroup", {
      InstanceId: first,
      ShouldDecrementDesiredCapacity: false,
    });
    await at.timeline.advance(2 * minute);
    expect(at.group().Instances).toHaveLength(3);
  });

  it("lowers the desired capacity when asked to, but never below the minimum", async () => {
    const at = await fleetStage();
    const [first = "", second = ""] = ids(at.inState("InService"));
    const enter = (InstanceIds: string[]) => () =>
      at.ask("EnterStandby", {
        AutoScalingGroupName,
        InstanceIds,
        ShouldDecrementDesiredCapacity: true,
      });
    expect(failure(enter([first, second])).name).toBe("ValidationError");
    enter([first])();
    await at.timeline.advance(2 * minute);
    expect(at.group()).toMatchObject({ DesiredCapacity: 2 });
    expect(at.inState("InService")).toHaveLength(2);
    expect(failure(enter([second])).message).toContain("min-size=2");
    expect(failure(enter([first])).message).toContain("not in InService");
  });

  it("comes back into service behind the load balancer, and raises the desired capacity", async () => {
    const at = await fleetStage();
    const [first = ""] = ids(at.inState("InService"));
    const input = { AutoScalingGroupName, InstanceIds: [first] };
    at.ask("EnterStandby", { ...input, ShouldDecrementDesiredCapacity: true });
    await at.timeline.advance(2 * minute);
    at.ask("ExitStandby", input);
    await at.timeline.advance(3 * minute);
    expect(at.group()).toMatchObject({ DesiredCapacity: 3 });
    expect(at.healthy().map(({ Target }) => Target.Id)).toContain(first);
    expect(failure(() => at.ask("ExitStandby", input)).message).toContain("not in Standby");
  });
});

/** Seconds; the stage's group has a grace period of 120. */
const longerThanGrace = 150;

/** A refresh to version 2 of the template, whose instances never become healthy. */
const badDeploy = async (at: FleetStage, from: object = {}, InstanceWarmup = longerThanGrace) => {
  at.machine("CreateLaunchTemplateVersion", {
    LaunchTemplateName: "application",
    LaunchTemplateData: { ImageId: "ami-bad" },
  });
  at.scaling.ail({ launchTemplate: "application", templateVersion: 2 }, { is: "unready" });
  if (Object.keys(from).length > 0) {
    at.ask("UpdateAutoScalingGroup", { AutoScalingGroupName, ...from });
  }
  at.ask("StartInstanceRefresh", {
    AutoScalingGroupName,
    DesiredConfiguration: {
      LaunchTemplate: { LaunchTemplateName: "application", Version: "2" },
    },
    Preferences: { MinHealthyPercentage: 60, InstanceWarmup },
  });
  await at.timeline.advance(2 * minute);
};

const versions = (at: FleetStage) =>
  at
    .inState("InService")
    .map((one) => one.LaunchTemplate?.Version)
    .sort();

describe("a bad image", () => {
  it("stops a refresh at its first batch: the rest of the group goes on serving", async () => {
    const at = await fleetStage();
    await badDeploy(at);
    await at.timeline.advance(10 * minute);
    expect(at.refresh()).toMatchObject({ Status: "InProgress" });
    expect(at.healthy()).toHaveLength(2);
    expect(at.group().LaunchTemplate).toMatchObject({ Version: "1" });
  });

  it("takes well ones away too where its warm-up ends within the grace period", async () => {
    const at = await fleetStage();
    await badDeploy(at, {}, 0);
    await at.timeline.advance(3 * minute);
    expect(at.healthy()).toHaveLength(0);
  });

  it("is rolled back: what was replaced is replaced by the version from before", async () => {
    const at = await fleetStage();
    await badDeploy(at);
    expect(versions(at)).toEqual(["1", "1", "2"]);
    const answer = at.ask("RollbackInstanceRefresh", { AutoScalingGroupName });
    expect(answer.InstanceRefreshId).toBe(at.refresh().InstanceRefreshId);
    expect(at.refresh()).toMatchObject({
      Status: "RollbackInProgress",
      RollbackDetails: { InstancesToUpdateOnRollback: 3 },
    });
    const again = () => at.ask("RollbackInstanceRefresh", { AutoScalingGroupName });
    expect(failure(again).name).toBe("ActiveInstanceRefreshNotFoundFault");
    await at.timeline.advance(10 * minute);
    expect(at.refresh()).toMatchObject({ Status: "RollbackSuccessful" });
    expect(versions(at)).toEqual(["1", "1", "1"]);
    expect(at.healthy()).toHaveLength(3);
  });

  it("becomes the group's own when every instance is replaced and well", async () => {
    const at = await fleetStage();
    at.machine("CreateLaunchTemplateVersion", {
      LaunchTemplateName: "application",
      LaunchTemplateData: { ImageId: "ami-good" },
    });
    const LaunchTemplate = { LaunchTemplateName: "application", Version: "2" };
    at.ask("StartInstanceRefresh", {
      AutoScalingGroupName,
      DesiredConfiguration: { LaunchTemplate },
      Preferences: { MinHealthyPercentage: 60, InstanceWarmup: 0 },
    });
    await at.timeline.advance(15 * minute);
    expect(at.refresh()).toMatchObject({ Status: "Successful" });
    expect(at.group().LaunchTemplate).toEqual(LaunchTemplate);
    expect(versions(at)).toEqual(["2", "2", "2"]);
  });

  it("is not rolled back when nothing fixed is there to go back to", async () => {
    const rollBack = (at: FleetStage) =>
      failure(() => at.ask("RollbackInstanceRefresh", { AutoScalingGroupName }));
    const none = await fleetStage();
    expect(rollBack(none).name).toBe("ActiveInstanceRefreshNotFoundFault");
    none.ask("StartInstanceRefresh", { AutoScalingGroupName });
    expect(rollBack(none)).toMatchObject({
      name: "IrreversibleInstanceRefreshFault",
      message: expect.stringContaining("no desired configuration"),
    });
    const moving = await fleetStage();
    await badDeploy(moving, {
      LaunchTemplate: { LaunchTemplateName: "application", Version: "$Default" },
    });
    expect(rollBack(moving).message).toContain("$Default");
  });

  it("names its zone, its template and its instance apart", async () => {
    const at = await fleetStage();
    const [first = "", second = ""] = ids(at.inState("InService"));
    const zone = at.scaling.find(home, first)?.launched.availabilityZone ?? "";
    at.scaling.ail({ availabilityZone: zone }, { is: "deaf" });
    const illnessOf = (id: string) => {
      const found = at.scaling.find(home, id);
      return found ? at.scaling.ailmentsOf(found.launched) : undefined;
    };
    expect(illnessOf(first)).toEqual([{ is: "deaf" }]);
    expect(illnessOf(second)).toEqual([]);
  });
});
