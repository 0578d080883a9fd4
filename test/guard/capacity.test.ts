import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { GuardReport } from "../../functions/guard/guard.ts";
import { type Stage, stage } from "../failover/stage.ts";
import { config } from "../simulation/world.ts";

const { minimum, desired, standbyMinimum } = config.sizes.application;

type Site = Stage["platform"]["home"];

/** Long enough for isolation to end in a fence, and for its instances to go. */
const isolationMilliseconds = 600_000;
/** The minute of a guard's schedule, twice. */
const beatsMilliseconds = 130_000;

const sizesOf = async (at: Stage, { region }: Site) => ({
  minimum: await at.minimumOf(region),
  desired: await at.sizeOf(region),
});

/** Neither the table nor the database answers the guard there until `heal`. */
const isolate = async (at: Stage, site: Site) => {
  const { region } = site;
  at.regions.set(region, "cut");
  const silence = at.faults.add({ match: { operation: "Invoke", region }, kind: "error" });
  await at.timeline.advance(isolationMilliseconds);
  expect(await sizesOf(at, site)).toEqual({ minimum: 0, desired: 0 });
  expect(at.waysIn(site)).toBe(0);
  return {
    heal: async () => {
      silence();
      at.regions.set(region, "up");
      await at.timeline.advance(beatsMilliseconds);
    },
  };
};

const obey = async ({ cloud, timeline }: Stage, { region }: Site): Promise<GuardReport> => {
  const asked = cloud.ask<{ Payload: Uint8Array }>("lambda", "Invoke", region, {
    FunctionName: "guard",
    Payload: Buffer.from('{"do":"obey","epoch":1}'),
  });
  const { Payload } = await timeline.run(asked, 120_000);
  return JSON.parse(Buffer.from(Payload).toString()) as GuardReport;
};

describe("what a guard gives back of the capacity that its fence took away", () => {
  it("is an active region's minimum where the lease still is", async () => {
    // Nobody approves the failover that is asked for meanwhile.
    const at = await stage({ people: [] });
    const { home } = at.platform;
    const { heal } = await isolate(at, home);
    await heal();
    expect(await sizesOf(at, home)).toEqual({ minimum, desired });
  });

  it("is a standby's minimum, with the way in, where the database is a replica", async () => {
    const at = await stage();
    const { standby } = at.platform;
    const { heal } = await isolate(at, standby);
    await heal();
    expect(await sizesOf(at, standby)).toEqual({
      minimum: standbyMinimum,
      desired: standbyMinimum,
    });
    expect(at.waysIn(standby)).toBe(1);
  });

  it("is tried again each minute in a standby whose Auto Scaling does not take it", async () => {
    const at = await stage();
    const { standby } = at.platform;
    const { heal } = await isolate(at, standby);
    const match = { operation: "UpdateAutoScalingGroup", region: standby.region };
    const refused = at.faults.add({ match, kind: "error" });
    await heal();
    // The beat goes on: whoever waits for this guard's contact is told of it.
    expect(await obey(at, standby)).toMatchObject({ decision: "stand-by", role: "renounced" });
    expect(await at.sizeOf(standby.region)).toBe(0);
    refused();
    await at.timeline.advance(beatsMilliseconds);
    expect(await at.minimumOf(standby.region)).toBe(standbyMinimum);
    expect(at.waysIn(standby)).toBe(1);
  });

  it("is nothing in a standby that has been warmed meanwhile", async () => {
    const at = await stage();
    const { standby } = at.platform;
    await at.cloud.ask("auto-scaling", "SetDesiredCapacity", standby.region, {
      AutoScalingGroupName: names.group,
      DesiredCapacity: 3,
    });
    await at.timeline.advance(beatsMilliseconds);
    expect(await sizesOf(at, standby)).toEqual({ minimum: standbyMinimum, desired: 3 });
  });
});
