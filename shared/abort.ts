import { againOf } from "./again.ts";
import type { Coordination } from "./coordination.ts";
import type { Entry } from "./journal.ts";
import type { Lease } from "./lease.ts";
import type { Fact, Refusal } from "./outcome.ts";

/** Somebody's word that a run is to stop. The run reads it before each change it makes. */
export interface Abort {
  by: string;
  reason: string;
  atMilliseconds: number;
}

export const abortId = (run: string): string => `abort#${run}`;

/** Throws when the table is silent. */
export const readAbort = async (table: Coordination, run: string): Promise<Abort | undefined> => {
  const item = await table.read(abortId(run));
  return item && abortOf(item);
};

const abortOf = (item: Record<string, unknown>): Abort => ({
  by: String(item.by),
  reason: String(item.reason),
  atMilliseconds: Number(item.atMilliseconds),
});

/** Leaves the word for the run. The first one stands: it is the one that the run may have read. */
export const leaveAbort = async (
  table: Coordination,
  run: string,
  abort: Abort,
): Promise<Abort> => {
  const { item } = await table.write(abortId(run), {
    set: { ...abort },
    onlyIf: "attribute_not_exists(#atMilliseconds)",
  });
  if (!item) throw new Error(`the abort of ${run} has vanished from the table`);
  return abortOf(item);
};

/** Where a run stands, by its journal. */
export interface Standing {
  begun: boolean;
  /** The state that it has entered last; null before the first. */
  state: string | null;
  ended: boolean;
  /** `maybe` once it has stated the loss, which it does right before it promotes. */
  returnable: "yes" | "maybe" | "no";
}

const ends = ["done", "aborted", "needs-human"];

/**
 * A run that was carried on stands where its newest execution stands, or where execution `again` does;
 * what was promoted by any of them is promoted.
 */
export const standingOf = (entries: readonly Entry[], again?: number): Standing => {
  const newest = again ?? Math.max(0, ...entries.map(({ key }) => againOf(key)));
  const own = entries.filter(({ key }) => againOf(key) === newest);
  const moves = entries.filter(({ data }) => typeof data?.to === "string");
  const last = moves.findLast(({ key }) => againOf(key) === newest);
  const state = (last?.data?.to as string | undefined) ?? null;
  // To ask for a human is no step forward, whatever it was that failed.
  const promoted = moves.some(({ data: d }) => d?.reversible === false && d.to !== "needs-human");
  const stated = entries.some(({ key }) => /(^|: )loss$/.test(key));
  return {
    begun: own.length > 0,
    state,
    ended: state !== null && ends.includes(state),
    returnable: promoted ? "no" : stated ? "maybe" : "yes",
  };
};

/**
 * Whether a run can still be aborted. An abort of a run that has not begun would wait for the next
 * one of that name and stop it when it is needed. What cannot be read does not hold an abort up.
 */
export const judgeAbort = (
  lease: Lease,
  run: string,
  standing: Fact<Standing>,
): Refusal | undefined => {
  if (!standing.known) return undefined;
  const { begun, ended, state, returnable } = standing.value;
  if (!begun && lease.state === "held") {
    const reason = `No run is under way that could be aborted: ${run} has not begun.`;
    return { code: "nothing-under-way", reason };
  }
  if (ended && !isLeft(lease, run, standing.value)) {
    return { code: "ended", reason: `${run} has ended already: ${state}.` };
  }
  if (returnable !== "no") return undefined;
  const reason = `${run} has promoted the replica (${state}): from there the only way is forward.`;
  return { code: "past-return", reason };
};

/** A run that has ended with the lease on its way: to abort it is to give that back. */
export const isLeft = (lease: Lease, run: string, { ended }: Standing): boolean =>
  ended && lease.holder === run && lease.state === "moving";
