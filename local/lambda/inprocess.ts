import { DurableExecutionInvocationInputWithClient } from "@aws/durable-execution-sdk-js";
import type { Timeline } from "../time/timeline.ts";
import {
  contextOf,
  type FunctionDefinition,
  type FunctionHost,
  factsOf,
  failureOf,
  type Invocation,
  type InvocationOutcome,
  type LambdaHandler,
} from "./host.ts";

export interface InProcessOptions {
  /**
   * Assembles a handler for one execution environment, which serves one invocation at a time and
   * many in turn. When `killed` is aborted the environment is dead: what its code still does must
   * have no effect. `environment` is its name: put on its calls, it tells whose a call is.
   */
  handlers(
    definition: FunctionDefinition,
    killed: AbortSignal,
    environment: string,
  ): Promise<LambdaHandler>;
}

export interface InProcessHost extends FunctionHost {
  /** The invocation that an environment runs at this moment. */
  requestOf(environment: string): string | undefined;
}

interface Environment {
  key: string;
  name: string;
  handler: Promise<LambdaHandler>;
  killed: AbortController;
}

interface Run {
  environment: Environment;
  end(outcome: InvocationOutcome): void;
}

/** Runs handlers in this process, for modelled time: no process, socket or file. */
export const inProcessHost = (timeline: Timeline, options: InProcessOptions): InProcessHost => {
  const idle = new Map<string, Environment[]>();
  const running = new Map<string, Run>();
  let environments = 0;

  const environmentFor = (definition: FunctionDefinition): Environment => {
    const key = `${definition.region}/${definition.name}`;
    const warm = idle.get(key)?.pop();
    if (warm) return warm;
    const killed = new AbortController();
    environments += 1;
    const name = `${key}/${environments}`;
    return { key, name, killed, handler: options.handlers(definition, killed.signal, name) };
  };

  const release = (environment: Environment): void => {
    const others = idle.get(environment.key);
    if (others) others.push(environment);
    else idle.set(environment.key, [environment]);
  };

  const kill = (requestId: string): void => {
    const run = running.get(requestId);
    if (!run) return;
    running.delete(requestId);
    run.environment.killed.abort(new Error("the execution environment was killed"));
    run.end({ kind: "killed" });
  };

  return {
    invoke: (invocation) => {
      const environment = environmentFor(invocation.definition);
      const { promise, resolve: end } = Promise.withResolvers<InvocationOutcome>();
      running.set(invocation.requestId, { environment, end });
      void outcomeOf(environment.handler, invocation, timeline).then((outcome) => {
        if (!running.delete(invocation.requestId)) return;
        release(environment);
        end(outcome);
      });
      return promise;
    },
    kill,
    requestOf: (name) => {
      for (const [requestId, run] of running) if (run.environment.name === name) return requestId;
      return undefined;
    },
    onRegionChange: (region, state) => {
      if (state !== "dead") return;
      for (const key of [...idle.keys()]) if (key.startsWith(`${region}/`)) idle.delete(key);
      for (const [requestId, run] of [...running]) {
        if (run.environment.key.startsWith(`${region}/`)) kill(requestId);
      }
    },
    close: async () => {
      for (const requestId of [...running.keys()]) kill(requestId);
      idle.clear();
    },
  };
};

const outcomeOf = async (
  assembled: Promise<LambdaHandler>,
  invocation: Invocation,
  timeline: Timeline,
): Promise<InvocationOutcome> => {
  try {
    const handler = await assembled;
    const context = contextOf(factsOf(invocation, invocation.begin()), timeline.now);
    return { kind: "returned", payload: await handler(eventOf(invocation), context) };
  } catch (error) {
    return { kind: "failed", error: failureOf(error) };
  }
};

/**
 * The SDK has a door for test harnesses: an event that carries its own client, which spares the
 * encoding and decoding of every checkpoint. That class forgets the ids of the operations that
 * changed since the last invocation, so they are put back.
 */
const eventOf = (invocation: Invocation): unknown => {
  if (!invocation.durable) return invocation.event;
  type Parameters = ConstructorParameters<typeof DurableExecutionInvocationInputWithClient>;
  const input = invocation.event as Parameters[0];
  const wrapped = new DurableExecutionInvocationInputWithClient(
    input,
    invocation.durable as Parameters[1],
  );
  return Object.assign(wrapped, { UpdatedOperationIds: input.UpdatedOperationIds });
};

/**
 * Makes `setImmediate` an event of the timeline. The durable execution SDK defers each batch of
 * checkpoints by one, and virtual time, which moves on when a turn of the event loop ends, would
 * otherwise run ahead of it. Returns the way back.
 */
export const installImmediates = (timeline: Pick<Timeline, "after">): (() => void) => {
  const kept = globalThis.setImmediate;
  const deferred = (act: (...values: unknown[]) => void, ...values: unknown[]) =>
    timeline.after(0, () => act(...values));
  Object.assign(globalThis, { setImmediate: deferred });
  return () => void Object.assign(globalThis, { setImmediate: kept });
};
