import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Kind } from "../../functions/failover/request.ts";
import type { State } from "../../functions/failover/states.ts";
import { abortId } from "../../shared/abort.ts";
import { brief, entering, expectMoved, expectServedBy, type Stage, stage, told } from "./stage.ts";

/** Leaves an operator's word for the run in the table, at once and past every door. */
const leaveWord = ({ cloud, platform, timeline }: Stage) =>
  cloud.ask("dynamodb", "PutItem", platform.standby.region, {
    TableName: names.coordination,
    Item: {
      id: { S: abortId("failover-2-1") },
      by: { S: "U0ANA" },
      reason: { S: "we look first" },
      atMilliseconds: { N: String(Math.floor(timeline.now())) },
    },
  });

/** Home is well, users are at work, and a word is left at the instant the run enters `state`. */
const abortedIn = async (state: State, kind: Kind, disturb?: (at: Stage) => void) => {
  const ground: { at?: Stage } = {};
  const hooks = () => ({ observe: entering(state, () => ground.at && leaveWord(ground.at)) });
  const at = await stage({ policy: brief, hooks });
  ground.at = at;
  at.users.start();
  disturb?.(at);
  await at.request("U0CHIARA", kind);
  const result = await at.ended();
  // Else the word would never have been left, and nothing would have been shown.
  expect((await at.journal()).some(({ data }) => data?.to === state)).toBe(true);
  expect((await at.items(names.coordination)).map(({ id }) => id)).toContain(
    abortId("failover-2-1"),
  );
  return { at, result };
};

const states: [State, Kind][] = [
  ["assessed", "emergency"],
  ["warming", "emergency"],
  ["asking", "emergency"],
  ["approved", "emergency"],
  ["claimed", "emergency"],
  ["draining", "emergency"],
  ["fenced", "emergency"],
  ["assessed", "switchover"],
  ["warming", "switchover"],
  ["asking", "switchover"],
  ["approved", "switchover"],
  ["claimed", "switchover"],
  ["draining", "switchover"],
  ["fenced", "switchover"],
];

const expectUndone = async (at: Stage, notes: string[]): Promise<void> => {
  const said = notes.join(" ");
  expect(said).toContain("Aborted by U0ANA: we look first");
  expect(said).toContain("Undone: eu-west-1 is back at 1 instances.");
  expect(at.promotions()).toBe(0);
  expect(await at.desired()).toBe(1);
  expect(await at.lease()).toMatchObject({ region: at.platform.home.region, state: "held" });
  expect((await at.lease()).lastMovedEpoch).toBeUndefined();
  await expectServedBy(at, at.platform.home);
  expect(at.bugs).toEqual([]);
};

describe("a run that an operator aborts", () => {
  it.each(states)("is undone when it is %s in an %s", async (state, kind) => {
    const { at, result } = await abortedIn(state, kind);
    expect(result.outcome).toBe("aborted");
    await expectUndone(at, result.notes);
  });

  it("is undone when it waits for a region whose guard does not answer it", async () => {
    const { at, result } = await abortedIn("isolating", "emergency", (world) => {
      const { region } = world.platform.home;
      const { region: from } = world.platform.standby;
      const match = { operation: "Invoke", region, from };
      // The fence cannot be asked for; later the guard can be asked whether it is open again.
      world.faults.add({ match, kind: "error", times: 2 });
    });
    expect(result.outcome).toBe("aborted");
    await expectUndone(at, result.notes);
  });

  it("has home's logins open again though nobody can look at its security group", async () => {
    const { at, result } = await abortedIn("draining", "switchover", (world) => {
      const { region } = world.platform.home;
      world.faults.add({ match: { operation: "DescribeSecurityGroups", region }, kind: "error" });
    });
    expect(result.outcome).toBe("aborted");
    await expectUndone(at, result.notes);
  });

  it("says why in the message that people see", async () => {
    const { at } = await abortedIn("claimed", "switchover");
    const text = JSON.stringify(at.slack.messages());
    expect(text).toContain("Aborted by U0ANA: we look first");
    expect(text).toContain("eu-central-1 is active again at epoch 3");
  });

  it("goes on to its end when the word comes after the promotion", async () => {
    const { at, result } = await abortedIn("promoted", "emergency");
    await expectMoved(at, result);
    expect(result.notes.join(" ")).not.toContain("Aborted");
    expect((await at.journal()).some(({ data }) => told(data).includes("we look first"))).toBe(
      false,
    );
  });

  it("leaves the next run a name of its own, and no block period that nothing has begun", async () => {
    const { at } = await abortedIn("claimed", "switchover");
    await at.timeline.advance(120_000);
    expect(await at.request("U0CHIARA", "switchover")).toBe("failover-4-1");
    expect(await at.ended()).toMatchObject({ outcome: "done", epoch: 4 });
  });
});
