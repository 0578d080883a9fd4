import { describe, expect, it } from "vitest";
import { approvesQuickly, expectReplaced, stage } from "./stage.ts";

const minutes = 60;

describe("an instance that fails its health checks and that its group leaves alone", () => {
  it("is replaced by its alarm alone, once, and the repair proves itself", async () => {
    const at = await stage();
    const before = await at.serving();
    const since = at.timeline.now();
    const { ids } = await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "done", code: "healed", acts: 1, unrecorded: 0 });
    await expectReplaced(at, ids[0] ?? "", before);
    // Five minutes until the alarm, and then the launch, the boot and two minutes of proof.
    expect((at.timeline.now() - since) / 1000).toBeLessThan(20 * minutes);
    expect(result.run).toBe(`remediation-${at.region}-${(await at.incident())?.id}-1`);
  });

  it("is one message in Slack, from what was seen to what came of it", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" }, people: [approvesQuickly] });
    const { ids } = await at.sicken();
    await at.ended();
    const all = at.slack.messages().filter(({ threadTs, onlyFor }) => !threadTs && !onlyFor);
    // The question calls people, which a message that is changed cannot do.
    const messages = all.filter(({ text }) => !text.includes("May this be done"));
    expect(all).toHaveLength(2);
    expect(messages).toHaveLength(1);
    const said = JSON.stringify(messages[0]?.blocks);
    expect(messages[0]?.text).toContain("Repaired");
    for (const part of [
      "one-sick-host",
      ids[0] ?? "",
      "Approved by U0ANA",
      "4 serve (before: 3)",
    ]) {
      expect(said).toContain(part);
    }
  });

  it("has what was seen in the journal before it is touched", async () => {
    const at = await stage();
    const { ids } = await at.sicken();
    const { run } = await at.ended();
    const keys = (await at.journal(run)).map(({ key }) => key);
    expect(keys).toEqual(["begin", "evidence", "diagnosis", "deed", "acted", "end"]);
    const evidence = (await at.journal(run)).find(({ key }) => key === "evidence");
    expect(JSON.stringify(evidence?.data)).toContain(ids[0]);
  });
});
