import { describe, expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { Call } from "../../local/aws/service.ts";
import type { HookTools } from "../simulation/world.ts";
import { brief, expectMoved, type StageOptions, stage } from "./stage.ts";

/** Real time for dozens of runs, on a machine that does something else as well. */
const manyRuns = 120_000;

type Make = NonNullable<StageOptions["hooks"]>;

/** Whether the home region is lost, or well and only moved away from. */
type Home = "lost" | "well";

/** Lets an operator ask for the move at once, and sees it through. */
const moved = async (what: string, hooks: Make, home: Home = "lost"): Promise<void> => {
  const at = await stage({ policy: brief, hooks });
  try {
    if (home === "lost") at.loseHome();
    await at.request();
    await expectMoved(at, await at.ended());
  } catch (cause) {
    throw new Error(`${what}: ${String(cause)}`, { cause });
  } finally {
    await at.leave();
  }
};

type Phase = "before" | "after";

/** One run per checkpoint, killed around it, until a run has no checkpoint of that number. */
const killedAtEveryCheckpoint = async (phase: Phase): Promise<number> => {
  for (let number = 1; ; number += 1) {
    let killed = false;
    await moved(`killed ${phase} checkpoint ${number}`, () => ({
      lambda: {
        onCheckpoint: (moment) => {
          if (killed || moment.phase !== phase || moment.number !== number) return undefined;
          killed = true;
          return "kill";
        },
      },
    }));
    if (!killed) return number - 1;
  }
};

describe("a failover whose process is killed at a checkpoint", () => {
  it.each<Phase>(["before", "after"])(
    "ends done with one promotion, wherever it is killed %s one",
    async (phase) => {
      // Fewer would mean that the run has not been walked through.
      expect(await killedAtEveryCheckpoint(phase)).toBeGreaterThan(35);
    },
    manyRuns,
  );

  it("ends done when it is killed after each of its first thirty checkpoints in turn", async () => {
    const killed = new Set<number>();
    await moved("killed again and again", () => ({
      lambda: {
        onCheckpoint: ({ phase, number }) => {
          if (phase !== "after" || number > 30 || killed.has(number)) return undefined;
          killed.add(number);
          return "kill";
        },
      },
    }));
    expect(killed.size).toBe(30);
  });
});

/** A call as a place to be killed at: writes to a table are told apart by what they write. */
const labelOf = ({ service, operation }: Call, input: unknown): string => {
  const { Key, Item, FunctionName, Payload } = input as {
    Key?: { id?: { S?: string } };
    Item?: { key?: { S?: string } };
    FunctionName?: string;
    Payload?: Uint8Array;
  };
  const item = Key?.id?.S?.split("#")[0] ?? Item?.key?.S?.replace(/[#.\d]+.*/, "").trim() ?? "";
  const asked = FunctionName
    ? `${FunctionName} ${JSON.parse(Buffer.from(Payload ?? []).toString()).do}`
    : item;
  return `${service}.${operation} ${asked}`.trim();
};

/** Calls of the failover function only; `visit` tells which of them to be killed at. */
const observing = (
  phase: Phase,
  { requestOf, kill }: HookTools,
  visit: (label: string) => boolean,
): Observer => {
  const hook = (call: Call, input: unknown, trace: string | undefined) => {
    if (!trace?.includes("/failover/") || !visit(labelOf(call, input))) return undefined;
    const requestId = requestOf(trace);
    if (requestId === undefined) throw new Error(`nobody runs in ${trace}`);
    kill(requestId);
    return "silence" as const;
  };
  return phase === "before"
    ? { before: async (call, input, trace) => hook(call, input, trace) }
    : { after: async (call, input, _outcome, trace) => hook(call, input, trace) };
};

/** What the failover function asks of AWS in a run that nothing disturbs, and how often. */
const callsOfARun = async (): Promise<Map<string, number>> => {
  const calls = new Map<string, number>();
  await moved("undisturbed", (tools) => ({
    observe: observing("after", tools, (label) => {
      calls.set(label, (calls.get(label) ?? 0) + 1);
      return false;
    }),
  }));
  return calls;
};

/** Reads change nothing, so a death before one is the death after the call before it. */
const changes =
  /Promote|SetDesired|UpdateAutoScaling|UpdateItem|PutItem|StopReplication|PutSecret|liftFence|obey/;

const killedAtCall = async (
  phase: Phase,
  label: string,
  time: number,
  home?: Home,
): Promise<void> => {
  let seen = 0;
  const hooks: Make = (tools) => ({
    observe: observing(phase, tools, (here) => {
      if (here === label) seen += 1;
      return here === label && seen === time;
    }),
  });
  await moved(`killed ${phase} ${label}, time ${time}`, hooks, home);
  expect(seen, `${label} was called`).toBeGreaterThanOrEqual(time);
};

describe("a failover whose process is killed at an AWS call", () => {
  it(
    "ends done with one promotion, whichever change had its effect just before",
    async () => {
      const calls = [...(await callsOfARun())].filter(([label]) => changes.test(label));
      for (const [label, times] of calls) {
        await killedAtCall("after", label, 1);
        if (times > 1) await killedAtCall("after", label, times);
      }
      expect(calls.map(([label]) => label)).toEqual(
        expect.arrayContaining([
          "rds.PromoteReadReplica",
          "dynamodb.UpdateItem lease",
          "dynamodb.UpdateItem approval",
          "secretsmanager.StopReplicationToReplica",
          "secretsmanager.PutSecretValue",
          "autoscaling.SetDesiredCapacity",
          "autoscaling.UpdateAutoScalingGroup",
          "lambda.Invoke guard obey",
        ]),
      );
    },
    manyRuns,
  );

  it.each([
    "rds.PromoteReadReplica",
    "dynamodb.UpdateItem lease",
    "secretsmanager.StopReplicationToReplica",
    "secretsmanager.PutSecretValue",
  ])("ends done with one promotion when it dies just before %s", async (label) => {
    await killedAtCall("before", label, 1);
  });

  it.each<Phase>(["before", "after"])(
    "ends done when it dies just %s it lifts the fence that a living home region had closed",
    async (phase) => {
      await killedAtCall(phase, "lambda.Invoke database liftFence", 1, "well");
    },
  );
});
