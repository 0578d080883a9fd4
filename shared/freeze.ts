import { isoSeconds } from "./clock.ts";
import type { Coordination } from "./coordination.ts";
import { nextRun, readLease } from "./lease.ts";
import type { Refusal } from "./outcome.ts";
import { readUpheavals } from "./upheaval.ts";

/** Work of our own that no repair may come upon: what it does looks like trouble. */
export type Freezing = "rotation" | "verification";

/** Why a region must be left alone at the moment. */
export interface Freeze {
  what: Freezing | "failover" | "standby" | "deploy" | "maintenance";
  by: string;
  reason: string;
  /** Over by itself then; null when it lasts until somebody ends it. */
  untilMilliseconds: number | null;
}

const freezings: readonly Freezing[] = ["rotation", "verification"];
const freezeId = (region: string, what: Freezing) => `freeze#${what}#${region}`;

export interface Declared extends Freeze {
  what: Freezing;
  untilMilliseconds: number;
}

/**
 * Holds repairs in a region back until then, or changes the end of a freeze of one's own: safe to repeat.
 * Refused while another owner's freeze of the kind lasts, so of each kind one is under way at a time.
 * Throws when the table is silent: then nothing may begin that repairs would take for trouble.
 */
export const declareFreeze = async (
  table: Coordination,
  region: string,
  freeze: Declared,
  now: number,
): Promise<{ declared: Declared } | { refused: Refusal }> => {
  const { written, item } = await table.write(freezeId(region, freeze.what), {
    set: { ...freeze },
    onlyIf: "attribute_not_exists(#by) OR #by = :by OR #untilMilliseconds <= :now",
    values: { by: freeze.by, now },
  });
  if (written) return { declared: freeze };
  const until = isoSeconds(Number(item?.untilMilliseconds ?? now));
  const reason = `${item?.by} holds the ${freeze.what} of ${region} until ${until}: ${item?.reason}.`;
  return { refused: { code: "frozen", reason } };
};

/** Ends a freeze of one's own before its time. Somebody else's stays as it is. */
export const endFreeze = async (
  table: Coordination,
  region: string,
  { what, by }: Pick<Declared, "what" | "by">,
  now: number,
): Promise<void> => {
  await table.write(freezeId(region, what), {
    set: { untilMilliseconds: now },
    onlyIf: "#by = :by AND #untilMilliseconds > :now",
    values: { by, now },
  });
};

/** The newest freeze of its kind, also when it is over; undefined when there never was one. */
export const lastFreeze = async (
  table: Coordination,
  region: string,
  what: Freezing,
): Promise<Declared | undefined> =>
  (await table.read(freezeId(region, what))) as unknown as Declared | undefined;

/**
 * For so long after a move, a deploy or a rotation has ended alarms still show what it has done: a guard's
 * round, health checks, and five periods of a minute.
 */
export const settlingSeconds = 420;
/** What changes the platform that users are on. A window of people ends when they say so. */
const settles: readonly Freeze["what"][] = ["deploy", "rotation"];

/**
 * All that holds repairs in a region back. `isUnderWay` says whether the run of that name has begun and
 * not ended: before its claim a move cannot be seen in the lease. Throws when the table is silent.
 */
export const readFreezes = async (
  table: Coordination,
  region: string,
  now: number,
  isUnderWay: (run: string) => Promise<boolean>,
): Promise<Freeze[]> => {
  const [move, upheavals, items] = await Promise.all([
    moving(table, now, isUnderWay),
    readUpheavals(table, region, now - settlingSeconds * 1000),
    Promise.all(freezings.map((what) => table.read(freezeId(region, what)))),
  ]);
  const declared = items.flatMap((item) => (item ? [item as unknown as Declared] : []));
  const theirs = upheavals.map(({ kind, ...rest }) => ({ what: kind, ...rest }));
  return [...move, ...[...theirs, ...declared].flatMap((one) => lasting(one, now))];
};

/** As it holds repairs back at `now`: while it lasts, and until what it did has settled. */
const lasting = (
  { what, by, reason, untilMilliseconds }: Freeze & { untilMilliseconds: number },
  now: number,
): Freeze[] => {
  if (untilMilliseconds > now) return [{ what, by, reason, untilMilliseconds }];
  const settled = untilMilliseconds + settlingSeconds * 1000;
  if (!settles.includes(what) || settled <= now) return [];
  return [{ what, by, reason: `${reason} (just ended)`, untilMilliseconds: settled }];
};

const moving = async (
  table: Coordination,
  now: number,
  isUnderWay: (run: string) => Promise<boolean>,
): Promise<Freeze[]> => {
  const lease = await readLease(table);
  const failover = (reason: string, untilMilliseconds: number | null = null): Freeze[] => [
    { what: "failover", by: lease.holder, reason, untilMilliseconds },
  ];
  if (lease.state === "moving") return failover(`the lease is on its way to ${lease.region}`);
  const settled = (lease.settledAtMilliseconds ?? 0) + settlingSeconds * 1000;
  if (settled > now) return failover("the lease has come to rest just now", settled);
  const run = nextRun(lease);
  return (await isUnderWay(run)) ? failover(`${run} is under way`) : [];
};

/**
 * A region without the lease stands by, or is fenced: what is sick there hurts no user, and a repair there
 * might bring up what a guard has closed. Throws when the table is silent.
 */
export const readStandby = async (table: Coordination, region: string): Promise<Freeze[]> => {
  const { region: active, holder } = await readLease(table);
  if (active === region) return [];
  const reason = `users are in ${active}, and ${region} stands by or is fenced`;
  return [{ what: "standby", by: holder, reason, untilMilliseconds: null }];
};

/** Undefined when nothing holds back somebody who minds all freezes but those in `despite`. */
export const whileFrozen = (
  freezes: readonly Freeze[],
  despite: readonly string[] = [],
): Refusal | undefined => {
  const [first] = freezes.filter(({ what }) => !despite.includes(what));
  if (!first) return undefined;
  return { code: "frozen", reason: `${first.what} by ${first.by}: ${first.reason}.` };
};
