import { describe, expect, it } from "vitest";
import type { FaultKind } from "../../local/aws/faults.ts";
import { config } from "../simulation/world.ts";
import { countsOf, struckLast, struckOnce } from "./faults-stage.ts";
import { type Needed, tableOf, tally, wrongs } from "./faults-table.ts";

/** Real time for a few runs, on a machine that does something else as well. */
const fewRuns = 60_000;

const home = config.regions.primary;

const needed: readonly Needed[] = [
  {
    calls: new RegExp(`^guard@${home} dynamodb.GetItem lease$`),
    ends: "aborted",
    says: new RegExp(`The guard in ${home} could not read the lease: .* ${home} is active again`),
    because: "a guard that cannot read the lease fences nothing, and the old region goes on",
  },
  {
    calls: new RegExp(
      `^(?:guard@${home} (?!dynamodb.GetItem)|database@${home} |failover.* guard obey in ${home}$)`,
    ),
    ends: "aborted",
    says: /logins: unreachable/,
    because: "the old region has to prove its fence, and gets the lease back when it cannot",
  },
];

/** `EVERY_BLOW=1` strikes each call in each way; else each in half of them, in turn. */
const isWhole = process.env.EVERY_BLOW === "1";
const table = (await tableOf("switchover")).map(({ label, faults }, row) => ({
  label,
  faults: faults.filter((_, column) => isWhole || (row + column) % 2 === 0),
}));
const { strike, counts, unused } = tally(needed);

describe("a planned move with one kind of call failing for a minute", () => {
  it.each(table)(
    "is made, or is given up with the reason: $label",
    async ({ label, faults }) => {
      for (const fault of faults) await strike("switchover", label, fault);
    },
    fewRuns,
  );

  it("has struck every function that takes part, and nearly every run ended done", () => {
    const functions = new Set(table.map(({ label }) => label.split("@")[0]));
    expect([...functions]).toEqual(
      expect.arrayContaining(["canary", "database", "detection", "failover", "guard", "slack"]),
    );
    expect(table.length).toBeGreaterThan(70);
    expect(counts.hits).toBeGreaterThan(3 * counts.runs);
    expect(counts.done / counts.runs, JSON.stringify(counts)).toBeGreaterThan(0.75);
  });

  it("needs every exception that is made", () => {
    expect(unused()).toEqual([]);
  });
});

describe("a planned move with the first call of every kind failing", () => {
  it.each<FaultKind>(["throttle", "error", "timeout-before", "timeout-after", "stale"])(
    "ends done with one promotion, users served and nothing lost: %s",
    async (fault) => {
      for (const seed of [1, 2, 3]) {
        const run = await struckOnce("switchover", fault, seed);
        expect(wrongs(run, []), `seed ${seed}`).toEqual([]);
        expect(run.facts.lost).toEqual([]);
        expect(run.hits.length).toBeGreaterThan(fault === "stale" ? 2 : 60);
      }
    },
    fewRuns,
  );
});

describe("a planned move with the last call of one kind failing", () => {
  it(
    "ends done with one promotion and users served, whichever kind it is",
    async () => {
      const counts = await countsOf("switchover");
      for (const [label, last] of counts) {
        const run = await struckLast("switchover", label, last);
        expect(run.hits, `${label}, call ${last}`).toHaveLength(1);
        expect(wrongs(run, []), `${label}, call ${last}`).toEqual([]);
      }
      expect([...counts.values()].filter((times) => times > 1).length).toBeGreaterThan(20);
    },
    fewRuns,
  );
});
