import * as z from "zod/mini";
import type { Refusal } from "../../shared/outcome.ts";

/** What rotation hands over. `run` is also the name of the durable execution: started twice it is one. */
export const order = z.strictObject({
  run: z.string().check(z.regex(/^rotation-[A-Za-z0-9-]+-[0-9a-f]{8}$/)),
  secret: z.string(),
  token: z.string(),
  /** Which execution of this run it is, from 0; one that ended with people can be carried on. */
  again: z.optional(z.int().check(z.minimum(0), z.maximum(999))),
});
export type Order = z.infer<typeof order>;

export interface Policy {
  /** For so long nobody may have used the old value. */
  holdSeconds: number;
  /** From the beginning of the overlap; then people are told, and nothing is retired. */
  deadlineSeconds: number;
}

/** How many sessions a region has on the old login; null when nobody could look. */
export type Looked = readonly { region: string; sessions: number | null }[];

/** Since when nobody is on the old login in any region: null as soon as one is, or one cannot be asked. */
export const quietSince = (before: number | null, looked: Looked, now: number): number | null =>
  looked.length > 0 && looked.every(({ sessions }) => sessions === 0) ? (before ?? now) : null;

/** What is so at the moment only: the same question may be answered otherwise later. */
const passing = /^(still-in-use|not-retired|cache-busy|.+-(busy|closed|unreachable))$/;

export const passes = ({ code }: Refusal): boolean => passing.test(code);

/** The first looks come soon after each other; later ones so that the whole deadline has this many. */
const soonLooks = 30;
const soonSeconds = 20;
const laterLooks = 300;
export const mostLooks = soonLooks + laterLooks;

/** How long to wait before the look after look `number`. A durable execution keeps 3,000 operations. */
export const pauseSeconds = (number: number, deadlineSeconds: number): number =>
  number <= soonLooks ? soonSeconds : Math.max(60, Math.ceil(deadlineSeconds / laterLooks));

/** Where somebody is, for people. */
export const whoIsLeft = (looked: Looked): string =>
  looked
    .filter(({ sessions }) => sessions !== 0)
    .map(({ region, sessions }) =>
      sessions === null ? `${region} could not be asked` : `${sessions} sessions in ${region}`,
    )
    .join(", ");
