import type { Ink, Style } from "./ink.ts";
import {
  type RepairReport,
  type RepairRow,
  repairCommand,
  repairHeadline,
  repairVerdicts,
} from "./repairs-report.ts";
import type { Check } from "./report.ts";
import type { Tone } from "./verdict.ts";
import { clip, padded, plain, spoken, wrap } from "./words.ts";

const marks: Record<Tone, { mark: string; style: Style }> = {
  good: { mark: "✓", style: "green" },
  bad: { mark: "✗", style: "red" },
  unknown: { mark: "?", style: "yellow" },
};

/** The end of a drill of repairs in a terminal: the answer first, what failed next, then each story. */
export const repairsClosing = (report: RepairReport, columns: number, ink: Ink): string[] => {
  const { tone, text } = repairHeadline(report);
  const rule = ink("─".repeat(columns), "dim");
  return [
    "",
    rule,
    ...wrap(plain(text), columns - 4).map((line) => ink(`  ${line}`, marks[tone].style, "bold")),
    "",
    ...repairVerdicts(report).map((verdict) => {
      const { mark, style } = marks[verdict.tone];
      return `  ${ink(mark, style)} ${clip(plain(verdict.text), columns - 6)}`;
    }),
    "",
    ...failures(report.checks, columns, ink),
    ...report.rows.flatMap((row) => story(row, columns, ink)),
    ...held(report.checks, columns, ink),
    `  ${ink("Report  ", "dim")}${plain(report.report)}`,
    `  ${ink("Again   ", "dim")}${repairCommand(report)}`,
    rule,
  ];
};

const failures = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const failed = checks.filter((check) => !check.held);
  const lines = failed.flatMap(({ name, expected, actual }) => [
    ink(`  ✗ FAILED  ${clip(plain(name), columns - 14)}`, "red", "bold"),
    ...wrap(`expected ${plain(expected)}, found ${plain(actual)}`, columns - 14).map(
      (line) => `            ${line}`,
    ),
  ]);
  return failed.length === 0 ? [] : [...lines, ""];
};

/** What came of a story, in two words. */
export const outcomeOf = ({ end, mustAct, code }: RepairRow): { tone: Tone; text: string } => {
  if (end === "done") return { tone: mustAct ? "good" : "bad", text: "repaired" };
  if (end === "nothing" || end === "held" || (end === "needs-human" && !mustAct)) {
    return { tone: mustAct ? "bad" : "good", text: mustAct ? "not repaired" : "left alone" };
  }
  return { tone: end === "none" ? "unknown" : "bad", text: end === "none" ? "no answer" : code };
};

const headColumns = 12;

const story = (row: RepairRow, columns: number, ink: Ink): string[] => {
  const { tone, text } = outcomeOf(row);
  const { mark, style } = marks[tone];
  const after = row.seconds === null ? "" : ` after ${spoken(row.seconds)}`;
  const head = `  ${ink(mark, style)} ${ink(plain(row.title), "bold")}: ${ink(`${text}${after}`, style)}`;
  const part = (name: string, words: string) =>
    words === ""
      ? []
      : wrap(plain(words), columns - headColumns - 4).map(
          (line, index) => `    ${ink(padded(index === 0 ? name : "", headColumns), "dim")}${line}`,
        );
  return [
    head,
    ...part("broke", row.text),
    ...part("seen", row.seen),
    ...part("decided", row.decided),
    ...part("approved", row.approvedBy.join(" and ")),
    ...part("done", row.done),
    ...part(row.mustAct ? "proven" : "ended", row.proven),
    ...part("spent", timesOf(row)),
    "",
  ];
};

/** `noticing 56 s, deciding 13 s, …` */
export const timesOf = ({ stretches }: RepairRow): string =>
  stretches
    .map(({ kind, fromSeconds, toSeconds }) => `${kind} ${spoken(toSeconds - fromSeconds)}`)
    .join(", ");

const held = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const good = checks.filter((check) => check.held);
  const names = wrap(good.map(({ name }) => plain(name)).join(" · "), columns - 4);
  return [
    `  ${ink(`${good.length} of ${checks.length} checks held`, "bold")}`,
    ...names.map((line) => `  ${ink(line, "dim")}`),
    "",
  ];
};
