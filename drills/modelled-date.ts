/**
 * Loaded before the command line, by the drill that starts it: its clock is the one of the functions.
 * Its waits are shortened as time is, but never below what a busy machine needs for an answer.
 */
import { installTime } from "../local/time/install.ts";
import { type Scale, scaledTimeline } from "../local/time/scaled.ts";

const { setTimeout: wait, clearTimeout, setInterval, clearInterval } = globalThis;
const leastMilliseconds = 1000;
const scale = JSON.parse(process.env.DRILL_TIME ?? "null") as Scale | null;
if (!scale) throw new Error("DRILL_TIME is not set: this is for programs that a drill starts");
const timeline = scaledTimeline(scale, (error) => {
  throw error;
});
installTime(timeline);
const setTimeout = (act: () => void, milliseconds = 0, ...values: []) =>
  wait(
    act,
    Math.max(milliseconds / scale.speed, Math.min(milliseconds, leastMilliseconds)),
    ...values,
  );
Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
