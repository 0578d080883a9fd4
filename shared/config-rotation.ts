import * as z from "zod/mini";
import { count, seconds } from "./config-fields.ts";

/** When a secret is rotated by the clock, in UTC: every so many months, on a day that each month has. */
const schedule = z.strictObject({
  everyMonths: z.literal([1, 2, 3, 4, 6, 12]),
  day: z.int().check(z.gte(1), z.lte(28)),
  hour: z.int().check(z.gte(0), z.lte(19)),
});
export type RotationSchedule = z.infer<typeof schedule>;

/** What can be rotated by the clock. */
export const scheduledSecrets = [
  "owner",
  "database",
  "cache",
  "signing-keys",
  "encryption-keys",
] as const;
export type ScheduledSecret = (typeof scheduledSecrets)[number];

/** What the operator's file does not say otherwise. */
export const usualOverlap = {
  holdSeconds: 600,
  deadlineSeconds: 86_400,
  sessionSeconds: 1_209_600,
} as const;

/** 250 rows a second in the whole fleet: a hundred million take five days. */
export const usualReencryption = { rows: 500, pauseSeconds: 2 } as const;

/**
 * The longest that old and new may both be valid, in seconds: everything up to the deadline, and then the
 * sessions that the old key of a signing ring has signed.
 */
export const longestOverlapSeconds = ({
  deadlineSeconds = usualOverlap.deadlineSeconds,
  sessionSeconds = usualOverlap.sessionSeconds,
}: {
  deadlineSeconds?: number | undefined;
  sessionSeconds?: number | undefined;
} = {}): number => deadlineSeconds + sessionSeconds;

/**
 * The master before the application, and a day apart: one rotation of a database at a time, and the second
 * one would be refused for as long as the overlap of the first lasts.
 */
const isOwnerFirst = ({
  owner,
  database,
}: {
  owner?: RotationSchedule | undefined;
  database?: RotationSchedule | undefined;
}): boolean => !owner || !database || owner.day < database.day;

/** How an old secret loses its validity. */
export const rotationSchema = z.optional(
  z.strictObject({
    /** For so long nobody may have used the old login, in any region; 600 when left out. */
    holdSeconds: z.optional(seconds(60, 86_400)),
    /** When old and new are still both valid after so long, people are called; a day when left out. */
    deadlineSeconds: z.optional(seconds(1800, 604_800)),
    /**
     * How long a session or token that the application has signed may live at the most, so long a signing
     * key stays after the next one signs; two weeks when left out, as Django's SESSION_COOKIE_AGE.
     */
    sessionSeconds: z.optional(seconds(60, 7_776_000)),
    /** How many others have to approve a rotation that somebody asks for; none when left out. */
    approvals: z.optional(z.int().check(z.gte(0), z.lte(5))),
    /**
     * How fast the application may seal its rows again with a new key: so many in one transaction, and the
     * next one so much later, in the whole fleet together; 500 every 2 s when left out.
     */
    reencryption: z.optional(
      z.strictObject({
        rows: z.optional(count(1, 10_000)),
        pauseSeconds: z.optional(count(1, 3600)),
      }),
    ),
    /** By the secret. What is left out is rotated when somebody asks for it, or after a thousand days. */
    schedules: z.optional(
      z
        .strictObject({
          owner: z.optional(schedule),
          database: z.optional(schedule),
          cache: z.optional(schedule),
          "signing-keys": z.optional(schedule),
          "encryption-keys": z.optional(schedule),
        })
        .check(z.refine(isOwnerFirst, "owner has to come on an earlier day than database")),
    ),
  }),
);
