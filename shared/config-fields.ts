import * as z from "zod/mini";

/** From the least to the most, both allowed. */
export const count = (least: number, most: number) => {
  const allowed = `a whole number from ${least} to ${most}`;
  return z.int(allowed).check(z.minimum(least, allowed), z.maximum(most, allowed));
};
export const seconds = count;
/** Text of a form; `allowed` ends the sentence that refuses another one. */
export const matching = (pattern: RegExp, allowed: string) =>
  z.string(allowed).check(z.regex(pattern, allowed));

/** One field that is wrong. */
export interface Problem {
  /** `failover.isolationSeconds`, `slack.operators[1].user`. */
  path: string;
  given: string;
  allowed: string;
}

/** What was given, as a refusal repeats it. */
export const shown = (value: unknown): string =>
  value === undefined ? "nothing" : (JSON.stringify(value) ?? typeof value).slice(0, 80);

/** `[path, value, lowest, highest, why]` for every number that another one bounds. */
export type Bound = [path: string, value: number, least: number, most: number, because: string];

/** One problem for each number that is out of its bounds. */
export const outside = (bounds: Bound[]): Problem[] =>
  bounds
    .filter(([, value, least, most]) => value < least || value > most)
    .map(([path, value, least, most, because]) => ({
      path,
      given: shown(value),
      allowed: `${most === Infinity ? `${least} or more` : `${least} to ${most}`} (${because})`,
    }));
