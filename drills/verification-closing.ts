import type { Ink, Style } from "./ink.ts";
import type { Check } from "./report.ts";
import type { Tone } from "./verdict.ts";
import {
  type ActRow,
  type VerificationReport,
  verificationCommand,
  verificationHeadline,
  verificationVerdicts,
} from "./verification-report.ts";
import { clip, padded, plain, spoken, wrap } from "./words.ts";

const marks: Record<Tone, { mark: string; style: Style }> = {
  good: { mark: "✓", style: "green" },
  bad: { mark: "✗", style: "red" },
  unknown: { mark: "?", style: "yellow" },
};

/** The end of the drill in a terminal: the answer first, what failed next, then each act. */
export const verificationClosing = (
  report: VerificationReport,
  columns: number,
  ink: Ink,
): string[] => {
  const { tone, text } = verificationHeadline(report);
  const rule = ink("─".repeat(columns), "dim");
  return [
    "",
    rule,
    ...wrap(plain(text), columns - 4).map((line) => ink(`  ${line}`, marks[tone].style, "bold")),
    "",
    ...verificationVerdicts(report).map((verdict) => {
      const { mark, style } = marks[verdict.tone];
      return `  ${ink(mark, style)} ${clip(plain(verdict.text), columns - 6)}`;
    }),
    "",
    ...failures(report.checks, columns, ink),
    ...table(report.rows, columns, ink),
    ...report.rows.flatMap((row) => found(row, columns, ink)),
    ...held(report.checks, columns, ink),
    `  ${ink("Report  ", "dim")}${plain(report.report)}`,
    `  ${ink("Again   ", "dim")}${verificationCommand(report)}`,
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

const widths = [40, 10, 12, 10, 12, 12] as const;

const table = (rows: readonly ActRow[], columns: number, ink: Ink): string[] => {
  const line = (cells: readonly string[]) =>
    clip(cells.map((cell, index) => padded(cell, widths[index] ?? 12)).join(""), columns - 4);
  const took = (seconds: number | null) => (seconds === null ? "–" : spoken(seconds));
  return [
    `    ${ink(line(["", "landed", "restorable", "correct", "available", "read in full"]), "dim")}`,
    ...rows.map((row) => {
      const { mark, style } = marks[row.isAsExpected ? "good" : "bad"];
      const { landed, restorable, correct } = row.verdict;
      const cells = [clip(row.title, 38), landed, restorable, correct];
      const told = line([...cells, took(row.availableSeconds), took(row.warmSeconds)]);
      return `  ${ink(mark, style)} ${told}`;
    }),
    "",
  ];
};

/** Only what was planted is worth a line: a good night has none. */
const found = ({ title, reds }: ActRow, columns: number, ink: Ink): string[] =>
  reds.length === 0
    ? []
    : [
        `  ${ink(title, "bold")}`,
        ...reds.map(({ name, says }) => clip(`    ${padded(name, 31)}${plain(says)}`, columns - 2)),
        "",
      ];

const held = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const good = checks.filter((check) => check.held);
  const names = wrap(good.map(({ name }) => plain(name)).join(" · "), columns - 4);
  return [
    `  ${ink(`${good.length} of ${checks.length} checks held`, "bold")}`,
    ...names.map((line) => `  ${ink(line, "dim")}`),
    "",
  ];
};
