import { describe, expect, it } from "vitest";
import type { FaultKind } from "../../local/aws/faults.ts";
import { countsOf, struckLast, struckOnce } from "./faults-stage.ts";
import { tableOf, tally, wrongs } from "./faults-table.ts";

/** Real time for a few runs, on a machine that does something else as well. */
const fewRuns = 60_000;

/** `EVERY_BLOW=1` strikes each call in each way; else each in half of them, in turn. */
const isWhole = process.env.EVERY_BLOW === "1";
const table = (await tableOf("emergency")).map(({ label, faults }, row) => ({
  label,
  faults: faults.filter((_, column) => isWhole || (row + column) % 2 === 0),
}));
// Nothing that an emergency needs for a minute stops it.
const { strike, counts } = tally([]);

describe("the loss of a region with one kind of call failing for a minute", () => {
  it.each(table)(
    "is moved away from: $label",
    async ({ label, faults }) => {
      for (const fault of faults) await strike("emergency", label, fault);
    },
    fewRuns,
  );

  it("has struck every function that takes part, and every run ended done", () => {
    const functions = new Set(table.map(({ label }) => label.split("@")[0]));
    expect([...functions]).toEqual(
      expect.arrayContaining(["canary", "database", "detection", "failover", "guard", "slack"]),
    );
    expect(table.length).toBeGreaterThan(50);
    expect(counts.hits).toBeGreaterThan(3 * counts.runs);
    expect(counts.done, JSON.stringify(counts)).toBe(counts.runs);
  });
});

describe("the loss of a region with the first call of every kind failing", () => {
  it.each<FaultKind>(["throttle", "error", "timeout-before", "timeout-after", "stale"])(
    "ends done with one promotion and users served: %s",
    async (fault) => {
      for (const seed of [1, 2, 3]) {
        const run = await struckOnce("emergency", fault, seed);
        expect(wrongs(run, []), `seed ${seed}`).toEqual([]);
        expect(run.hits.length).toBeGreaterThan(fault === "stale" ? 2 : 50);
      }
    },
    fewRuns,
  );
});

describe("the loss of a region with the last call of one kind failing", () => {
  it(
    "ends done with one promotion and users served, whichever kind it is",
    async () => {
      const counts = await countsOf("emergency");
      for (const [label, last] of counts) {
        const run = await struckLast("emergency", label, last);
        expect(run.hits, `${label}, call ${last}`).toHaveLength(1);
        expect(wrongs(run, []), `${label}, call ${last}`).toEqual([]);
      }
      expect([...counts.values()].filter((times) => times > 1).length).toBeGreaterThan(20);
    },
    fewRuns,
  );
});
