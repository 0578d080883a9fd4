import type { Timeline, Timer } from "./timeline.ts";

/** The machine's own timers, kept before anything replaces the globals. */
const real = {
  now: Date.now.bind(Date),
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
};

export interface Scale {
  /** Modelled seconds that pass in one real second. */
  speed: number;
  /** Modelled milliseconds since 1970 at real time `realStart`. */
  origin: number;
  realStart: number;
}

export const scaledNow = (scale: Scale): number =>
  scale.origin + (real.now() - scale.realStart) * scale.speed;

/** Modelled time that passes `speed` times as fast as the machine's. */
export const scaledTimeline = (scale: Scale, onError: (error: unknown) => void): Timeline => {
  const pending = new Set<NodeJS.Timeout>();
  const after = (milliseconds: number, act: () => void | Promise<void>): Timer => {
    const timer = real.setTimeout(
      () => {
        pending.delete(timer);
        Promise.resolve().then(act).catch(onError);
      },
      Math.max(0, milliseconds / scale.speed),
    );
    pending.add(timer);
    return {
      cancel: () => {
        real.clearTimeout(timer);
        pending.delete(timer);
      },
    };
  };
  return {
    now: () => scaledNow(scale),
    after,
    every: (milliseconds, act) => repeat(after, () => scaledNow(scale), milliseconds, act),
    sleep: (milliseconds) => new Promise((resolve) => void after(milliseconds, resolve)),
    close: () => {
      for (const timer of pending) real.clearTimeout(timer);
      pending.clear();
    },
  };
};

/** Keeps to the grid of its first start, so that a slow machine does not make a period longer. */
export const repeat = (
  after: Timeline["after"],
  now: () => number,
  milliseconds: number,
  act: () => void | Promise<void>,
): Timer => {
  let cancelled = false;
  let due = now() + milliseconds;
  let timer = after(milliseconds, tick);
  async function tick(): Promise<void> {
    if (cancelled) return;
    due = Math.max(due + milliseconds, now());
    timer = after(due - now(), tick);
    await act();
  }
  return {
    cancel: () => {
      cancelled = true;
      timer.cancel();
    },
  };
};
