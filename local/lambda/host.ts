import type {
  CheckpointDurableExecutionRequest,
  CheckpointDurableExecutionResponse,
  GetDurableExecutionStateRequest,
  GetDurableExecutionStateResponse,
} from "@aws-sdk/client-lambda";
import type { Context } from "aws-lambda";
import type { Place, RegionState } from "../network.ts";

/** One deployed function, as much of it as the local service needs. */
export interface FunctionDefinition {
  name: string;
  region: Place;
  /** Path of the handler module from the project's root: `functions/guard/handler.ts`. */
  entry: string;
  environment: Record<string, string>;
  timeoutSeconds: number;
  memoryMegabytes?: number;
  /** Present on durable functions; bounds the whole execution over all of its invocations. */
  durable?: { executionTimeoutSeconds: number };
  /** Whether the function has a function URL. */
  url?: boolean;
  reservedConcurrency?: number;
}

/** What the durable execution SDK needs of the service, without a wire between. */
export interface DurableClient {
  checkpoint(
    request: CheckpointDurableExecutionRequest,
  ): Promise<CheckpointDurableExecutionResponse>;
  getExecutionState(
    request: GetDurableExecutionStateRequest,
  ): Promise<GetDurableExecutionStateResponse>;
}

/** One run of a handler. */
export interface Invocation {
  definition: FunctionDefinition;
  functionArn: string;
  requestId: string;
  /** A JSON value; for a durable function the SDK's invocation input. */
  event: unknown;
  /**
   * Called once, when the execution environment is ready: the timeout of a function does not count
   * its cold start. Gives the modelled milliseconds since 1970 at which the service ends the run.
   */
  begin(): number;
  /** Only for durable functions, and only of use to a host in the same process. */
  durable?: DurableClient;
}

/** What Lambda puts into the payload when a function fails. */
export interface FunctionFailure {
  errorType: string;
  errorMessage: string;
  trace: string[];
}

/** How a run ended. `killed`: its process is gone, and nobody knows how far it came. */
export type InvocationOutcome =
  | { kind: "returned"; payload: unknown }
  | { kind: "failed"; error: FunctionFailure }
  | { kind: "killed" };

/** Where handlers run: child processes in a drill, this process in a simulation. */
export interface FunctionHost {
  /** Never rejects. */
  invoke(invocation: Invocation): Promise<InvocationOutcome>;
  /** Ends a run at once, without a chance to say goodbye; nothing when it is not running. */
  kill(requestId: string): void;
  /** Everything that runs in a region dies with it. */
  onRegionChange(region: Place, state: RegionState): void;
  close(): Promise<void>;
}

export type LambdaHandler = (event: unknown, context: Context) => Promise<unknown>;

/** The fields of the context object that can cross a process border. */
export interface InvocationFacts {
  name: string;
  functionArn: string;
  requestId: string;
  memoryMegabytes: number;
  /** Modelled milliseconds since 1970. */
  deadline: number;
}

export const factsOf = (invocation: Invocation, deadline: number): InvocationFacts => ({
  name: invocation.definition.name,
  functionArn: invocation.functionArn,
  requestId: invocation.requestId,
  memoryMegabytes: invocation.definition.memoryMegabytes ?? 128,
  deadline,
});

/**
 * The tracing header that Lambda gives to each invocation and the SDK puts on each call that the
 * handler makes. Here it names the invocation, so that a test can tell whose a call is.
 */
export const traceOf = (requestId: string): string => {
  const digits = requestId.replaceAll("-", "");
  return `Root=1-${digits.slice(0, 8)}-${digits.slice(8)};Sampled=0`;
};

/** The invocation that a call's tracing header names, if any. */
export const requestIdOfTrace = (trace: string): string | undefined => {
  const found = /Root=1-([0-9a-f]{8})-([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})/.exec(
    trace,
  );
  return found ? found.slice(1).join("-") : undefined;
};

/** The context object of Lambda's Node runtime. The remaining time is always finite. */
export const contextOf = (facts: InvocationFacts, now: () => number): Context => ({
  callbackWaitsForEmptyEventLoop: true,
  functionName: facts.name,
  functionVersion: "$LATEST",
  invokedFunctionArn: facts.functionArn,
  memoryLimitInMB: String(facts.memoryMegabytes),
  awsRequestId: facts.requestId,
  logGroupName: `/aws/lambda/${facts.name}`,
  logStreamName: `[$LATEST]${facts.requestId}`,
  getRemainingTimeInMillis: () => Math.max(0, Math.floor(facts.deadline - now())),
  done: refuseCallback,
  fail: refuseCallback,
  succeed: refuseCallback,
});

const refuseCallback = () => {
  throw new Error("callback-style handlers ended with the Node 24 runtime");
};

/** Any thrown value in the shape in which Lambda reports it. */
export const failureOf = (error: unknown): FunctionFailure =>
  error instanceof Error
    ? {
        errorType: error.name,
        errorMessage: error.message,
        trace: (error.stack ?? "").split("\n").slice(0, 20),
      }
    : { errorType: typeof error, errorMessage: String(error), trace: [] };
