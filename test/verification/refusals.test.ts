import { describe, expect, it } from "vitest";
import { declareFreeze, readFreezes } from "../../shared/freeze.ts";
import { claimLease, readLease } from "../../shared/lease.ts";
import { pause, resume } from "../../shared/pause.ts";
import { onlyRecord, type Stage, stage } from "./stage.ts";

const orders = () => {
  const seen: string[] = [];
  const before = async ({ operation }: { operation: string }) => {
    if (/^(Restore|Delete|Modify)DBInstance/.test(operation)) seen.push(operation);
  };
  return { seen, hooks: () => ({ observe: { before: before as never } }) };
};

const putOff = async (at: Stage, code: string) => {
  await at.start();
  expect(await at.ended()).toMatchObject({ end: "postponed", code, evidence: null });
  expect(await at.copies()).toEqual([]);
};

describe("a restore test is put off, with nothing made and nothing proven,", () => {
  it("while a failover moves the lease", async () => {
    const { seen, hooks } = orders();
    const at = await stage({ hooks });
    const lease = await at.timeline.run(readLease(at.table));
    const to = { region: "eu-west-1", holder: "failover-2-1", nowMilliseconds: at.timeline.now() };
    // Claimed by the home region itself, so that this one still stands by.
    await at.timeline.run(claimLease(at.table, lease, { ...to, region: at.home.region }));
    await putOff(at, "failover-moves");
    expect(seen).toEqual([]);
  });

  it("in the region that users are in", async () => {
    const at = await stage();
    const lease = await at.timeline.run(readLease(at.table));
    const to = { holder: "failover-2-1", nowMilliseconds: at.timeline.now() };
    await at.timeline.run(claimLease(at.table, lease, { ...to, region: at.standby.region }));
    await putOff(at, "not-standby");
  });

  it("while automation is paused, also when that comes after it has begun", async () => {
    const at = await stage();
    const by = { by: "U0ANA", reason: "we look", atMilliseconds: Math.floor(at.timeline.now()) };
    await at.timeline.run(pause(at.table, by));
    await putOff(at, "paused");
    await at.timeline.run(resume(at.table, by));
    await at.start({ run: "verification-again" });
    expect(await at.ended()).toMatchObject({ end: "verified" });
  });

  it("while another one runs", async () => {
    const at = await stage();
    const until = at.timeline.now() + 3_600_000;
    const other = { what: "verification", by: "verification-other", reason: "it runs" } as const;
    const now = Math.floor(at.timeline.now());
    const freeze = { ...other, untilMilliseconds: until };
    await at.timeline.run(declareFreeze(at.table, at.standby.region, freeze, now));
    await putOff(at, "frozen");
  });
});

describe("a restore test that has a price", () => {
  it("says what it has cost, and is put off when the month has no money left for it", async () => {
    const cost = { dollarsPerHour: 0.5, perRun: 2, perMonth: 2 };
    const at = await stage({ verification: { cost } });
    await at.start();
    expect(await at.ended()).toMatchObject({ end: "verified" });
    const { measured } = await onlyRecord(at);
    expect(measured.costDollars).toBeGreaterThan(0.04);
    expect(measured.costDollars).toBeLessThan(0.5);
    await at.start({ run: "verification-second" });
    expect(await at.ended()).toMatchObject({ end: "postponed", code: "cost-cap" });
    expect(await at.copies()).toEqual([]);
    expect(await at.records()).toHaveLength(1);
  });
});

describe("a restore test that runs", () => {
  it("holds repairs of its region back until its copy is gone, and no longer", async () => {
    const at = await stage();
    const frozen = async () =>
      (
        await at.timeline.run(
          readFreezes(at.table, at.standby.region, at.timeline.now(), async () => false),
        )
      ).map(({ what, by }) => `${what} by ${by}`);
    await at.start();
    await at.timeline.advance(120_000);
    expect(await frozen()).toEqual(["verification by verification-2026-11-22"]);
    await at.ended();
    expect(await frozen()).toEqual([]);
  });
});
