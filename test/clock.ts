import type { Timeline } from "../local/time/timeline.ts";
import type { Clock } from "../shared/clock.ts";

/** A clock for code under test, on modelled time. */
export const clockOn = (timeline: Timeline): Clock => ({
  now: timeline.now,
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = timeline.after(milliseconds, resolve);
      signal?.addEventListener("abort", () => {
        timer.cancel();
        reject(signal.reason);
      });
    }),
});
