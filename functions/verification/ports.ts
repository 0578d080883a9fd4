import type { Clock } from "../../shared/clock.ts";
import type { Difference } from "../../shared/drift.ts";
import type { Draft, EvidenceRecord } from "../../shared/evidence.ts";
import type { Freeze } from "../../shared/freeze.ts";
import type { Entry, Line } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import type { Random } from "../../shared/random.ts";
import type { Session } from "../../shared/runtime.ts";
import type { ApplicationSeen } from "./application.ts";
import type { Checks } from "./checks.ts";
import type { BackupSeen, SnapshotSeen } from "./decide.ts";
import type { SourceSeen } from "./landed.ts";
import type { Plan, RunRecord } from "./record.ts";

/** A copy as RDS describes it. */
export interface CopySeen {
  id: string;
  arn: string;
  status: string;
  tags: Record<string, string>;
  securityGroups: string[];
  subnetGroup: string | null;
  retentionDays: number;
  isPublic: boolean;
  isProtected: boolean;
}

export interface Posted {
  channel: string;
  ts: string;
}

/** Where the record of a run stands in the chain of evidence. */
export interface Kept {
  run: string;
  sequence: number;
  hash: string;
}

/** What of a run can be shown to others. */
export interface Proof {
  evidence: Kept | null;
  /** Address of its page. */
  report: string | null;
}

export interface VerificationPolicy {
  rtoSeconds: number;
  rpoSeconds: number;
  retentionDays: number;
  backupLagSeconds: number;
  instanceClass: string;
  hours: number;
  /** What an hour of a copy costs; null when nobody has said. */
  dollarsPerHour: number | null;
  schemaRevision: string | null;
  /** Digest of the application's image in the operator's file. */
  image: string;
}

/** Where a copy is put: nothing in it can reach production, nor be reached from there. */
export interface Quarantine {
  prefix: string;
  subnetGroup: string;
  securityGroup: string;
  database: string;
}

/** Backups and what they stand on, seen without touching them. */
export interface BackupPorts {
  here(source: string): Promise<BackupSeen[]>;
  source(region: string, id: string): Promise<SourceSeen>;
  snapshots(region: string, id: string): Promise<number[]>;
  /** Those of the source that lie in this region: what lies elsewhere is lost with it. */
  snapshotsHere(source: string): Promise<SnapshotSeen[]>;
  keyState(region: string, key: string): Promise<string>;
}

/** Settings that differ between the regions, and between them and the operator's file. */
export type WatchDrift = (active: string, standby: string) => Promise<Difference[]>;

/** Copies only. Whoever implements it refuses an identifier that is not one of ours. */
export interface CopyPorts {
  /** Null when there is none of that name. */
  find(id: string): Promise<CopySeen | null>;
  restore(plan: Plan, tags: Record<string, string>): Promise<void>;
  /** Takes all tags off but these, and puts these on. */
  retag(copy: CopySeen, tags: Record<string, string>): Promise<void>;
  /** Puts it back into its quarantine. */
  isolate(id: string): Promise<void>;
  destroy(id: string): Promise<void>;
  /** Logs in with a throwaway login, which is made anew by every process and told to nobody. */
  session(id: string): Promise<Session>;
}

/** The world as verification needs it. Every call is bounded in time; a failed one is in doubt. */
export interface Ports {
  /** How this function signs what it records. */
  name: string;
  codeVersion: string;
  clock: Clock;
  random: Random;
  region: string;
  policy: VerificationPolicy;
  quarantine: Quarantine;
  /** Identifier of the database in a region. */
  databaseIn(region: string): string;
  checks: Checks;
  backups: BackupPorts;
  drift: WatchDrift;
  /** What the active region runs, and whether both registries have it. */
  application(active: string): Promise<ApplicationSeen>;
  copies: CopyPorts;
  readLease(): Promise<Lease>;
  readPause(): Promise<Pause>;
  /** A move of the lease that is under way, or has only just ended. */
  readMoves(): Promise<Freeze[]>;
  /** Puts the most that the run may cost on the month's account; refused when that is full. */
  reserve(run: string): Promise<Refusal | undefined>;
  /** What it came to. */
  settle(run: string, dollars: number): Promise<void>;
  freeze(run: string, untilMilliseconds: number): Promise<Refusal | undefined>;
  endFreeze(run: string): Promise<void>;
  journal(run: string, line: Line): Promise<Entry>;
  evidenceOf(record: RunRecord): Draft["body"];
  keep(draft: Draft): Promise<EvidenceRecord>;
  /** Writes the page of the run beside its record; gives its address. */
  report(kept: Kept): Promise<string>;
  /** For whoever asks how the last run ended, and for the metrics that have to arrive. */
  publish(record: RunRecord, proof: Proof): Promise<void>;
  /** Puts the run's one message up or up to date; null when Slack does not answer. */
  show(
    record: RunRecord,
    phase: string,
    message: Posted | null,
    proof?: Proof,
  ): Promise<Posted | null>;
}
