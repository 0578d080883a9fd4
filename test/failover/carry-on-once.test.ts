import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Work } from "../../functions/failover/failover.ts";
import { permitted } from "../../functions/failover/permitted.ts";
import type { State } from "../../functions/failover/states.ts";
import { abortId } from "../../shared/abort.ts";
import { person } from "../ops/stage.ts";
import { carriedOn, carryOn, type Stop, type Stopped, stopped } from "./carry-on-stage.ts";
import {
  brief,
  expectLeaseAtHome,
  expectMoved,
  expectServedBy,
  lostWrites,
  type Stage,
  type StageOptions,
  stage,
} from "./stage.ts";

/** Real time for dozens of runs, on a machine that does something else as well. */
const manyRuns = 120_000;

const failing = (move: Stop["move"], since: State, calls: RegExp): Stop => ({
  move,
  trouble: { since, calls },
});

const stops = {
  claimed: failing("emergency", "claimed", /GetItem abort/),
  planned: failing("switchover", "claimed", /GetItem abort/),
  promotion: failing("emergency", "fenced", /PromoteReadReplica/),
  secrets: failing("emergency", "writable", /PutSecretValue/),
  home: failing("switchover", "claimed", /Invoke guard obey in eu-central-1/),
} satisfies Record<string, Stop>;

const refusedWith = (code: string) => ({ ok: false, data: { refused: { code } } });

/** Stopped and well again, so that whoever carries it on gets through. */
const left = async (stop: Stop, hooks?: StageOptions["hooks"]): Promise<Stopped> => {
  const found = await stopped(stop, hooks);
  expect(found.result.outcome).toBe("needs-human");
  found.heal();
  return found;
};

const expectDone = async (at: Stage): Promise<void> => {
  await expectMoved(at, await at.ended());
  await expectServedBy(at, at.platform.standby);
};

const expectGivenBack = async (at: Stage): Promise<void> => {
  expect((await at.ended()).outcome).toBe("aborted");
  await expectLeaseAtHome(at);
  expect(await at.desired()).toBe(1);
};

describe("a run that is carried on", () => {
  it("is one execution when two people press at the same moment, and who comes later joins it", async () => {
    const { at } = await left(stops.claimed);
    const told = await Promise.all(["U0ANA", "U0BEN"].map((who) => carryOn(at, who)));
    expect(told.map(({ ok }) => ok).sort()).toEqual([false, true]);
    await at.reaches("assessed");
    await at.timeline.advance(1000);
    expect(await carryOn(at)).toMatchObject({ ok: false });
    await expectDone(at);
    expect(at.executions().map(({ name }) => name)).toEqual([
      "failover-2-1",
      "failover-2-1-again-1",
    ]);
  });

  it("asks those who did not carry it on, anew, with a plan and the loss in front of them", async () => {
    const { at } = await left(stops.claimed);
    const before = (await at.requests()).map(({ planHash }) => planHash);
    const result = await carriedOn(at);
    expect(result.approvedBy).toEqual(["U0BEN", "U0CHIARA"]);
    const asked = (await at.requests()).filter(({ planHash }) => !before.includes(planHash));
    expect(asked).toMatchObject([{ requester: "U0ANA", neededApprovals: 2, run: "failover-2-1" }]);
    const stated = (await at.journal()).filter(({ key }) => key.endsWith("loss"));
    expect(stated.map(({ key }) => key)).toEqual(["again 1: loss"]);
    await expectDone(at);
  });

  it("asks nobody once the replica is promoted, sends no second promotion, and says why", async () => {
    const { at } = await left(stops.secrets);
    const requests = (await at.requests()).length;
    const result = await carriedOn(at);
    expect(result).toMatchObject({ outcome: "done", promoteCalls: 0 });
    expect(await at.requests()).toHaveLength(requests);
    expect(JSON.stringify(at.slack.messages())).toContain("there is no choice left");
    // What stood before the promotion can be stated before it only.
    expect((await at.journal()).map(({ key }) => key)).not.toContain("again 1: loss");
    await expectDone(at);
  });

  it("loses no write of a planned move", async () => {
    const { at } = await left(stops.planned);
    await carriedOn(at);
    await expectDone(at);
    at.users.stop();
    await at.timeline.advance(5000);
    expect(lostWrites(at, at.platform.standby)).toEqual([]);
  });

  it("goes on when its function had failed without a word in the journal", async () => {
    const { at } = await left(stops.claimed);
    await carryOn(at);
    await at.until("people are asked", async () => (await at.state()) === "asking");
    const DurableExecutionArn = at.executions().at(-1)?.arn;
    const { region } = at.platform.standby;
    await at.cloud.ask("lambda", "StopDurableExecution", region, { DurableExecutionArn });
    expect(await carryOn(at)).toMatchObject({ ok: true });
    await expectDone(at);
    expect(at.executions().at(-1)?.name).toBe("failover-2-1-again-2");
  });

  it("goes on when the answer to its claim was lost, and with it who has the lease", async () => {
    const { at } = await left({
      move: "emergency",
      trouble: { since: "approved", calls: /UpdateItem lease/, kind: "timeout-after" },
      also: { since: "approved", calls: /GetItem lease/, after: 1 },
    });
    expect(await at.lease()).toMatchObject({ state: "moving", holder: "failover-2-1" });
    await carriedOn(at);
    await expectDone(at);
  });

  it.each(["reject", "ignore"] as const)(
    "gives the lease back when people %s the new plan",
    async (says) => {
      const { at } = await left(stops.planned);
      // Whoever answers does so by another door from now on.
      at.slack.silence(true);
      await carryOn(at);
      await at.until("people are asked", async () => (await at.state()) === "asking");
      const asked = (await at.requests()).find(({ requester }) => requester === "U0ANA");
      if (says === "reject") await at.answer(asked?.planHash ?? "", "U0BEN", "reject");
      await expectGivenBack(at);
      await expectServedBy(at, at.platform.home);
    },
  );

  it("gives the lease back when Nightshift is paused while people are asked", async () => {
    const { at } = await left(stops.planned);
    at.slack.silence(true);
    await carryOn(at);
    await at.until("people are asked", async () => (await at.state()) === "asking");
    await person(at, "U0ANA")("pause we look first");
    const asked = (await at.requests()).find(({ requester }) => requester === "U0ANA");
    for (const who of ["U0BEN", "U0CHIARA"]) await at.answer(asked?.planHash ?? "", who);
    expect((await at.ended()).outcome).toBe("aborted");
    expect(await at.lease()).toMatchObject({ epoch: 3, region: at.platform.home.region });
    expect(at.promotions()).toBe(0);
  });
});

describe("an abort of a run that has stopped", () => {
  it("gives the lease back when nothing was promoted, also while Nightshift is paused", async () => {
    const { at } = await left(stops.planned);
    await person(at, "U0BEN")("pause everything stands");
    const told = await person(at, "U0CHIARA")("abort we stay at home");
    expect(told).toMatchObject({ ok: true, data: { carriedOn: "failover-2-1-again-1" } });
    const result = await at.ended();
    expect(result.outcome).toBe("aborted");
    expect(result.notes.join(" ")).toContain("Aborted by U0CHIARA: we stay at home");
    await expectLeaseAtHome(at);
    await person(at, "U0BEN")("resume it is over");
    await at.timeline.advance(120_000);
    expect(at.users.acknowledged.at(-1)).toMatchObject({ region: at.platform.home.region });
  });

  it("gives the lease back when the promotion was asked for and never came to be", async () => {
    const { at } = await left(stops.promotion);
    expect((await person(at, "U0CHIARA")("abort we wait")).lines.join(" ")).toContain("too late");
    await expectGivenBack(at);
  });

  it("is refused once the replica is promoted", async () => {
    const { at } = await left(stops.secrets);
    expect(await person(at, "U0CHIARA")("abort too late")).toMatchObject(
      refusedWith("past-return"),
    );
    const { items } = at;
    const ids = (await items(names.coordination)).map(({ id }) => id);
    expect(ids).not.toContain(abortId("failover-2-1"));
  });
});

describe("the status of a run that has stopped", () => {
  const pressed = async (at: Stage) => (await person(at, "U0BEN")("status")).lines.join("\n");

  it("names the two orders that are left, and none while it is carried on", async () => {
    const { at } = await left(stops.claimed);
    const said = await pressed(at);
    expect(said).toContain("Stopped: this needs a human");
    expect(said).toContain("npm run ops -- carry-on failover-2-1");
    expect(said).toContain("npm run ops -- abort failover-2-1 <reason>");
    await carryOn(at);
    await at.until("people are asked", async () => (await at.state()) === "asking");
    const asking = await pressed(at);
    expect(asking).toContain("failover-2-1: Waiting for approval (asking)");
    expect(asking).not.toContain("carry-on failover-2-1");
  });

  it("names only the way forward once the replica is promoted", async () => {
    const { at } = await left(stops.secrets);
    const said = await pressed(at);
    expect(said).toContain("npm run ops -- carry-on failover-2-1");
    expect(said).not.toContain("npm run ops -- abort");
  });
});

describe("carrying on is refused", () => {
  it("while the run lives, and starts nothing", async () => {
    const at = await stage({ policy: brief, people: [] });
    at.loseHome();
    await at.request();
    await at.reaches("asking");
    expect(await carryOn(at, "U0ANA", "failover-2-1")).toMatchObject(refusedWith("not-its-lease"));
    const [asked] = await at.requests();
    for (const who of ["U0ANA", "U0BEN"]) await at.answer(asked?.planHash ?? "", who);
    await at.reaches("isolating");
    expect(await carryOn(at)).toMatchObject(refusedWith("still-running"));
    await expectMoved(at, await at.ended());
    expect(at.executions()).toHaveLength(1);
    expect(await carryOn(at)).toMatchObject(refusedWith("ended"));
    expect(at.executions()).toHaveLength(1);
  });

  it("of a run that was aborted, of none, of a rehearsal, and by who may not request", async () => {
    const at = await stage({ policy: brief });
    expect(await carryOn(at)).toMatchObject(refusedWith("not-a-move"));
    expect(await carryOn(at, "U0ANA", "rehearsal-2-1")).toMatchObject(refusedWith("not-a-move"));
    await at.request("U0CHIARA", "switchover");
    await at.reaches("claimed");
    await at.abort("failover-2-1");
    expect((await at.ended()).outcome).toBe("aborted");
    expect(await carryOn(at)).toMatchObject(refusedWith("ended"));
    expect(await carryOn(at, "U0CHIARA")).toMatchObject(refusedWith("may-not-request"));
  });

  it("while Nightshift is paused", async () => {
    const { at } = await left(stops.claimed);
    await person(at, "U0ANA")("pause we look first");
    expect(await carryOn(at)).toMatchObject(refusedWith("paused"));
    expect(at.executions()).toHaveLength(1);
  });
});

/** `EVERY_BLOW=1` kills at every checkpoint; else long runs at every fifth, others before it than after. */
const stride = process.env.EVERY_BLOW === "1" ? 1 : 5;

/** Past the door, which would see that the first execution lives. */
const carryOnRegardless = async (at: Stage, again: number): Promise<void> => {
  const sinceMilliseconds = Math.floor(at.timeline.now());
  const trigger = { by: "operator", who: "U0ANA", reason: "", sinceMilliseconds, overrides: [] };
  const event = { kind: "carry-on", run: "failover-2-1", again, move: "emergency", trigger };
  await at.cloud.ask("lambda", "Invoke", at.platform.standby.region, {
    FunctionName: "failover",
    InvocationType: "Event",
    DurableExecutionName: `failover-2-1-again-${again}`,
    Payload: Buffer.from(JSON.stringify(event)),
  });
};

const outcomes = (at: Stage): unknown[] =>
  at.executions().map(({ result }) => JSON.parse(result ?? "{}").outcome);

describe("an execution that lives on although another one carries its run on", () => {
  const people: StageOptions["people"] = ["U0ANA", "U0BEN", "U0CHIARA"].map((user, index) => ({
    user,
    says: "approve",
    thinksSeconds: [2 + 3 * index, 4 + 3 * index],
  }));

  it.each<State>([
    "claimed",
    "isolating",
    "fenced",
    "promoted",
    "writable",
    "repointed",
    "serving",
  ])("stops at its next change when that happens while it is %s", async (state) => {
    const at = await stage({ policy: brief, people });
    at.users.start();
    at.loseHome();
    await at.request();
    await at.reaches(state);
    await carryOnRegardless(at, 1);
    await expectDone(at);
    const first = at.executions()[0];
    await at.timeline.run(at.cloud.functions.finished(first?.arn ?? ""), 3_600_000);
    expect(await at.lease()).toMatchObject({ epoch: 2, state: "held", driver: 1 });
    expect(at.promotions()).toBe(1);
    expect(outcomes(at)[1]).toBe("done");
  });

  it.each([
    [0, undefined, undefined],
    [0, 1, "carried-on"],
    [1, 2, "carried-on"],
    [2, 2, undefined],
  ])(
    "asks before each change: number %s, with the lease driven by %s, gets %s",
    async (again, driver, code) => {
      const lease = { epoch: 2, holder: "failover-2-1", ...(driver ? { driver } : {}) };
      const ports = {
        readPause: async () => ({ is: "running" }),
        readAbort: async () => null,
        readLease: async () => lease,
      };
      const run = { name: "failover-2-1", again, epoch: 2, pastReturn: false };
      expect((await permitted({ ports, run } as unknown as Work))?.code).toBe(code);
    },
  );

  it("is told from a later one when two carry it on: the older stands back", async () => {
    const { at } = await left(stops.claimed);
    await carryOnRegardless(at, 2);
    await at.until("people are asked", async () => (await at.state()) === "asking");
    await carryOnRegardless(at, 1);
    await at.until("all have ended", () => !outcomes(at).includes(undefined));
    expect(outcomes(at).sort()).toEqual(["aborted", "done", "needs-human"]);
    expect(at.promotions()).toBe(1);
    expect(await at.lease()).toMatchObject({ epoch: 2, state: "held", driver: 2 });
  });
});

describe("a run that is killed while it is carried on", () => {
  type Phase = "before" | "after";

  const seen = async (stop: Stop, phase: Phase, number: number): Promise<boolean> => {
    let killed = false;
    const { at } = await left(stop, () => ({
      lambda: {
        onCheckpoint: (moment) => {
          const isHere = JSON.stringify(moment).includes("-again-1");
          if (killed || !isHere || moment.phase !== phase || moment.number !== number) {
            return undefined;
          }
          killed = true;
          return "kill";
        },
      },
    }));
    try {
      await carriedOn(at);
      if (stop === stops.home) await expectGivenBack(at);
      else await expectMoved(at, await at.ended());
    } catch (cause) {
      throw new Error(`killed ${phase} checkpoint ${number}: ${String(cause)}`, { cause });
    } finally {
      await at.leave();
    }
    return killed;
  };

  it.each([
    ["claimed", 35],
    ["secrets", 12],
    ["home", 8],
    ["promotion", 35],
  ] as const)(
    "ends as it would have, wherever it is killed after it had stopped (%s)",
    async (name, atLeast) => {
      for (const phase of ["before", "after"] as const) {
        const every = atLeast > 12 ? stride : 1;
        let number = phase === "before" ? 1 : Math.min(2, every);
        while (await seen(stops[name], phase, number)) number += every;
        expect(number).toBeGreaterThan(atLeast);
      }
    },
    manyRuns,
  );
});
