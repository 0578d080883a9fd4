import * as z from "zod/mini";

/** What is restored: the newest there is, any moment of the window, a snapshot, or a moment by name. */
const age = z.union([
  z.object({ is: z.literal("latest") }),
  z.object({ is: z.literal("random") }),
  /** The newest snapshot that lies here; with `orLatest` the newest state where there is none. */
  z.object({ is: z.literal("snapshot"), orLatest: z.optional(z.boolean()) }),
  z.object({ is: z.literal("at"), atMilliseconds: z.int() }),
]);

export const request = z.object({
  /** Its name everywhere, and the name of the durable execution. */
  run: z.string().check(z.regex(/^verification-[a-z0-9-]{1,100}$/)),
  age,
  /** A person, or `schedule`. */
  by: z.string().check(z.minLength(1), z.maxLength(120)),
  reason: z.string().check(z.maxLength(400)),
});

export type VerificationRequest = z.infer<typeof request>;
