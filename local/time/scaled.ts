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

export interface ScaledTimeline extends Timeline {
  /** The scale as it is now, for a process that is to live in the same time. */
  scale(): Scale;
  /** When the machine's clock showed what this one shows at `modelled`, at whatever speed it was then. */
  machineAt(modelled: number): number;
  /** From now on time passes that fast. What is due is moved; other processes do not notice. */
  setSpeed(speed: number): void;
}

interface Pending {
  at: number;
  act: () => void | Promise<void>;
  timer: NodeJS.Timeout;
}

/** Modelled time that passes `speed` times as fast as the machine's. */
export const scaledTimeline = (start: Scale, onError: (error: unknown) => void): ScaledTimeline => {
  let scale = { ...start };
  const scales = [scale];
  const pending = new Set<Pending>();
  const arm = (entry: Omit<Pending, "timer">): Pending => {
    const wait = Math.max(0, (entry.at - scaledNow(scale)) / scale.speed);
    const armed: Pending = {
      ...entry,
      timer: real.setTimeout(() => {
        pending.delete(armed);
        Promise.resolve().then(entry.act).catch(onError);
      }, wait),
    };
    pending.add(armed);
    return armed;
  };
  const after = (milliseconds: number, act: () => void | Promise<void>): Timer => {
    let cancelled = false;
    const once = () => (cancelled ? undefined : act());
    const armed = arm({ at: scaledNow(scale) + Math.max(0, milliseconds), act: once });
    return {
      cancel: () => {
        cancelled = true;
        real.clearTimeout(armed.timer);
        pending.delete(armed);
      },
    };
  };
  const close = () => {
    for (const { timer } of pending) real.clearTimeout(timer);
    pending.clear();
  };
  return {
    now: () => scaledNow(scale),
    after,
    every: (milliseconds, act) => repeat(after, () => scaledNow(scale), milliseconds, act),
    sleep: (milliseconds) => new Promise((resolve) => void after(milliseconds, resolve)),
    scale: () => ({ ...scale }),
    machineAt: (modelled) => {
      const { origin, realStart, speed } =
        scales.findLast((each) => each.origin <= modelled) ?? start;
      return realStart + (modelled - origin) / speed;
    },
    setSpeed: (speed) => {
      scale = { speed, origin: scaledNow(scale), realStart: real.now() };
      scales.push(scale);
      const due = [...pending];
      close();
      for (const { at, act } of due) arm({ at, act });
    },
    close,
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
