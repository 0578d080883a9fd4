import { expect, it } from "vitest";
import { breaches } from "../simulation/invariants.ts";
import { calm, calmMove, simulate } from "../simulation/simulate.ts";

/** Real time, on a machine that does something else as well. */
const minutes = 60_000;

it(
  "changes nothing about a move that somebody looks at readiness meanwhile",
  async () => {
    for (const story of [calm, calmMove]) {
      const { facts } = await simulate({ seed: 1, ...story, looks: true });
      expect(breaches(facts)).toEqual([]);
      expect(facts).toMatchObject({ outcome: "done", served: true, promotions: 1 });
    }
  },
  minutes,
);

it(
  "breaks nothing when looks fail, are killed, and come late among faults and crashes",
  async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const { facts } = await simulate({ seed, looks: true });
      expect(breaches(facts).map(({ risk, what }) => `seed ${seed}: ${risk}: ${what}`)).toEqual([]);
    }
  },
  minutes,
);
