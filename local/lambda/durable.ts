import type {
  CheckpointDurableExecutionRequest,
  CheckpointDurableExecutionResponse,
  ErrorObject,
  GetDurableExecutionStateRequest,
  GetDurableExecutionStateResponse,
  Operation,
  OperationUpdate,
} from "@aws-sdk/client-lambda";
import { AwsError } from "../aws/service.ts";
import type { Place } from "../network.ts";
import {
  begun,
  Callbacks,
  chosen,
  type Live,
  lively,
  notDurable,
  type Output,
  ownerOf,
  page,
  pageSize,
  tokenOf,
} from "./execution.ts";
import type { FunctionDefinition, InvocationOutcome } from "./host.ts";
import { dueOf, failed, succeeded, updated, visible } from "./operations.ts";
import type { ChainedResult, CheckpointMoment, DurablePorts } from "./ports.ts";
import type { Execution } from "./store.ts";

/**
 * AWS says that a lost invocation is run again, and not when: assumed 1 s, doubling to a minute.
 * https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk-retries.html
 */
const redriveSeconds = { first: 1, most: 60 };

/** The service's half of durable execution: operations, tokens, timers and invocations. */
export class DurableEngine {
  readonly #ports: DurablePorts;
  readonly #live = new Map<string, Live>();
  readonly #stored = new Map<string, Execution[]>();
  readonly #callbacks = new Callbacks();
  #closed = false;

  constructor(ports: DurablePorts) {
    this.#ports = ports;
    for (const execution of ports.store.load()) {
      const owner = ownerOf(execution.region, execution.functionName);
      const others = this.#stored.get(owner);
      if (others) others.push(execution);
      else this.#stored.set(owner, [execution]);
    }
  }

  /** Takes up the executions of a function that an earlier process left behind. */
  resume(definition: FunctionDefinition): void {
    const owner = ownerOf(definition.region, definition.name);
    for (const execution of this.#stored.get(owner) ?? []) {
      const live = this.#adopt(execution);
      if (execution.status !== "RUNNING") {
        live.finished.resolve(execution);
        continue;
      }
      this.#armDeadline(live);
      for (const operation of execution.operations.values()) {
        this.#callbacks.index(live, operation);
        this.#arm(live, operation);
      }
      if (!execution.suspended) this.#soon(live, 0);
    }
    this.#stored.delete(owner);
  }

  /**
   * The same name with the same payload gives the same execution, finished or not; with another
   * payload DurableExecutionAlreadyStartedException. Names are unique in account and region:
   * https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
   */
  start(
    definition: FunctionDefinition,
    functionArn: string,
    request: { name?: string | undefined; input: string; asynchronous: boolean },
  ): Execution {
    const { timeline, random, store } = this.#ports;
    const existing = request.name === undefined ? undefined : this.#named(definition, request.name);
    if (existing) {
      if (existing.input === request.input && existing.functionName === definition.name) {
        return existing;
      }
      throw new AwsError(
        "DurableExecutionAlreadyStartedException",
        `The durable execution ${request.name} has already been started with another payload.`,
        { status: 409 },
      );
    }
    const name = request.name ?? random.id();
    const execution = begun(
      definition,
      functionArn,
      { ...request, id: random.id(), name },
      timeline.now(),
    );
    const live = this.#adopt(execution);
    store.save(execution);
    this.#armDeadline(live);
    this.#soon(live, 0);
    return execution;
  }

  get(region: Place, arn: string): Execution {
    return this.#find(region, arn).execution;
  }

  /** Oldest first. */
  list(region: Place, functionName: string): Execution[] {
    const all = [...this.#live.values()].map((live) => live.execution);
    return all.filter((each) => each.region === region && each.functionName === functionName);
  }

  /** Settles when the execution ends, however it ends. */
  finished(arn: string): Promise<Execution> {
    const live = this.#live.get(arn);
    return live ? live.finished.promise : Promise.reject(new Error(`no execution ${arn}`));
  }

  /** Undefined: the invocation was killed around this checkpoint, nobody listens any more. */
  checkpoint(
    region: Place,
    request: CheckpointDurableExecutionRequest,
  ): CheckpointDurableExecutionResponse | undefined {
    const live = this.#find(region, request.DurableExecutionArn ?? "");
    const { execution } = live;
    const repeated = live.last?.clientToken === request.ClientToken ? live.last : undefined;
    if (repeated && request.ClientToken !== undefined) return repeated.response;
    this.#authorise(live, request.CheckpointToken);
    const updates = request.Updates ?? [];
    const number = execution.checkpoints + 1;
    if (this.#killed(live, { execution, phase: "before", number, updates })) return undefined;
    const told = this.#apply(live, updates);
    for (const id of live.untold) told.add(id);
    live.untold.clear();
    execution.checkpoints = number;
    live.token = tokenOf(execution);
    this.#ports.store.save(execution);
    const response: CheckpointDurableExecutionResponse = {
      CheckpointToken: live.token,
      NewExecutionState: { Operations: chosen(execution, told) },
    };
    if (request.ClientToken !== undefined) {
      live.last = { clientToken: request.ClientToken, response };
    }
    if (this.#killed(live, { execution, phase: "after", number, updates })) return undefined;
    return response;
  }

  state(region: Place, request: GetDurableExecutionStateRequest): GetDurableExecutionStateResponse {
    const live = this.#find(region, request.DurableExecutionArn ?? "");
    this.#authorise(live, request.CheckpointToken);
    return page(visible(live.execution.operations), request.Marker, request.MaxItems);
  }

  /** Answers a callback, once. */
  answer(region: Place, callbackId: string, answer: ChainedResult): void {
    const { live, operation } = this.#callbacks.find(region, callbackId);
    const now = this.#ports.timeline.now();
    const done =
      "result" in answer
        ? succeeded(operation, now, answer.result)
        : failed(operation, now, "FAILED", answer.error);
    this.#changed(live, done);
  }

  heartbeat(region: Place, callbackId: string): void {
    const { live, operation } = this.#callbacks.find(region, callbackId);
    const times = live.execution.callbacks[operation.Id ?? ""];
    if (times?.heartbeatSeconds === undefined) return;
    times.heartbeatAt = this.#ports.timeline.now() + times.heartbeatSeconds * 1000;
    this.#ports.store.save(live.execution);
    this.#arm(live, operation);
  }

  /** Modelled milliseconds since 1970 at which it stopped. Twice is once. */
  stop(region: Place, arn: string, error: ErrorObject | undefined): number {
    const live = this.#find(region, arn);
    if (live.execution.status === "RUNNING") this.#finish(live, "STOPPED", { error });
    return live.execution.endedAt ?? this.#ports.timeline.now();
  }

  /** A region that came back takes up its executions again. */
  wake(region: Place): void {
    for (const live of this.#live.values()) {
      const { execution } = live;
      if (execution.region !== region || execution.status !== "RUNNING") continue;
      if (!execution.suspended) this.#soon(live, 0);
    }
  }

  /** Leaves everything as a killed process would: on disk, with nothing due any more. */
  close(): void {
    this.#closed = true;
    for (const live of this.#live.values()) {
      for (const timer of live.timers.values()) timer.cancel();
      live.timers.clear();
    }
  }

  #named(definition: FunctionDefinition, name: string): Execution | undefined {
    for (const { execution } of this.#live.values()) {
      if (execution.name === name && execution.region === definition.region) return execution;
    }
    return undefined;
  }

  #find(region: Place, arn: string): Live {
    const live = this.#live.get(arn);
    if (live?.execution.region === region) return live;
    throw new AwsError("ResourceNotFoundException", `Durable execution not found: ${arn}`, {
      status: 404,
    });
  }

  /** The SDK takes exactly these first words for a lost race, and lets the newer run go on. */
  #authorise(live: Live, token: string | undefined): void {
    if (live.token !== undefined && token === live.token) return;
    throw new AwsError(
      "InvalidParameterValueException",
      "Invalid Checkpoint Token: it belongs to an invocation that is over.",
    );
  }

  #killed(live: Live, moment: CheckpointMoment): boolean {
    if (this.#ports.onCheckpoint?.(moment) !== "kill" || live.requestId === undefined) return false;
    live.token = undefined;
    this.#ports.kill(live.requestId);
    return true;
  }

  /** All updates or none: the first that is refused leaves the execution as it was. */
  #apply(live: Live, updates: readonly OperationUpdate[]): Set<string> {
    const { execution } = live;
    const now = this.#ports.timeline.now();
    const after = new Map<string, Operation>();
    for (const update of updates) {
      const id = update.Id ?? "";
      if (update.Type === "EXECUTION") {
        execution.result = update.Payload ?? "";
        continue;
      }
      const before = after.get(id) ?? execution.operations.get(id);
      after.set(
        id,
        updated(before, update, now, () => this.#ports.random.id()),
      );
    }
    for (const [id, operation] of after) execution.operations.set(id, operation);
    for (const update of updates) {
      const operation = after.get(update.Id ?? "");
      if (!operation) continue;
      if (update.Type === "CALLBACK" && update.Action === "START") {
        this.#callbacks.open(live, operation, update, now);
      }
      this.#arm(live, operation);
      if (update.Type === "CHAINED_INVOKE" && update.Action === "START") {
        this.#chain(live, operation, update);
      }
    }
    return new Set(after.keys());
  }

  /** Chained invocations are not taken up again by a later process: nothing here uses them. */
  #chain(live: Live, operation: Operation, update: OperationUpdate): void {
    const target = update.ChainedInvokeOptions?.FunctionName ?? "";
    const end = (answer: ChainedResult) => {
      const now = this.#ports.timeline.now();
      this.#changed(
        live,
        "result" in answer
          ? succeeded(operation, now, answer.result)
          : failed(operation, now, "FAILED", answer.error),
      );
    };
    this.#ports
      .chained(live.execution.region, target, update.Payload ?? "null")
      .then(end, (error: Error) =>
        end({ error: { ErrorType: error.name, ErrorMessage: error.message } }),
      );
  }

  /** Sets the one timer of an operation to the next thing that time does to it. */
  #arm(live: Live, operation: Operation): void {
    const id = operation.Id ?? "";
    live.timers.get(id)?.cancel();
    live.timers.delete(id);
    const due = dueOf(operation, live.execution.callbacks, this.#ports.timeline.now);
    if (!due) return;
    const wait = due.at - this.#ports.timeline.now();
    const act = () => {
      live.timers.delete(id);
      this.#changed(live, due.change());
    };
    live.timers.set(id, this.#ports.timeline.after(wait, act));
  }

  #armDeadline(live: Live): void {
    const wait = live.execution.deadlineAt - this.#ports.timeline.now();
    const end = () => this.#finish(live, "TIMED_OUT", {});
    live.timers.set("deadline", this.#ports.timeline.after(wait, end));
  }

  /** Something happened to an operation outside of any checkpoint. */
  #changed(live: Live, operation: Operation): void {
    const { execution } = live;
    const id = operation.Id ?? "";
    if (execution.status !== "RUNNING") return;
    live.timers.get(id)?.cancel();
    live.timers.delete(id);
    execution.operations.set(id, operation);
    execution.suspended = false;
    live.untold.add(id);
    this.#ports.store.save(execution);
    if (live.requestId === undefined && !live.timers.has("redrive")) this.#drive(live);
  }

  #soon(live: Live, seconds: number): void {
    live.timers.get("redrive")?.cancel();
    const act = () => {
      live.timers.delete("redrive");
      this.#drive(live);
    };
    live.timers.set("redrive", this.#ports.timeline.after(seconds * 1000, act));
  }

  #drive(live: Live): void {
    const { execution } = live;
    if (execution.status !== "RUNNING" || live.requestId !== undefined) return;
    if (!this.#ports.alive(execution.region)) return;
    execution.invocations += 1;
    execution.suspended = false;
    live.token = tokenOf(execution);
    const told = [...live.untold];
    live.untold.clear();
    this.#ports.store.save(execution);
    const event = {
      DurableExecutionArn: execution.arn,
      CheckpointToken: live.token,
      ...(execution.invocations > 1 && { UpdatedOperationIds: told }),
      InitialExecutionState: page(visible(execution.operations), undefined, pageSize),
    };
    const { requestId, outcome } = this.#ports.invoke(execution, event);
    live.requestId = requestId;
    void outcome.then((ended) => this.#ended(live, requestId, ended));
  }

  #ended(live: Live, requestId: string, outcome: InvocationOutcome): void {
    const { execution } = live;
    if (this.#closed || live.requestId !== requestId) return;
    live.requestId = undefined;
    live.token = undefined;
    if (execution.status !== "RUNNING") return;
    if (outcome.kind !== "returned") {
      execution.failures += 1;
      const { first, most } = redriveSeconds;
      this.#soon(live, Math.min(most, first * 2 ** (execution.failures - 1)));
      return;
    }
    execution.failures = 0;
    const output = (outcome.payload ?? {}) as Output;
    if (output.Status === "SUCCEEDED") {
      // An empty result says that the real one was too large and came with a checkpoint.
      const result = output.Result === "" ? execution.result : output.Result;
      this.#finish(live, "SUCCEEDED", { result });
    } else if (output.Status !== "PENDING") {
      this.#finish(live, "FAILED", { error: output.Error ?? notDurable });
    } else if (live.untold.size > 0) {
      this.#soon(live, 0);
    } else {
      execution.suspended = true;
      this.#ports.store.save(execution);
    }
  }

  #finish(
    live: Live,
    status: Execution["status"],
    outcome: { result?: string | undefined; error?: ErrorObject | undefined },
  ): void {
    const { execution } = live;
    execution.status = status;
    execution.endedAt = this.#ports.timeline.now();
    if (outcome.result !== undefined) execution.result = outcome.result;
    if (outcome.error !== undefined) execution.error = outcome.error;
    live.token = undefined;
    for (const timer of live.timers.values()) timer.cancel();
    live.timers.clear();
    this.#ports.store.save(execution);
    live.finished.resolve(execution);
    this.#ports.onFinished(execution);
  }

  #adopt(execution: Execution): Live {
    const live = lively(execution);
    this.#live.set(execution.arn, live);
    return live;
  }
}
