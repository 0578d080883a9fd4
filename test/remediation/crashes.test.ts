import { describe, expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { FaultKind } from "../../local/aws/faults.ts";
import type { Call } from "../../local/aws/service.ts";
import type { HookTools } from "../simulation/world.ts";
import { expectReplaced, type StageOptions, stage } from "./stage.ts";

/** Real time for dozens of runs, on a machine that does something else as well. */
const manyRuns = 300_000;

type Make = NonNullable<StageOptions["hooks"]>;
type Phase = "before" | "after";

/** One sick instance, seen through to the end of its attempt, however it is disturbed. */
const repaired = async (what: string, hooks: Make): Promise<void> => {
  const at = await stage({ hooks, writesPerSecond: 0.1, instances: 3 });
  try {
    const before = await at.serving();
    const { ids } = await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "done", code: "healed" });
    await expectReplaced(at, ids[0] ?? "", before);
    expect((await at.incident())?.attempt).toMatchObject({ run: result.run, end: "done" });
    expect(at.executions()).toHaveLength(1);
  } catch (cause) {
    throw new Error(`${what}: ${String(cause)}`, { cause });
  } finally {
    await at.leave();
  }
};

/** `EVERY_BLOW=1` kills at each checkpoint; else at every third, others before it than after. */
const stride = process.env.EVERY_BLOW === "1" ? 1 : 3;

/** One run per checkpoint, killed around it, until a run has no checkpoint of that number. */
const killedAtEveryCheckpoint = async (phase: Phase): Promise<number> => {
  for (let number = phase === "before" ? 1 : stride; ; number += stride) {
    let killed = false;
    await repaired(`killed ${phase} checkpoint ${number}`, () => ({
      lambda: {
        onCheckpoint: (moment) => {
          if (killed || moment.phase !== phase || moment.number !== number) return undefined;
          killed = true;
          return "kill";
        },
      },
    }));
    if (!killed) return number - stride;
  }
};

describe("a repair whose process is killed at a checkpoint", () => {
  it.each<Phase>(["before", "after"])(
    "ends done with one instance replaced, wherever it is killed %s one",
    async (phase) => {
      // Fewer would mean that the run has not been walked through.
      expect(await killedAtEveryCheckpoint(phase)).toBeGreaterThan(20);
    },
    manyRuns,
  );
});

/** A call as a place to be killed at: writes to a table are told apart by what they write. */
const labelOf = ({ service, operation }: Call, input: unknown): string => {
  const { Key, Item } = input as {
    Key?: { id?: { S?: string } };
    Item?: { key?: { S?: string } };
  };
  const item = Key?.id?.S?.split("#")[0] ?? Item?.key?.S?.replace(/[#.\d]+.*/, "").trim() ?? "";
  return `${service}.${operation} ${item}`.trim();
};

const ours = /\/(triage|remediation)\//;

/** Calls of triage and remediation only; `visit` tells which of them to be killed at. */
const observing = (
  phase: Phase,
  { requestOf, kill }: HookTools,
  visit: (label: string) => boolean,
): Observer => {
  const hook = (call: Call, input: unknown, trace: string | undefined) => {
    if (!trace || !ours.test(trace) || !visit(labelOf(call, input))) return undefined;
    const requestId = requestOf(trace);
    if (requestId === undefined) throw new Error(`nobody runs in ${trace}`);
    kill(requestId);
    return "silence" as const;
  };
  return phase === "before"
    ? { before: async (call, input, trace) => hook(call, input, trace) }
    : { after: async (call, input, _outcome, trace) => hook(call, input, trace) };
};

/** What is asked of AWS from the moment an instance is sick, and how often. */
const callsOfARepair = async (): Promise<Map<string, number>> => {
  const calls = new Map<string, number>();
  await repaired("undisturbed", (tools) => ({
    observe: observing("after", tools, (label) => {
      calls.set(label, (calls.get(label) ?? 0) + 1);
      return false;
    }),
  }));
  return calls;
};

const changes = /Terminate|UpdateItem (incident|budget|efficacy)|PutItem|Invoke/;

describe("a repair whose process is killed at an AWS call", () => {
  it(
    "ends done with one instance replaced, whichever change had its effect just before",
    async () => {
      const calls = [...(await callsOfARepair())].filter(([label]) => changes.test(label));
      for (const [label, times] of calls) {
        for (const time of new Set([1, times])) {
          let seen = 0;
          await repaired(`killed after ${label}, time ${time}`, (tools) => ({
            observe: observing("after", tools, (here) => {
              if (here === label) seen += 1;
              return here === label && seen === time;
            }),
          }));
        }
      }
      expect(calls.map(([label]) => label)).toEqual(
        expect.arrayContaining([
          "autoscaling.TerminateInstanceInAutoScalingGroup",
          "dynamodb.UpdateItem incident",
          "dynamodb.UpdateItem budget",
          "dynamodb.UpdateItem efficacy",
          "lambda.Invoke",
        ]),
      );
    },
    manyRuns,
  );
});

/** Struck for three tries, which is a whole call; a look that fails so is another attempt later on. */
const repairedAfterFaults = async (
  kind: FaultKind,
  [service = "", operation = ""]: string[],
): Promise<void> => {
  const at = await stage({ writesPerSecond: 0.1, instances: 3 });
  try {
    const before = await at.serving();
    const asks = (_call: Call, _input: unknown, caller: string | undefined) =>
      caller !== undefined && ours.test(caller);
    at.faults.add({ match: { service, operation, asks }, kind, times: 3 });
    const { ids } = await at.sicken();
    await at.until("it is repaired", () => at.results().some(({ end }) => end === "done"));
    await expectReplaced(at, ids[0] ?? "", before);
    for (const { end, acts } of at.results().slice(0, -1)) {
      expect({ end, acts }).toEqual({ end: "nothing", acts: 0 });
    }
  } catch (cause) {
    throw new Error(`${kind} of ${service}.${operation}: ${String(cause)}`, { cause });
  } finally {
    await at.leave();
  }
};

describe("a repair whose AWS calls fail", () => {
  it.each<FaultKind>(["throttle", "error", "timeout-before", "timeout-after"])(
    "ends done with one instance replaced, whichever call is struck by %s for as long as a try takes",
    async (kind) => {
      const labels = [...(await callsOfARepair()).keys()];
      const calls = new Set(labels.map((label) => label.split(" ")[0] ?? ""));
      for (const label of calls) await repairedAfterFaults(kind, label.split("."));
      expect(calls.size).toBeGreaterThan(8);
    },
    manyRuns,
  );
});
