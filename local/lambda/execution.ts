import type {
  CheckpointDurableExecutionResponse,
  ErrorObject,
  Operation,
  OperationUpdate,
} from "@aws-sdk/client-lambda";
import { AwsError } from "../aws/service.ts";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import type { FunctionDefinition } from "./host.ts";
import { isFinal } from "./operations.ts";
import type { Execution } from "./store.ts";

/** An execution together with what need not survive this process. */
export interface Live {
  execution: Execution;
  requestId?: string | undefined;
  /** The only token that the next checkpoint may carry; none while no invocation runs. */
  token?: string | undefined;
  /** Operations changed from outside that no invocation has been told of. */
  untold: Set<string>;
  timers: Map<string, Timer>;
  last?: { clientToken: string; response: CheckpointDurableExecutionResponse };
  finished: PromiseWithResolvers<Execution>;
}

export const lively = (execution: Execution): Live => ({
  execution,
  untold: new Set(),
  timers: new Map(),
  finished: Promise.withResolvers<Execution>(),
});

/** An execution that no invocation has seen yet. */
export const begun = (
  definition: FunctionDefinition,
  functionArn: string,
  request: { id: string; name: string; input: string; asynchronous: boolean },
  now: number,
): Execution => {
  const { id, name, input, asynchronous } = request;
  return {
    arn: `${functionArn}:$LATEST/durable-execution/${name}/${id}`,
    id,
    name,
    region: definition.region,
    functionName: definition.name,
    functionArn,
    input,
    asynchronous,
    status: "RUNNING",
    startedAt: now,
    deadlineAt: now + (definition.durable?.executionTimeoutSeconds ?? 0) * 1000,
    operations: new Map([[id, root(id, name, input, now)]]),
    callbacks: {},
    invocations: 0,
    checkpoints: 0,
    failures: 0,
    suspended: false,
  };
};

export const ownerOf = (region: Place, name: string) => `${region}/${name}`;

/** Never given twice, so that an invocation that is believed dead can do nothing any more. */
export const tokenOf = ({ id, invocations, checkpoints }: Execution): string =>
  Buffer.from(`${id}/${invocations}/${checkpoints}`).toString("base64");

/** Pages of operations in the invocation input and in GetDurableExecutionState. */
export const pageSize = 500;

const root = (id: string, name: string, input: string, now: number): Operation => ({
  Id: id,
  Name: name,
  Type: "EXECUTION",
  StartTimestamp: new Date(now),
  Status: "STARTED",
  ExecutionDetails: { InputPayload: input },
});

export const chosen = (execution: Execution, ids: ReadonlySet<string>): Operation[] => {
  const operations: Operation[] = [];
  for (const id of ids) {
    const operation = execution.operations.get(id);
    if (operation) operations.push(operation);
  }
  return operations;
};

export const page = (operations: Operation[], marker: string | undefined, most = pageSize) => {
  const from = Number(marker ?? 0);
  const to = from + most;
  return {
    Operations: from === 0 && to >= operations.length ? operations : operations.slice(from, to),
    ...(to < operations.length && { NextMarker: String(to) }),
  };
};

/** The open doors of all executions. A callback is known only in the region of its execution. */
export class Callbacks {
  readonly #known = new Map<string, { live: Live; operationId: string }>();

  open(live: Live, operation: Operation, update: OperationUpdate, now: number): void {
    const { TimeoutSeconds, HeartbeatTimeoutSeconds } = update.CallbackOptions ?? {};
    live.execution.callbacks[operation.Id ?? ""] = {
      ...(TimeoutSeconds ? { timeoutAt: now + TimeoutSeconds * 1000 } : {}),
      ...(HeartbeatTimeoutSeconds
        ? {
            heartbeatSeconds: HeartbeatTimeoutSeconds,
            heartbeatAt: now + HeartbeatTimeoutSeconds * 1000,
          }
        : {}),
    };
    this.index(live, operation);
  }

  index(live: Live, operation: Operation): void {
    const callbackId = operation.CallbackDetails?.CallbackId;
    if (callbackId === undefined) return;
    const key = ownerOf(live.execution.region, callbackId);
    this.#known.set(key, { live, operationId: operation.Id ?? "" });
  }

  /** Only a callback that still waits; any other is refused with the error AWS has for it. */
  find(region: Place, callbackId: string): { live: Live; operation: Operation } {
    const known = this.#known.get(ownerOf(region, callbackId));
    const operation = known?.live.execution.operations.get(known.operationId);
    if (!known || !operation) {
      throw new AwsError("ResourceNotFoundException", "Callback not found.", { status: 404 });
    }
    if (operation.Status === "TIMED_OUT" || known.live.execution.status !== "RUNNING") {
      throw new AwsError("CallbackTimeoutException", "The callback has timed out.");
    }
    if (isFinal(operation)) {
      throw new AwsError("InvalidParameterValueException", "The callback is already complete.");
    }
    return { live: known.live, operation };
  }
}

/** What `withDurableExecution` returns. */
export interface Output {
  Status?: string;
  Result?: string;
  Error?: ErrorObject;
}

export const notDurable: ErrorObject = {
  ErrorType: "InvalidInvocationOutput",
  ErrorMessage: "the handler did not answer as a durable handler does",
};
