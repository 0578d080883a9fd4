import { describe, expect, it } from "vitest";
import { coordination } from "../../shared/coordination.ts";
import {
  claimLease,
  closeAttempt,
  driveLease,
  grantFirst,
  leaseId,
  nextRehearsal,
  nextRun,
  readLease,
  returnLease,
  settleLease,
} from "../../shared/lease.ts";
import { primary, standby, tables, witness } from "../tables.ts";

const stage = async () => {
  const { timeline, regions, runtimeIn } = await tables();
  const from = (region: string) => coordination(runtimeIn(region));
  const run = <T>(work: Promise<T>) => timeline.run(work);
  await run(grantFirst(from(primary), primary, 1000));
  const claim = (region: string, holder: string) => async () =>
    claimLease(from(region), await readLease(from(region)), {
      region,
      holder,
      nowMilliseconds: 2000,
    });
  return { timeline, regions, from, run, claim };
};

describe("the lease", () => {
  it("is granted once, and a second deployment does not take it back", async () => {
    const { from, run } = await stage();
    const again = await run(grantFirst(from(standby), standby, 5000));
    expect(again).toMatchObject({
      epoch: 1,
      region: primary,
      state: "held",
      movedAtMilliseconds: 1000,
    });
  });

  it("moves with one more epoch, and every region reads the same", async () => {
    const { from, run, claim } = await stage();
    expect(await run(claim(standby, "run-a")())).toMatchObject({
      held: { epoch: 2, state: "moving" },
    });
    for (const region of [primary, standby, witness]) {
      expect(await run(readLease(from(region)))).toMatchObject({ epoch: 2, region: standby });
    }
  });

  it("goes to one of two runs that have both seen the old one", async () => {
    const { from, run } = await stage();
    const seen = await run(readLease(from(standby)));
    const to = (holder: string) => ({ region: standby, holder, nowMilliseconds: 2000 });
    expect(await run(claimLease(from(standby), seen, to("run-a")))).toHaveProperty("held");
    expect(await run(claimLease(from(standby), seen, to("run-b")))).toMatchObject({
      lost: { holder: "run-a", epoch: 2 },
    });
  });

  it("is found to be ours when the claim is repeated after a lost answer", async () => {
    const { from, run } = await stage();
    const seen = await run(readLease(from(standby)));
    const to = { region: standby, holder: "run-a", nowMilliseconds: 2000 };
    await run(claimLease(from(standby), seen, to));
    expect(await run(claimLease(from(standby), seen, to))).toMatchObject({ held: { epoch: 2 } });
    expect(await run(readLease(from(standby)))).toMatchObject({ epoch: 2 });
  });

  it("is not taken from a run that is still moving it", async () => {
    const { from, run, claim } = await stage();
    await run(claim(standby, "run-a")());
    const moving = await run(readLease(from(witness)));
    const to = { region: primary, holder: "run-b", nowMilliseconds: 3000 };
    expect(await run(claimLease(from(witness), moving, to))).toHaveProperty("lost");
  });

  it("is driven by the newest execution of its run, and obeys no older one any more", async () => {
    const { from, run, claim } = await stage();
    const table = from(standby);
    const before = await run(readLease(table));
    await run(claim(standby, "run-a")());
    expect(await run(driveLease(table, "run-b", 1))).toHaveProperty("lost");
    expect(await run(driveLease(table, "run-a", 2))).toMatchObject({ held: { driver: 2 } });
    expect(await run(driveLease(table, "run-a", 2))).toHaveProperty("held");
    expect(await run(driveLease(table, "run-a", 1))).toMatchObject({ lost: { driver: 2 } });
    for (const driver of [0, 1]) {
      const by = { epoch: 2, holder: "run-a", driver };
      expect(await run(returnLease(table, by, before))).toHaveProperty("lost");
      expect(await run(settleLease(table, 2, "run-a", 5000, driver))).toHaveProperty("lost");
    }
    expect(await run(readLease(table))).toMatchObject({ epoch: 2, state: "moving", driver: 2 });
    const newest = { epoch: 2, holder: "run-a", driver: 2 };
    expect(await run(returnLease(table, newest, before))).toMatchObject({ held: { epoch: 3 } });
  });

  it("is driven by the first execution again once another run has claimed it", async () => {
    const { from, run, claim } = await stage();
    await run(claim(standby, "run-a")());
    await run(driveLease(from(standby), "run-a", 3));
    await run(settleLease(from(standby), 2, "run-a", 5000, 3));
    const claimed = await run(claim(primary, "run-b")());
    expect(claimed).toMatchObject({ held: { epoch: 3, before: { lastMovedEpoch: 2 } } });
    expect((await run(readLease(from(primary)))).driver).toBeUndefined();
    expect(await run(settleLease(from(primary), 3, "run-b"))).toHaveProperty("held");
  });

  it("is settled only by its own run and epoch", async () => {
    const { from, run, claim } = await stage();
    await run(claim(standby, "run-a")());
    expect(await run(settleLease(from(standby), 2, "run-b"))).toHaveProperty("lost");
    expect(await run(settleLease(from(standby), 1, "run-a"))).toHaveProperty("lost");
    expect(await run(settleLease(from(standby), 2, "run-a"))).toMatchObject({
      held: { state: "held" },
    });
  });

  it("counts as never moved after a claim that was given back", async () => {
    const { from, run, claim } = await stage();
    const before = await run(readLease(from(standby)));
    expect(before.lastMovedEpoch).toBeUndefined();
    expect(await run(claim(standby, "run-a")())).toMatchObject({ held: { lastMovedEpoch: 2 } });
    await run(returnLease(from(standby), { epoch: 2, holder: "run-a" }, before));
    const after = await run(readLease(from(standby)));
    expect(after).toMatchObject({ epoch: 3, region: primary, movedAtMilliseconds: 1000 });
    expect(after.lastMovedEpoch).toBeUndefined();
  });

  it("keeps date and epoch of the last move when a later claim is given back", async () => {
    const { from, run, claim } = await stage();
    await run(claim(standby, "run-a")());
    await run(settleLease(from(standby), 2, "run-a"));
    const before = await run(readLease(from(standby)));
    const to = { region: primary, holder: "run-b", nowMilliseconds: 9000 };
    await run(claimLease(from(standby), before, to));
    await run(returnLease(from(standby), { epoch: 3, holder: "run-b" }, before));
    expect(await run(readLease(from(standby)))).toMatchObject({
      ...{ epoch: 4, region: standby, lastMovedEpoch: 2, movedAtMilliseconds: 2000 },
    });
  });

  it("of an earlier version counts as moved at its own epoch, unless it is the first", async () => {
    const { from, run } = await stage();
    const old = (epoch: number) =>
      run(from(standby).write(leaseId, { set: { epoch }, remove: ["lastMovedEpoch"] }));
    await old(1);
    expect((await run(readLease(from(standby)))).lastMovedEpoch).toBeUndefined();
    await old(3);
    expect(await run(readLease(from(standby)))).toMatchObject({ epoch: 3, lastMovedEpoch: 3 });
  });

  it("moves with the home region dead, since the other two are a majority", async () => {
    const { regions, run, claim } = await stage();
    regions.set(primary, "dead");
    expect(await run(claim(standby, "run-a")())).toHaveProperty("held");
  });

  it("cannot be read by a region that is cut off", async () => {
    const { regions, from, run } = await stage();
    regions.set(primary, "cut");
    await expect(run(readLease(from(primary)))).rejects.toThrow(
      /no replica of coordination answered/,
    );
    expect(await run(readLease(from(standby)))).toMatchObject({ epoch: 1 });
  });

  it("names the next run the same from every door, and anew after one has ended", async () => {
    const { from, run } = await stage();
    const seen = await run(readLease(from(standby)));
    expect(nextRun(seen)).toBe("failover-2-1");
    await run(closeAttempt(from(standby), seen));
    await run(closeAttempt(from(witness), seen));
    expect(nextRun(await run(readLease(from(standby))))).toBe("failover-2-2");
  });

  it("names a rehearsal by its minute, and never as a move", async () => {
    const { from, run } = await stage();
    const seen = await run(readLease(from(standby)));
    expect(nextRehearsal(seen, 120_000)).toBe("rehearsal-2-2");
    expect(nextRehearsal(seen, 179_999)).toBe("rehearsal-2-2");
    expect(nextRehearsal(seen, 180_000)).toBe("rehearsal-2-3");
  });
});
