import * as z from "zod/mini";
import { count, matching, seconds } from "./config-fields.ts";

const tableName = matching(
  /^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/,
  "a table with its schema, such as public.accounts",
);
const column = matching(/^[a-z_][a-z0-9_]*$/, "the name of a column");
const checkName = matching(/^[a-z][a-z0-9-]*$/, "the name of a check: docs/evidence.md");
const shareAllowed = "a share from 0 to 1";
const share = z.number(shareAllowed).check(z.minimum(0, shareAllowed), z.maximum(1, shareAllowed));

/** Restore tests. Everything has a usual value, so an operator may leave the whole section out. */
export const verification = z.strictObject({
  /** Of the copy; the smallest that reads a few hundred gigabytes in a night when left out. */
  instanceClass: z.optional(
    matching(/^db\.[a-z0-9-]+\.[a-z0-9]+$/, "a class such as db.t4g.medium"),
  ),
  /** A copy lives no longer, which bounds what a run may cost; 8 when left out. */
  hours: z.optional(count(1, 24)),
  /** How far replicated backups may lag behind; 1800 when left out. */
  backupLagSeconds: z.optional(seconds(300, 86_400)),
  /** Without a verdict for so long the backups count as not verified; 26 when left out. */
  overdueHours: z.optional(count(2, 240)),
  /** Of Alembic, as the deployed image has it; compared only when given. */
  schemaRevision: z.optional(matching(/^[0-9a-zA-Z_-]{1,64}$/, "a revision of Alembic")),
  /** The operator's own questions, each one read-only statement. */
  assertions: z.optional(
    z
      .array(
        z.strictObject({
          name: checkName,
          sql: z.string().check(z.minLength(1), z.maxLength(4000)),
          /** As PostgreSQL writes it. */
          expect: z.string().check(z.maxLength(1000)),
        }),
      )
      .check(z.maxLength(50)),
  ),
  /** Checks that the operator does not want. Evidence tells that they were left out. */
  leftOut: z.optional(z.array(checkName)),
  /** Tables in which rows are only ever added, and the column that orders them. */
  appendOnly: z.optional(z.array(z.strictObject({ table: tableName, column }))),
  /** Tables that may shrink between manifest and backup, and by what share of their rows. */
  shrinks: z.optional(z.record(tableName, share)),
  ciphertext: z.optional(
    z.array(
      z.strictObject({ table: tableName, column, format: z.enum(["fernet", "aes-256-gcm"]) }),
    ),
  ),
  revisionTable: z.optional(tableName),
  manifestHours: z.optional(count(1, 240)),
});

export type VerificationConfig = z.infer<typeof verification>;
