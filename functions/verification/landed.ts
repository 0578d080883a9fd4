import { isoSeconds } from "../../shared/clock.ts";
import { type Difference, driftLines } from "../../shared/drift.ts";
import type { Fact } from "../../shared/outcome.ts";
import { type ApplicationSeen, judgeApplication } from "./application.ts";
import type { CheckResult } from "./checks.ts";
import type { BackupSeen, SnapshotSeen } from "./decide.ts";

/** The source as RDS describes it in its own region. */
export interface SourceSeen {
  status: string;
  retentionDays: number;
  key: string | null;
  encrypted: boolean;
  /** Of its own backups; null when it has none. */
  latestMilliseconds: number | null;
}

/** What tells whether backups arrive, without restoring one. */
export interface LandedFacts {
  copies: Fact<BackupSeen[]>;
  /** Snapshots that lie here; none when nobody wants one. */
  snapshotsHere?: Fact<SnapshotSeen[]>;
  source: Fact<SourceSeen>;
  /** When each of the source's daily snapshots was begun; only those that are available. */
  snapshots: Fact<number[]>;
  /** What KMS says of the key here, and of the source's; null where there is none to ask for. */
  keyHere: Fact<string | null>;
  keyThere: Fact<string | null>;
  drift: Fact<Difference[]>;
  application: Fact<ApplicationSeen>;
}

export interface LandedPolicy {
  retentionDays: number;
  backupLagSeconds: number;
  /** Digest of the application's image, as configured. */
  image: string;
}

type Found = Pick<CheckResult, "is" | "actual" | "says"> & Partial<Pick<CheckResult, "measured">>;

/** What could not be asked is no good news. */
const check = <T>(
  name: string,
  expected: string,
  fact: Fact<T>,
  look: (value: T) => Found,
): CheckResult => {
  if (fact.known) return { name, expected, ...look(fact.value) };
  const says = `${fact.source} could not be asked: ${fact.why}.`;
  return { name, expected, is: "could-not-run", actual: "no answer", says };
};

const passed = (actual: string, says: string, measured?: Record<string, number>): Found => ({
  ...{ is: "passed", actual, says },
  ...(measured ? { measured } : {}),
});
const failed = (actual: string, says: string, measured?: Record<string, number>): Found => ({
  ...{ is: "failed", actual, says },
  ...(measured ? { measured } : {}),
});

/** The one that follows; another may be retained beside it. */
const following = (copies: readonly BackupSeen[]): BackupSeen | undefined =>
  copies.find(({ status }) => status === "replicating") ?? copies[0];

const replication = ({ copies }: LandedFacts): CheckResult =>
  check("backups-replicate", "replicating", copies, (seen) => {
    const copy = following(seen);
    if (!copy) return failed("no backup", "No backups come to this region: start replication.");
    const { status } = copy;
    if (status === "replicating") return passed(status, "Backups come to this region.");
    return failed(status, `Backups have stopped coming (${status}): see the events of RDS.`);
  });

const fresh = ({ copies }: LandedFacts, { backupLagSeconds }: LandedPolicy, now: number) =>
  check("backups-fresh", `at most ${backupLagSeconds} s behind`, copies, (seen) => {
    const latest = following(seen)?.latestMilliseconds;
    if (latest == null) return failed("nothing", "Nothing could be restored in this region.");
    const lagSeconds = Math.max(0, (now - latest) / 1000);
    const actual = `${Math.round(lagSeconds)} s behind, until ${isoSeconds(latest)}`;
    if (lagSeconds <= backupLagSeconds) {
      return passed(actual, "What could be restored here is fresh.", { lagSeconds });
    }
    return failed(actual, "What could be restored here is stale.", { lagSeconds });
  });

const retention = ({ copies, source }: LandedFacts, { retentionDays }: LandedPolicy) => {
  const expected = `${retentionDays} days or more`;
  const found = (where: string, days: number) =>
    days >= retentionDays
      ? passed(`${days} days`, `Backups are kept long enough ${where}.`)
      : failed(`${days} days`, `Backups are kept for ${days} days only ${where}.`);
  return [
    check("retention-here", expected, copies, (seen) => {
      const copy = following(seen);
      return copy ? found("here", copy.retentionDays) : failed("no backup", "There is none here.");
    }),
    check("retention-at-source", expected, source, ({ retentionDays: days }) =>
      found("at the source", days),
    ),
  ];
};

const atSource = ({ source }: LandedFacts, { backupLagSeconds }: LandedPolicy, now: number) =>
  check("source-fresh", `at most ${backupLagSeconds} s behind`, source, (seen) => {
    const { latestMilliseconds: latest } = seen;
    if (latest === null) return failed("nothing", "The source has no backups of its own.");
    const lagSeconds = Math.max(0, (now - latest) / 1000);
    const actual = `${Math.round(lagSeconds)} s behind`;
    return lagSeconds <= backupLagSeconds
      ? passed(actual, "The source's own backups are fresh.")
      : failed(actual, "The source's own backups are stale.");
  });

/** One a day, and the time that one takes. */
const snapshotHours = 26;

/** RDS skips the daily snapshot of an instance under heavy load, and says so nowhere else. */
const snapshots = (facts: LandedFacts, now: number): CheckResult =>
  check("daily-snapshot", `one within ${snapshotHours} h`, facts.snapshots, (times) => {
    if (times.length === 0) return failed("none", "The source has no daily snapshot.");
    const hours = (now - Math.max(...times)) / 3_600_000;
    const actual = `the last one ${hours.toFixed(1)} h ago`;
    if (hours <= snapshotHours) return passed(actual, "The daily snapshot was taken.");
    return failed(actual, "The daily snapshot was skipped: RDS does so under heavy load.");
  });

const key = (name: string, where: string, fact: Fact<string | null>): CheckResult =>
  check(name, "Enabled", fact, (state) => {
    if (state === null) return failed("no key", `Backups ${where} are not encrypted by a key.`);
    if (state === "Enabled") return passed(state, `The key ${where} can be used.`);
    return failed(state, `The key ${where} is ${state}: what it has encrypted can not be read.`);
  });

/** What differs is told by whoever watches it; red is only what no rebuild could be made with. */
const settings = ({ drift }: LandedFacts): CheckResult =>
  check("settings-allow-rebuild", "nothing that a rebuild fails of", drift, (differences) => {
    const blocking = differences.filter(({ blocks }) => blocks);
    const measured = { differences: differences.length, blocking: blocking.length };
    const actual = driftLines(differences).join(" ") || "no difference";
    if (blocking.length > 0) return failed(actual, driftLines(blocking).join(" "), measured);
    const others = differences.length === 1 ? "1 setting differs" : `${differences.length} differ`;
    const says =
      differences.length === 0 ? "Both regions are as configured." : `${others}, and none blocks.`;
    return passed(actual, says, measured);
  });

/** Whether backups land where they are needed, as far as that can be told without restoring one. */
export const judgeLanded = (
  facts: LandedFacts,
  policy: LandedPolicy,
  now: number,
): CheckResult[] => [
  replication(facts),
  fresh(facts, policy, now),
  ...retention(facts, policy),
  atSource(facts, policy, now),
  snapshots(facts, now),
  key("key-here", "here", facts.keyHere),
  key("key-at-source", "at the source", facts.keyThere),
  settings(facts),
  ...judgeApplication(facts.application, policy.image, now),
];
