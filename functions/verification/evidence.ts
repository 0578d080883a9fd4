import { canonical, sha256 } from "../../shared/canonical.ts";
import { isoSeconds } from "../../shared/clock.ts";
import type { CheckPolicy } from "./checks/policy.ts";
import type { CheckResult } from "./checks.ts";
import type { Aim, Grade, RunRecord, Times } from "./record.ts";
import { remedyOf } from "./remedies.ts";

type Part = "landed" | "restored" | "content";

/** A check as it stands in the evidence, with the question that it belongs to. */
export type RecordedCheck = CheckResult & { part: Part };

/** Met, not met, or null: not measured, which is not met either. */
type Met = boolean | null;

/**
 * What the evidence says of one restore test, in an auditor's words. Times are ISO 8601 in UTC, to the
 * second. docs/evidence.md explains each field and names the controls that it helps with.
 */
export interface VerificationBody {
  is: "restore-test 1";
  /** Whose backups: the public name. */
  platform: string;
  outcome: {
    /** The only field that has to be looked at: all three questions were answered with yes. */
    verified: boolean;
    end: RunRecord["end"];
    code: string;
    landed: Grade;
    restorable: Grade;
    correct: Grade;
  };
  trigger: { by: string; reason: string; asked: string };
  version: {
    code: string;
    /** SHA-256 of the canonical JSON of what the operator's file says of these checks. */
    policy: string;
    /** Checks that the operator does without: nobody has looked at it. */
    leftOut: readonly string[];
  };
  /** Null when none was found, which is no good end. */
  backup: {
    arn: string;
    source: string;
    sourceRegion: string;
    status: string;
    /** The KMS key that it is encrypted with. */
    kmsKey: string | null;
    retentionDays: number;
    restorableFrom: string;
    restorableTo: string;
    engineVersion: string | null;
    storageGigabytes: number;
  } | null;
  restore: {
    aim: Aim;
    to: string;
    region: string;
    copy: string;
    instanceClass: string;
    deleteAfter: string;
  } | null;
  times: { [name in keyof Times]: string | null };
  objectives: RunRecord["objectives"];
  measured: {
    availableSeconds: number | null;
    /** The recovery time that counts: until it had all been read once. */
    warmSeconds: number | null;
    lossSeconds: number | null;
    backupLagSeconds: number | null;
    costDollars: number | null;
    rtoMet: Met;
    rpoMet: Met;
  };
  checks: RecordedCheck[];
  /** What is to be done, one sentence for each check that is not green. */
  remediation: string[];
  /** What the run has made and could not take away, by name. */
  leftovers: string[];
  notes: string[];
  journal: { run: string; unrecordedLines: number };
}

/** Everything of a run that evidence keeps, also, and above all, of one that failed. */
export const bodyOf = (record: RunRecord, policy: CheckPolicy): VerificationBody => {
  const { plan, verdict, figures, objectives } = record;
  const checks = [
    ...inPart("landed", record.landed),
    ...inPart("restored", record.restored),
    ...inPart("content", record.checks),
  ];
  return {
    is: "restore-test 1",
    platform: policy.identity,
    outcome: {
      verified: verdict.verified && record.end === "verified",
      end: record.end,
      code: record.code,
      landed: verdict.landed,
      restorable: verdict.restorable,
      correct: verdict.correct,
    },
    trigger: { by: record.wish.by, reason: record.wish.reason, asked: askedFor(record) },
    version: {
      code: record.codeVersion,
      policy: sha256(canonical(policy)),
      leftOut: policy.leftOut ?? [],
    },
    backup: plan && backupOf(plan.backup),
    restore: plan && {
      aim: plan.aim,
      to: isoSeconds(plan.restoreToMilliseconds),
      region: record.region,
      copy: plan.copy,
      instanceClass: plan.instanceClass,
      deleteAfter: isoSeconds(plan.deleteAfterMilliseconds),
    },
    times: timesOf(record.times),
    objectives,
    measured: {
      ...figures,
      rtoMet: met(figures.warmSeconds, objectives.rtoSeconds),
      rpoMet: met(figures.lossSeconds, objectives.rpoSeconds),
    },
    checks,
    remediation: [
      ...checks
        .filter(({ is }) => is !== "passed")
        .map((check) => `${check.name}: ${remedyOf(check)}`),
      ...record.leftovers.map((name) => `${name}: look whether the sweep has taken it away.`),
    ],
    leftovers: record.leftovers,
    notes: record.notes,
    journal: { run: record.run, unrecordedLines: record.unrecorded },
  };
};

const inPart = (part: Part, results: readonly CheckResult[]): RecordedCheck[] =>
  results.map((result) => ({ part, ...result }));

const askedFor = ({ wish: { age } }: RunRecord): string =>
  age.is === "at" ? isoSeconds(age.atMilliseconds) : age.is;

const backupOf = (
  backup: NonNullable<RunRecord["plan"]>["backup"],
): VerificationBody["backup"] => ({
  arn: backup.arn,
  source: backup.sourceId,
  sourceRegion: backup.sourceRegion,
  status: backup.status,
  kmsKey: backup.key,
  retentionDays: backup.retentionDays,
  restorableFrom: isoSeconds(backup.earliestMilliseconds),
  restorableTo: isoSeconds(backup.latestMilliseconds),
  engineVersion: backup.engineVersion,
  storageGigabytes: backup.storageGigabytes,
});

const timesOf = (times: Times): VerificationBody["times"] => {
  const iso = (at: number | null) => (at === null ? null : isoSeconds(at));
  return {
    startedAt: isoSeconds(times.startedAt),
    orderedAt: iso(times.orderedAt),
    availableAt: iso(times.availableAt),
    loggedInAt: iso(times.loggedInAt),
    warmAt: iso(times.warmAt),
    checkedAt: iso(times.checkedAt),
    destroyedAt: iso(times.destroyedAt),
    endedAt: iso(times.endedAt),
  };
};

const met = (seconds: number | null, objective: number): Met =>
  seconds === null ? null : seconds <= objective;

/** Of a record of the chain; null for one of another kind, or of a format that is not known here. */
export const verificationIn = (record: {
  kind: string;
  body: Record<string, unknown>;
}): VerificationBody | null =>
  record.kind === "verification" && record.body.is === "restore-test 1"
    ? (record.body as unknown as VerificationBody)
    : null;
