import { expect, it } from "vitest";
import { expectReplaced, stage } from "./stage.ts";
import { errorStory } from "./story-application.ts";

const automatic = { "error-rate": "automatic", "unhealthy-host": "off" } as const;

it("ends the one instance whose answers are errors, once, and users are well again", async () => {
  const at = await stage(errorStory.options);
  const before = await at.serving();
  await errorStory.arrange(at);
  const result = await at.ended();
  expect(result).toMatchObject({ end: "done", code: "healed", acts: 1, unrecorded: 0 });
  expect(result.deed).toMatchObject({ target: { instance: before[0], sign: "errors" } });
  await expectReplaced(at, before[0] ?? "", before);
  expect(at.executions()).toHaveLength(1);
});

it("ends it once also when the call that ended it gave no answer", async () => {
  const at = await stage(errorStory.options);
  const before = await at.serving();
  at.faults.add({
    match: { service: "autoscaling", operation: "TerminateInstanceInAutoScalingGroup" },
    kind: "timeout-after",
    times: 3,
  });
  await errorStory.arrange(at);
  expect(await at.ended()).toMatchObject({ end: "done", code: "healed" });
  await expectReplaced(at, before[0] ?? "", before);
});

it("calls people, and ends nobody, when all instances answer with errors", async () => {
  const at = await stage({ writesPerSecond: 0.4, instances: 3, rights: automatic });
  const before = await at.serving();
  at.cloud.fleet.ail({ region: at.region }, { is: "errors" });
  const result = await at.ended();
  expect(result).toMatchObject({ end: "needs-human", acts: 0 });
  expect(result.notes.join(" ")).toContain("No instance and no zone stands out");
  expect(await at.serving()).toEqual(before);
});
