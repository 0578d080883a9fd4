/**
 * The execution environment of one function: a process that loads a bundle and runs its handler,
 * one invocation after the other, in modelled time. It dies with the process that started it.
 */
import { pathToFileURL } from "node:url";
import { installTime } from "../time/install.ts";
import { type Scale, scaledTimeline } from "../time/scaled.ts";
import { contextOf, failureOf, type InvocationFacts, type LambdaHandler, traceOf } from "./host.ts";

/** What the host says. */
export interface WorkerOrder {
  facts: InvocationFacts;
  event: unknown;
}

/** What the worker says: once that it is ready, then one outcome for each order. */
export type WorkerWord =
  | { kind: "ready" }
  | { kind: "returned"; requestId: string; payload: unknown }
  | { kind: "failed"; requestId: string; error: ReturnType<typeof failureOf> };

/** The only argument of the process, as JSON. */
export interface WorkerStart {
  scale: Scale;
  bundle: string;
}

const say = (word: WorkerWord): void => void process.send?.(word);

/** A bundle that cannot be loaded fails every invocation, as in Lambda. */
const load = async (bundle: string): Promise<LambdaHandler> => {
  const loaded: { handler?: LambdaHandler } = await import(pathToFileURL(bundle).href);
  if (typeof loaded.handler === "function") return loaded.handler;
  throw new Error(`${bundle} exports no handler`);
};

const serve = async (start: WorkerStart): Promise<void> => {
  const timeline = scaledTimeline(start.scale, (error) => {
    throw error;
  });
  installTime(timeline);
  const handler = load(start.bundle);
  process.on("message", async ({ facts, event }: WorkerOrder) => {
    const { requestId } = facts;
    try {
      const run = await handler;
      process.env._X_AMZN_TRACE_ID = traceOf(requestId);
      const payload = await run(event, contextOf(facts, timeline.now));
      say({ kind: "returned", requestId, payload: payload ?? null });
    } catch (error) {
      say({ kind: "failed", requestId, error: failureOf(error) });
    }
  });
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole process group; the host decides what dies when.
  process.on("SIGINT", () => undefined);
  await Promise.allSettled([handler]);
  say({ kind: "ready" });
};

await serve(JSON.parse(process.argv[2] ?? "{}") as WorkerStart);
