import { expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { stage } from "./stage.ts";
import { badImage, deploy, deployStory } from "./story-application.ts";

it("rolls a bad deploy back also when its first instance makes one zone look impaired", async () => {
  const rights = { "bad-deploy": "automatic", "zone-impairment": "shadow" } as const;
  const at = await stage({ ...deployStory.options, writesPerSecond: 2, rights });
  // The alarm of the zone is sure before the one of all users: whoever is asked first must not hold it up.
  await at.cloud.ask("cloudwatch", "DisableAlarmActions", at.region, {
    AlarmNames: ["nightshift-error-rate"],
  });
  badImage(at);
  await deploy(at);
  const passed = () => at.results().some(({ playbook }) => playbook === "zone-impairment");
  await at.until("the zone is looked at", passed);
  await at.cloud.ask("cloudwatch", "EnableAlarmActions", at.region, {
    AlarmNames: ["nightshift-error-rate"],
  });
  await at.timeline.advance(900_000);
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
