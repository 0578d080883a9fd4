import type { Refusal } from "../../shared/outcome.ts";
import type { CheckResult } from "./checks.ts";
import type { ChosenBackup, Grade, Plan, Verdict } from "./record.ts";
import type { VerificationRequest } from "./request.ts";

/** One backup of the source that lies in this region. */
export type BackupSeen = Omit<ChosenBackup, "earliestMilliseconds" | "latestMilliseconds"> & {
  /** Null before anything has arrived. */
  earliestMilliseconds: number | null;
  latestMilliseconds: number | null;
};

/** A snapshot of the source that lies in this region and can be restored. */
export interface SnapshotSeen {
  arn: string;
  sourceId: string;
  sourceRegion: string;
  key: string | null;
  /** When it was asked for at its source, also of a copy. */
  takenAtMilliseconds: number;
  engineVersion: string | null;
  storageGigabytes: number;
}

export interface Choice {
  copy: string;
  instanceClass: string;
  hours: number;
  /** At least 0, below 1: which moment of the window `random` is. */
  fraction: number;
  nowMilliseconds: number;
}

const second = 1000;
const hour = 3600 * second;

/** RDS restores to whole seconds, and before the end of its window. */
const momentOf = (
  age: VerificationRequest["age"],
  { earliestMilliseconds: from, latestMilliseconds: to }: ChosenBackup,
  fraction: number,
): number => {
  if (age.is === "latest" || age.is === "snapshot") return to;
  const wanted = age.is === "at" ? age.atMilliseconds : from + fraction * (to - from);
  // Never before the window begins, which need not be a whole second.
  return Math.max(from, Math.floor(wanted / second) * second);
};

/** Of several backups of one source the one that still follows; else the one that reaches furthest. */
const best = (seen: readonly BackupSeen[]): ChosenBackup | undefined => {
  const usable = seen.flatMap((each) => {
    const { earliestMilliseconds, latestMilliseconds } = each;
    if (earliestMilliseconds === null || latestMilliseconds === null) return [];
    return [{ ...each, earliestMilliseconds, latestMilliseconds }];
  });
  const follows = ({ status }: ChosenBackup) => (status === "replicating" ? 1 : 0);
  return usable.toSorted(
    (one, other) =>
      follows(other) - follows(one) || other.latestMilliseconds - one.latestMilliseconds,
  )[0];
};

/** The newest one. It is one moment, which is kept for as long as somebody keeps it. */
const ofSnapshot = (seen: readonly SnapshotSeen[]): ChosenBackup | undefined => {
  const [newest] = seen.toSorted(
    (one, other) => other.takenAtMilliseconds - one.takenAtMilliseconds,
  );
  if (!newest) return undefined;
  const { takenAtMilliseconds: at, ...rest } = newest;
  return {
    ...{ ...rest, status: "snapshot", retentionDays: 0 },
    ...{ earliestMilliseconds: at, latestMilliseconds: at },
  };
};

/** As `choose`, from snapshots. */
export const chooseSnapshot = (
  seen: readonly SnapshotSeen[],
  { nowMilliseconds, hours, copy, instanceClass }: Omit<Choice, "fraction">,
): { plan: Plan } | { refused: Refusal } => {
  const backup = ofSnapshot(seen);
  if (!backup) {
    const reason = "There is no snapshot of the database in this region: copy one here.";
    return { refused: { code: "no-snapshot", reason } };
  }
  const restoreToMilliseconds = backup.latestMilliseconds;
  const deleteAfterMilliseconds = Math.floor(nowMilliseconds + hours * hour);
  const rest = { restoreToMilliseconds, aim: "snapshot", deleteAfterMilliseconds } as const;
  return { plan: { backup, copy, instanceClass, ...rest } };
};

/** What is to be restored, and as what. Nothing to restore is a refusal, and a refusal is red. */
export const choose = (
  seen: readonly BackupSeen[],
  age: VerificationRequest["age"],
  { fraction, nowMilliseconds, hours, copy, instanceClass }: Choice,
): { plan: Plan } | { refused: Refusal } => {
  const backup = best(seen);
  if (!backup) {
    const reason = "There is nothing to restore in this region: start the replication of backups.";
    return { refused: { code: "nothing-to-restore", reason } };
  }
  const restoreToMilliseconds = momentOf(age, backup, fraction);
  const { earliestMilliseconds: from, latestMilliseconds: to } = backup;
  if (restoreToMilliseconds < from || restoreToMilliseconds > to) {
    const window = [from, to].map((end) => new Date(end).toISOString()).join(" to ");
    const reason = `That moment is not in the restore window, which is ${window}.`;
    return { refused: { code: "outside-window", reason } };
  }
  const deleteAfterMilliseconds = Math.floor(nowMilliseconds + hours * hour);
  const aim = age.is === "latest" ? "latest" : "older";
  const rest = { restoreToMilliseconds, aim, deleteAfterMilliseconds } as const;
  return { plan: { backup, copy, instanceClass, ...rest } };
};

/** No answer is worse than `yes` and better than `no`; no question at all is no answer. */
export const grade = (results: readonly CheckResult[], nothing: string): Grade => {
  const sayings = (is: CheckResult["is"]) =>
    results.filter((each) => each.is === is).map(({ name, says }) => `${name}: ${says}`);
  const [failed, open] = [sayings("failed"), sayings("could-not-run")];
  if (failed.length > 0) return { is: "no", why: [...failed, ...open] };
  if (results.length === 0) return { is: "unknown", why: [nothing] };
  return open.length > 0 ? { is: "unknown", why: open } : { is: "yes", why: [] };
};

export const judge = (
  landed: readonly CheckResult[],
  restored: readonly CheckResult[],
  checks: readonly CheckResult[],
): Verdict => {
  const grades = {
    landed: grade(landed, "Nobody has looked whether backups arrive."),
    restorable: grade(restored, "Nothing was restored."),
    correct: grade(checks, "Nobody has looked into a copy."),
  };
  const verified = Object.values(grades).every(({ is }) => is === "yes");
  return { ...grades, verified };
};
