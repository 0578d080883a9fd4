import type { Clock } from "./clock.ts";
import type { Fact, Refusal } from "./outcome.ts";
import { observed, sentence } from "./outcome.ts";
import type { Steps } from "./steps.ts";

/**
 * A state of the world that is wanted, and how to bring it about. `Seen` is what an observation
 * gives: plain JSON without secrets, since it is kept in checkpoints.
 */
export interface Wanted<Seen> {
  name: string;
  observe(): Promise<Seen>;
  satisfied(seen: Seen): boolean;
  /** Whether what was seen says that it will not be long: then looks come every two seconds. */
  near?(seen: Seen): boolean;
  /** Whether acting makes sense on what was seen; always, when left out. */
  due?(seen: Seen): boolean;
  act(seen: Seen): Promise<void>;
  /** Asked immediately before every act; a refusal ends it all with nothing done. */
  permitted?(): Promise<Refusal | undefined>;
  within: {
    /** In all, from the first look. */
    seconds: number;
    everySeconds: number;
    /** How long an act may take to show before it is repeated; 60 when left out. */
    actAgainAfterSeconds?: number;
  };
}

export type Ensured<Seen> =
  /** `doubt`: why nobody knows whether the last act had any part in it. */
  | { is: "ensured"; seen: Seen; acts: number; doubt: string | undefined }
  /** `acts` tells whether it was done before the refusal came. */
  | { is: "refused"; refusal: Refusal; acts: number }
  | { is: "late"; last: Fact<Seen>; acts: number; doubt: string | undefined };

interface Progress<Seen> {
  startedAt: number;
  acts: number;
  actedAt: number | null;
  /** Why the last act may or may not have happened: its call failed or gave no answer. */
  doubt: string | undefined;
  end: Ensured<Seen> | null;
}

/** One invocation looks and waits this long before it rests, far below a function's time limit. */
const sliceSeconds = 40;

/**
 * The one way to change the world. Looks; when satisfied, done; else acts and looks again until
 * satisfied or out of time. A call that failed or timed out is in doubt, not failed: the next look
 * tells. So it may be repeated, doubled, killed and resumed at any point.
 */
export const ensure = async <Seen>(
  steps: Steps,
  clock: Clock,
  wanted: Wanted<Seen>,
): Promise<Ensured<Seen>> => {
  const slices = Math.ceil(wanted.within.seconds / sliceSeconds) + 1;
  let progress: Progress<Seen> | undefined;
  for (let slice = 1; slice <= slices; slice += 1) {
    const before = progress;
    progress = await steps.step(`${wanted.name} #${slice}`, () => look(clock, wanted, before));
    if (progress.end) return progress.end;
    await steps.rest(`${wanted.name} rest #${slice}`, 1);
  }
  throw new Error(`${wanted.name}: the last slice did not end it, which is a bug in ensure`);
};

const look = async <Seen>(
  clock: Clock,
  wanted: Wanted<Seen>,
  before: Progress<Seen> | undefined,
): Promise<Progress<Seen>> => {
  const start = clock.now();
  const progress: Progress<Seen> = before
    ? { ...before }
    : { startedAt: start, acts: 0, actedAt: null, doubt: undefined, end: null };
  const deadline = progress.startedAt + wanted.within.seconds * 1000;
  const sliceEnd = start + sliceSeconds * 1000;
  for (;;) {
    const fact = await observed(wanted.name, clock.now, wanted.observe);
    if (fact.known && wanted.satisfied(fact.value)) {
      const { acts, doubt } = progress;
      progress.end = { is: "ensured", seen: fact.value, acts, doubt };
      return progress;
    }
    const now = clock.now();
    if (now >= deadline) {
      progress.end = { is: "late", last: fact, acts: progress.acts, doubt: progress.doubt };
      return progress;
    }
    if (fact.known && isDue(wanted, fact.value, progress, now)) {
      const refusal = await wanted.permitted?.();
      if (refusal) {
        progress.end = { is: "refused", refusal, acts: progress.acts };
        return progress;
      }
      await act(clock, wanted, fact.value, progress);
      continue;
    }
    if (now >= sliceEnd) return progress;
    const everySeconds = fact.known && wanted.near?.(fact.value) ? 2 : wanted.within.everySeconds;
    await clock.sleep(Math.min(everySeconds * 1000, Math.max(1, deadline - now)));
  }
};

const isDue = <Seen>(wanted: Wanted<Seen>, seen: Seen, progress: Progress<Seen>, now: number) => {
  if (wanted.due && !wanted.due(seen)) return false;
  const again = (wanted.within.actAgainAfterSeconds ?? 60) * 1000;
  return progress.actedAt === null || now - progress.actedAt >= again;
};

const act = async <Seen>(
  clock: Clock,
  wanted: Wanted<Seen>,
  seen: Seen,
  progress: Progress<Seen>,
) => {
  progress.acts += 1;
  progress.actedAt = clock.now();
  try {
    await wanted.act(seen);
    progress.doubt = undefined;
  } catch (error) {
    progress.doubt = sentence(error);
  }
};
