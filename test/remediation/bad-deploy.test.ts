import { expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { type Stage, stage } from "./stage.ts";
import { badImage, deploy, deployStory, refreshOf } from "./story-application.ts";

const versions = async (at: Stage): Promise<string[]> => {
  const { AutoScalingGroups } = await at.cloud.ask<{
    AutoScalingGroups: { Instances: { LaunchTemplate: { Version: string } }[] }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", at.region, {
    AutoScalingGroupNames: [names.group],
  });
  return (AutoScalingGroups[0]?.Instances ?? []).map((each) => each.LaunchTemplate.Version);
};

it("rolls back a deploy whose new instances fail users, while it is under way", async () => {
  const at = await stage(deployStory.options);
  await deployStory.arrange(at);
  const result = await at.ended();
  expect(result).toMatchObject({ end: "done", code: "healed", acts: 1, unrecorded: 0 });
  expect((await refreshOf(at))?.Status).toBe("RollbackSuccessful");
  expect(await versions(at)).toEqual(["1", "1", "1"]);
  expect(at.bugs).toEqual([]);
});

it("rolls it back once also when the call that did it gave no answer", async () => {
  const at = await stage(deployStory.options);
  at.faults.add({
    match: { service: "autoscaling", operation: "RollbackInstanceRefresh" },
    kind: "timeout-after",
    times: 3,
  });
  await deployStory.arrange(at);
  expect(await at.ended()).toMatchObject({ end: "done", code: "healed" });
  expect(await versions(at)).toEqual(["1", "1", "1"]);
});

it("looks before other playbooks while a deploy is under way, and not at all without one", async () => {
  const rights = { "bad-deploy": "automatic", "error-rate": "shadow" } as const;
  const at = await stage({ ...deployStory.options, rights });
  await deployStory.arrange(at);
  expect((await at.ended()).playbook).toBe("bad-deploy");
  const quiet = await stage({ ...deployStory.options, rights });
  quiet.cloud.fleet.ail({ region: quiet.region }, { is: "errors" });
  expect((await quiet.ended()).playbook).toBe("error-rate");
});

it("leaves a deploy alone when as many requests failed before it", async () => {
  const at = await stage(deployStory.options);
  const cure = at.cloud.fleet.ail({ region: at.region }, { is: "errors" });
  await at.timeline.advance(12 * 60_000);
  await deploy(at);
  const result = await at.ended();
  expect(result).toMatchObject({ end: "passed", acts: 0 });
  expect(result.notes.join(" ")).toContain("did before");
  cure();
});

it("calls people when it has ended before anybody noticed: then it cannot be rolled back", async () => {
  const at = await stage(deployStory.options);
  await deploy(at, { InstanceWarmup: 0 });
  await at.until("it has ended", async () => (await refreshOf(at))?.Status === "Successful");
  badImage(at);
  const result = await at.ended();
  expect(result).toMatchObject({ end: "needs-human", acts: 0 });
  expect(result.notes.join(" ")).toContain("nothing to roll back");
});
