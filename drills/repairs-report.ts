import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AttemptEnd } from "../shared/incident.ts";
import { repairsPage } from "./repairs-page.ts";
import { allHeld, type Check, type RunEvent, type Sample } from "./report.ts";
import type { Verdict } from "./verdict.ts";
import { plain, plural, spoken } from "./words.ts";

/** What time went to between the break and its end. */
export type StretchKind = "noticing" | "deciding" | "asking" | "acting" | "proving";

export interface Stretch {
  kind: StretchKind;
  fromSeconds: number;
  toSeconds: number;
}

/** One story as it went. Seconds are modelled and count from the first break of the drill. */
export interface RepairRow {
  name: string;
  title: string;
  /** What was broken, as a sentence. */
  text: string;
  brokenAtSeconds: number;
  endedAtSeconds: number;
  /** From the break until it was proven, or until it was rightly left alone; null when neither came. */
  seconds: number | null;
  /** Whether it was to be repaired; else it was to be refused. */
  mustAct: boolean;
  run: string;
  playbook: string;
  end: AttemptEnd | "none";
  code: string;
  seen: string;
  decided: string;
  done: string;
  proven: string;
  approvedBy: string[];
  stretches: Stretch[];
  /** Every attempt of its time, also of other playbooks. */
  attempts: { run: string; playbook: string; end: string; code: string }[];
  /** Alarms that rang in its time. */
  alarms: number;
  acknowledged: number;
  failed: number;
}

/** One drill of repairs, as everything that tells of it reads it. */
export interface RepairReport {
  scenario: string;
  seed: string;
  /** Modelled seconds in one real second. */
  speed: number;
  /** Modelled instant of the first break, milliseconds since 1970. */
  beganAt: number;
  region: string;
  regions: { home: string; standby: string; witness: string };
  rows: RepairRow[];
  /** Stories that were left out of this run. */
  leftOut: string[];
  acknowledged: number;
  lost: number;
  failed: number;
  /** Deeds in the region's budget, and how many an hour may see. */
  budget: { used: number; perHour: number };
  journal: { runs: number; entries: number; verified: boolean };
  checks: Check[];
  events: RunEvent[];
  throughput: Sample[];
  /** Which figures rest on modelled times, and what is quicker here than on AWS. */
  modelled: string;
  /** Path of the HTML page. */
  report: string;
}

/** The one object that `--json` prints on standard output. */
export const repairSummary = (report: RepairReport) => ({
  scenario: report.scenario,
  seed: report.seed,
  held: allHeld(report.checks),
  repaired: report.rows.filter(({ end }) => end === "done").length,
  refused: report.rows.filter(({ mustAct }) => !mustAct).length,
  acknowledged: report.acknowledged,
  lost: report.lost,
  failed: report.failed,
  stories: report.rows.map(({ name, playbook, end, code, seconds }) => ({
    name,
    playbook,
    end,
    code,
    seconds: seconds === null ? null : Math.round(seconds * 10) / 10,
  })),
  leftOut: report.leftOut,
  report: report.report,
});

/** How to see the same drill again. */
export const repairCommand = ({ scenario, seed, speed, leftOut, rows }: RepairReport): string => {
  const only = leftOut.length > 0 ? ` --stories ${rows.map(({ name }) => name).join(",")}` : "";
  return `npm run drill -- ${plain(scenario)} --seed ${plain(seed)} --speed ${speed}${only}`;
};

const repaired = ({ rows }: RepairReport) => rows.filter(({ end }) => end === "done");
const refused = ({ rows }: RepairReport) => rows.filter(({ mustAct }) => !mustAct);

/** The whole drill in one sentence. */
export const repairHeadline = (report: RepairReport): Verdict => {
  const failed = report.checks.filter(({ held }) => !held).length;
  if (report.checks.length === 0) {
    return { tone: "unknown", text: "No check ran: this proves nothing" };
  }
  const times = repaired(report).flatMap(({ seconds }) => (seconds === null ? [] : [seconds]));
  const between =
    times.length > 0 ? ` in ${spoken(Math.min(...times))} to ${spoken(Math.max(...times))}` : "";
  const but =
    failed > 0 ? `, ${failed} of ${plural(report.checks.length, "check")} did not hold` : "";
  const left = refused(report).length;
  const alone = left > 0 ? `, ${left} rightly left alone` : "";
  const text = `${times.length} repaired${between}${alone}${but}`;
  return { tone: failed === 0 ? "good" : "bad", text };
};

const lossOf = (lost: number, acknowledged: number): string => {
  const of = `of ${plural(acknowledged, "acknowledged write")}`;
  return lost === 0 ? `None ${of} was lost.` : `${plural(lost, "write")} ${of} did not last.`;
};

const leftAlone = (harmed: number): Verdict =>
  harmed === 0
    ? { tone: "good", text: "What was to be left alone was left alone, and people were told why." }
    : { tone: "bad", text: `${plural(harmed, "deed")} where nothing was to be touched.` };

/** What a tired reader wants to know first, one sentence each. */
export const repairVerdicts = (report: RepairReport): Verdict[] => {
  const { lost, acknowledged, failed, budget, rows, leftOut } = report;
  const share = (100 * failed) / Math.max(1, acknowledged + failed);
  const alone = rows.filter(({ mustAct }) => !mustAct).reduce((sum, row) => sum + row.failed, 0);
  const harmed = rows.filter(({ mustAct, end }) => !mustAct && end === "done");
  return [
    {
      tone: lost === 0 ? "good" : "bad",
      text: lossOf(lost, acknowledged),
    },
    {
      tone: "good",
      text:
        `${plural(failed, "request")} of users failed (${share.toFixed(1)} %)` +
        (alone > 0 ? `, ${alone} of them while it was left to people.` : "."),
    },
    {
      tone: budget.used <= budget.perHour ? "good" : "bad",
      text: `${plural(budget.used, "deed")} of the ${budget.perHour} that an hour may see.`,
    },
    ...(rows.every(({ mustAct }) => mustAct) ? [] : [leftAlone(harmed.length)]),
    ...(leftOut.length > 0
      ? [{ tone: "unknown" as const, text: `Left out of this run: ${leftOut.join(", ")}.` }]
      : []),
  ];
};

/**
 * Writes `report.html` and `report.json` into `directory`, which it makes, and gives the report back
 * with the path of the page in it.
 */
export const writeRepairs = async (
  report: Omit<RepairReport, "report">,
  directory: string,
): Promise<RepairReport> => {
  const written: RepairReport = { ...report, report: join(directory, "report.html") };
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "report.json"), `${JSON.stringify(written, null, 2)}\n`);
  await writeFile(written.report, repairsPage(written));
  return written;
};
