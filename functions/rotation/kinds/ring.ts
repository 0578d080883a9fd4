import * as z from "zod/mini";
import { isoSeconds } from "../../../shared/clock.ts";
import type { Random } from "../../../shared/random.ts";
import { newKey } from "../generate.ts";
import type { SecretValue } from "../kinds.ts";
import { refuse } from "../kinds.ts";

/**
 * A key ring, as it is deployed and as instances read it: the primary makes, all others only open what they
 * have made before. All keys lie in the one current value: a label on an older version could be lost.
 */
const ringKey = z.object({
  secret: z.string(),
  state: z.enum(["primary", "decrypt-only", "retired"]),
  madeAt: z.nullable(z.string()),
  /** Of an encryption ring: since when no row needs it, and until when backups may. ISO 8601. */
  unusedSince: z.optional(z.string()),
  mayGoAt: z.optional(z.string()),
});
export type RingKey = z.infer<typeof ringKey>;

const schema = z.object({
  primary: z.string(),
  keys: z.record(z.string().check(z.regex(/^[a-z0-9-]{1,40}$/)), ringKey),
});
export type Ring = z.infer<typeof schema>;

/** Throws without quoting what it was given. */
export const ringOf = (value: SecretValue): Ring => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error("a version of the secret is no key ring");
  const { primary, keys } = parsed.data;
  const isWhole = keys[primary]?.state === "primary";
  const primaries = Object.values(keys).filter(({ state }) => state === "primary");
  if (!isWhole || primaries.length !== 1) throw new Error("a key ring has not just one primary");
  for (const [id, { secret }] of Object.entries(keys)) {
    if (Buffer.from(secret, "base64url").length !== keyBytes) {
      throw new Error(`key ${id} of a ring is not of ${keyBytes} bytes`);
    }
  }
  return parsed.data;
};

const keyBytes = 32;
/** More would mean that nothing is ever retired; and a secret holds 65,536 bytes. */
const mostKeys = 50;

/** The ring with one more key that opens only: whoever has not read it yet is shown nothing made by it. */
export const withNewKey = (ring: Ring, random: Random, now: number) => {
  if (Object.keys(ring.keys).length >= mostKeys) {
    return refuse("ring-full", `The ring has ${mostKeys} keys: none was ever retired.`);
  }
  if (newest(ring) !== ring.primary) {
    const reason = `Key ${newest(ring)} was added and is not the primary yet: that rotation comes first.`;
    return refuse("not-promoted", reason);
  }
  const id = `${isoSeconds(now).slice(0, 10)}-${random.bytes(4).toString("hex")}`;
  const made = { secret: newKey(random), state: "decrypt-only" as const, madeAt: isoSeconds(now) };
  return { made: { ...ring, keys: { ...ring.keys, [id]: made } } satisfies Ring };
};

/** Made at no known time counts as the oldest: it came with the deployment. */
const newest = ({ keys }: Ring): string =>
  Object.entries(keys).toSorted(([, one], [, other]) =>
    (one.madeAt ?? "") < (other.madeAt ?? "") ? 1 : -1,
  )[0]?.[0] ?? "";

/** The newest key becomes the primary; the one before opens what it has closed. */
export const promoted = (ring: Ring): Ring => {
  const id = newest(ring);
  const keys = Object.entries(ring.keys).map(([name, key]) => {
    const state = name === id ? "primary" : key.state === "primary" ? "decrypt-only" : key.state;
    return [name, { ...key, state }] as const;
  });
  return { primary: id, keys: Object.fromEntries(keys) };
};

/** Without the keys `ids`. The primary stays whatever is asked for. */
export const without = (ring: Ring, ids: readonly string[]): Ring => ({
  ...ring,
  keys: Object.fromEntries(
    Object.entries(ring.keys).filter(([id]) => id === ring.primary || !ids.includes(id)),
  ),
});

/** Whether `later` still has every key of `earlier`, each with its very secret. */
export const keeps = (earlier: Ring, later: Ring): boolean =>
  Object.entries(earlier.keys).every(([id, { secret }]) => later.keys[id]?.secret === secret);
