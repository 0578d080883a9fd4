import { describe, expect, it } from "vitest";
import { breaches } from "./invariants.ts";
import { plantedBugs } from "./plants.ts";
import kept from "./seeds.json" with { type: "json" };
import { calm, type Night, type Repairs, simulateRepairs } from "./simulate.ts";
import { sometimes } from "./sometimes.ts";
import { staged } from "./staged.ts";

/** Real time, on a machine that does something else as well. */
const minutes = 60_000;

/** What a night broke, with the command that shows it again; empty when all held. */
const broken = (night: Night): string[] =>
  breaches(night).map(
    ({ risk, what }) =>
      `${risk}: ${what} (npm run simulate -- --repairs --seed ${night.seed} --runs 1 --trace)`,
  );

const traceOf = async (wanted: Repairs) => (await simulateRepairs(wanted)).trace.join("\n");

describe("nights of alarms among faults, crashes and people", () => {
  const seeds = 18;

  it(
    `break no invariant and meet all that they are about, over ${seeds} seeds and ${staged.length} stories`,
    async () => {
      const missing = new Set(sometimes);
      const failures: string[] = [];
      const stories: Repairs[] = [
        ...Array.from({ length: seeds }, (_, index) => ({ seed: index + 1 })),
        ...staged.map(({ what, ...story }) => ({ ...calm, ...story, seed: what })),
      ];
      for (const story of stories) {
        const { night } = await simulateRepairs(story);
        failures.push(...broken(night));
        for (const each of missing) if (each.happened(night)) missing.delete(each);
      }
      expect(failures).toEqual([]);
      expect([...missing].map(({ what }) => what)).toEqual([]);
    },
    4 * minutes,
  );

  it.each(kept)("still hold for seed $seed: $because", async ({ seed }) => {
    expect(broken((await simulateRepairs({ seed })).night)).toEqual([]);
  });
});

describe("the same seed", () => {
  it("gives the same trace again, after another night in between", async () => {
    const first = await traceOf({ seed: 3 });
    await simulateRepairs({ seed: 4 });
    expect(await traceOf({ seed: 3 })).toBe(first);
    expect(first.split("\n").length).toBeGreaterThan(200);
  });
});

describe("a planted bug", () => {
  it.each(plantedBugs)("is found when Nightshift $name ($risk)", async (bug) => {
    const { risk, plant, scenario } = bug;
    const { night } = await simulateRepairs({ ...calm, seed: 1, plant, scenario });
    expect(breaches(night).map((breach) => breach.risk)).toContain(risk);
  });
});
