import { beforeEach, describe, expect, it } from "vitest";
import { commandBody, signed } from "../../local/slack/signed.ts";
import config from "../../nightshift.config.ts";
import { readAbort } from "../../shared/abort.ts";
import { coordination } from "../../shared/coordination.ts";
import { journal } from "../../shared/journal.ts";
import { claimLease, grantFirst, readLease, returnLease, settleLease } from "../../shared/lease.ts";
import { readPause } from "../../shared/pause.ts";
import { spoken, stage, startedAt } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
const { primary, standby } = config.regions;
const table = () => coordination(door.runtime);

beforeEach(async () => {
  door = await stage();
  await grantFirst(table(), primary, startedAt - 7_200_000);
});

const say = async (user: string, text: string): Promise<string> => {
  await door.timeline.advance(1000);
  const body = commandBody(door.place, { user }, text);
  return spoken(await door.send(signed(door.place.signingSecret, door.timeline.now(), body)));
};

const claim = async (region: string, holder: string) =>
  claimLease(table(), await readLease(table()), { region, holder, nowMilliseconds: startedAt });

const moveTo = async (region: string, holder: string) => {
  const claimed = await claim(region, holder);
  if ("held" in claimed) await settleLease(table(), claimed.held.epoch, holder);
};

/** What a run has written of itself. */
const wrote = async (run: string, ...lines: { key: string; data: Record<string, unknown> }[]) => {
  const book = journal(door.journalIn(standby));
  for (const { key, data } of lines) {
    const line = { key, data, atMilliseconds: startedAt, kind: "did" as const, text: key, by: "x" };
    await book.append(run, line);
  }
};

const move = (to: string, reversible = true) => ({
  key: `move ${to}`,
  data: { from: "before", to, on: "so", reversible, notes: [] },
});

describe("a move", () => {
  it.each([
    ["switchover patch night", primary, standby, "switchover"],
    ["failover dark", primary, standby, "emergency"],
    ["switchover patch night", standby, primary, "switchover"],
    ["failback all is well", standby, primary, "switchover"],
    ["failover dark", standby, primary, "emergency"],
  ])("%s from %s runs in %s", async (text, from, region, kind) => {
    if (from === standby) await moveTo(standby, "failover-2-1");
    const run = from === standby ? "failover-3-1" : "failover-2-1";
    expect(await say("U0ANA", text)).toContain(`${run} is started in ${region}`);
    expect(door.lambda.invocations).toMatchObject([
      { region, execution: run, payload: { kind, run, trigger: { who: "U0ANA" } } },
    ]);
  });

  it("home is refused when the lease is at home", async () => {
    const text = await say("U0ANA", "failback all is well");
    expect(text).toContain(`at home already: ${primary} may write`);
    expect(door.lambda.invocations).toEqual([]);
  });

  it("is refused while another one moves the lease, whose name is told", async () => {
    await claim(standby, "failover-2-1");
    expect(await say("U0ANA", "switchover now")).toContain("Run failover-2-1 is moving the lease");
    expect(door.lambda.invocations).toEqual([]);
  });

  it("frees the name of a run that ended and left it taken, but not of one that goes on", async () => {
    await say("U0ANA", "switchover patch night");
    await wrote("failover-2-1", move("asking"));
    expect(await say("U0BEN", "failover dark")).toContain("nothing new was started");
    await wrote("failover-2-1", move("needs-human", false));
    expect(await say("U0BEN", "failover dark")).toContain("failover-2-2 is started");
    expect(door.lambda.invocations.map(({ execution }) => execution)).toEqual([
      "failover-2-1",
      "failover-2-2",
    ]);
  });

  it("frees the name of a run whose execution failed without an end in its journal", async () => {
    await say("U0ANA", "failover dark");
    await wrote("failover-2-1", move("asking"));
    expect(await say("U0BEN", "failover dark")).toContain("nothing new was started");
    door.lambda.fail("failover-2-1");
    expect(await say("U0BEN", "failover dark")).toContain("failover-2-2 is started");
  });

  it("wants a reason, and somebody who may request", async () => {
    expect(await say("U0ANA", "switchover")).toContain("Say why: /nightshift switchover <reason>");
    expect(await say("U0CHIARA", "failback please")).toContain("not one who may ask for failback");
    expect(door.lambda.invocations).toEqual([]);
  });
});

describe("/nightshift pause and resume", () => {
  it("throw the switch and release it, with a name and a reason", async () => {
    expect(await say("U0ANA", "pause schema change")).toContain("Paused: nothing is changed");
    expect(await readPause(table())).toMatchObject({
      is: "paused",
      by: "U0ANA",
      reason: "schema change",
    });
    expect(await say("U0BEN", "resume it is over")).toContain("Resumed");
    expect(await readPause(table())).toEqual({ is: "running" });
  });

  it("are for operators who may request, and want a reason", async () => {
    expect(await say("U0CHIARA", "pause schema change")).toContain("may ask for pause");
    expect(await say("U0ANA", "pause")).toContain("Say why");
    expect(await readPause(table())).toEqual({ is: "running" });
  });

  it("say that it is not certain when the table falls silent", async () => {
    await say("U0ANA", "help");
    const sent = signed(
      door.place.signingSecret,
      door.timeline.now() + 1,
      commandBody(door.place, { user: "U0ANA" }, "pause schema change"),
    );
    door.silence('"pause"');
    const answer = await door.sendAndWait(sent);
    expect(spoken(answer)).toContain("It is not certain that your pause was recorded");
    expect(answer.tookSeconds).toBeLessThan(3);
  });
});

describe("/nightshift ack", () => {
  it("is bound to the move that was seen: the next one has to be acknowledged anew", async () => {
    await moveTo(standby, "failover-2-1");
    expect(await say("U0ANA", "ack")).toContain(`the move to ${standby} (epoch 2, failover-2-1)`);
    expect(await readLease(table())).toMatchObject({ epoch: 2, acknowledged: true });
    expect(await say("U0ANA", "status")).toContain("by failover-2-1, acknowledged)");
    await moveTo(primary, "failover-3-1");
    expect((await readLease(table())).acknowledged).toBeUndefined();
  });

  it("still holds when a later move was given back, since nothing moved", async () => {
    await moveTo(standby, "failover-2-1");
    await say("U0ANA", "ack");
    const before = await readLease(table());
    await claim(primary, "failover-3-1");
    await returnLease(table(), { epoch: 3, holder: "failover-3-1" }, before);
    expect(await readLease(table())).toMatchObject({ epoch: 4, acknowledged: true });
  });

  it("is refused when nothing ever moved, and while something moves", async () => {
    expect(await say("U0ANA", "ack")).toContain("nothing ever moved");
    await claim(standby, "failover-2-1");
    expect(await say("U0ANA", "ack")).toContain("is still moving the lease");
    expect((await readLease(table())).acknowledged).toBeUndefined();
  });
});

describe("/nightshift abort", () => {
  it("leaves a word for the run that waits for approval", async () => {
    await wrote("failover-2-1", move("asking"));
    expect(await say("U0CHIARA", "abort wrong region")).toContain("failover-2-1 is told to stop");
    expect(await readAbort(table(), "failover-2-1")).toEqual({
      by: "U0CHIARA",
      reason: "wrong region",
      atMilliseconds: startedAt + 1000,
    });
  });

  it("goes to the holder of a lease that is moving, and the first word stands", async () => {
    await claim(standby, "failover-2-1");
    await wrote("failover-2-1", move("claimed"));
    await say("U0ANA", "abort wrong region");
    expect(await say("U0BEN", "abort me too")).toContain("<@U0ANA> had said so before");
    expect(await readAbort(table(), "failover-2-1")).toMatchObject({ by: "U0ANA" });
  });

  it("does not lie in wait for a run that has not begun", async () => {
    expect(await say("U0ANA", "abort just in case")).toContain("No run is under way");
    expect(await readAbort(table(), "failover-2-1")).toBeUndefined();
  });

  it("is refused after the promotion and after the end", async () => {
    await claim(standby, "failover-2-1");
    await wrote("failover-2-1", move("promoted", false));
    expect(await say("U0ANA", "abort too late")).toContain("the only way is forward");
    await wrote("failover-2-1", move("needs-human", false));
    expect(await say("U0ANA", "abort too late")).toContain("the only way is forward");
    expect(await readAbort(table(), "failover-2-1")).toBeUndefined();
  });

  it("says that it may come too late once the run has stated the loss", async () => {
    await claim(standby, "failover-2-1");
    await wrote("failover-2-1", move("fenced"), { key: "loss", data: {} });
    expect(await say("U0ANA", "abort please")).toContain("It may come too late");
    expect(await readAbort(table(), "failover-2-1")).toBeDefined();
  });
});

describe("/nightshift carry-on", () => {
  it("starts the next execution of the run that has the lease, once, as the move that it is", async () => {
    await claim(standby, "failover-2-1");
    const begin = { kind: "switchover", trigger: { overrides: ["readiness"] } };
    await wrote("failover-2-1", { key: "begin", data: begin });
    await wrote("failover-2-1", move("claimed"), move("needs-human", false));
    const said = await say("U0ANA", "carry-on accept:unknown-loss the cause is mended");
    expect(said).toContain("failover-2-1 is carried on in eu-west-1, as failover-2-1-again-1");
    expect(door.lambda.invocations).toMatchObject([
      {
        region: standby,
        execution: "failover-2-1-again-1",
        payload: {
          kind: "carry-on",
          run: "failover-2-1",
          again: 1,
          move: "switchover",
          trigger: {
            who: "U0ANA",
            reason: "the cause is mended",
            overrides: ["readiness", "unknown-loss"],
          },
        },
      },
    ]);
    expect(await say("U0BEN", "carry-on failover-2-1")).toContain("carried on already");
    await wrote("failover-2-1", { ...move("carried-on"), key: "again 1: begin" });
    expect(await say("U0BEN", "carry-on")).toContain("is under way (carried-on)");
    expect(door.lambda.invocations).toHaveLength(1);
  });

  it("is refused for a run that has moved nothing, for none, and for who may not request", async () => {
    expect(await say("U0ANA", "carry-on")).toContain("deploy is no move");
    await wrote("failover-2-1", move("needs-human", false));
    expect(await say("U0ANA", "carry-on failover-2-1")).toContain("Ask for the move again");
    expect(await say("U0CHIARA", "carry-on")).toContain("not one who may ask for carry-on");
    expect(door.lambda.invocations).toEqual([]);
  });

  it("is started by an abort of a run that has stopped, which says so", async () => {
    await claim(standby, "failover-2-1");
    await wrote("failover-2-1", move("claimed"), move("needs-human", false));
    expect(await say("U0CHIARA", "abort we stay")).toContain(
      "failover-2-1-again-1 is started to give the lease back",
    );
    expect(await readAbort(table(), "failover-2-1")).toMatchObject({ by: "U0CHIARA" });
  });
});

it("tells of every verb in its help", async () => {
  const text = await say("U0ANA", "what");
  for (const verb of [
    "status",
    "failover",
    "switchover",
    "failback",
    "pause",
    "resume",
    "ack",
    "carry-on",
  ]) {
    expect(text).toContain(verb);
  }
});
