import { describe, expect, it } from "vitest";
import { judgeAbort, standingOf } from "../../shared/abort.ts";
import {
  againOf,
  executionName,
  journalPrefix,
  judgeCarryOn,
  nextAgain,
  readAgain,
  regionOfMove,
} from "../../shared/again.ts";
import { coordination } from "../../shared/coordination.ts";
import type { Entry } from "../../shared/journal.ts";
import { type Lease, leaseBefore } from "../../shared/lease.ts";
import { standby, tables } from "../tables.ts";

const regions = { primary: "home", standby: "away", witness: "far" };
const lease: Lease = {
  epoch: 2,
  region: "away",
  state: "moving",
  holder: "failover-2-1",
  movedAtMilliseconds: 50,
  attempt: 1,
};

const entry = (key: string, to?: string, reversible = true) =>
  ({ key, data: to ? { to, reversible } : {} }) as unknown as Entry;

const stopped = [entry("begin"), entry("move 6", "claimed"), entry("move 7", "needs-human", false)];

describe("an execution of a run", () => {
  it("is known by its number, in its name and in what it writes", () => {
    expect([0, 2].map((again) => executionName("failover-2-1", again))).toEqual([
      "failover-2-1",
      "failover-2-1-again-2",
    ]);
    expect(againOf(`${journalPrefix(12)}move 3`)).toBe(12);
    expect(againOf("approval #1.2 by 1")).toBe(0);
  });

  it("has the number that somebody else was faster to take, and never an older one", async () => {
    const { timeline, runtimeIn } = await tables();
    const table = coordination(runtimeIn(standby));
    const next = (last: number) => timeline.run(nextAgain(table, "failover-2-1", last));
    expect([await next(0), await next(0), await next(1), await next(0)]).toEqual([1, 1, 2, 2]);
    expect(await timeline.run(readAgain(table, "failover-2-1"))).toBe(2);
  });

  it("is where its move went, also when the lease was given back", () => {
    expect(regionOfMove("failover-2-1", lease, regions)).toBe("away");
    const returned = { ...lease, epoch: 3, region: "home", state: "held" as const };
    expect(regionOfMove("failover-2-1", returned, regions)).toBe("away");
  });
});

describe("where a run stands that was carried on", () => {
  it("is where its newest execution stands, whatever an older one still writes", () => {
    expect(standingOf(stopped)).toMatchObject({ ended: true, state: "needs-human" });
    const again = [...stopped, entry("again 1: begin", "carried-on"), entry("move 8", "returning")];
    expect(standingOf(again)).toMatchObject({ ended: false, state: "carried-on" });
    expect(standingOf(again, 0)).toMatchObject({ state: "returning" });
    expect(standingOf(stopped, 1)).toMatchObject({ begun: false, ended: false });
  });

  it("is past return when any execution has promoted, and not because a step has failed", () => {
    expect(standingOf(stopped).returnable).toBe("yes");
    expect(standingOf([...stopped, entry("again 1: loss")]).returnable).toBe("maybe");
    const promoted = entry("again 1: move 1", "fenced", false);
    expect(standingOf([...stopped, promoted]).returnable).toBe("no");
  });
});

describe("carrying on", () => {
  const judged = (change: Partial<Lease>, run = "failover-2-1", entries = stopped) =>
    judgeCarryOn({ ...lease, ...change }, run, standingOf(entries))?.code;

  it("is for the run that the lease is of, and for no run that is over", () => {
    expect(judged({})).toBeUndefined();
    expect(judged({ holder: "failover-2-2" })).toBe("not-its-lease");
    expect(judged({ holder: "deploy" }, "deploy")).toBe("not-a-move");
    const aborted = [entry("move 9", "aborted")];
    expect(judged({ epoch: 3, region: "home", state: "held" }, "failover-2-1", aborted)).toBe(
      "ended",
    );
  });

  it("is for one that stood back without knowing that its claim had come through", () => {
    expect(judged({}, "failover-2-1", [entry("move 6", "aborted")])).toBeUndefined();
  });

  it("may be an abort as long as the lease is on its way", () => {
    const standing = (entries: Entry[]) =>
      ({
        known: true,
        value: standingOf(entries),
        source: "journal",
        atMilliseconds: 0,
      }) as const;
    expect(judgeAbort(lease, lease.holder, standing(stopped))).toBeUndefined();
    const held = { ...lease, state: "held" as const };
    expect(judgeAbort(held, lease.holder, standing(stopped))?.code).toBe("ended");
  });
});

describe("the lease before a claim", () => {
  it("has the last move as it was, and counts as moved when nobody has kept it", () => {
    const was = { epoch: 1, region: "home" };
    const before = { movedAtMilliseconds: 7, lastMovedEpoch: 0, acknowledged: true };
    const found = leaseBefore({ ...lease, before }, was);
    expect(found).toMatchObject({ epoch: 1, region: "home", state: "held", acknowledged: true });
    expect(found.movedAtMilliseconds).toBe(7);
    expect(found.lastMovedEpoch).toBeUndefined();
    expect(leaseBefore(lease, was)).toMatchObject({ movedAtMilliseconds: 50, lastMovedEpoch: 1 });
  });
});
