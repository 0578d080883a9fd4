import {
  type DurableExecutionInvocationInput,
  withDurableExecution,
} from "@aws/durable-execution-sdk-js";
import type { InvokeCommandInput, InvokeCommandOutput } from "@aws-sdk/client-lambda";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LocalLambda, lambda } from "../../local/aws/lambda.ts";
import { AwsError } from "../../local/aws/service.ts";
import type { DeadLetter, LambdaOptions } from "../../local/lambda/dispatch.ts";
import type { FunctionDefinition, LambdaHandler } from "../../local/lambda/host.ts";
import { inProcessHost, installImmediates } from "../../local/lambda/inprocess.ts";
import type { CheckpointMoment } from "../../local/lambda/ports.ts";
import { type ExecutionStore, memoryStore } from "../../local/lambda/store.ts";
import { network } from "../../local/network.ts";
import { installTime } from "../../local/time/install.ts";
import { type VirtualTimeline, virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";
import { account, ask, origin, region, textOf } from "./fixtures/ask.ts";
import { assemble, type Input } from "./fixtures/durable-handler.ts";

const definition: FunctionDefinition = {
  name: "failover",
  region,
  entry: "test/local/fixtures/durable-handler.ts",
  environment: {},
  timeoutSeconds: 300,
  durable: { executionTimeoutSeconds: 6 * 3600 },
};

interface WorldOptions {
  store?: ExecutionStore;
  /** Whether somebody approves, a minute after being asked. */
  answer?: boolean;
  /** Lets the effects of killed environments happen. */
  zombies?: boolean;
  /** Seconds that an effect takes. */
  pauses?: Record<string, number>;
}

const started = (name: string, input: Input = {}, type = "RequestResponse") =>
  ({
    FunctionName: definition.name,
    InvocationType: type,
    DurableExecutionName: name,
    Payload: Buffer.from(JSON.stringify(input)),
  }) as InvokeCommandInput;

describe("a durable execution in virtual time", () => {
  let timeline: VirtualTimeline;
  let back: (() => void)[] = [];
  beforeEach(() => {
    timeline = virtualTimeline(origin);
    back = [installTime(timeline), installImmediates(timeline)];
  });
  afterEach(() => {
    for (const restore of back.reverse()) restore();
  });

  /** The service, the fixture in this process, and every effect with the second it happened in. */
  const world = (options: LambdaOptions & WorldOptions = {}) => {
    const effects: string[] = [];
    const tokens: string[] = [];
    const told: (string | undefined)[][] = [];
    const regions = network();
    const surroundings = { timeline, random: seededRandom(7), network: regions, account };
    const host = inProcessHost(timeline, {
      handlers: async (_definition, killed) => {
        const handler = assemble({
          effect: async (name) => {
            if (killed.aborted && !options.zombies) return;
            const [word = ""] = name.split(" ");
            effects.push(`${(timeline.now() - origin) / 1000} ${word}`);
            if (word === "ask" && options.answer !== false) approve(name.slice(4));
            const seconds = options.pauses?.[word];
            if (seconds !== undefined) await timeline.sleep(seconds * 1000);
          },
        }) as unknown as LambdaHandler;
        return (event, context) => {
          const input = event as DurableExecutionInvocationInput;
          tokens.push(input.CheckpointToken);
          told.push(input.InitialExecutionState.Operations.map((each) => each.Name));
          return handler(event, context);
        };
      },
    });
    const local = lambda(surroundings, host, options.store ?? memoryStore(), options);
    local.define(definition);
    const approve = (id: string) =>
      timeline.after(60_000, () => {
        const answer = { CallbackId: id, Result: Buffer.from("yes") };
        try {
          ask(local, "SendDurableExecutionCallbackSuccess", answer);
        } catch (error) {
          // A submitter that ran twice asks twice for the same callback.
          if (!(error instanceof AwsError)) throw error;
        }
      });
    const run = (name = "failover-2", input: Input = {}) =>
      timeline.run(
        ask<Promise<InvokeCommandOutput>>(local, "Invoke", started(name, input)),
        7 * 3600_000,
      );
    const count = (name: string) => effects.filter((each) => each.endsWith(` ${name}`)).length;
    return { effects, tokens, told, local, host, regions, run, count };
  };

  it("runs steps, branches, retries, conditions and an approval at their modelled times", async () => {
    const { effects, run } = world();
    const answer = await run();
    expect(textOf(answer)).toBe('{"seen":3,"answer":"yes"}');
    expect(answer.DurableExecutionArn).toContain(":failover:$LATEST/durable-execution/failover-2/");
    expect(effects).toEqual([
      "0 assess",
      "0 raise",
      "0 read",
      "30 count",
      "30 flaky",
      "32 flaky",
      "34 flaky",
      "34 look",
      "44 look",
      "54 look",
      "54 ask",
      "114 promote",
    ]);
  });

  it("spares a new invocation what is inside of finished branches", async () => {
    const { run, told } = world();
    await run();
    expect(told[1]).toEqual([
      "failover-2",
      "assess",
      "warm",
      "capacity",
      "secret",
      "raise",
      "settle",
    ]);
    // The SDK gives no names to the two parts of an approval.
    expect(told.at(-1)).toEqual([
      ...["failover-2", "assess", "warm", "flaky", "available", "approve"],
      ...[undefined, undefined],
    ]);
  });

  it("gives an approval up after fifteen minutes", async () => {
    const { run, effects } = world({ answer: false });
    expect(textOf(await run())).toBe('{"seen":3,"answer":"no: CallbackTimeoutError"}');
    expect(effects.at(-1)).toBe("954 promote");
  });

  it("ends with the same result when it is killed before or after any one checkpoint", async () => {
    let seen = 0;
    const plain = world({ onCheckpoint: (moment) => void (seen = moment.number) as undefined });
    await plain.run();
    for (const phase of ["before", "after"] as const) {
      for (let target = 1; target <= seen; target += 1) {
        let kills = 0;
        const kill = (moment: CheckpointMoment) => {
          if (moment.phase !== phase || moment.number !== target || kills > 0) return undefined;
          kills += 1;
          return "kill" as const;
        };
        const { run, count } = world({ onCheckpoint: kill });
        const why = `killed ${phase} checkpoint ${target}`;
        expect(textOf(await run(`${phase}-${target}`)), why).toBe('{"seen":3,"answer":"yes"}');
        expect(kills, why).toBe(1);
        for (const name of ["assess", "raise", "count", "read", "ask", "promote"]) {
          expect(count(name), `${name}, ${why}`).toBeGreaterThanOrEqual(1);
          expect(count(name), `${name}, ${why}`).toBeLessThanOrEqual(2);
        }
      }
    }
  });

  it("does the same twice with the same seed and the same kills", async () => {
    const runs: string[][] = [];
    for (let round = 0; round < 2; round += 1) {
      const random = seededRandom("kills");
      const kill = () => (random.fraction() < 0.2 ? ("kill" as const) : undefined);
      const { run, effects } = world({ onCheckpoint: kill });
      const before = timeline.now();
      const answer = await run(`round-${round}`);
      runs.push([textOf(answer), ...effects.map((each) => shifted(each, before))]);
    }
    expect(runs[0]).toEqual(runs[1]);
  });
  const shifted = (effect: string, before: number) => {
    const [at, name] = effect.split(" ");
    return `${(Number(at) - (before - origin) / 1000).toFixed(3)} ${name}`;
  };

  it("lets an invocation that is believed dead do no more than the step it is in", async () => {
    const { local, count } = world({ zombies: true, pauses: { raise: 10 } });
    const { DurableExecutionArn = "" } = await ask<Promise<InvokeCommandOutput>>(
      local,
      "Invoke",
      started("zombie", {}, "Event"),
    );
    await timeline.advance(2_000);
    local.kill(local.running()[0]?.requestId ?? "");
    // The dead one ends its step at 10 s, while the one after it is still in the same step.
    await timeline.advance(9_000);
    expect([count("raise"), count("count")]).toEqual([2, 0]);
    const ended = await timeline.run(local.finished(DurableExecutionArn), 3600_000);
    expect(ended.status).toBe("SUCCEEDED");
    expect(count("raise")).toBe(2);
    for (const name of ["assess", "read", "count", "ask", "promote"]) expect(count(name)).toBe(1);
  });

  it("refuses a checkpoint with an old token, and answers a repeated one as the first time", async () => {
    const { local, tokens } = world({ pauses: { raise: 10 } });
    const { DurableExecutionArn } = await ask<Promise<InvokeCommandOutput>>(
      local,
      "Invoke",
      started("tokens", {}, "Event"),
    );
    await timeline.advance(2_000);
    local.kill(local.running()[0]?.requestId ?? "");
    await timeline.advance(3_000);
    const [old = "", current = ""] = tokens;
    const checkpoint = (CheckpointToken: string, ClientToken: string) =>
      ask<object>(local, "CheckpointDurableExecution", {
        DurableExecutionArn,
        CheckpointToken,
        ClientToken,
        Updates: [{ Id: "more", Type: "STEP", Action: "START" }],
      });
    expect(current).not.toBe(old);
    expect(() => checkpoint(old, "a")).toThrow(/^Invalid Checkpoint Token/);
    const running = local.execution(region, DurableExecutionArn ?? "");
    const token = Buffer.from(
      `${running.id}/${running.invocations}/${running.checkpoints}`,
    ).toString("base64");
    const first = checkpoint(token, "b");
    expect(checkpoint(token, "b")).toBe(first);
    expect(() => checkpoint(token, "c")).toThrow(/^Invalid Checkpoint Token/);
  });

  /** A service with functions of their own, in the place of the fixture. */
  const serviceOf = (handlers: Record<string, LambdaHandler>) => {
    const surroundings = { timeline, random: seededRandom(7), network: network(), account };
    const host = inProcessHost(timeline, {
      handlers: async ({ name }) => handlers[name] ?? Promise.reject(new Error(name)),
    });
    const local = lambda(surroundings, host, memoryStore());
    local.define(definition);
    return local;
  };
  const start = (local: LocalLambda) =>
    ask<Promise<InvokeCommandOutput>>(local, "Invoke", started("failover-5", {}, "Event")).then(
      (answer) => answer.DurableExecutionArn ?? "",
    );

  it("keeps a callback open for as long as it is told that somebody works on it", async () => {
    let callbackId = "";
    const local = serviceOf({
      failover: withDurableExecution(async (_event, context) => {
        const [answer, id] = await context.createCallback({ heartbeatTimeout: { seconds: 10 } });
        callbackId = id;
        return answer.catch((error: unknown) => String(error));
      }) as unknown as LambdaHandler,
    });
    const arn = await start(local);
    for (let beat = 0; beat < 3; beat += 1) {
      await timeline.advance(8000);
      ask(local, "SendDurableExecutionCallbackHeartbeat", { CallbackId: callbackId });
    }
    const ended = await timeline.run(local.finished(arn), 60_000);
    expect((ended.endedAt ?? 0) - ended.startedAt).toBeGreaterThanOrEqual(34_000);
    expect(ended.result).toContain("Callback heartbeat timed out");
  });

  it("invokes another function as an operation, and hands its error on", async () => {
    let fails = false;
    const local = serviceOf({
      failover: withDurableExecution(async (_event, context) => {
        const first = await context.invoke("ask the guard", "guard", { want: 1 });
        fails = true;
        const second = await context
          .invoke("guard", {})
          .catch((error: unknown) => (error instanceof Error ? error.name : error));
        return { first, second };
      }) as unknown as LambdaHandler,
      guard: async (event) => {
        if (fails) throw new RangeError("too far");
        return { got: event };
      },
    });
    const { durable: _, ...plain } = definition;
    local.define({ ...plain, name: "guard" });
    const ended = await timeline.run(local.finished(await start(local)), 60_000);
    expect(ended.result).toBe('{"first":{"got":{"want":1}},"second":"InvokeError"}');
  });

  it("starts one execution for one name, and refuses the name for another payload", async () => {
    const { local, count } = world();
    const invoke = (input: Input) =>
      ask<Promise<InvokeCommandOutput>>(local, "Invoke", started("failover-3", input, "Event"));
    const first = await invoke({});
    const again = await invoke({});
    expect(again.DurableExecutionArn).toBe(first.DurableExecutionArn);
    await expect(invoke({ steps: 2 })).rejects.toMatchObject({
      name: "DurableExecutionAlreadyStartedException",
    });
    await timeline.run(local.finished(first.DurableExecutionArn ?? ""), 3600_000);
    expect((await invoke({})).DurableExecutionArn).toBe(first.DurableExecutionArn);
    expect(count("promote")).toBe(1);
  });

  it("ends TIMED_OUT at its execution timeout and leaves a dead letter", async () => {
    const letters: DeadLetter[] = [];
    const { local } = world({ answer: false, deadLetter: (letter) => void letters.push(letter) });
    local.define({ ...definition, durable: { executionTimeoutSeconds: 300 } });
    const { DurableExecutionArn = "" } = await ask<Promise<InvokeCommandOutput>>(
      local,
      "Invoke",
      started("short", {}, "Event"),
    );
    const ended = await timeline.run(local.finished(DurableExecutionArn), 3600_000);
    expect([ended.status, (ended.endedAt ?? 0) - ended.startedAt]).toEqual(["TIMED_OUT", 300_000]);
    expect(letters).toMatchObject([{ condition: "DurableExecutionNotSucceeded" }]);
  });

  it("stops when it is told to, and a late answer to its callback is refused", async () => {
    const { local } = world({ answer: false });
    const { DurableExecutionArn = "" } = await ask<Promise<InvokeCommandOutput>>(
      local,
      "Invoke",
      started("stopped", {}, "Event"),
    );
    await timeline.advance(60_000);
    ask(local, "StopDurableExecution", { DurableExecutionArn, Error: { ErrorType: "Operator" } });
    expect(ask(local, "GetDurableExecution", { DurableExecutionArn })).toMatchObject({
      Status: "STOPPED",
      Error: { ErrorType: "Operator" },
    });
    const waiting = [...local.execution(region, DurableExecutionArn).operations.values()];
    const CallbackId = waiting.find((each) => each.Type === "CALLBACK")?.CallbackDetails
      ?.CallbackId;
    const late = () => ask(local, "SendDurableExecutionCallbackSuccess", { CallbackId });
    expect(late).toThrow("The callback has timed out.");
  });

  it("goes on when its dead region comes back, and does nothing while it is dead", async () => {
    const { local, regions, effects } = world();
    regions.onChange((place, state) => local.onRegionChange(place, state));
    const { DurableExecutionArn = "" } = await ask<Promise<InvokeCommandOutput>>(
      local,
      "Invoke",
      started("dead", {}, "Event"),
    );
    await timeline.advance(10_000);
    regions.set(region, "dead");
    await timeline.advance(600_000);
    expect(effects).toEqual(["0 assess", "0 raise", "0 read"]);
    regions.set(region, "up");
    const ended = await timeline.run(local.finished(DurableExecutionArn), 3600_000);
    expect(ended.status).toBe("SUCCEEDED");
    expect(effects.filter((each) => each.endsWith("count"))).toEqual(["610 count"]);
  });

  it("gives a state of many operations to a new invocation in pages", async () => {
    const { local, run, count } = world({
      onCheckpoint: ({ number, phase }) =>
        phase === "after" && number % 400 === 0 ? "kill" : undefined,
    });
    await run("long", { steps: 1200 });
    const [execution] = local.executions(region, definition.name);
    expect(execution?.operations.size).toBeGreaterThan(1200);
    expect(count("extra")).toBeLessThanOrEqual(1203);
    expect(count("promote")).toBe(1);
  });
});
