import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { reportedRuns, reportPage } from "../functions/verification/report.ts";
import { trend } from "../functions/verification/report-trend.ts";
import type { EvidenceRecord } from "../shared/evidence.ts";
import { allHeld, type Check, type RunEvent, type Sample } from "./report.ts";
import type { Verdict } from "./verdict.ts";
import { verificationPage } from "./verification-page.ts";
import { plain, plural, spoken } from "./words.ts";

/** What time of a restore test went to. */
export type StretchName = "restore" | "isolate" | "read" | "check" | "destroy";

export interface Stretch {
  name: StretchName;
  fromSeconds: number;
  toSeconds: number;
}

/** One act as it went. Seconds are modelled and count from the first order of the drill. */
export interface ActRow {
  name: string;
  title: string;
  /** What was done to the platform before it, as a sentence. */
  text: string;
  fromSeconds: number;
  toSeconds: number;
  run: string;
  end: string;
  code: string;
  /** What it should have come to. */
  expected: string;
  isAsExpected: boolean;
  verdict: { landed: string; restorable: string; correct: string };
  availableSeconds: number | null;
  warmSeconds: number | null;
  lossSeconds: number | null;
  checks: { passed: number; all: number };
  /** Checks that were not green, each with what it found. */
  reds: { name: string; says: string; actual: string }[];
  stretches: Stretch[];
  acknowledged: number;
  failed: number;
  /** Its place in the chain; null when it has none. */
  sequence: number | null;
}

export interface VerificationReport {
  scenario: string;
  seed: string;
  speed: number;
  /** Modelled instant of the first order, milliseconds since 1970. */
  beganAt: number;
  regions: { home: string; standby: string; witness: string };
  rows: ActRow[];
  acknowledged: number;
  lost: number;
  failed: number;
  objectives: { rtoSeconds: number; rpoSeconds: number };
  evidence: { records: number; head: string; says: string; ok: boolean };
  checks: Check[];
  events: RunEvent[];
  throughput: Sample[];
  modelled: string;
  /** Path of the HTML page. */
  report: string;
}

/** The one object that `--json` prints on standard output. */
export const verificationSummary = (report: VerificationReport) => ({
  scenario: report.scenario,
  seed: report.seed,
  held: allHeld(report.checks),
  acknowledged: report.acknowledged,
  lost: report.lost,
  failed: report.failed,
  evidence: report.evidence,
  acts: report.rows.map(({ name, run, end, code, reds, warmSeconds, lossSeconds }) => ({
    ...{ name, run, end, code, warmSeconds, lossSeconds },
    reds: reds.map((red) => red.name),
  })),
  failedChecks: report.checks.filter(({ held }) => !held),
  report: report.report,
});

/** How to see the same drill again. */
export const verificationCommand = ({ scenario, seed, speed }: VerificationReport): string =>
  `npm run drill -- ${plain(scenario)} --seed ${plain(seed)} --speed ${speed}`;

/** The whole drill in one sentence. */
export const verificationHeadline = (report: VerificationReport): Verdict => {
  const { checks, rows } = report;
  if (checks.length === 0) {
    return { tone: "unknown", text: "No check ran: this proves nothing" };
  }
  const failed = checks.filter(({ held }) => !held).length;
  const but = failed > 0 ? `, ${failed} of ${plural(checks.length, "check")} did not hold` : "";
  const [first] = rows;
  const restored =
    first?.end === "verified" && first.warmSeconds !== null
      ? `A backup was restored and read in full in ${spoken(first.warmSeconds)}`
      : "No backup was verified";
  const found = rows.filter(({ name, isAsExpected }) => name !== "good" && isAsExpected).length;
  const text = `${restored}; ${found} of ${plural(rows.length - 1, "trouble")} told as it was${but}`;
  return { tone: failed === 0 ? "good" : "bad", text };
};

/** What a tired reader wants to know first, one sentence each. */
export const verificationVerdicts = (report: VerificationReport): Verdict[] => {
  const { rows, lost, acknowledged, failed, evidence, objectives } = report;
  const [good] = rows;
  const loss = good?.lossSeconds ?? null;
  return [
    {
      tone: lost === 0 ? "good" : "bad",
      text:
        lost === 0
          ? "Every write acknowledged before the restored moment was in the copy " +
            `(${plural(acknowledged, "write")} in all).`
          : `${plural(lost, "acknowledged write")} of before the restored moment were not in the copy.`,
    },
    {
      tone: good?.warmSeconds == null ? "bad" : "good",
      text:
        good?.warmSeconds == null
          ? "The recovery time was not measured."
          : `Available after ${spoken(good.availableSeconds ?? 0)}, all of it read after ` +
            `${spoken(good.warmSeconds)} (objective ${spoken(objectives.rtoSeconds)}).`,
    },
    {
      tone: loss === null ? "bad" : "good",
      text:
        loss === null
          ? "What would have been lost was not measured."
          : `The newest heartbeat in the copy was ${spoken(loss)} older than the restored moment.`,
    },
    { tone: evidence.ok ? "good" : "bad", text: evidence.says },
    { tone: "good", text: `${plural(failed, "request")} of users failed in all acts.` },
  ];
};

/**
 * Writes the page, the figures, the records of evidence with the key that they are signed by, and the page
 * of restore tests that an operator gets. Gives the report back with the path of its page.
 */
export const writeVerification = async (
  report: Omit<VerificationReport, "report">,
  records: readonly EvidenceRecord[],
  directory: string,
): Promise<VerificationReport> => {
  const written: VerificationReport = { ...report, report: join(directory, "report.html") };
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "report.json"), `${JSON.stringify(written, null, 2)}\n`);
  await writeFile(written.report, verificationPage(written, trend(reportedRuns(records))));
  const last = records.at(-1);
  const settings = { now: Date.parse(last?.recordedAt ?? "1970-01-01"), overdueHours: 26 };
  const page = reportPage(reportedRuns(records), settings);
  await writeFile(join(directory, "restore-tests.html"), page);
  return written;
};

/** The records as files, with the key, as an auditor would have copied them. */
export const writeRecords = async (
  directory: string,
  texts: ReadonlyMap<string, string>,
  publicKey: string,
): Promise<{ folder: string; key: string }> => {
  const folder = join(directory, "records");
  const key = join(directory, "key.pem");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of texts) {
    await writeFile(join(folder, name.split("/").at(-1) ?? name), text);
  }
  await writeFile(key, publicKey);
  return { folder, key };
};
