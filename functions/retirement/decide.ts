import * as z from "zod/mini";

/** What rotation hands over. `run` is also the name of the durable execution: started twice it is one. */
export const order = z.strictObject({
  run: z.string().check(z.regex(/^rotation-[A-Za-z0-9-]+-[0-9a-f]{8}$/)),
  secret: z.string(),
  token: z.string(),
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

/** Where somebody is, for people. */
export const whoIsLeft = (looked: Looked): string =>
  looked
    .filter(({ sessions }) => sessions !== 0)
    .map(({ region, sessions }) =>
      sessions === null ? `${region} could not be asked` : `${sessions} sessions in ${region}`,
    )
    .join(", ");
