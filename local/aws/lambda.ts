import type * as Sdk from "@aws-sdk/client-lambda";
import {
  type Answer,
  Dispatch,
  type LambdaOptions,
  type Running,
  silence,
} from "../lambda/dispatch.ts";
import type { FunctionDefinition, FunctionFailure, FunctionHost } from "../lambda/host.ts";
import type { Execution, ExecutionStore } from "../lambda/store.ts";
import { type FunctionUrl, functionUrl } from "../lambda/url.ts";
import type { Place, RegionState } from "../network.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

/**
 * Most bytes of a payload.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const payloadBytes = { synchronous: 6 * (1 << 20), asynchronous: 1 << 20 };

export interface LocalLambda {
  service: Service;
  define(definition: FunctionDefinition): void;
  /** Puts an event into the asynchronous queue, as EventBridge and Scheduler do. */
  invoke(region: Place, functionName: string, event: unknown): void;
  /** Waits for the end of a function that is not durable; whether it returned. */
  ask(region: Place, functionName: string, event: unknown): Promise<boolean>;
  functionUrl(region: Place, name: string): FunctionUrl;
  functionArn(region: Place, name: string): string;
  running(): Running[];
  /** Kills the process of an invocation at this instant. */
  kill(requestId: string): void;
  execution(region: Place, arn: string): Execution;
  executions(region: Place, functionName: string): Execution[];
  finished(arn: string): Promise<Execution>;
  onRegionChange(region: Place, state: RegionState): void;
  /** Ends every run and every timer; executions stay in the store for the next process. */
  close(): Promise<void>;
}

/** The Lambda service. A definition takes up the executions that a store holds of it. */
export const lambda = (
  surroundings: Surroundings,
  host: FunctionHost,
  store: ExecutionStore,
  options: LambdaOptions = {},
): LocalLambda => {
  const local = new Dispatch(surroundings, host, store, options);
  return {
    service: { name: "lambda", operations: operationsOf(local) },
    define: (definition) => local.define(definition),
    invoke: (region, name, event) =>
      local.enqueue(local.find(region, name), JSON.stringify(event ?? {})),
    ask: async (region, name, event) => {
      const asked = local.invokeAndWait(local.find(region, name), JSON.stringify(event));
      return !(await asked).failed;
    },
    functionUrl: (region, name) => {
      const definition = local.find(region, name);
      return functionUrl(definition, surroundings, (payload) =>
        local.invokeAndWait(definition, payload),
      );
    },
    functionArn: (region, name) => local.arnOf(local.find(region, name)),
    running: () => [...local.running.values()],
    kill: (requestId) => host.kill(requestId),
    execution: (region, arn) => local.engine.get(region, arn),
    executions: (region, name) => local.engine.list(region, name),
    finished: (arn) => local.engine.finished(arn),
    onRegionChange: (region, state) => local.onRegionChange(region, state),
    close: () => {
      local.engine.close();
      return host.close();
    },
  };
};

const operationsOf = (local: Dispatch): Service["operations"] => ({
  Invoke: (input: Sdk.InvokeCommandInput, call: Call) => invoke(local, input, call),
  GetFunction: (input: Sdk.GetFunctionCommandInput, call: Call) => {
    const definition = local.find(call.region, input.FunctionName ?? "");
    return {
      Configuration: configurationOf(local, definition),
      ...(definition.reservedConcurrency !== undefined && {
        Concurrency: { ReservedConcurrentExecutions: definition.reservedConcurrency },
      }),
    };
  },
  GetFunctionConfiguration: (input: Sdk.GetFunctionConfigurationCommandInput, call: Call) =>
    configurationOf(local, local.find(call.region, input.FunctionName ?? "")),
  CheckpointDurableExecution: (input: Sdk.CheckpointDurableExecutionRequest, call: Call) =>
    local.engine.checkpoint(call.region, input) ?? silence(),
  GetDurableExecutionState: (input: Sdk.GetDurableExecutionStateRequest, call: Call) =>
    local.engine.state(call.region, input),
  GetDurableExecution: (input: Sdk.GetDurableExecutionRequest, call: Call) =>
    described(local, call, input.DurableExecutionArn ?? ""),
  ListDurableExecutionsByFunction: (
    input: Sdk.ListDurableExecutionsByFunctionRequest,
    call: Call,
  ) => listed(local, input, call),
  StopDurableExecution: (input: Sdk.StopDurableExecutionRequest, call: Call) => {
    const at = local.engine.stop(call.region, input.DurableExecutionArn ?? "", input.Error);
    return { StopTimestamp: new Date(at) };
  },
  SendDurableExecutionCallbackSuccess: (
    input: Sdk.SendDurableExecutionCallbackSuccessRequest,
    call: Call,
  ) => {
    const result = input.Result === undefined ? "" : Buffer.from(input.Result).toString();
    local.engine.answer(call.region, input.CallbackId ?? "", { result });
    return {};
  },
  SendDurableExecutionCallbackFailure: (
    input: Sdk.SendDurableExecutionCallbackFailureRequest,
    call: Call,
  ) => {
    local.engine.answer(call.region, input.CallbackId ?? "", { error: input.Error ?? {} });
    return {};
  },
  SendDurableExecutionCallbackHeartbeat: (
    input: Sdk.SendDurableExecutionCallbackHeartbeatRequest,
    call: Call,
  ) => {
    local.engine.heartbeat(call.region, input.CallbackId ?? "");
    return {};
  },
});

const invoke = async (
  local: Dispatch,
  input: Sdk.InvokeCommandInput,
  call: Call,
): Promise<Sdk.InvocationResponse> => {
  const definition = local.find(call.region, input.FunctionName ?? "");
  const type = input.InvocationType ?? "RequestResponse";
  const payload = payloadOf(input.Payload as Uint8Array | undefined, type);
  if (type === "DryRun") return { StatusCode: 204 };
  const ExecutedVersion = "$LATEST";
  if (definition.durable) {
    const name = input.DurableExecutionName;
    const wanted = { name, input: payload, asynchronous: type === "Event" };
    const execution = local.start(definition, wanted);
    const DurableExecutionArn = execution.arn;
    if (type === "Event") return { StatusCode: 202, ExecutedVersion, DurableExecutionArn };
    const ended = answerOf(await local.engine.finished(execution.arn));
    return { ...response(ended), ExecutedVersion, DurableExecutionArn };
  }
  if (input.DurableExecutionName !== undefined) {
    throw new AwsError(
      "InvalidParameterValueException",
      `${definition.name} is not a durable function: it takes no DurableExecutionName.`,
    );
  }
  if (type === "Event") {
    local.enqueue(definition, payload);
    return { StatusCode: 202 };
  }
  return { ...response(await local.invokeAndWait(definition, payload)), ExecutedVersion };
};

const response = (answer: Answer): Sdk.InvocationResponse => ({
  StatusCode: 200,
  Payload: Buffer.from(answer.payload),
  ...(answer.failed && { FunctionError: "Unhandled" }),
});

const answerOf = (execution: Execution): Answer => {
  if (execution.status === "SUCCEEDED") {
    return { payload: execution.result || "null", failed: false };
  }
  const error: FunctionFailure = {
    errorType: execution.error?.ErrorType ?? execution.status,
    errorMessage: execution.error?.ErrorMessage ?? execution.status,
    trace: execution.error?.StackTrace ?? [],
  };
  return { payload: JSON.stringify(error), failed: true };
};

/** Checked before anything is queued or run. */
const payloadOf = (bytes: Uint8Array | undefined, type: string): string => {
  const most = type === "Event" ? payloadBytes.asynchronous : payloadBytes.synchronous;
  if ((bytes?.length ?? 0) > most) {
    throw new AwsError("RequestTooLargeException", `${bytes?.length} byte payload is too large`);
  }
  const text = bytes?.length ? Buffer.from(bytes).toString() : "{}";
  try {
    JSON.parse(text);
  } catch (error) {
    throw new AwsError(
      "InvalidRequestContentException",
      `Could not parse request body into json: ${error instanceof Error ? error.message : error}`,
    );
  }
  return text;
};

const configurationOf = (
  local: Dispatch,
  definition: FunctionDefinition,
): Sdk.FunctionConfiguration => ({
  FunctionName: definition.name,
  FunctionArn: local.arnOf(definition),
  Runtime: "nodejs24.x",
  Handler: "handler.handler",
  Timeout: definition.timeoutSeconds,
  MemorySize: definition.memoryMegabytes ?? 128,
  Environment: { Variables: { ...definition.environment } },
  PackageType: "Zip",
  Version: "$LATEST",
  State: "Active",
  LastUpdateStatus: "Successful",
  ...(definition.durable && {
    DurableConfig: { ExecutionTimeout: definition.durable.executionTimeoutSeconds },
  }),
});

const described = (local: Dispatch, call: Call, arn: string): Sdk.GetDurableExecutionResponse => {
  const execution = local.engine.get(call.region, arn);
  const { durable } = local.ofExecution(execution);
  return {
    ...summaryOf(execution),
    InputPayload: execution.input,
    Version: "$LATEST",
    ...(execution.result !== undefined && { Result: execution.result }),
    ...(execution.error && { Error: execution.error }),
    ...(durable && { DurableConfig: { ExecutionTimeout: durable.executionTimeoutSeconds } }),
  };
};

const summaryOf = (execution: Execution): Sdk.Execution => ({
  DurableExecutionArn: execution.arn,
  DurableExecutionName: execution.name,
  FunctionArn: execution.functionArn,
  Status: execution.status,
  StartTimestamp: new Date(execution.startedAt),
  ...(execution.endedAt !== undefined && { EndTimestamp: new Date(execution.endedAt) }),
});

/** Newest first unless `ReverseOrder`, as the API's model says. */
const listed = (
  local: Dispatch,
  input: Sdk.ListDurableExecutionsByFunctionRequest,
  call: Call,
): Sdk.ListDurableExecutionsByFunctionResponse => {
  const definition = local.find(call.region, input.FunctionName ?? "");
  const { Statuses, DurableExecutionName, StartedAfter, StartedBefore } = input;
  const found = local.engine
    .list(call.region, definition.name)
    .filter(
      (each) =>
        (DurableExecutionName === undefined || each.name === DurableExecutionName) &&
        (!Statuses?.length || Statuses.includes(each.status)) &&
        (StartedAfter === undefined || each.startedAt > StartedAfter.getTime()) &&
        (StartedBefore === undefined || each.startedAt < StartedBefore.getTime()),
    );
  if (!input.ReverseOrder) found.reverse();
  const from = Number(input.Marker ?? 0);
  const to = from + (input.MaxItems ?? 100);
  return {
    DurableExecutions: found.slice(from, to).map(summaryOf),
    ...(to < found.length && { NextMarker: String(to) }),
  };
};
