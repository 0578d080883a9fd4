import { type Standing, standingOf } from "../../shared/abort.ts";
import {
  executionName,
  judgeCarryOn,
  nextAgain,
  readAgain,
  regionOfMove,
  stillRunning,
} from "../../shared/again.ts";
import type { Entry } from "../../shared/journal.ts";
import { type Lease, readLease } from "../../shared/lease.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { readPause, whilePaused } from "../../shared/pause.ts";
import type { CarryOnRequest, Override, Trigger } from "../failover/request.ts";
import type { Desk } from "./orders.ts";

/** Whoever asks that an ended run goes on; without a name, the run that has the lease. */
export interface CarryOnWish {
  who: string;
  run?: string;
  reason: string;
  accepts: Override[];
}

export type CarriedOn =
  | { run: string; execution: string; region: string; joined: boolean }
  | { refused: Refusal };

/** Starts the next execution of a run that has asked for a human after its claim. Never two at once. */
export const orderCarryOn = async (desk: Desk, wish: CarryOnWish): Promise<CarriedOn> => {
  const lease = await readLease(desk.table);
  const paused = whilePaused(await readPause(desk.table));
  if (paused) return { refused: paused };
  return carryOnUnder(desk, lease, wish);
};

/** The same, also while Nightshift is paused: to give a lease back is to stop. */
export const carryOnUnder = async (
  desk: Desk,
  lease: Lease,
  wish: CarryOnWish,
): Promise<CarriedOn> => {
  const { table, runs } = desk;
  const run = wish.run ?? lease.holder;
  const region = regionOfMove(run, lease, desk.config.regions);
  const entries = await runs.entries(region, run);
  const last = await readAgain(table, run);
  const standing = standingOf(entries, last);
  const refused = judgeCarryOn(lease, run, standing);
  if (refused) return { refused };
  const is = await executionIs(desk, region, executionName(run, last), standing);
  // The order for it was recorded, and perhaps its start was lost: started again, it is the same one.
  const isUnborn = last > 0 && !standing.begun && is !== "over";
  if (is === "alive" && !isUnborn) return { refused: stillRunning(run, standing) };
  const again = isUnborn ? last : await nextAgain(table, run, last);
  const request = requestOf(desk, { ...wish, run }, again, entries);
  const started = await runs.start(region, request);
  return { run, region, execution: executionName(run, again), joined: started === "joined" };
};

/**
 * Whether an execution is over: by its journal, or, when that has no end because the function failed,
 * by what Lambda says of it. Throws when Lambda does not answer: in doubt it is alive.
 */
const executionIs = async (
  { runs }: Desk,
  region: string,
  execution: string,
  { ended }: Standing,
): Promise<"over" | "alive" | "none"> => {
  if (ended) return "over";
  return runs.status(region, execution);
};

const requestOf = (
  { clock }: Desk,
  { who, run, reason, accepts }: CarryOnWish & { run: string },
  again: number,
  entries: readonly Entry[],
): CarryOnRequest => {
  const begun = entries.find(({ key }) => key === "begin")?.data;
  // What was accepted by name for this very move is accepted still; others approve it anew.
  const before = (begun?.trigger as Trigger | undefined)?.overrides ?? [];
  const overrides = [...new Set([...before, ...accepts])];
  const sinceMilliseconds = Math.floor(clock.now());
  return {
    kind: "carry-on",
    run,
    again,
    move: begun?.kind === "switchover" ? "switchover" : "emergency",
    trigger: { by: "operator", who, reason, sinceMilliseconds, overrides },
  };
};
