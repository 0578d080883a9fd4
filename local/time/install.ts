import type { Timeline, Timer } from "./timeline.ts";

/**
 * Makes a timeline the time of this whole process: Date, setTimeout and setInterval. Handlers and
 * the libraries in them (the durable execution SDK waits on the global setTimeout) then live in
 * modelled time without knowing it. Returns the way back.
 */
export const installTime = (timeline: Pick<Timeline, "now" | "after" | "every">): (() => void) => {
  const kept = {
    Date: globalThis.Date,
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
  };
  const RealDate = kept.Date;
  class ModelledDate extends RealDate {
    // biome-ignore lint/suspicious/noExplicitAny: the arguments of Date are overloaded.
    constructor(...values: any[]) {
      if (values.length === 0) super(timeline.now());
      // biome-ignore lint/suspicious/noExplicitAny: see above.
      else super(...(values as [any]));
    }
    static override now(): number {
      return Math.floor(timeline.now());
    }
    /** Dates that were made before, or by the engine (structuredClone), are dates as well. */
    static override [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof RealDate;
    }
  }
  const start =
    (schedule: Timeline["after"]) =>
    (act: (...values: unknown[]) => void, milliseconds = 0, ...values: unknown[]) =>
      handle(schedule(Number(milliseconds) || 0, () => act(...values)));
  const stop = (timer: unknown) => {
    if (timer instanceof ModelledTimer) timer.close();
    else kept.clearTimeout(timer as NodeJS.Timeout);
  };
  Object.assign(globalThis, {
    Date: ModelledDate,
    setTimeout: start(timeline.after),
    setInterval: start(timeline.every),
    clearTimeout: stop,
    clearInterval: stop,
  });
  return () => void Object.assign(globalThis, kept);
};

/** As much of NodeJS.Timeout as libraries use. */
class ModelledTimer {
  readonly #timer: Timer;
  constructor(timer: Timer) {
    this.#timer = timer;
  }
  close(): this {
    this.#timer.cancel();
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  refresh(): this {
    return this;
  }
}

const handle = (timer: Timer) => new ModelledTimer(timer);
