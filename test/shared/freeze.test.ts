import { describe, expect, it } from "vitest";
import { coordination } from "../../shared/coordination.ts";
import { declareFreeze, endFreeze, readFreezes, settlingSeconds } from "../../shared/freeze.ts";
import { grantFirst } from "../../shared/lease.ts";
import { primary, tables } from "../tables.ts";

describe("a freeze", () => {
  it("is declared by one owner at a time, who alone extends and ends it", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(primary));
    await timeline.run(grantFirst(table, primary, timeline.now() - 86_400_000));
    const declare = (by: string, seconds: number) => {
      const now = timeline.now();
      const untilMilliseconds = now + seconds * 1000;
      const freeze = { what: "rotation" as const, by, reason: "why", untilMilliseconds };
      return timeline.run(declareFreeze(table, primary, freeze, now));
    };
    const end = (by: string) =>
      timeline.run(endFreeze(table, primary, { what: "rotation", by }, timeline.now()));
    const seen = async () => {
      const isUnderWay = async () => false;
      const freezes = await timeline.run(readFreezes(table, primary, timeline.now(), isUnderWay));
      return freezes.map(({ by, reason }) => `${by}: ${reason}`);
    };
    expect(await declare("first", 600)).toHaveProperty("declared");
    expect(await declare("second", 600)).toMatchObject({ refused: { code: "frozen" } });
    expect(await declare("first", 1200)).toHaveProperty("declared");
    await end("second");
    await timeline.advance(900_000);
    expect(await seen()).toEqual(["first: why"]);
    await end("first");
    // What it did can still be seen in alarms.
    expect(await seen()).toEqual(["first: why (just ended)"]);
    expect(await declare("second", 600)).toHaveProperty("declared");
    await timeline.advance((600 + settlingSeconds + 1) * 1000);
    expect(await seen()).toEqual([]);
  });
});
