import { createHash } from "node:crypto";
import * as z from "zod/mini";

/**
 * What the primary says of its own content once a day, in a row that every backup after it contains. A
 * restored copy is held against it.
 */
const schema = z.object({
  format: z.literal(1),
  tables: z.array(
    z.object({ name: z.string(), rows: z.number().check(z.gte(0)), exact: z.boolean() }),
  ),
  windows: z.array(
    z.object({
      table: z.string(),
      column: z.string(),
      from: z.string(),
      to: z.string(),
      rows: z.number(),
      /** Of the hashes of these rows, in decimal: the order of rows does not change it. */
      sum: z.string(),
    }),
  ),
  extensions: z.array(z.object({ name: z.string(), version: z.string() })),
});
export type Manifest = z.infer<typeof schema>;

/** Null when it is none of ours. */
export const parseManifest = (value: unknown): Manifest | null => {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : null;
};

/** Rows of a table that never change once they are written, of some hours. ISO 8601. */
export interface Window {
  table: string;
  column: string;
  from: string;
  to: string;
}

const dayMilliseconds = 86_400_000;
/** A transaction that lasts longer than this commits rows into a window that was summed already. */
const settledMilliseconds = 600_000;

/** The day before the manifest, without its last ten minutes. */
export const windowsOf = (
  appendOnly: readonly { table: string; column: string }[],
  takenAtMilliseconds: number,
): Window[] => {
  const to = takenAtMilliseconds - settledMilliseconds;
  const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
  return appendOnly.map((each) => ({ ...each, from: iso(to - dayMilliseconds), to: iso(to) }));
};

const canaryLength = 64 * 1024;

/**
 * Bytes that say whose database this is. They are not secret, look like noise so that nothing on the
 * way can compress them, and are many enough that PostgreSQL stores them beside the row.
 */
export const canaryBytes = (identity: string): Buffer => {
  const blocks: Buffer[] = [];
  for (let block = 0; block * 32 < canaryLength; block += 1) {
    blocks.push(createHash("sha256").update(`nightshift canary ${identity} ${block}`).digest());
  }
  return Buffer.concat(blocks);
};
