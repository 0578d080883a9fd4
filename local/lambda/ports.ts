import type { ErrorObject, OperationUpdate } from "@aws-sdk/client-lambda";
import type { Random } from "../../shared/random.ts";
import type { Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";
import type { InvocationOutcome } from "./host.ts";
import type { Execution, ExecutionStore } from "./store.ts";

/** One checkpoint, shown to a fault that may kill the invocation around it. */
export interface CheckpointMoment {
  execution: Execution;
  phase: "before" | "after";
  /** Counts the checkpoints of the execution, from 1. */
  number: number;
  updates: readonly OperationUpdate[];
}

export interface DurablePorts {
  timeline: Timeline;
  random: Random;
  account: string;
  store: ExecutionStore;
  /** Runs the function once more with this event; the outcome never rejects. */
  invoke(
    execution: Execution,
    event: unknown,
  ): { requestId: string; outcome: Promise<InvocationOutcome> };
  kill(requestId: string): void;
  alive(region: Place): boolean;
  /** A chained invocation: rejects with an AwsError when the target is unknown. */
  chained(region: Place, functionName: string, payload: string): Promise<ChainedResult>;
  /** Asked before and after each checkpoint has its effect. */
  onCheckpoint?: ((moment: CheckpointMoment) => "kill" | undefined) | undefined;
  onFinished(execution: Execution): void;
}

export type ChainedResult = { result: string } | { error: ErrorObject };
