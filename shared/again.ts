import type { Standing } from "./abort.ts";
import type { Config } from "./config.ts";
import type { Coordination } from "./coordination.ts";
import type { Lease } from "./lease.ts";
import type { Refusal } from "./outcome.ts";

/**
 * A move that has ended with a human after its claim may be carried on: the same run, the same lease, by
 * another durable execution. The first execution has number 0, and each later one the next.
 */
export const executionName = (run: string, again: number): string =>
  again === 0 ? run : `${run}-again-${again}`;

/** Goes before what that execution writes into the journal of the run, so that they do not mix. */
export const journalPrefix = (again: number): string => (again === 0 ? "" : `again ${again}: `);

/** Which execution has written a line of the journal, by its key. */
export const againOf = (key: string): number => Number(/^again (\d+): /.exec(key)?.[1] ?? 0);

const againId = (run: string) => `again#${run}`;

/** The number of the newest execution of a run that was ever ordered. Throws when the table is silent. */
export const readAgain = async (table: Coordination, run: string): Promise<number> =>
  Number((await table.read(againId(run)))?.again ?? 0);

/**
 * Takes the number after `last`, and gives the newest: of two who order at the same moment one takes it,
 * and the other finds it, so that both start the same execution.
 */
export const nextAgain = async (
  table: Coordination,
  run: string,
  last: number,
): Promise<number> => {
  const { item } = await table.write(againId(run), {
    set: { again: last + 1 },
    onlyIf: "attribute_not_exists(#again) OR #again = :last",
    values: { last },
  });
  if (!item) throw new Error(`the count of ${run} has vanished from the table`);
  return Number(item.again);
};

const movePattern = /^failover-(\d+)-\d+$/;

/** Where a move executes: the region that it has claimed the lease for, also when it was given back. */
export const regionOfMove = (
  run: string,
  { region, epoch }: Lease,
  { primary, standby }: Config["regions"],
): string => {
  const claimed = Number(movePattern.exec(run)?.[1] ?? Number.NaN);
  if (epoch === claimed) return region;
  return region === primary ? standby : primary;
};

const refuse = (code: string, reason: string): Refusal => ({ code, reason });

/** Refuses what has nothing to carry on: no move, not the one that the lease is of, or one that is over. */
export const judgeCarryOn = (
  lease: Lease,
  run: string,
  standing: Standing,
): Refusal | undefined => {
  if (!movePattern.test(run)) {
    return refuse("not-a-move", `${run} is no move: order it again instead.`);
  }
  if (lease.holder !== run) {
    const reason =
      `The lease of epoch ${lease.epoch} is not of ${run} but of ${lease.holder}, so there is nothing ` +
      "to carry on. Ask for the move again.";
    return refuse("not-its-lease", reason);
  }
  // One that stood back without knowing that its claim had come through has left the lease on its way.
  const isEnd = standing.state === "done" || standing.state === "aborted";
  if (isEnd && lease.state === "held") {
    return refuse("ended", `${run} has ended: ${standing.state}. There is nothing to carry on.`);
  }
  return undefined;
};

export const stillRunning = (run: string, { state }: Standing): Refusal =>
  refuse(
    "still-running",
    `${run} is under way (${state ?? "just begun"}): let it end, or abort it.`,
  );
