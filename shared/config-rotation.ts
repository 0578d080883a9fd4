import * as z from "zod/mini";
import { seconds } from "./config-fields.ts";

/** How an old secret loses its validity. */
export const rotationSchema = z.optional(
  z.strictObject({
    /** For so long nobody may have used the old login, in any region; 600 when left out. */
    holdSeconds: z.optional(seconds(60, 86_400)),
    /** When old and new are still both valid after so long, people are called; a day when left out. */
    deadlineSeconds: z.optional(seconds(1800, 604_800)),
  }),
);
