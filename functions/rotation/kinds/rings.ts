import { isDeepStrictEqual } from "node:util";
import type { Change, Kind, KindName, SecretValue } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";
import { asksForBackups, idOf, judgeKeys, leftText } from "./release.ts";
import { keeps, promoted, type Ring, ringOf, withNewKey, without } from "./ring.ts";

/**
 * A key ring: the new key can only open until the whole fleet has read it, becomes the primary then, and
 * the fleet reads the ring once more. Nothing outside of the secret is changed.
 */
const ringKind = (name: KindName, rest: Pick<Kind, "retire"> & Partial<Kind>): Kind => ({
  name,
  isReadByFleet: true,
  make: async (current, { random, now }) => withNewKey(ringOf(current), random, now()),
  set: async (change) => judged(change),
  test: async (change) => judged(change),
  putBack: async () => did("Nothing outside of the secret was changed."),
  prove: async (current) => standing(current),
  promote: (value) => ({ made: promoted(ringOf(value)) }),
  ...rest,
});

const standing = (current: SecretValue) => {
  const { primary, keys } = ringOf(current);
  return { did: `The ring has ${Object.keys(keys).length} keys; ${primary} is the primary.` };
};

/** The pending ring has all that the current one has, the same primary, and one key more. */
const judged = ({ current, pending }: Change) => {
  const [before, after] = [ringOf(current), ringOf(pending)];
  if (!keeps(before, after)) return refuse("key-lost", "The new ring lacks a key of the old one.");
  if (before.primary !== after.primary) {
    return refuse("too-early", "The new ring has another primary before anybody can have read it.");
  }
  const added = Object.keys(after.keys).length - Object.keys(before.keys).length;
  if (added !== 1) return refuse("not-one-key", `The new ring has ${added} keys more, not one.`);
  return did(`The ring has a new key, which only opens so far: ${Object.keys(after.keys).at(-1)}.`);
};

const olderThanPrimary = (value: Record<string, unknown>): string[] => {
  const { primary, keys } = ringOf(value);
  return Object.keys(keys).filter((id) => id !== primary);
};

/** What was signed with an older key is worth nothing from then on: it comes after the longest session. */
export const signingRing = ringKind("signing-ring", {
  prove: async (current, { sessionSeconds }) => ({
    ...standing(current),
    restSeconds: sessionSeconds,
  }),
  retire: async ({ current }) => {
    const left = olderThanPrimary(current);
    if (left.length === 0) return did("The primary is the only key of the ring.");
    return refuse("keys-left", `Older keys are in the ring: ${left.join(", ")}.`);
  },
  pruned: (value) => ({ made: without(ringOf(value), olderThanPrimary(value)) }),
});

/** What a rotation ends with: an older key in the ring and when it may go, or that there is none. */
const standingOf = ({ primary, keys }: Ring): string => {
  const left = Object.entries(keys).filter(([name]) => name !== primary);
  if (left.length === 0) return "The primary is the only key of the ring.";
  const parts = left.map(([name, { mayGoAt }]) =>
    mayGoAt === undefined ? `${name}` : `${name} (not before ${mayGoAt})`,
  );
  return (
    `${parts.join(", ")} stay in the ring and only open: kept until it is shown that no row and no ` +
    "backup needs them."
  );
};

/**
 * Rows and backups may need an older key. It stays in the ring and only opens, until no row is sealed by it
 * and no backup reaches back to when one was; that is looked at whenever the ring is rotated, since the
 * last rotation's key is too young for it. The rotation is over all the same, unless rows are left.
 */
export const encryptionRing = ringKind("encryption-ring", {
  isSealing: true,
  retire: async ({ current }) => did(standingOf(ringOf(current))),
  pruned: async (value, { ciphertexts, now }) => {
    if (!ciphertexts.isKnown) return null;
    const ring = ringOf(value);
    const primary = ring.keys[ring.primary];
    const left = primary ? await ciphertexts.left(idOf(primary)) : [];
    const text = leftText(ring, left);
    if (text !== null) return refuse("rows-left", text);
    const backups = asksForBackups(ring, now()) ? await ciphertexts.backups() : null;
    const { unmarked, retentionDays } = ciphertexts;
    const evidence = { left, unmarked, backups, retentionDays, now: now() };
    const judged = judgeKeys(ring, evidence);
    if (isDeepStrictEqual(judged.ring, ring)) return null;
    const gone = judged.gone.length > 0 ? [`No longer in it: ${judged.gone.join(", ")}.`] : [];
    return { made: judged.ring, told: [...gone, ...judged.why].join(" ") };
  },
});
