import type { Refusal } from "../../shared/outcome.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { Plan } from "./decide.ts";
import type { Ending, Run, Work } from "./failover.ts";
import type { Ports } from "./ports.ts";

/** Asked before every change: the brake, and whether the epoch is still the one this run knows. */
export const permitted = async ({ ports, run }: Work): Promise<Refusal | undefined> => {
  const paused = whilePaused(await ports.readPause());
  if (paused) return paused;
  const stopped = await stoppedBy(ports, run);
  if (stopped || run.epoch === null) return stopped;
  const lease = await ports.readLease();
  const isDriver = (lease.driver ?? 0) === run.again;
  if (lease.epoch === run.epoch && lease.holder === run.name && isDriver) return undefined;
  if (lease.holder === run.name && !isDriver) {
    const reason = `${run.name} was carried on meanwhile, so this execution of it stands back.`;
    return { code: "carried-on", reason };
  }
  const reason = `The lease is at epoch ${lease.epoch}, held by ${lease.holder}; this run had ${run.epoch}.`;
  return { code: "lease-moved", reason };
};

/** An abort counts until the promotion; after that the only way is forward. */
export const stoppedBy = async (ports: Ports, run: Run): Promise<Refusal | undefined> => {
  if (run.pastReturn) return undefined;
  const abort = await ports.readAbort(run.name);
  return abort ? { code: "aborted", reason: `Aborted by ${abort.by}: ${abort.reason}` } : undefined;
};

export const planOf = ({ run }: Pick<Work, "run">): Plan => {
  if (!run.plan) throw new Error(`${run.name} has no plan in state ${run.state}`);
  return run.plan;
};

/**
 * How a stop before the promotion ends: as `on` says, or, when the run has claimed the lease already
 * because it was carried on, with the lease going back.
 */
export const stopping = ({ epoch }: Run, on: string, notes: string[]): Ending => ({
  on: epoch === null ? on : "give-back",
  notes,
});

export const late = (note: string): Ending => ({ on: "late", notes: note ? [note] : [] });
