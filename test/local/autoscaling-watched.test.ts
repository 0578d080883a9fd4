import type { RefreshPreferences } from "@aws-sdk/client-auto-scaling";
import { describe, expect, it } from "vitest";
import { failure } from "./asking.ts";
import { AutoScalingGroupName, type FleetStage, fleetStage, minute } from "./fleet-stage.ts";

const launchTemplate = (Version: string) => ({ LaunchTemplateName: "application", Version });

/** A group of three with a second version of its template, and one alarm that is well. */
const prepared = async (settings: object = {}) => {
  const at = await fleetStage(settings);
  at.machine("CreateLaunchTemplateVersion", {
    LaunchTemplateName: "application",
    LaunchTemplateData: { ImageId: "ami-2" },
  });
  at.cw("PutMetricAlarm", {
    AlarmName: "errors",
    Namespace: "Test",
    MetricName: "errors",
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 1,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "notBreaching",
  });
  return at;
};

const begin = (at: FleetStage, preferences: RefreshPreferences, version: string | null = "2") =>
  at.ask("StartInstanceRefresh", {
    AutoScalingGroupName,
    ...(version ? { DesiredConfiguration: { LaunchTemplate: launchTemplate(version) } } : {}),
    Preferences: { MinHealthyPercentage: 60, InstanceWarmup: 0, ...preferences },
  });

const raise = (at: FleetStage) =>
  at.cw("SetAlarmState", { AlarmName: "errors", StateValue: "ALARM", StateReason: "of the test" });

const versions = (at: FleetStage) =>
  at
    .inState("InService")
    .map((one) => one.LaunchTemplate?.Version)
    .sort();

const watched = { AutoRollback: true, AlarmSpecification: { Alarms: ["errors"] } };

describe("a refresh that is watched by alarms", () => {
  it("goes back to the version from before by itself when one of them is raised", async () => {
    const at = await prepared();
    begin(at, watched);
    await at.timeline.advance(3 * minute);
    expect(versions(at)).toContain("2");
    raise(at);
    await at.timeline.advance(10_000);
    expect(at.refresh()).toMatchObject({
      Status: "RollbackInProgress",
      RollbackDetails: { RollbackReason: expect.stringContaining("errors") },
    });
    await at.timeline.advance(15 * minute);
    expect(at.refresh()).toMatchObject({ Status: "RollbackSuccessful" });
    expect(versions(at)).toEqual(["1", "1", "1"]);
    expect(at.group().LaunchTemplate).toEqual(launchTemplate("1"));
  });

  it("goes back while it bakes, when every instance is new already", async () => {
    const at = await prepared();
    begin(at, { ...watched, BakeTime: 1800 });
    await at.timeline.advance(15 * minute);
    expect(at.refresh()).toMatchObject({ Status: "Baking", PercentageComplete: 100 });
    expect(at.group().LaunchTemplate).toEqual(launchTemplate("1"));
    raise(at);
    await at.timeline.advance(20 * minute);
    expect(at.refresh()).toMatchObject({ Status: "RollbackSuccessful" });
    expect(versions(at)).toEqual(["1", "1", "1"]);
  });

  it("only fails when it was not told to go back", async () => {
    const at = await prepared();
    begin(at, { AlarmSpecification: { Alarms: ["errors"] } });
    await at.timeline.advance(3 * minute);
    raise(at);
    await at.timeline.advance(10_000);
    expect(at.refresh()).toMatchObject({
      Status: "Failed",
      StatusReason: expect.stringContaining("errors"),
    });
    expect(versions(at)).toContain("2");
  });

  it("goes back to the broken version when the group was given it before: so nobody may", async () => {
    const at = await prepared();
    at.ask("UpdateAutoScalingGroup", { AutoScalingGroupName, LaunchTemplate: launchTemplate("2") });
    begin(at, watched);
    await at.timeline.advance(3 * minute);
    raise(at);
    await at.timeline.advance(20 * minute);
    expect(at.refresh()).toMatchObject({ Status: "RollbackSuccessful" });
    expect(versions(at)).toContain("2");
  });
});

describe("a refresh that bakes", () => {
  it("ends after its bake time, and only then is the version the group's own", async () => {
    const at = await prepared();
    begin(at, { ...watched, BakeTime: 600 });
    await at.timeline.advance(12 * minute);
    expect(at.refresh()).toMatchObject({ Status: "Baking" });
    await at.timeline.advance(12 * minute);
    expect(at.refresh()).toMatchObject({ Status: "Successful" });
    expect(at.group().LaunchTemplate).toEqual(launchTemplate("2"));
  });

  it("blocks the next one, and can be cancelled", async () => {
    const at = await prepared();
    begin(at, { BakeTime: 3600 });
    await at.timeline.advance(15 * minute);
    expect(failure(() => begin(at, {})).name).toBe("InstanceRefreshInProgressFault");
    at.ask("CancelInstanceRefresh", { AutoScalingGroupName });
    await at.timeline.advance(minute);
    expect(at.refresh()).toMatchObject({ Status: "Cancelled" });
  });
});

describe("a refresh", () => {
  it("leaves alone what matches already, when it is told to", async () => {
    const at = await prepared();
    const before = at.group().Instances?.map(({ InstanceId }) => InstanceId);
    begin(at, { SkipMatching: true }, "1");
    await at.timeline.advance(minute);
    expect(at.refresh()).toMatchObject({ Status: "Successful" });
    expect(at.group().Instances?.map(({ InstanceId }) => InstanceId)).toEqual(before);
  });

  it("never has fewer instances in service than there were, with 100 % and some above", async () => {
    const at = await prepared();
    begin(at, { MinHealthyPercentage: 100, MaxHealthyPercentage: 167, InstanceWarmup: 150 });
    const [healthy, present]: [number[], number[]] = [[], []];
    for (let step = 0; step < 120; step += 1) {
      await at.timeline.advance(10_000);
      healthy.push(at.healthy().length);
      present.push(at.inState("Pending").length + at.inState("InService").length);
    }
    expect(at.refresh()).toMatchObject({ Status: "Successful" });
    expect(Math.min(...healthy)).toBe(3);
    expect(Math.max(...present)).toBe(5);
  });

  it.each<[string, RefreshPreferences, string | null, RegExp]>([
    [
      "nothing to go back from",
      { AutoRollback: true },
      null,
      /DesiredConfiguration parameter is e/,
    ],
    ["an alarm nobody made", { AlarmSpecification: { Alarms: ["no"] } }, "2", /do not exist: no/],
    [
      "more alarms than ten",
      { AlarmSpecification: { Alarms: Array(11).fill("errors") } },
      "2",
      /10/,
    ],
    ["a bake time of days", { BakeTime: 172_801 }, "2", /172800/],
  ])("is refused with %s", async (_, preferences, version, says) => {
    const at = await prepared();
    expect(failure(() => begin(at, preferences, version))).toMatchObject({
      name: "ValidationError",
      message: expect.stringMatching(says),
    });
  });

  it("that could not go back is refused for a group without a version by its number", async () => {
    const at = await prepared({ LaunchTemplate: launchTemplate("$Default") });
    expect(failure(() => begin(at, watched)).message).toContain("$Default");
  });

  it("says what of it is not modelled", async () => {
    const at = await prepared();
    const message = failure(() => begin(at, { CheckpointDelay: 60 })).message;
    expect(message).toContain("CheckpointDelay is not modelled");
  });
});
