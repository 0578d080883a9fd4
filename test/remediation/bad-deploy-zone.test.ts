import { expect, it } from "vitest";
import { alarmInput, alarmsOf } from "../../drills/alarms.ts";
import { names } from "../../drills/names.ts";
import { stage } from "./stage.ts";
import { badImage, deploy, deployStory } from "./story-application.ts";

it("rolls a bad deploy back also when its first instance makes one zone look impaired", async () => {
  const rights = { "bad-deploy": "automatic", "zone-impairment": "shadow" } as const;
  const at = await stage({ ...deployStory.options, writesPerSecond: 2, rights });
  badImage(at);
  await deploy(at);
  const passed = () => at.results().some(({ playbook }) => playbook === "zone-impairment");
  await at.until("the zone is looked at", passed);
  await at.timeline.advance(1_500_000);
  const rolledBack = at.results().find(({ playbook }) => playbook === "bad-deploy");
  expect(rolledBack).toMatchObject({ end: "done", acts: 1 });
  const { AutoScalingGroups } = await at.cloud.ask<{
    AutoScalingGroups: { Instances: { LaunchTemplate: { Version: string } }[] }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", at.region, {
    AutoScalingGroupNames: [names.group],
  });
  const versions = AutoScalingGroups[0]?.Instances.map((each) => each.LaunchTemplate.Version);
  expect(new Set(versions)).toEqual(new Set(["1"]));
});

it("does not call it worse that the minutes before the rollback leave the count only slowly", async () => {
  const rights = { "bad-deploy": "automatic" } as const;
  const at = await stage({ ...deployStory.options, writesPerSecond: 2, rights });
  const alarm = alarmsOf(at.platform, at.platform.home).find(({ name }) => name === "error-rate");
  if (!alarm) throw new Error("there is no such alarm");
  // It rings after a minute: what users get is far from its worst when the plan is made.
  const quick = alarmInput({ ...alarm, during: [1, 2] });
  await at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, quick);
  badImage(at);
  await deploy(at);
  const over = () =>
    at.results().some(({ playbook, acts }) => playbook === "bad-deploy" && acts > 0);
  await at.until("it is rolled back", over);
  const result = at.results().find(({ acts }) => acts > 0);
  expect(result).toMatchObject({ playbook: "bad-deploy", end: "done", code: "healed" });
});

it("rolls it back also in the hours in which RDS puts grown storage in order", async () => {
  const rights = { "bad-deploy": "automatic" } as const;
  const at = await stage({ ...deployStory.options, rights });
  const { databaseId } = at.platform.home;
  await at.cloud.ask("rds", "ModifyDBInstance", at.region, {
    DBInstanceIdentifier: databaseId,
    AllocatedStorage: 200,
    ApplyImmediately: true,
  });
  await at.timeline.advance(600_000);
  await deployStory.arrange(at);
  await at.until("it is rolled back", () => at.results().some(({ acts }) => acts > 0));
  expect(at.results().find(({ acts }) => acts > 0)).toMatchObject({
    playbook: "bad-deploy",
    end: "done",
  });
});
