import { describe, expect, it } from "vitest";
import { leaveAbort } from "../../shared/abort.ts";
import { expectRebuilt, quarantined, stage } from "./rebuild-stage.ts";
import { quick } from "./stage.ts";

const word = (at: { timeline: { now(): number } }) => ({
  by: "U0BEN",
  reason: "we look first",
  atMilliseconds: Math.floor(at.timeline.now()),
});

describe("an approval of a rebuild", () => {
  it("is asked of one other operator, with the plan and the bytes at stake in front of them", async () => {
    const at = await stage();
    const shown: string[] = [];
    at.slack.onMessage((message) => void shown.push(JSON.stringify(message.blocks)));
    await at.lostAndBack();
    await expectRebuilt(at, await at.rebuild());
    const asked = shown.find((text) => text.includes("Rebuild") && text.includes("actions"));
    expect(asked).toContain(`rename platform-eu-central-1 to ${quarantined}`);
    expect(asked).toMatch(/mind: .*bytes of it are not in the new primary/);
    expect(asked).toContain("0 of 1 approvals");
    const entries = await at.journal("rebuild-2-1");
    const approved = entries.find(({ key }) => key === "approved");
    expect(approved?.data).toEqual({ approvedBy: ["U0ANA"] });
    const keys = entries.map(({ key }) => key);
    expect(keys.indexOf("fenced")).toBeLessThan(keys.indexOf("asked"));
    expect(keys.indexOf("approved")).toBeLessThan(keys.indexOf("quarantined"));
  });

  it("that is refused ends it with nothing changed, and a second try gets a name of its own", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.replacePeople([{ user: "U0BEN", says: "reject", thinksSeconds: [0, 1] }]);
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: null });
    expect(result.notes).toEqual(["Rejected by U0BEN.", "Nothing was changed."]);
    at.replacePeople(quick);
    await expectRebuilt(at, await at.rebuild("rebuild-2-2"));
    expect((await at.journal("rebuild-2-1")).at(-1)?.kind).toBe("refused");
  });

  it("that nobody gives in time ends it with nothing changed", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.replacePeople([]);
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted" });
    expect(result.notes[0]).toBe("Nobody approved in time.");
  });

  it("does not count when the fence is not closed any more", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.replacePeople([{ user: "U0BEN", says: "approve", thinksSeconds: [100, 120] }]);
    at.timeline.after(
      60_000,
      () => void at.faults.add({ match: { operation: "DescribeSecurityGroups" }, kind: "error" }),
    );
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: null });
    expect(result.notes[0]).toContain("fence of eu-central-1 is not closed any more");
  });
});

describe("a rebuild that an operator stops", () => {
  it("while it asks changes nothing and ends", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.replacePeople([]);
    at.timeline.after(90_000, () => void leaveAbort(at.table, "rebuild-2-1", word(at)));
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: null });
    expect(result.notes[0]).toBe("Aborted by U0BEN: we look first");
  });

  it("between two steps says what is left and calls nobody; the next order goes on from there", async () => {
    const at = await stage();
    await at.lostAndBack();
    const before = at.slack.messages().filter(({ text }) => text.includes("needs a human")).length;
    at.timeline.after(400_000, () => void leaveAbort(at.table, "rebuild-2-1", word(at)));
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: quarantined });
    expect(result.notes).toEqual([
      "Aborted by U0BEN: we look first",
      expect.stringContaining(`Left: ${quarantined} in eu-central-1`),
      expect.stringContaining("Order the rebuild again"),
    ]);
    const calls = at.slack.messages().filter(({ text }) => text.includes("needs a human"));
    expect(calls).toHaveLength(before);
    await expectRebuilt(at, await at.rebuild("rebuild-2-2"));
  });
});
