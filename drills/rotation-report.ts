import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { allHeld, type Check, type RunEvent, type Sample } from "./report.ts";
import { rotationPage } from "./rotation-page.ts";
import type { Verdict } from "./verdict.ts";
import { count, plain, plural, spoken } from "./words.ts";

/** One rotation as it went. Seconds are modelled and count from the first order of the drill. */
export interface RotationRow {
  name: string;
  title: string;
  secret: string;
  run: string;
  /** What was in its way, and what somebody did about it. */
  texts: string[];
  fromSeconds: number;
  /** When AWSCURRENT moved; null when it never did. */
  currentSeconds: number | null;
  toSeconds: number;
  end: string;
  isAsExpected: boolean;
  /** Why steps were refused, in order. */
  refusals: string[];
  /** Whether both regions have the very same version as AWSCURRENT. */
  isSameVersion: boolean;
  /** Sessions on the old login when it lost its password; null for what has no sessions. */
  oldSessions: number | null;
  logins: number;
  failedLogins: number;
  acknowledged: number;
  failed: number;
  /** What the journal says at its end. */
  says: string;
}

export interface RotationReport {
  scenario: string;
  seed: string;
  speed: number;
  /** Modelled instant of the first order, milliseconds since 1970. */
  beganAt: number;
  regions: { home: string; standby: string; witness: string };
  rows: RotationRow[];
  /** In the whole drill, from its first user on. */
  logins: { tried: number; failed: number };
  acknowledged: number;
  failed: number;
  checks: Check[];
  events: RunEvent[];
  throughput: Sample[];
  modelled: string;
  /** Path of the HTML page. */
  report: string;
}

/** Modelled seconds carry digits that mean nothing. */
const tenth = (seconds: number): number => Math.round(seconds * 10) / 10;

/** The one object that `--json` prints on standard output. */
export const rotationSummary = (report: RotationReport) => ({
  scenario: report.scenario,
  seed: report.seed,
  held: allHeld(report.checks),
  rotations: report.rows.length,
  logins: report.logins,
  acknowledged: report.acknowledged,
  failed: report.failed,
  acts: report.rows.map((row) => ({
    name: row.name,
    run: row.run,
    end: row.end,
    currentAfterSeconds:
      row.currentSeconds === null ? null : tenth(row.currentSeconds - row.fromSeconds),
    seconds: tenth(row.toSeconds - row.fromSeconds),
    oldSessions: row.oldSessions,
    isSameVersion: row.isSameVersion,
  })),
  failedChecks: report.checks.filter(({ held }) => !held),
  report: report.report,
});

/** How to see the same drill again. */
export const rotationCommand = ({ scenario, seed, speed }: RotationReport): string =>
  `npm run drill -- ${plain(scenario)} --seed ${plain(seed)} --speed ${speed}`;

/** The whole drill in one sentence. */
export const rotationHeadline = ({ checks, rows, logins, failed }: RotationReport): Verdict => {
  if (checks.length === 0) {
    return { tone: "unknown", text: "No check ran: this proves nothing" };
  }
  const done = rows.filter(({ end }) => end === "retired").length;
  const broken = checks.filter(({ held }) => !held).length;
  const but = broken > 0 ? `; ${broken} of ${plural(checks.length, "check")} did not hold` : "";
  const users = failed === 0 ? "no request of users failed" : `${plural(failed, "request")} failed`;
  const text =
    `${done} of ${plural(rows.length, "secret rotation")} done: ` +
    `${logins.failed === 0 ? "no login failed" : `${plural(logins.failed, "login")} failed`}, ${users}${but}`;
  return { tone: broken === 0 ? "good" : "bad", text };
};

/** What a tired reader wants to know first, one sentence each. */
export const rotationVerdicts = (report: RotationReport): Verdict[] => {
  const { rows, logins, acknowledged, failed } = report;
  const used = rows.filter(({ oldSessions }) => oldSessions !== null);
  const left = used.reduce((sum, { oldSessions }) => sum + (oldSessions ?? 0), 0);
  const same = rows.filter(({ isSameVersion }) => isSameVersion).length;
  const slowest = Math.max(0, ...rows.map(({ fromSeconds, toSeconds }) => toSeconds - fromSeconds));
  return [
    {
      tone: logins.failed === 0 && logins.tried > 0 ? "good" : "bad",
      text:
        `${plural(logins.failed, "login")} of ${count(logins.tried)} failed, ` +
        "tried all the time in both regions with what each had as current.",
    },
    {
      tone: failed === 0 && acknowledged > 0 ? "good" : "bad",
      text:
        `${plural(failed, "request")} of users failed; ` +
        `${plural(acknowledged, "write")} were acknowledged.`,
    },
    {
      tone: left === 0 && used.length > 0 ? "good" : "bad",
      text: `${plural(left, "session")} were on an old login when it lost its password.`,
    },
    {
      tone: same === rows.length ? "good" : "bad",
      text: `${same} of ${rows.length} secrets ended with the same version in both regions.`,
    },
    {
      tone: "good",
      text: `The longest took ${spoken(slowest)} until its old value was worth nothing.`,
    },
  ];
};

/** Writes the page and the figures. Gives the report back with the path of its page. */
export const writeRotations = async (
  report: Omit<RotationReport, "report">,
  directory: string,
): Promise<RotationReport> => {
  const written: RotationReport = { ...report, report: join(directory, "report.html") };
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "report.json"), `${JSON.stringify(written, null, 2)}\n`);
  await writeFile(written.report, rotationPage(written));
  return written;
};
