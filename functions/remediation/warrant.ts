import type { Refusal } from "../../shared/outcome.ts";

/** A granted approval that was used for this very plan. */
export interface Spent {
  planHash: string;
  approvedBy: string[];
  usedBy: string;
}

/** The journal entry that holds what was seen. */
export interface Saved {
  run: string;
  sequence: number;
  hash: string;
}

/**
 * What an irreversible action needs to be called at all. It can only be made here, of an approval that
 * people gave and this run has used, and of evidence that is in the journal.
 */
export class Warrant {
  readonly planHash: string;
  readonly approvedBy: readonly string[];
  readonly evidence: Saved;
  // Private, so that no literal has this type.
  readonly #isGenuine = true;

  private constructor(spent: Spent, evidence: Saved) {
    this.planHash = spent.planHash;
    this.approvedBy = spent.approvedBy;
    this.evidence = evidence;
  }

  static of(run: string, spent: Spent, evidence: Saved | null): Warrant | Refusal {
    if (spent.usedBy !== run || spent.approvedBy.length === 0) {
      return { code: "not-approved", reason: "The approval was not given to this run." };
    }
    if (!evidence || evidence.run !== run) {
      return { code: "no-evidence", reason: "What was seen is not in the journal." };
    }
    return new Warrant(spent, evidence);
  }

  get isGenuine(): boolean {
    return this.#isGenuine;
  }
}
