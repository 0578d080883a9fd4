import { regionOfMove } from "../../shared/again.ts";
import { approvals } from "../../shared/approval.ts";
import type { Lease } from "../../shared/lease.ts";
import { readLease } from "../../shared/lease.ts";
import type { Fact } from "../../shared/outcome.ts";
import {
  isRefusedAnswer,
  type RefusedAnswer,
  refusedAnswerLine,
  refusedAnswersLimit,
} from "../../shared/refused-answer.ts";
import type { Desk } from "./orders.ts";

/** Who has answered which plan, and how. */
export type Given = Pick<RefusedAnswer, "user" | "says" | "planHash">;

export type Kept = { kept: true; run: string } | { kept: false; why: string };

/**
 * Keeps an answer that did not count in the journal of the run that had asked: who tried to approve what
 * they may not is a thing that auditors ask for. Throws when table or journal are silent; the answer
 * stays refused whatever comes of this.
 */
export const keepRefusedAnswer = async (
  { table, runs, config, clock }: Desk,
  answer: Omit<RefusedAnswer, "atMilliseconds">,
): Promise<Kept> => {
  const approval = await approvals(table).read(answer.planHash);
  if (!approval) return { kept: false, why: "no run has asked with that plan" };
  const { run } = approval;
  const region = regionOf(run, await readLease(table), config.regions);
  const entries = await runs.entries(region, run);
  // Two regions that write one journal overwrite each other's lines: an ordinary global table.
  if (!entries[0]?.by.endsWith(` in ${region}`)) {
    return { kept: false, why: `${run} does not write its journal in ${region}` };
  }
  if (entries.filter(isRefusedAnswer).length >= refusedAnswersLimit) {
    return { kept: false, why: `${run} has ${refusedAnswersLimit} refused answers already` };
  }
  const atMilliseconds = Math.floor(clock.now());
  await runs.note(region, run, refusedAnswerLine({ ...answer, atMilliseconds }));
  return { kept: true, run };
};

/** Why it is in no journal; null when it is in one. */
export const whyNotKept = (fact: Fact<Kept>): string | null => {
  if (!fact.known) return fact.why;
  return fact.value.kept ? null : fact.value.why;
};

/** A rebuild runs where the lease is, and everything else where it was to go. */
const regionOf = (run: string, lease: Lease, regions: Desk["config"]["regions"]): string =>
  run.startsWith("rebuild-") ? lease.region : regionOfMove(run, lease, regions);
