/** Why something was not done. A value, not an error: refusing is a thing that Nightshift does. */
export interface Refusal {
  /** Stable and short, for tests and metrics: `paused`, `lag-unknown`, `lease-moved`. */
  code: string;
  /** A sentence for a tired person: what was seen, and what to do about it. */
  reason: string;
}

export type Outcome<T> = { done: T } | { refused: Refusal[] };

/** A fact that was looked for: either known, with its source and time, or unknown, with why. */
export type Fact<T> =
  | { known: true; value: T; source: string; atMilliseconds: number }
  | { known: false; why: string; source: string; atMilliseconds: number };

/**
 * Makes a fact of an observation. A failed one becomes `unknown`, which no rule takes for good;
 * nothing is swallowed, because the reason travels with the fact into plan, journal and report.
 */
export const observed = async <T>(
  source: string,
  now: () => number,
  observe: () => Promise<T>,
): Promise<Fact<T>> => {
  const atMilliseconds = now();
  try {
    return { known: true, value: await observe(), source, atMilliseconds };
  } catch (error) {
    return { known: false, why: sentence(error), source, atMilliseconds };
  }
};

/** An error as one line, without its stack: `TimeoutError: …`. What it is put into has a full stop. */
export const sentence = (error: unknown): string =>
  withoutStop(
    error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : String(error),
  );

/** For what goes into a sentence: people and AWS end theirs with a full stop, or do not. */
export const withoutStop = (text: string): string => text.replace(/[.\s]+$/, "");

/** What each may or may not end with a full stop, as one text in which each ends with one. */
export const inSentences = (parts: readonly string[]): string =>
  parts
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => (/[!?…:]$/.test(part) ? part : `${withoutStop(part)}.`))
    .join(" ");
