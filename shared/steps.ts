import type { Clock } from "./clock.ts";

/**
 * Work in steps whose results are kept, so that a killed run goes on where it was. A step may run
 * more than once (killed between its effect and its checkpoint), so what is in it must bear that.
 * Results are plain JSON and hold no secret.
 */
export interface Steps {
  step<T>(name: string, act: () => Promise<T>): Promise<T>;
  /** Waits without running: a durable function is not billed and not alive meanwhile. */
  rest(name: string, seconds: number): Promise<void>;
  /**
   * Waits until somebody answers the callback whose id `submit` was given, or for `seconds`. Only a
   * wake-up: whoever wakes looks at the world itself, so a lost or repeated call does no harm. Does not
   * wait when `submit` says that what is waited for has come before anybody could know the id.
   */
  awaken(
    name: string,
    seconds: number,
    submit: (callbackId: string) => Promise<boolean>,
  ): Promise<"woken" | "timed-out">;
}

/** Steps of a function that is not durable: nothing is kept, and time is waited out. */
export const directSteps = (clock: Clock): Steps => ({
  step: (_name, act) => act(),
  rest: (_name, seconds) => clock.sleep(seconds * 1000),
  awaken: async (_name, seconds) => {
    await clock.sleep(seconds * 1000);
    return "timed-out";
  },
});
