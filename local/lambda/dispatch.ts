import {
  DurableExecutionClientError,
  DurableExecutionClientErrorScope,
} from "@aws/durable-execution-sdk-js";
import { AwsError, type Surroundings } from "../aws/service.ts";
import type { Place, RegionState } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import { DurableEngine } from "./durable.ts";
import type {
  DurableClient,
  FunctionDefinition,
  FunctionFailure,
  FunctionHost,
  InvocationOutcome,
} from "./host.ts";
import type { ChainedResult, CheckpointMoment } from "./ports.ts";
import type { Execution, ExecutionStore } from "./store.ts";

/** An event that no further attempt will be made for. */
export interface DeadLetter {
  functionArn: string;
  /** JSON text of the event. */
  payload: string;
  condition: "RetriesExhausted" | "EventAgeExceeded" | "DurableExecutionNotSucceeded";
  attempts: number;
  error: FunctionFailure | undefined;
  durableExecutionArn?: string;
}

export interface LambdaOptions {
  deadLetter?(letter: DeadLetter): void;
  /** Kills the invocation exactly before or after a checkpoint has its effect. */
  onCheckpoint?(moment: CheckpointMoment): "kill" | undefined;
  /** Whether this asynchronous event is delivered twice, as Lambda now and then does. */
  duplicate?(definition: FunctionDefinition, payload: string): boolean;
  /** Sees every invocation of every function begin and end, for a trace or a timeline. */
  observe?(moment: InvocationMoment): void;
}

export interface InvocationMoment {
  phase: "begun" | "ended";
  requestId: string;
  definition: FunctionDefinition;
  durableExecutionArn: string | undefined;
  outcome?: InvocationOutcome;
}

/** An invocation that runs at this moment. */
export interface Running {
  requestId: string;
  definition: FunctionDefinition;
  durableExecutionArn: string | undefined;
}

/**
 * Asynchronous events: two more attempts, a minute and then two minutes after the failure, and
 * six hours at most for events that are throttled.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
const asynchronous = { retrySeconds: [60, 120], mostAgeSeconds: 6 * 3600 };
/** AWS backs off from 1 s to 5 minutes while an event is throttled. Source as above. */
const throttleSeconds = { first: 1, most: 300 };

interface QueuedEvent {
  definition: FunctionDefinition;
  payload: string;
  queuedAt: number;
  attempts: number;
  throttled: number;
}

/** Answers that never come: the caller is left to its own timeout. */
export const silence = <T>() => new Promise<T>(() => undefined);

/** Decides which event runs when: the queue, its retries, concurrency, timeouts, dead regions. */
export class Dispatch {
  readonly running = new Map<string, Running>();
  readonly engine: DurableEngine;
  readonly #definitions = new Map<string, FunctionDefinition>();
  readonly #busy = new Map<string, number>();
  readonly #parked = new Map<Place, QueuedEvent[]>();
  readonly #surroundings: Surroundings;
  readonly #host: FunctionHost;
  readonly #options: LambdaOptions;

  constructor(
    surroundings: Surroundings,
    host: FunctionHost,
    store: ExecutionStore,
    options: LambdaOptions,
  ) {
    this.#surroundings = surroundings;
    this.#host = host;
    this.#options = options;
    const { timeline, random, account } = surroundings;
    this.engine = new DurableEngine({
      timeline,
      random,
      account,
      store,
      invoke: (execution, event) => this.#run(this.ofExecution(execution), event, execution),
      kill: (requestId) => host.kill(requestId),
      alive: (region) => this.#alive(region),
      chained: (region, name, payload) => this.#chained(region, name, payload),
      onCheckpoint: options.onCheckpoint,
      onFinished: (execution) => this.#onFinished(execution),
    });
  }

  define(definition: FunctionDefinition): void {
    this.#definitions.set(`${definition.region}/${definition.name}`, definition);
    if (definition.durable) this.engine.resume(definition);
  }

  arnOf({ region, name }: FunctionDefinition): string {
    return `arn:aws:lambda:${region}:${this.#surroundings.account}:function:${name}`;
  }

  /** By name, partial ARN or ARN, with or without a qualifier. */
  find(region: Place, name: string): FunctionDefinition {
    const parts = name.split(":");
    const at = parts.indexOf("function");
    const bare = (at === -1 ? parts[0] : parts[at + 1]) ?? "";
    const definition = this.#definitions.get(`${region}/${bare}`);
    if (definition) return definition;
    const arn = `arn:aws:lambda:${region}:${this.#surroundings.account}:function:${bare}`;
    throw new AwsError("ResourceNotFoundException", `Function not found: ${arn}`, { status: 404 });
  }

  ofExecution({ region, functionName }: Execution): FunctionDefinition {
    return this.find(region, functionName);
  }

  enqueue(definition: FunctionDefinition, payload: string): void {
    const { timeline } = this.#surroundings;
    const copies = this.#options.duplicate?.(definition, payload) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (definition.durable) {
        this.start(definition, { input: payload, asynchronous: true });
        continue;
      }
      const queuedAt = timeline.now();
      const event = { definition, payload, queuedAt, attempts: 0, throttled: 0 };
      timeline.after(0, () => this.#deliver(event));
    }
  }

  start(
    definition: FunctionDefinition,
    request: { name?: string | undefined; input: string; asynchronous: boolean },
  ): Execution {
    return this.engine.start(definition, this.arnOf(definition), request);
  }

  /** A synchronous invocation of a function that is not durable. */
  async invokeAndWait(definition: FunctionDefinition, payload: string): Promise<Answer> {
    if (!this.#alive(definition.region)) return silence();
    if (this.#full(definition)) {
      throw new AwsError("TooManyRequestsException", "Rate Exceeded.", {
        status: 429,
        fields: { Reason: "ReservedFunctionConcurrentInvocationLimitExceeded" },
      });
    }
    const { requestId, outcome } = this.#run(definition, JSON.parse(payload), undefined);
    const ended = await outcome;
    if (!this.#alive(definition.region)) return silence();
    if (ended.kind === "returned") {
      return { payload: JSON.stringify(ended.payload) ?? "null", failed: false };
    }
    const error = ended.kind === "failed" ? ended.error : exited(requestId);
    return { payload: JSON.stringify(error), failed: true };
  }

  onRegionChange(region: Place, state: RegionState): void {
    this.#host.onRegionChange(region, state);
    if (state === "dead") return;
    this.engine.wake(region);
    const waiting = this.#parked.get(region) ?? [];
    this.#parked.delete(region);
    for (const event of waiting) this.#surroundings.timeline.after(0, () => this.#deliver(event));
  }

  #alive(region: Place): boolean {
    return this.#surroundings.network.state(region) !== "dead";
  }

  #full(definition: FunctionDefinition): boolean {
    if (definition.reservedConcurrency === undefined) return false;
    return (this.#busy.get(this.arnOf(definition)) ?? 0) >= definition.reservedConcurrency;
  }

  /** One invocation, ended by the host or by the function's own timeout. */
  #run(definition: FunctionDefinition, event: unknown, execution: Execution | undefined) {
    const { timeline, random } = this.#surroundings;
    const functionArn = this.arnOf(definition);
    const requestId = requestIdFrom(random.bytes(16));
    const timeout = definition.timeoutSeconds * 1000;
    const durableExecutionArn = execution?.arn;
    const run = { requestId, definition, durableExecutionArn };
    let timedOut = false;
    this.running.set(requestId, run);
    this.#busy.set(functionArn, (this.#busy.get(functionArn) ?? 0) + 1);
    this.#options.observe?.({ phase: "begun", ...run });
    let timer: Timer | undefined;
    const begin = (): number => {
      timer = timeline.after(timeout, () => {
        timedOut = true;
        this.#host.kill(requestId);
      });
      return timeline.now() + timeout;
    };
    const ended = this.#host.invoke({
      definition,
      functionArn,
      requestId,
      event,
      begin,
      ...(execution && { durable: this.#clientOf(execution) }),
    });
    const outcome = ended.then((end): InvocationOutcome => {
      timer?.cancel();
      this.running.delete(requestId);
      this.#busy.set(functionArn, (this.#busy.get(functionArn) ?? 1) - 1);
      const late = timedOut && end.kind === "killed";
      const known = late ? { kind: "failed" as const, error: timedOutAfter(definition) } : end;
      this.#options.observe?.({ phase: "ended", ...run, outcome: known });
      return known;
    });
    return { requestId, outcome };
  }

  /** The way of a host in this process to the durable state: no wire, no copies. */
  #clientOf({ region }: Execution): DurableClient {
    const answer = <T>(act: () => T | undefined): Promise<T> => {
      try {
        const value = act();
        return value === undefined ? silence() : Promise.resolve(value);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        const scope = error.message.startsWith("Invalid Checkpoint Token")
          ? DurableExecutionClientErrorScope.INVOCATION
          : DurableExecutionClientErrorScope.EXECUTION;
        return Promise.reject(new DurableExecutionClientError(error.message, { scope }));
      }
    };
    return {
      checkpoint: (request) => answer(() => this.engine.checkpoint(region, request)),
      getExecutionState: (request) => answer(() => this.engine.state(region, request)),
    };
  }

  async #deliver(event: QueuedEvent): Promise<void> {
    const { definition } = event;
    if (!this.#alive(definition.region)) return this.#park(event);
    if (this.#full(definition)) return this.#throttle(event);
    event.attempts += 1;
    const { requestId, outcome } = this.#run(definition, JSON.parse(event.payload), undefined);
    const ended = await outcome;
    if (ended.kind === "returned") return;
    if (!this.#alive(definition.region)) {
      event.attempts -= 1;
      return this.#park(event);
    }
    const wait = asynchronous.retrySeconds[event.attempts - 1];
    if (wait === undefined) {
      const error = ended.kind === "failed" ? ended.error : exited(requestId);
      return this.#bury(event, "RetriesExhausted", error);
    }
    this.#surroundings.timeline.after(wait * 1000, () => this.#deliver(event));
  }

  /** Keeps the events of a dead region until it lives again. */
  #park(event: QueuedEvent): void {
    const others = this.#parked.get(event.definition.region);
    if (others) others.push(event);
    else this.#parked.set(event.definition.region, [event]);
  }

  #throttle(event: QueuedEvent): void {
    const { timeline } = this.#surroundings;
    if (timeline.now() - event.queuedAt > asynchronous.mostAgeSeconds * 1000) {
      this.#bury(event, "EventAgeExceeded", undefined);
      return;
    }
    const wait = Math.min(throttleSeconds.most, throttleSeconds.first * 2 ** event.throttled);
    event.throttled += 1;
    timeline.after(wait * 1000, () => this.#deliver(event));
  }

  #bury(
    event: QueuedEvent,
    condition: DeadLetter["condition"],
    error: FunctionFailure | undefined,
  ): void {
    const functionArn = this.arnOf(event.definition);
    const { payload, attempts } = event;
    this.#options.deadLetter?.({ functionArn, payload, condition, attempts, error });
  }

  /**
   * A durable execution is never started again by Lambda; its event becomes a dead letter.
   * https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
   */
  #onFinished(execution: Execution): void {
    if (!execution.asynchronous || execution.status === "SUCCEEDED") return;
    this.#options.deadLetter?.({
      functionArn: execution.functionArn,
      payload: execution.input,
      condition: "DurableExecutionNotSucceeded",
      attempts: 1,
      error: {
        errorType: execution.error?.ErrorType ?? execution.status,
        errorMessage: execution.error?.ErrorMessage ?? execution.status,
        trace: execution.error?.StackTrace ?? [],
      },
      durableExecutionArn: execution.arn,
    });
  }

  async #chained(region: Place, name: string, payload: string): Promise<ChainedResult> {
    const definition = this.find(region, name);
    if (definition.durable) {
      const execution = this.start(definition, { input: payload, asynchronous: false });
      const ended = await this.engine.finished(execution.arn);
      if (ended.status === "SUCCEEDED") return { result: ended.result ?? "null" };
      return { error: ended.error ?? { ErrorType: ended.status } };
    }
    const answer = await this.invokeAndWait(definition, payload);
    if (!answer.failed) return { result: answer.payload };
    const error = JSON.parse(answer.payload) as FunctionFailure;
    return { error: { ErrorType: error.errorType, ErrorMessage: error.errorMessage } };
  }
}

/** What a synchronous caller gets: JSON text of the result or of the failure. */
export interface Answer {
  payload: string;
  failed: boolean;
}

const exited = (requestId: string): FunctionFailure => ({
  errorType: "Runtime.ExitError",
  errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: signal: killed`,
  trace: [],
});

const timedOutAfter = ({ timeoutSeconds }: FunctionDefinition): FunctionFailure => ({
  errorType: "Sandbox.Timedout",
  errorMessage: `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`,
  trace: [],
});

const requestIdFrom = (bytes: Buffer): string => {
  const hex = bytes.toString("hex");
  return [8, 12, 16, 20, 32]
    .map((to, index, ends) => hex.slice(index === 0 ? 0 : ends[index - 1], to))
    .join("-");
};
