import type { Operation, OperationStatus, OperationUpdate } from "@aws-sdk/client-lambda";
import { AwsError } from "../aws/service.ts";
import type { CallbackTimes } from "./store.ts";

const finalStatuses: ReadonlySet<OperationStatus> = new Set([
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
  "STOPPED",
  "TIMED_OUT",
]);

export const isFinal = (operation: Operation): boolean =>
  finalStatuses.has(operation.Status ?? "READY");

/**
 * The operation after one update of a checkpoint. Operations are never changed in place, because
 * an SDK in the same process holds on to the ones that it was given.
 */
export const updated = (
  previous: Operation | undefined,
  update: OperationUpdate,
  now: number,
  callbackId: () => string,
): Operation => {
  if (previous && isFinal(previous)) {
    throw new AwsError(
      "InvalidParameterValueException",
      `Invalid current ${previous.Type} state to ${update.Action}: it is ${previous.Status}.`,
    );
  }
  const operation = previous ?? created(update, now);
  switch (update.Action) {
    case "START":
      return started(operation, update, now, callbackId);
    case "SUCCEED":
      return succeeded(operation, now, update.Payload, update.ContextOptions?.ReplayChildren);
    case "FAIL":
      return failed(operation, now, "FAILED", update.Error);
    case "RETRY":
      return retried(operation, update, now);
    case "CANCEL":
      return { ...operation, Status: "CANCELLED", EndTimestamp: new Date(now) };
    default:
      throw new AwsError("InvalidParameterValueException", `Invalid action ${update.Action}.`);
  }
};

const created = (update: OperationUpdate, now: number): Operation => ({
  Id: update.Id,
  ...(update.ParentId !== undefined && { ParentId: update.ParentId }),
  ...(update.Name !== undefined && { Name: update.Name }),
  Type: update.Type,
  ...(update.SubType !== undefined && { SubType: update.SubType }),
  StartTimestamp: new Date(now),
  Status: "STARTED",
});

const started = (
  operation: Operation,
  update: OperationUpdate,
  now: number,
  callbackId: () => string,
): Operation => {
  const begun: Operation = { ...operation, Status: "STARTED" };
  if (update.Type === "STEP") {
    const { NextAttemptTimestamp: _, ...details } = operation.StepDetails ?? { Attempt: 0 };
    begun.StepDetails = details;
  }
  if (update.Type === "WAIT") {
    const seconds = update.WaitOptions?.WaitSeconds ?? 0;
    begun.WaitDetails = { ScheduledEndTimestamp: new Date(now + seconds * 1000) };
  }
  if (update.Type === "CALLBACK") {
    begun.CallbackDetails = operation.CallbackDetails ?? { CallbackId: callbackId() };
  }
  return begun;
};

/** `Attempt` counts the attempts that are over: the SDK adds one to learn which it is now in. */
const retried = (operation: Operation, update: OperationUpdate, now: number): Operation => ({
  ...operation,
  Status: "PENDING",
  StepDetails: {
    Attempt: (operation.StepDetails?.Attempt ?? 0) + 1,
    NextAttemptTimestamp: new Date(now + (update.StepOptions?.NextAttemptDelaySeconds ?? 1) * 1000),
    ...(update.Payload !== undefined && { Result: update.Payload }),
    ...(update.Error !== undefined && { Error: update.Error }),
  },
});

/** Also used for what ends from outside: a wait that is over, a callback that was answered. */
export const succeeded = (
  operation: Operation,
  now: number,
  result: string | undefined,
  replayChildren = false,
): Operation => {
  const done: Operation = { ...operation, Status: "SUCCEEDED", EndTimestamp: new Date(now) };
  const Result = result === undefined ? {} : { Result: result };
  if (operation.Type === "STEP") {
    done.StepDetails = { Attempt: operation.StepDetails?.Attempt ?? 0, ...Result };
  } else if (operation.Type === "CONTEXT") {
    done.ContextDetails = { ...Result, ...(replayChildren && { ReplayChildren: true }) };
  } else if (operation.Type === "CALLBACK") {
    done.CallbackDetails = { ...operation.CallbackDetails, ...Result };
  } else if (operation.Type === "CHAINED_INVOKE") {
    done.ChainedInvokeDetails = Result;
  }
  return done;
};

export const failed = (
  operation: Operation,
  now: number,
  status: "FAILED" | "TIMED_OUT" | "STOPPED",
  error: OperationUpdate["Error"],
): Operation => {
  const done: Operation = { ...operation, Status: status, EndTimestamp: new Date(now) };
  const reason = error === undefined ? {} : { Error: error };
  if (operation.Type === "STEP") {
    done.StepDetails = { Attempt: operation.StepDetails?.Attempt ?? 0, ...reason };
  } else if (operation.Type === "CONTEXT") {
    done.ContextDetails = reason;
  } else if (operation.Type === "CALLBACK") {
    done.CallbackDetails = { ...operation.CallbackDetails, ...reason };
  } else if (operation.Type === "CHAINED_INVOKE") {
    done.ChainedInvokeDetails = reason;
  }
  return done;
};

/**
 * What a new invocation is told. The children of a finished context are left out, unless the
 * context asked for them, because the SDK will not run that context again.
 */
export const visible = (operations: ReadonlyMap<string, Operation>): Operation[] => {
  const hidden = new Set<string>();
  const shown: Operation[] = [];
  for (const operation of operations.values()) {
    const parent =
      operation.ParentId === undefined ? undefined : operations.get(operation.ParentId);
    const hides =
      parent !== undefined &&
      (hidden.has(parent.Id ?? "") ||
        (isFinal(parent) && parent.ContextDetails?.ReplayChildren !== true));
    if (hides) hidden.add(operation.Id ?? "");
    else shown.push(operation);
  }
  return shown;
};

/** The next thing that time alone does to an operation, and when; modelled milliseconds. */
export const dueOf = (
  operation: Operation,
  callbacks: Record<string, CallbackTimes>,
  now: () => number,
): { at: number; change: () => Operation } | undefined => {
  if (operation.Type === "STEP" && operation.Status === "PENDING") {
    const at = operation.StepDetails?.NextAttemptTimestamp?.getTime() ?? now();
    return { at, change: () => ({ ...operation, Status: "READY" }) };
  }
  if (operation.Status !== "STARTED") return undefined;
  if (operation.Type === "WAIT") {
    const at = operation.WaitDetails?.ScheduledEndTimestamp?.getTime() ?? now();
    return { at, change: () => succeeded(operation, now(), undefined) };
  }
  if (operation.Type !== "CALLBACK") return undefined;
  const { timeoutAt, heartbeatAt } = callbacks[operation.Id ?? ""] ?? {};
  const at = Math.min(timeoutAt ?? Infinity, heartbeatAt ?? Infinity);
  if (at === Infinity) return undefined;
  const ErrorMessage = at === timeoutAt ? "Callback timed out" : "Callback heartbeat timed out";
  const error = { ErrorType: "Callback.Timeout", ErrorMessage };
  return { at, change: () => failed(operation, now(), "TIMED_OUT", error) };
};
