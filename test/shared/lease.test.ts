import { describe, expect, it } from "vitest";
import { coordination } from "../../shared/coordination.ts";
import {
  claimLease,
  closeAttempt,
  grantFirst,
  nextRun,
  readLease,
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

  it("is settled only by its own run and epoch", async () => {
    const { from, run, claim } = await stage();
    await run(claim(standby, "run-a")());
    expect(await run(settleLease(from(standby), 2, "run-b"))).toHaveProperty("lost");
    expect(await run(settleLease(from(standby), 1, "run-a"))).toHaveProperty("lost");
    expect(await run(settleLease(from(standby), 2, "run-a"))).toMatchObject({
      held: { state: "held" },
    });
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
});
