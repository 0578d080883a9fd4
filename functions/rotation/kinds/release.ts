import { isoSeconds } from "../../../shared/clock.ts";
import { keyIdOf, type LeftOn, labelOf, rowsIn } from "../../../shared/sealed.ts";
import type { Kept } from "../ciphertexts.ts";
import type { Ring, RingKey } from "./ring.ts";

/** What is known of the rows and backups when it is asked whether a key may go. */
export interface Evidence {
  /** What is not sealed by the primary, column by column. */
  left: readonly LeftOn[];
  /** Columns of which nobody can say which key a row needs. */
  unmarked: readonly string[];
  /** Null as long as no key is old enough to ask for them. */
  backups: readonly Kept[] | null;
  retentionDays: number;
  now: number;
}

export interface Judged {
  ring: Ring;
  gone: string[];
  /** Why the others stay, as sentences. */
  why: string[];
}

const dayMilliseconds = 86_400_000;
/** Between our clock and that of whoever takes backups, and for a transaction that was open meanwhile. */
const marginMilliseconds = 3_600_000;

export const idOf = ({ secret }: Pick<RingKey, "secret">): string =>
  keyIdOf(Buffer.from(secret, "base64url"));

/** A primary key that seals what is new is never old. */
const older = ({ primary, keys }: Ring): [string, RingKey][] =>
  Object.entries(keys).filter(([name]) => name !== primary);

/** When a key may go at the earliest: with the youngest of the automated backups that are kept now. */
const freeFrom = (unusedSince: number, retentionDays: number): number =>
  unusedSince + retentionDays * dayMilliseconds + marginMilliseconds;

/** Whether it has to be known what backups there are: some key has rested for long enough. */
export const asksForBackups = (ring: Ring, now: number): boolean =>
  older(ring).some(([, { mayGoAt }]) => mayGoAt !== undefined && Date.parse(mayGoAt) <= now);

/**
 * The ring as it should be: which keys no row needs any more, and since when; and without those that no
 * backup can need either, since none reaches back to a moment in which a row did. Not knowing is never
 * taken for not needed. Pure.
 */
export const judgeKeys = (ring: Ring, evidence: Evidence): Judged => {
  const judged: Judged = { ring: { ...ring, keys: { ...ring.keys } }, gone: [], why: [] };
  const blind = blindIn(evidence);
  for (const [name, key] of older(ring)) {
    const needing = rowsOf(evidence.left, idOf(key));
    if (needing !== null) {
      // Restored from a backup, it may have come to rows again: the time begins anew.
      judged.ring.keys[name] = awake(key);
      judged.why.push(`Key ${name} is needed by ${needing}.`);
    } else if (blind !== null) {
      judged.why.push(`Key ${name} stays: ${blind}.`);
    } else {
      rest(judged, name, key, evidence);
    }
  }
  return judged;
};

const awake = ({ secret, state, madeAt }: RingKey): RingKey => ({ secret, state, madeAt });

const rest = (judged: Judged, name: string, key: RingKey, evidence: Evidence): void => {
  const { now, retentionDays } = evidence;
  const since = key.unusedSince === undefined ? now : Date.parse(key.unusedSince);
  // A longer retention that was set meanwhile counts as well.
  const from = Math.max(freeFrom(since, retentionDays), Date.parse(key.mayGoAt ?? "") || 0);
  const unusedSince = isoSeconds(since);
  judged.ring.keys[name] = { ...key, unusedSince, mayGoAt: isoSeconds(from) };
  const why = from > now ? null : heldBy(evidence.backups, since);
  if (from > now) {
    judged.why.push(`Key ${name} stays until ${isoSeconds(from)}: backups may need it.`);
  } else if (why !== null) {
    judged.why.push(`Key ${name} stays: ${why}.`);
  } else {
    delete judged.ring.keys[name];
    judged.gone.push(name);
  }
};

/** What reaches back to when a row may have needed the key; null when nothing does. */
const heldBy = (backups: readonly Kept[] | null, since: number): string | null => {
  // A platform without any backup is none that should be believed.
  if (backups === null || backups.length === 0) return "nobody has told of any backup";
  const holding = backups.filter(
    ({ fromMilliseconds }) =>
      fromMilliseconds === null || fromMilliseconds <= since + marginMilliseconds,
  );
  const [first] = holding;
  if (!first) return null;
  const more = holding.length > 1 ? ` and ${holding.length - 1} more` : "";
  const from = first.fromMilliseconds;
  if (from === null) return `${first.what}${more} may have rows that need it`;
  return `${first.what}${more} can be restored to when rows needed it (${isoSeconds(from)})`;
};

/** Why nobody can say that a key is not needed, whichever it is. */
const blindIn = ({ left, unmarked }: Evidence): string | null => {
  const [column] = unmarked;
  if (column !== undefined) return `values of ${column} do not say which key opens them`;
  const without = left.find((each) => each.unmarked > 0);
  if (without) return `${without.unmarked} values of ${labelOf(without)} have no key id`;
  return left.length === 0 ? "no column that it may have sealed is known" : null;
};

const rows = (count: number): string => `${count} ${count === 1 ? "row" : "rows"}`;

/** `12 rows of public.holders.name`; null when none is sealed by it. */
const rowsOf = (left: readonly LeftOn[], id: string): string | null => {
  const found = left.filter((each) => (each.keys[id] ?? 0) > 0);
  if (found.length > 0) {
    return found.map((each) => `${rows(each.keys[id] ?? 0)} of ${labelOf(each)}`).join(", ");
  }
  const uncounted = left.find(({ more }) => more);
  return uncounted ? `rows of ${labelOf(uncounted)}, perhaps, of which not all were counted` : null;
};

/** What still has to be sealed again, in a sentence; null when nothing has. */
export const leftText = (ring: Ring, left: readonly LeftOn[]): string | null => {
  const names = new Map(Object.entries(ring.keys).map(([name, key]) => [idOf(key), name]));
  const parts = left
    .filter((each) => rowsIn(each) > 0)
    .map((each) => {
      const by = Object.entries(each.keys).map(
        ([id, count]) => `${count} by ${names.get(id) ?? `a key that is in no ring (${id})`}`,
      );
      if (each.unmarked > 0) by.push(`${each.unmarked} without a key id`);
      const least = each.more ? "at least " : "";
      return `${least}${rows(rowsIn(each))} of ${labelOf(each)} (${by.join(", ")})`;
    });
  if (parts.length === 0) return null;
  return `Not sealed by ${ring.primary} yet: ${parts.join("; ")}.`;
};
