import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import type { CheckPolicy } from "../../functions/verification/checks/policy.ts";
import type { CheckResult } from "../../functions/verification/checks.ts";
import { bodyOf } from "../../functions/verification/evidence.ts";
import type { Grade, RunRecord } from "../../functions/verification/record.ts";
import type { EvidenceRecord } from "../../shared/evidence.ts";
import { seal } from "../../shared/evidence.ts";

const day = 86_400_000;
const hour = 3_600_000;
/** 2026-11-22T03:00:00Z */
export const lastNight = Date.UTC(2026, 10, 22, 3);

export const usualPolicy: CheckPolicy = {
  identity: "app.example.com",
  leftOut: ["large-objects"],
  assertions: [{ name: "ledger-sums-to-zero", sql: "select 0", expect: "0" }],
};

const yes: Grade = { is: "yes", why: [] };

const passed = (name: string, expected: string, says: string): CheckResult => ({
  name,
  is: "passed",
  expected,
  actual: expected,
  says,
});

/** A night on which all was well, ended at `endedAt`. */
export const goodRun = (endedAt = lastNight): RunRecord => ({
  run: `verification-${new Date(endedAt).toISOString().slice(0, 10)}`,
  wish: {
    run: `verification-${new Date(endedAt).toISOString().slice(0, 10)}`,
    age: { is: "latest" },
    by: "schedule",
    reason: "every night",
  },
  region: "eu-west-1",
  sourceRegion: "eu-central-1",
  objectives: { rtoSeconds: 7200, rpoSeconds: 1800, retentionDays: 30, backupLagSeconds: 1800 },
  codeVersion: "4c30257",
  plan: {
    backup: {
      arn: "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-1",
      sourceId: "nightshift-primary",
      sourceRegion: "eu-central-1",
      status: "replicating",
      key: "arn:aws:kms:eu-west-1:123456789012:key/mrk-1",
      retentionDays: 30,
      earliestMilliseconds: endedAt - 30 * day,
      latestMilliseconds: endedAt - 2 * hour,
      engineVersion: "16.10",
      storageGigabytes: 100,
    },
    restoreToMilliseconds: endedAt - 2 * hour,
    aim: "latest",
    copy: "nightshift-verification-1",
    instanceClass: "db.t4g.medium",
    deleteAfterMilliseconds: endedAt + 6 * hour,
  },
  times: {
    startedAt: endedAt - 1.9 * hour,
    orderedAt: endedAt - 1.8 * hour,
    availableAt: endedAt - 1.2 * hour,
    loggedInAt: endedAt - 1.1 * hour,
    warmAt: endedAt - 0.5 * hour,
    checkedAt: endedAt - 0.3 * hour,
    destroyedAt: endedAt - 0.1 * hour,
    endedAt,
  },
  figures: {
    availableSeconds: 2160,
    warmSeconds: 4680,
    lossSeconds: 725,
    backupLagSeconds: 710,
    costDollars: 0.12,
  },
  landed: [passed("backup-fresh", "at most 1,800 s behind", "The backup is 710 s behind.")],
  restored: [passed("restored", "an instance of its own", "It was restored within 36 minutes.")],
  checks: [
    passed("canary", "database platform with its canary", "It is the database of app.example.com."),
    passed("readable-in-full", "every row of every table is read", "All of it was read."),
  ],
  verdict: { landed: yes, restorable: yes, correct: yes, verified: true },
  end: "verified",
  code: "verified",
  notes: [],
  leftovers: [],
  unrecorded: 0,
});

/** A night on which a table was gone, and the copy could not be taken away. */
export const badRun = (endedAt = lastNight): RunRecord => {
  const good = goodRun(endedAt);
  const says = "1 table lacks rows, or is not there: public.cards is not there.";
  return {
    ...good,
    checks: [
      ...good.checks,
      {
        name: "row-counts",
        is: "failed",
        expected: "4 tables as of 2026-11-21T04:00:00Z",
        actual: "public.cards is not there",
        says,
      },
      {
        name: "indexes-sound",
        is: "could-not-run",
        expected: "every B-tree is in order and has every row of its table",
        actual: 'extension "amcheck" is not allowed <by> rds & others',
        says: "amcheck cannot be used here, so nobody has looked into the indexes.",
      },
    ],
    verdict: { ...good.verdict, correct: { is: "no", why: [says] }, verified: false },
    figures: { ...good.figures, warmSeconds: null },
    end: "red",
    code: "not-correct",
    leftovers: ["nightshift-verification-1"],
  };
};

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();

/** A chain of these runs, each as it would lie in the bucket. */
export const recordsOf = async (runs: readonly RunRecord[]): Promise<EvidenceRecord[]> => {
  const records: EvidenceRecord[] = [];
  for (const run of runs) {
    const draft = {
      kind: "verification" as const,
      run: run.run,
      recordedAt: new Date(run.times.endedAt ?? lastNight).toISOString(),
      body: { ...bodyOf(run, usualPolicy) },
    };
    records.push(
      await seal(draft, records.at(-1), async (text) => ({
        key: "arn:aws:kms:eu-west-1:123456789012:key/mrk-2",
        value: signBytes("sha256", Buffer.from(text), pair.privateKey).toString("base64"),
      })),
    );
  }
  return records;
};
