import type { Coordination } from "./coordination.ts";
import { nextRun, readLease } from "./lease.ts";
import type { Refusal } from "./outcome.ts";
import { readUpheavals } from "./upheaval.ts";

/** Work of our own that no repair may come upon: what it does looks like trouble. */
export type Freezing = "rotation" | "verification";

/** Why a region must be left alone at the moment. */
export interface Freeze {
  what: Freezing | "failover" | "deploy" | "maintenance";
  by: string;
  reason: string;
  /** Over by itself then; null when it lasts until somebody ends it. */
  untilMilliseconds: number | null;
}

const freezings: readonly Freezing[] = ["rotation", "verification"];
const freezeId = (region: string, what: Freezing) => `freeze#${what}#${region}`;

/** Declares one, or changes its end: `untilMilliseconds` in the past closes it. */
export const declareFreeze = async (
  table: Coordination,
  region: string,
  freeze: Freeze & { what: Freezing; untilMilliseconds: number },
): Promise<void> => {
  await table.write(freezeId(region, freeze.what), { set: { ...freeze } });
};

/**
 * For so long after a lease has come to rest alarms still show what its move has done: a guard's round,
 * health checks, and five periods of a minute.
 */
const settlingSeconds = 420;

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
    readUpheavals(table, region, now),
    Promise.all(freezings.map((what) => table.read(freezeId(region, what)))),
  ]);
  const declared = items
    .flatMap((item) => (item ? [item as unknown as Freeze] : []))
    .filter(({ untilMilliseconds: until }) => until === null || until > now)
    .map(({ what, by, reason, untilMilliseconds }) => ({ what, by, reason, untilMilliseconds }));
  const theirs = upheavals.map(
    ({ kind, by, reason, untilMilliseconds }): Freeze => ({
      what: kind,
      by,
      reason,
      untilMilliseconds,
    }),
  );
  return [...move, ...theirs, ...declared];
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

/** Undefined when nothing holds back somebody who minds all freezes but those in `despite`. */
export const whileFrozen = (
  freezes: readonly Freeze[],
  despite: readonly string[] = [],
): Refusal | undefined => {
  const [first] = freezes.filter(({ what }) => !despite.includes(what));
  if (!first) return undefined;
  return { code: "frozen", reason: `${first.what} by ${first.by}: ${first.reason}.` };
};
