import type { CheckResult } from "./checks.ts";
import type { VerificationRequest } from "./request.ts";

/** `unknown` is as red as `no`: nobody could tell. */
export interface Grade {
  is: "yes" | "no" | "unknown";
  /** What speaks against it, a sentence each; empty for `yes`. */
  why: string[];
}

/** Three questions, answered apart: a backup may be there and not restore, or restore and be wrong. */
export interface Verdict {
  landed: Grade;
  restorable: Grade;
  correct: Grade;
  /** All three are `yes`. */
  verified: boolean;
}

/** The backup that was chosen, as it was seen then. Times are milliseconds since 1970. */
export interface ChosenBackup {
  arn: string;
  sourceId: string;
  sourceRegion: string;
  status: string;
  key: string | null;
  retentionDays: number;
  earliestMilliseconds: number;
  latestMilliseconds: number;
  engineVersion: string | null;
  storageGigabytes: number;
}

/** `snapshot`: what its own time says, which RDS gives to the minute only. */
export type Aim = "latest" | "older" | "snapshot";

export interface Plan {
  backup: ChosenBackup;
  restoreToMilliseconds: number;
  aim: Aim;
  /** Identifier of the copy, which can be worked out from the name of the run. */
  copy: string;
  instanceClass: string;
  /** Whoever finds the copy later than this may take it away. */
  deleteAfterMilliseconds: number;
}

/** When what happened to the copy, in milliseconds since 1970; null for what did not. */
export interface Times {
  startedAt: number;
  orderedAt: number | null;
  availableAt: number | null;
  /** Somebody has logged in with the throwaway login. */
  loggedInAt: number | null;
  /** Every page had been read: what is loaded lazily had been loaded by then. */
  warmAt: number | null;
  checkedAt: number | null;
  destroyedAt: number | null;
  endedAt: number | null;
}

export interface Figures {
  /** From the order until RDS calls the copy available. */
  availableSeconds: number | null;
  /** From the order until it had been read in full. */
  warmSeconds: number | null;
  /** From the newest heartbeat in the copy to the moment it is measured against. */
  lossSeconds: number | null;
  /** How far the restorable end of the backup lay behind when the copy was ordered. */
  backupLagSeconds: number | null;
  /** Of the copy, by the operator's price of an hour; null without one. */
  costDollars: number | null;
}

/** How a run ends. Only `verified` is green; `postponed` has looked at nothing and tries again. */
export type End = "verified" | "red" | "postponed";

/** All that is kept of a run, in the journal's, the evidence's and the report's terms. No secrets. */
export interface RunRecord {
  run: string;
  wish: VerificationRequest;
  region: string;
  sourceRegion: string;
  /** What it was held against, as configured then. */
  objectives: {
    rtoSeconds: number;
    rpoSeconds: number;
    retentionDays: number;
    backupLagSeconds: number;
  };
  /** Of the code that ran. */
  codeVersion: string;
  plan: Plan | null;
  times: Times;
  figures: Figures;
  landed: CheckResult[];
  restored: CheckResult[];
  checks: CheckResult[];
  verdict: Verdict;
  end: End;
  /** Stable and short. */
  code: string;
  notes: string[];
  /** What the run has made and could not take away. */
  leftovers: string[];
  /** Lines of the journal that could not be written. */
  unrecorded: number;
}
