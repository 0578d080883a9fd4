import { describe, expect, it } from "vitest";
import { breaches } from "./invariants.ts";
import { plantedBugs } from "./plants.ts";
import { calm, simulateVerifications } from "./simulate.ts";

const minute = 60_000;

describe("a night of restore tests", () => {
  it("ends with one that is green and nothing left when nothing befalls it", async () => {
    const { night } = await simulateVerifications({ seed: "calm", ...calm });
    expect(breaches(night)).toEqual([]);
    expect(night.runs).toMatchObject([{ end: "verified", records: 1 }]);
    expect(night.copies).toEqual([]);
  });

  // 6: a stranger, and many kills; 15: the backups are gone; 22: a pause, and the key is disabled.
  it.each([6, 15, 22])(
    "breaks no invariant, whatever seed %i draws",
    async (seed) => {
      const { night } = await simulateVerifications({ seed });
      expect(breaches(night)).toEqual([]);
      expect(night.runs.length).toBeGreaterThan(1);
      if (night.scenario.damage) expect(night.runs.map(({ end }) => end)).toContain("red");
    },
    minute,
  );

  it(
    "is the same again for the same seed",
    async () => {
      const first = await simulateVerifications({ seed: 5 });
      const again = await simulateVerifications({ seed: 5 });
      expect(again.trace).toEqual(first.trace);
      expect(first.trace.length).toBeGreaterThan(50);
    },
    minute,
  );
});

describe("a planted bug", () => {
  it.each(plantedBugs)("is found when Nightshift $name ($risk)", async (bug) => {
    const { risk, plant, scenario } = bug;
    const { night } = await simulateVerifications({ ...calm, seed: 1, plant, scenario });
    expect(breaches(night).map((breach) => breach.risk)).toContain(risk);
  });
});
