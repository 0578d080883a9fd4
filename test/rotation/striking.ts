import type { Observer } from "../../local/aws/endpoint.ts";
import { faults } from "../../local/aws/faults.ts";
import { seededRandom } from "../../shared/random.ts";
import type { Connect } from "../../shared/runtime.ts";

/** The `call`th call of the function, to AWS or the database, from 1. */
export type Blow = { call: number } & (
  | { is: "killed"; phase: "before" | "after" }
  | { is: "fault"; kind: "error" | "throttle" | "timeout-before" | "timeout-after" }
);

/** The trace that calls of the function carry. */
export const caller = "rotation";

interface Given {
  blow?: Blow | undefined;
  /** Called after whatever is done to the world. */
  look?(): void;
}

/** Which call it is, and how the function that makes it is killed. */
const counter = ({ blow }: Given) => {
  const state = { calls: 0, isArmed: false, kill: (): void => undefined };
  const isAt = (phase: "before" | "after") =>
    state.isArmed && blow?.is === "killed" && blow.call === state.calls && blow.phase === phase;
  const fault = () =>
    state.isArmed && blow?.is === "fault" && blow.call === state.calls ? blow.kind : undefined;
  return { state, isAt, fault };
};
type Counter = ReturnType<typeof counter>;

/** A call of the database, which may not come back. */
const during =
  ({ state, isAt, fault }: Counter, look: () => void) =>
  async <T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
    const never = new Promise<T>(() => undefined);
    if (signal.aborted) return never;
    state.calls += 1;
    const kind = fault();
    const lost = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    if (isAt("before")) state.kill();
    if (signal.aborted) return never;
    if (kind !== undefined && kind !== "timeout-after") throw lost;
    const answer = await act();
    look();
    if (isAt("after")) state.kill();
    if (signal.aborted) return never;
    if (kind !== undefined) throw lost;
    return answer;
  };

const observing = ({ state, isAt }: Counter, look: () => void, written: string[]): Observer => ({
  before: (_call, _input, trace) => {
    if (trace !== caller) return;
    state.calls += 1;
    if (!isAt("before")) return;
    state.kill();
    return "silence";
  },
  after: ({ operation }, input, outcome, trace) => {
    written.push(`${operation} ${JSON.stringify([input, outcome])}`);
    look();
    if (trace === caller && isAt("after")) state.kill();
  },
});

/** Lets a blow befall one of the calls that the function makes while Secrets Manager waits for it. */
export const striking = (given: Given) => {
  const { blow, look = () => undefined } = given;
  const count = counter(given);
  const { state } = count;
  const written: string[] = [];
  const befallen = faults(seededRandom("blows"));
  if (blow?.is === "fault") {
    const asks = (_call: unknown, _input: unknown, trace: string | undefined) =>
      trace === caller && count.fault() !== undefined;
    befallen.add({ match: { asks }, kind: blow.kind, times: 1 });
  }
  const sent = during(count, look);
  return {
    observe: observing(count, look, written),
    faults: befallen,
    written,
    calls: () => state.calls,
    arm: () => Object.assign(state, { isArmed: true, calls: 0 }),
    /** A new invocation, and its untimely end. */
    begin: () => {
      const killed = new AbortController();
      const { promise: died, resolve } = Promise.withResolvers<boolean>();
      state.kill = () => {
        killed.abort(new Error("killed"));
        resolve(false);
      };
      return { signal: killed.signal, died };
    },
    connecting:
      (connect: Connect, signal: AbortSignal): Connect =>
      async (target) => {
        const session = await sent(signal, () => connect(target));
        return {
          query: (text, values) => sent(signal, () => session.query(text, values)),
          end: session.end,
        };
      },
  };
};
