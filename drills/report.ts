import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { page } from "./page.ts";
import { plain } from "./words.ts";

/**
 * One run, as everything that tells of it reads it. All seconds are modelled; `…atSeconds` and
 * `startSeconds` count from the incident and are negative before it.
 */
export interface Report {
  outcome: Outcome;
  scenario: string;
  /** The incident is a handover that people asked for: nothing was lost, a region was left. */
  planned?: boolean;
  seed: number | string;
  /** Modelled seconds in one real second. */
  speed: number;
  /** Modelled instant of the incident, milliseconds since 1970. */
  incidentAt: number;
  regions: { home: string; standby: string; witness: string };
  /** The region that users were moved away from; the home region when it is not said. */
  left?: string;
  /** From the incident to the first write acknowledged by the new primary; null when there was none. */
  rtoSeconds: number | null;
  /** Age, at the incident, of the oldest acknowledged write that was lost; null when not measured. */
  rpoSeconds: number | null;
  /** What was stated as the most that could be lost, before anybody approved; null: not stated. */
  lossBoundSeconds: number | null;
  /** The data-loss statement, word for word as the approvers read it. */
  statement?: string;
  /** Why the run did not end done, in its own words. */
  stopped?: string;
  objectives: { rtoSeconds: number; rpoSeconds: number };
  acknowledged: number;
  lost: number;
  /** Writes acknowledged by the old primary after the promotion. */
  splitBrain: number;
  promotions: number;
  phases: Phase[];
  events: RunEvent[];
  fence: { layer: string; result: "fenced" | "unverified" | "unreachable"; detail: string }[];
  approvals: { user: string; atSeconds: number }[];
  /** Answers that did not count, each with why. */
  refusedAnswers?: { user: string; says: string; atSeconds: number; reason: string }[];
  checks: Check[];
  throughput: Sample[];
  journal: { entries: number; verified: boolean };
  /** One sentence: which figures rest on modelled AWS times. */
  modelled: string;
  /** Path of the HTML page. */
  report: string;
}

export type Outcome = "done" | "aborted" | "needs-human";

export interface Phase {
  name: string;
  startSeconds: number;
  seconds: number;
  /** Ran beside another phase, so its time does not add to the whole. */
  parallel?: boolean;
  /** What the time went to; Nightshift's own work when it is not said. */
  on?: PhaseCost;
}

export type PhaseCost = "nightshift" | "aws" | "people" | "safety";

export interface RunEvent {
  atSeconds: number;
  /** `users`, `aws`, `operator U1`, `failover eu-west-1`, … */
  who: string;
  kind: EventKind;
  text: string;
}

/** What the journal records, and what happened in the world around it. */
export type EventKind = JournalKind | MarkKind | "aws" | "message";
export type JournalKind = "saw" | "decided" | "asked" | "did" | "refused" | "failed";
/** The instants that are drawn across the timeline. */
export type MarkKind =
  | "incident"
  | "alarm"
  | "approval"
  | "fence"
  | "promotion"
  | "dns"
  | "served"
  | "fault";

export interface Check {
  name: string;
  held: boolean;
  expected: string;
  actual: string;
}

/** What users saw around one instant. */
export interface Sample {
  atSeconds: number;
  acknowledgedPerSecond: number;
  failedPerSecond: number;
  /** Who acknowledged; null when nobody did. */
  region: string | null;
}

/** The one object that `--json` prints on standard output. */
export interface Summary {
  outcome: Outcome;
  scenario: string;
  seed: number | string;
  rtoSeconds: number | null;
  rpoSeconds: number | null;
  lossBoundSeconds: number | null;
  acknowledged: number;
  lost: number;
  splitBrain: number;
  promotions: number;
  phases: { name: string; seconds: number }[];
  report: string;
}

// Modelled seconds come from scaled clocks and carry digits that mean nothing.
const toMilliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;
const orNull = (seconds: number | null): number | null =>
  seconds === null ? null : toMilliseconds(seconds);

export const summaryOf = (report: Report): Summary => ({
  outcome: report.outcome,
  scenario: report.scenario,
  seed: report.seed,
  rtoSeconds: orNull(report.rtoSeconds),
  rpoSeconds: orNull(report.rpoSeconds),
  lossBoundSeconds: orNull(report.lossBoundSeconds),
  acknowledged: report.acknowledged,
  lost: report.lost,
  splitBrain: report.splitBrain,
  promotions: report.promotions,
  phases: report.phases.map(({ name, seconds }) => ({ name, seconds: toMilliseconds(seconds) })),
  report: report.report,
});

/** A run without a single check proves nothing, so it did not hold. */
export const allHeld = (checks: readonly Check[]): boolean =>
  checks.length > 0 && checks.every((check) => check.held);

/** 0 only when every check of the run held. */
export const exitCodeOf = (report: Report): number => (allHeld(report.checks) ? 0 : 1);

/** How to see the same drill again. */
export const commandOf = ({ scenario, seed, speed }: Report): string =>
  `npm run drill -- ${plain(scenario)} --seed ${plain(String(seed))} --speed ${speed}`;

/**
 * Writes `report.html` and `report.json` into `directory`, which it makes, and gives the report
 * back with the path of the page in it.
 */
export const writeReport = async (
  report: Omit<Report, "report">,
  directory: string,
): Promise<Report> => {
  const written: Report = { ...report, report: join(directory, "report.html") };
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "report.json"), `${JSON.stringify(written, null, 2)}\n`);
  await writeFile(written.report, page(written));
  return written;
};
