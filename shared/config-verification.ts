import * as z from "zod/mini";
import {
  type Bound,
  count,
  matching,
  outside,
  type Problem,
  seconds,
  shown,
} from "./config-fields.ts";

const tableName = matching(
  /^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/,
  "a table with its schema, such as public.accounts",
);
const column = matching(/^[a-z_][a-z0-9_]*$/, "the name of a column");
const checkName = matching(/^[a-z][a-z0-9-]*$/, "the name of a check: docs/evidence.md");
const shareAllowed = "a share from 0 to 1";
const share = z.number(shareAllowed).check(z.minimum(0, shareAllowed), z.maximum(1, shareAllowed));

const moneyAllowed = "dollars, from 0.01 to 100000";
const money = z
  .number(moneyAllowed)
  .check(z.minimum(0.01, moneyAllowed), z.maximum(1e5, moneyAllowed));

/** Restore tests. Everything has a usual value, so an operator may leave the whole section out. */
export const verification = z.strictObject({
  /** Of the copy; the smallest that reads a few hundred gigabytes in a night when left out. */
  instanceClass: z.optional(
    matching(/^db\.[a-z0-9-]+\.[a-z0-9]+$/, "a class such as db.t4g.medium"),
  ),
  /** A copy lives no longer, which bounds what a run may cost; 8 when left out. */
  hours: z.optional(count(1, 24)),
  /** What a rebuild from backups may take and lose: other figures than those of a failover. */
  objectives: z.optional(
    z.strictObject({
      /** Until all of it has been read once; four hours when left out. */
      rtoSeconds: z.optional(seconds(60, 7 * 86_400)),
      /** One hour when left out. */
      rpoSeconds: z.optional(seconds(300, 86_400)),
    }),
  ),
  /** Bounds on what restore tests cost, by the operator's own price of a copy; none when left out. */
  cost: z.optional(
    z.strictObject({
      /** Of `instanceClass` with the database's storage, in the standby region. */
      dollarsPerHour: money,
      /** No copy lives longer than this pays for, nor longer than `hours`. */
      perRun: money,
      /** Of all runs together; a run that might pass it is put off, and then overdue. */
      perMonth: money,
    }),
  ),
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
      z.strictObject({
        table: tableName,
        column,
        format: z.enum(["fernet", "aes-256-gcm", "keyed-aes-256-gcm"]),
      }),
    ),
  ),
  revisionTable: z.optional(tableName),
  manifestHours: z.optional(count(1, 240)),
});

/** What can be left out by name, besides `assertion-…`; `checks/all.ts` has them, and a test compares. */
export const checkNames: readonly string[] = [
  "canary",
  "heartbeat",
  "schema-revision",
  "constraints-valid",
  "extensions-and-collations",
  "large-objects",
  "readable-in-full",
  "page-checksums",
  "indexes-sound",
  "row-counts",
  "checksums",
  "sequences",
  "foreign-keys",
  "ciphertext-opens",
];

/** A check that is left out under a wrong name would still run, and nobody would know why. */
export const verificationContradictions = ({
  verification: given,
}: {
  verification?: VerificationConfig | undefined;
}): Problem[] => {
  const known = [
    ...checkNames,
    ...(given?.assertions ?? []).map(({ name }) => `assertion-${name}`),
  ];
  const named = (given?.leftOut ?? []).flatMap((name, index) =>
    known.includes(name)
      ? []
      : [
          {
            path: `verification.leftOut[${index}]`,
            given: shown(name),
            allowed: `the name of a check: ${known.join(", ")}`,
          },
        ],
  );
  return [...named, ...outside(costBounds(given?.cost))];
};

/** A run that could not pay for one hour would never see its copy. */
const costBounds = (cost: VerificationConfig["cost"]): Bound[] =>
  cost
    ? [
        [
          ...(["verification.cost.perRun", cost.perRun, cost.dollarsPerHour, Infinity] as const),
          "one hour of verification.cost.dollarsPerHour",
        ],
        [
          ...(["verification.cost.perMonth", cost.perMonth, cost.perRun, Infinity] as const),
          "verification.cost.perRun",
        ],
      ]
    : [];

export type VerificationConfig = z.infer<typeof verification>;
