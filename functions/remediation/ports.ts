import type { Abort } from "../../shared/abort.ts";
import type { Approvals } from "../../shared/approval.ts";
import type { Limits, Reserved } from "../../shared/budget.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Efficacy, Outcome } from "../../shared/efficacy.ts";
import type { Freeze } from "../../shared/freeze.ts";
import type { AttemptEnd } from "../../shared/incident.ts";
import type { Entry, Line } from "../../shared/journal.ts";
import type { Pause } from "../../shared/pause.ts";
import type { Hands } from "./actions.ts";
import type { Lookers } from "./evidence.ts";
import type { AlarmNow } from "./guardrails.ts";
import type { Playbook, Right, Subject } from "./playbooks.ts";
import type { Posted, Run } from "./remediation.ts";

/** The world as remediation needs it. Every call is bounded in time; a failed one is in doubt. */
export interface Ports {
  /** How this function signs what it records. */
  name: string;
  clock: Clock;
  region: string;
  playbooks: readonly Playbook[];
  policy: {
    approvalExpirySeconds: number;
    regionPerHour: number;
    fleetShare: number;
    rights: Readonly<Record<string, Right>>;
  };
  lookers: Lookers;
  hands: Hands;
  alarm(name: string): Promise<AlarmNow>;
  readPause(): Promise<Pause>;
  readFreezes(): Promise<Freeze[]>;
  /** Somebody's word that this run is to stop. */
  readAbort(run: string): Promise<Abort | undefined>;
  reserve(
    wanted: { id: string; by: string; deed: string; resource: string; fleet: string | null },
    limits: Limits,
    subject: Subject,
  ): Promise<Reserved>;
  readEfficacy(playbook: string): Promise<Efficacy>;
  countOutcome(playbook: string, run: string, outcome: Outcome): Promise<Efficacy>;
  approvals: Approvals;
  /** False when the incident has gone on without this run. */
  beginAttempt(run: string): Promise<boolean>;
  /** `acts`: how often its deed was done, which others have to wait for. */
  endAttempt(run: string, end: AttemptEnd, message: Posted | null, acts: number): Promise<boolean>;
  journal(run: string, line: Line): Promise<Entry>;
  /** Puts the run's one message up or up to date; null when Slack does not answer. */
  show(run: Run): Promise<Posted | null>;
  /**
   * Puts the run's question up as a message of its own that calls those who may answer, or up to date;
   * null when Slack does not answer.
   */
  question(run: Run): Promise<Posted | null>;
  /** Calls people once more below the question; whether Slack has taken it. */
  remind(run: Run): Promise<boolean>;
}
