import { expect, it } from "vitest";
import { stage } from "./stage.ts";
import { docker, memoryStory } from "./story-application.ts";

it("restarts the container of the full instance after a yes, and keeps what Docker said", async () => {
  const at = await stage(memoryStory.options);
  const { restarts, leak } = docker(at);
  const before = await at.serving();
  leak(before[0] ?? "");
  const result = await at.ended();
  expect(result).toMatchObject({ end: "done", code: "healed", acts: 1, approvedBy: ["U0ANA"] });
  expect(restarts).toEqual([before[0]]);
  expect(await at.serving()).toEqual(before);
  const entries = await at.journal(result.run);
  const evidence = entries.find(({ key }) => key === "evidence");
  expect(JSON.stringify(evidence?.data)).toContain("7.4GiB");
  expect(at.bugs).toEqual([]);
});

it("restarts it once also when the call that told it gave no answer", async () => {
  const at = await stage(memoryStory.options);
  const { restarts, leak } = docker(at);
  let sent = 0;
  at.faults.add({
    match: {
      service: "ssm",
      operation: "SendCommand",
      asks: (_call, input) => {
        const isRestart = JSON.stringify(input).includes("restart");
        sent += isRestart ? 1 : 0;
        return isRestart;
      },
    },
    kind: "timeout-after",
    times: 3,
  });
  const [full = ""] = await at.serving();
  leak(full);
  expect(await at.ended()).toMatchObject({ end: "done", code: "healed" });
  expect(sent).toBeGreaterThan(0);
  expect(restarts).toEqual([full]);
});

it("asks to replace the instance when its restart has not helped for a day", async () => {
  const at = await stage(memoryStory.options);
  const { restarts, leak } = docker(at);
  const [full = ""] = await at.serving();
  leak(full);
  await at.ended();
  await at.timeline.advance(2 * 3_600_000);
  leak(full);
  const result = await at.ended(2);
  expect(result).toMatchObject({ end: "done", deed: { do: "replace-instance" } });
  expect(restarts).toEqual([full]);
  expect(await at.serving()).not.toContain(full);
});

it("calls people when several hosts of one image are full: that is a leak", async () => {
  const at = await stage(memoryStory.options);
  const { restarts, leak } = docker(at);
  for (const id of (await at.serving()).slice(0, 2)) leak(id);
  const result = await at.ended();
  expect(result).toMatchObject({ end: "needs-human", acts: 0 });
  expect(result.notes.join(" ")).toContain("Several hosts on one image are a leak");
  expect(restarts).toEqual([]);
});
