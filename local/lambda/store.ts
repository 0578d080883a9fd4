import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorObject, ExecutionStatus, Operation } from "@aws-sdk/client-lambda";
import type { Place } from "../network.ts";

/** When a callback gives up waiting; all in modelled milliseconds since 1970 or seconds. */
export interface CallbackTimes {
  timeoutAt?: number;
  heartbeatSeconds?: number;
  heartbeatAt?: number;
}

/** A durable execution: everything that must survive the death of the process that drives it. */
export interface Execution {
  arn: string;
  id: string;
  name: string;
  region: Place;
  functionName: string;
  functionArn: string;
  /** JSON text of the event. */
  input: string;
  /** Started by an event: nobody waits for the answer, and a failure is a dead letter. */
  asynchronous: boolean;
  status: ExecutionStatus;
  /** Modelled milliseconds since 1970, as are the others. */
  startedAt: number;
  endedAt?: number;
  deadlineAt: number;
  /** JSON text of the handler's result. */
  result?: string;
  error?: ErrorObject;
  /** In the order in which they were first seen; the first is the execution itself. */
  operations: Map<string, Operation>;
  callbacks: Record<string, CallbackTimes>;
  /** Both only grow, and both are part of a checkpoint token, so that no token is given twice. */
  invocations: number;
  checkpoints: number;
  /** Invocations in a row that ended without a word. */
  failures: number;
  /** Nothing is to be done before a timer or a callback. */
  suspended: boolean;
}

/** Keeps executions. `save` is called before an answer to the SDK, never after. */
export interface ExecutionStore {
  load(): Execution[];
  save(execution: Execution): void;
}

/** For simulations: survives the engine, not the process. */
export const memoryStore = (): ExecutionStore => {
  const executions = new Map<string, Execution>();
  return {
    load: () => [...executions.values()],
    save: (execution) => void executions.set(execution.arn, execution),
  };
};

/**
 * One JSON file per execution, replaced by rename, so that a process killed at any instant leaves
 * either the state before a checkpoint or the state after it.
 */
export const folderStore = (folder: string): ExecutionStore => {
  mkdirSync(folder, { recursive: true });
  return {
    load: () =>
      readdirSync(folder)
        .filter((file) => file.endsWith(".json"))
        .sort()
        .map((file) => revived(readFileSync(join(folder, file), "utf8"))),
    save: (execution) => {
      const file = join(folder, `${execution.startedAt}-${execution.id}`);
      const operations = [...execution.operations.values()];
      writeFileSync(`${file}.new`, JSON.stringify({ ...execution, operations }));
      renameSync(`${file}.new`, `${file}.json`);
    },
  };
};

const revived = (text: string): Execution => {
  const stored = JSON.parse(text, (key, value) =>
    typeof value === "string" && key.endsWith("Timestamp") ? new Date(value) : value,
  ) as Omit<Execution, "operations"> & { operations: Operation[] };
  const operations = new Map(stored.operations.map((each) => [each.Id ?? "", each]));
  return { ...stored, operations };
};
