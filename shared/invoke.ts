import {
  DurableExecutionAlreadyStartedException,
  InvokeCommand,
  LambdaClient,
  ListDurableExecutionsByFunctionCommand,
} from "@aws-sdk/client-lambda";
import type { CallBounds } from "./clients.ts";
import { clientOptions, near, perRegion } from "./clients.ts";
import type { Runtime } from "./runtime.ts";

/** Calls another function of Nightshift, by its name, in whatever region it is. */
export interface Invoker {
  /** Waits for the answer. Throws when the function failed, with what it said. */
  ask<T>(region: string, name: string, payload: unknown): Promise<T>;
  /**
   * Hands the event over and does not wait. `execution` names a durable execution: one per name, so
   * whoever asks for the same again gets the one that is there.
   */
  tell(region: string, name: string, payload: unknown, execution?: string): Promise<void>;
}

export const invoker = (runtime: Runtime, bounds: CallBounds): Invoker => {
  const client = perRegion((region) => new LambdaClient(clientOptions(runtime, region, bounds)));
  return {
    ask: async <T>(region: string, name: string, payload: unknown) => {
      const answer = await client(region).send(
        new InvokeCommand({ FunctionName: name, Payload: encode(payload) }),
      );
      const text = answer.Payload ? Buffer.from(answer.Payload).toString("utf8") : "null";
      if (answer.FunctionError) throw new FunctionFailed(name, region, text);
      return JSON.parse(text) as T;
    },
    tell: async (region, name, payload, execution) => {
      const command = new InvokeCommand({
        FunctionName: name,
        InvocationType: "Event",
        Payload: encode(payload),
        ...(execution ? { DurableExecutionName: execution } : {}),
      });
      try {
        await client(region).send(command);
      } catch (error) {
        if (!(error instanceof DurableExecutionAlreadyStartedException)) throw error;
      }
    },
  };
};

const encode = (payload: unknown) => Buffer.from(JSON.stringify(payload));

/** The function ran and threw. Whether it had an effect is in doubt: look at the world. */
export class FunctionFailed extends Error {
  readonly functionName: string;
  readonly region: string;
  constructor(functionName: string, region: string, payload: string) {
    super(`${functionName} in ${region} failed: ${errorMessage(payload)}`);
    this.name = "FunctionFailed";
    this.functionName = functionName;
    this.region = region;
  }
}

const errorMessage = (payload: string): string => {
  const parsed: unknown = JSON.parse(payload);
  const message = (parsed as { errorMessage?: unknown } | null)?.errorMessage;
  return typeof message === "string" ? message.slice(0, 300) : "no message";
};

/**
 * What Lambda says of a durable execution. `ended`: it gave a result; `died`: it failed, ran out of time or
 * was stopped, so that nobody has said how far it came; `none`: never started, or long ago.
 */
export type Fate = "alive" | "ended" | "died" | "none";

/** Throws when Lambda does not answer: in doubt a run is alive. */
export const fateOf = (
  runtime: Runtime,
  region: string,
  functionName: string,
): ((execution: string) => Promise<Fate>) => {
  const client = new LambdaClient(clientOptions(runtime, region, near));
  return async (execution) => {
    const { DurableExecutions = [] } = await client.send(
      new ListDurableExecutionsByFunctionCommand({
        // Executions belong to versions, which an alias is not; without one it is about all of them.
        // Source: ListDurableExecutionsByFunction, `Qualifier`.
        FunctionName: functionName.split(":")[0] ?? functionName,
        DurableExecutionName: execution,
        MaxItems: 100,
      }),
    );
    const own = DurableExecutions.filter((each) => each.DurableExecutionName === execution);
    if (own.length === 0) return "none";
    if (own.some(({ Status }) => Status === "RUNNING")) return "alive";
    return own.some(({ Status }) => Status === "SUCCEEDED") ? "ended" : "died";
  };
};
