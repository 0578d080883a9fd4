import { describe, expect, it } from "vitest";
import { estimate } from "../../deploy/estimate.ts";
import config from "../../nightshift.config.ts";
import { recorded } from "./recordings.ts";

describe.each(["production", "personal"] as const)("what stage %s costs", (stage) => {
  it("has a price for everything, and a sum that is that of its lines", async () => {
    const { costs, dollarsPerMonth, unpriced } = estimate(await recorded(stage));
    expect(unpriced).toEqual([]);
    const sum = costs.reduce((all, each) => all + each.dollarsPerMonth, 0);
    expect(dollarsPerMonth).toBeCloseTo(sum, 6);
  });

  it("has the copies of restore tests in it, where users are not", async () => {
    const { costs } = estimate(await recorded(stage));
    const found = costs.filter(({ what }) => what.startsWith("restore tests"));
    expect(found.map(({ region }) => region)).toEqual([config.regions.standby]);
    for (const { dollarsPerMonth } of found) {
      expect(dollarsPerMonth).toBeGreaterThan(2);
      expect(dollarsPerMonth).toBeLessThan(15);
    }
  });
});

it("says of a kind that nobody has looked up that it has no price", async () => {
  const recording = await recorded("personal");
  const [first] = recording.resources;
  if (!first) throw new Error("nothing is recorded");
  recording.resources.push({ ...first, type: "aws:redshift/cluster:Cluster", inputs: {} });
  expect(estimate(recording).unpriced).toEqual(["aws:redshift/cluster:Cluster"]);
});
