import type { Config } from "./config.ts";
import type { Lease } from "./lease.ts";
import { nextRehearsal, nextRun } from "./lease.ts";
import type { Refusal } from "./outcome.ts";

/**
 * What an operator may ask for: a lost region is left, a well one gives way, all goes home, or
 * everything up to the one-way door is done and nothing is moved.
 */
export type Move = "failover" | "switchover" | "failback" | "rehearse";

const kinds = {
  failover: "emergency",
  switchover: "switchover",
  failback: "switchover",
  rehearse: "rehearsal",
} as const satisfies Record<Move, string>;

/** A move that may be asked for now. Whether it may be carried out is for the run to judge. */
export interface Asked {
  run: string;
  /** Where the run executes: the region that is going to be active. */
  region: string;
  kind: (typeof kinds)[Move];
}

export type Judged = { asked: Asked } | { refused: Refusal };

/** The region of the pair that does not hold the lease: where the next run executes. */
export const otherRegion = ({ region }: Lease, { primary, standby }: Config["regions"]): string =>
  region === primary ? standby : primary;

/** Refuses only what no run could carry out, so that nothing is started in vain. */
export const judgeMove = (
  move: Move,
  lease: Lease,
  regions: Config["regions"],
  nowMilliseconds: number,
): Judged => {
  if (lease.state === "moving") {
    const reason =
      `Run ${lease.holder} is moving the lease to ${lease.region} (epoch ${lease.epoch}). ` +
      "Let it end, or abort it; if it has asked for a human, carry it on.";
    return { refused: { code: "another-run", reason } };
  }
  if (move === "failback" && lease.region === regions.primary) {
    const reason =
      `The lease is at home already: ${lease.region} may write (epoch ${lease.epoch}). ` +
      `To go to ${regions.standby}, ask for a switchover.`;
    return { refused: { code: "at-home", reason } };
  }
  return {
    asked: {
      run: move === "rehearse" ? nextRehearsal(lease, nowMilliseconds) : nextRun(lease),
      region: otherRegion(lease, regions),
      kind: kinds[move],
    },
  };
};

/** Nobody has to acknowledge what never happened, nor what is not over. */
export const judgeAcknowledgement = (lease: Lease): Refusal | undefined => {
  if (lease.state === "moving") {
    const reason = `Run ${lease.holder} is still moving the lease; acknowledge it when it has ended.`;
    return { code: "another-run", reason };
  }
  if (lease.lastMovedEpoch !== undefined) return undefined;
  return { code: "never-moved", reason: "There is nothing to acknowledge: nothing ever moved." };
};

/** The run that is under way, if one is, and where it writes its journal. */
export const runUnderWay = (
  lease: Lease,
  regions: Config["regions"],
): { run: string; region: string } =>
  lease.state === "moving"
    ? { run: lease.holder, region: lease.region }
    : { run: nextRun(lease), region: otherRegion(lease, regions) };
