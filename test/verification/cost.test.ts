import { describe, expect, it } from "vitest";
import { policyOf } from "../../functions/verification/aws.ts";
import config from "../../nightshift.config.ts";
import { ConfigError, defineConfig } from "../../shared/config.ts";
import { coordination } from "../../shared/coordination.ts";
import { reserveCost, settleCost } from "../../shared/verification-cost.ts";
import { stage } from "../slack/stage.ts";

const region = "eu-west-1";
const november = Date.UTC(2026, 10, 22);

describe("what restore tests of a month may cost", () => {
  it("holds a run back that might pass it, until others have turned out cheaper", async () => {
    const table = coordination((await stage()).runtime);
    const reserve = (run: string, now = november) =>
      reserveCost(table, region, { run, dollars: 4, most: 10 }, now);
    expect(await reserve("one")).toBeUndefined();
    expect(await reserve("two")).toBeUndefined();
    // Resumed, it asks again and counts once.
    expect(await reserve("two")).toBeUndefined();
    expect(await reserve("three")).toMatchObject({
      code: "cost-cap",
      reason: expect.stringContaining("up to 8.00 dollars, this one may cost 4.00, and 10"),
    });
    await settleCost(table, region, { run: "one", dollars: 1.5 }, november);
    expect(await reserve("three")).toBeUndefined();
    expect(await reserve("four")).toMatchObject({ code: "cost-cap" });
    expect(await reserve("four", Date.UTC(2026, 11, 1))).toBeUndefined();
  });

  it("bounds how long a copy may live", () => {
    const cost = { dollarsPerHour: 0.5, perRun: 2, perMonth: 40 };
    const hours = (more: object) =>
      policyOf(defineConfig({ ...config, verification: { cost, ...more } })).hours;
    expect(hours({})).toBe(4);
    expect(hours({ hours: 3 })).toBe(3);
    expect(policyOf(config).dollarsPerHour).toBeNull();
  });

  it("is refused where it does not pay for one hour, or for one run", () => {
    const cost = { dollarsPerHour: 3, perRun: 2, perMonth: 1 };
    const paths = () => {
      try {
        return [defineConfig({ ...config, verification: { cost } })];
      } catch (error) {
        if (error instanceof ConfigError) return error.problems.map(({ path }) => path);
        throw error;
      }
    };
    expect(paths()).toEqual(["verification.cost.perRun", "verification.cost.perMonth"]);
  });
});
