import { repeat } from "./scaled.ts";
import type { Timeline, Timer } from "./timeline.ts";

const settle = globalThis.setImmediate;
const sleepReally = globalThis.setTimeout;

export interface VirtualTimeline extends Timeline {
  /**
   * Lets modelled time pass, event by event, until `until` settles; then gives its value. Throws
   * when nothing is due any more, or when `within` modelled milliseconds have passed.
   */
  run<T>(until: Promise<T>, within?: number): Promise<T>;
  /** Lets `milliseconds` of modelled time pass. */
  advance(milliseconds: number): Promise<void>;
}

interface Due {
  at: number;
  order: number;
  act: () => void | Promise<void>;
  cancelled: boolean;
}

/**
 * Time that only passes when all work at the present instant is done. Nothing on it may use
 * sockets, files or real timers: those would finish at a moment that no seed decides.
 */
export const virtualTimeline = (origin: number): VirtualTimeline => {
  let now = origin;
  let order = 0;
  let failure: { error: unknown } | undefined;
  const queue = heap();

  const after = (milliseconds: number, act: () => void | Promise<void>): Timer => {
    const due: Due = { at: now + Math.max(0, milliseconds), order: order++, act, cancelled: false };
    queue.push(due);
    return { cancel: () => void (due.cancelled = true) };
  };

  const step = async (limit: number, settled = () => false): Promise<boolean> => {
    await quiet();
    if (failure) throw failure.error;
    if (settled()) return false;
    let due = queue.pop();
    while (due?.cancelled) due = queue.pop();
    if (!due) return false;
    if (due.at > limit) {
      queue.push(due);
      return false;
    }
    now = Math.max(now, due.at);
    const { act } = due;
    Promise.resolve()
      .then(act)
      .catch((error: unknown) => void (failure ??= { error }));
    return true;
  };

  return {
    now: () => now,
    after,
    every: (milliseconds, act) => repeat(after, () => now, milliseconds, act),
    sleep: (milliseconds) => new Promise((resolve) => void after(milliseconds, resolve)),
    close: () => queue.clear(),
    run: async (until, within = Number.POSITIVE_INFINITY) => {
      const limit = now + within;
      let settled = false;
      const mark = () => void (settled = true);
      until.then(mark, mark);
      await quiet();
      while (!settled) {
        const stepped = await step(limit, () => settled);
        if (settled) break;
        if (!stepped) {
          for (let turn = 0; turn < 20 && !settled; turn += 1) await patience();
          if (settled) break;
          const why = queue.size() === 0 ? "nothing is due any more" : `${within} ms have passed`;
          throw new Error(`virtual time stopped at ${new Date(now).toISOString()}: ${why}`);
        }
      }
      return until;
    },
    advance: async (milliseconds) => {
      const limit = now + milliseconds;
      while (await step(limit));
      now = limit;
      await quiet();
    },
  };
};

/**
 * Promise jobs and next ticks all run before the event loop reaches its check phase. Two turns,
 * because the SDK puts some of its work off to the next one.
 */
const quiet = () => new Promise<void>((resolve) => void settle(() => void settle(() => resolve())));

/** A module that is loaded for the first time comes from the disk, which no turn of the loop waits for. */
const patience = () => new Promise<void>((resolve) => void sleepReally(resolve, 10));

/** A binary heap by time, then by the order of scheduling: ties must not depend on luck. */
const heap = () => {
  const items: Due[] = [];
  const before = (a: Due, b: Due) => a.at < b.at || (a.at === b.at && a.order < b.order);
  const at = (index: number) => items[index] as Due;
  const swap = (a: number, b: number) => {
    [items[a], items[b]] = [at(b), at(a)];
  };
  return {
    size: () => items.length,
    clear: () => void (items.length = 0),
    push: (item: Due) => {
      let child = items.push(item) - 1;
      while (child > 0) {
        const parent = (child - 1) >> 1;
        if (!before(at(child), at(parent))) break;
        swap(child, parent);
        child = parent;
      }
    },
    pop: (): Due | undefined => {
      const top = items[0];
      const last = items.pop();
      if (top === undefined || last === undefined || items.length === 0) return top;
      items[0] = last;
      for (let parent = 0; ; ) {
        const left = parent * 2 + 1;
        if (left >= items.length) break;
        const child = left + 1 < items.length && before(at(left + 1), at(left)) ? left + 1 : left;
        if (!before(at(child), at(parent))) break;
        swap(child, parent);
        parent = child;
      }
      return top;
    },
  };
};
