import type { Ink, Style } from "./ink.ts";
import type { Check } from "./report.ts";
import {
  type RotationReport,
  type RotationRow,
  rotationCommand,
  rotationHeadline,
  rotationVerdicts,
} from "./rotation-report.ts";
import type { Tone } from "./verdict.ts";
import { clip, padded, plain, spoken, wrap } from "./words.ts";

const marks: Record<Tone, { mark: string; style: Style }> = {
  good: { mark: "✓", style: "green" },
  bad: { mark: "✗", style: "red" },
  unknown: { mark: "?", style: "yellow" },
};

/** The end of the drill in a terminal: the answer first, what failed next, then each rotation. */
export const rotationClosing = (report: RotationReport, columns: number, ink: Ink): string[] => {
  const { tone, text } = rotationHeadline(report);
  const rule = ink("─".repeat(columns), "dim");
  return [
    "",
    rule,
    ...wrap(plain(text), columns - 4).map((line) => ink(`  ${line}`, marks[tone].style, "bold")),
    "",
    ...rotationVerdicts(report).flatMap((verdict) => {
      const { mark, style } = marks[verdict.tone];
      return wrap(plain(verdict.text), columns - 6).map(
        (line, index) => `  ${index === 0 ? ink(mark, style) : " "} ${line}`,
      );
    }),
    "",
    ...failures(report.checks, columns, ink),
    ...table(report.rows, columns, ink),
    ...held(report.checks, columns, ink),
    `  ${ink("Report  ", "dim")}${plain(report.report)}`,
    `  ${ink("Again   ", "dim")}${rotationCommand(report)}`,
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

/** The first column takes what the others leave. */
const widths = [11, 12, 14, 9, 8] as const;

const table = (rows: readonly RotationRow[], columns: number, ink: Ink): string[] => {
  const first = Math.max(20, columns - 6 - widths.reduce((sum, width) => sum + width, 0));
  const line = (title: string, cells: readonly string[]) =>
    padded(clip(title, first - 2), first) +
    cells.map((cell, index) => padded(cell, widths[index] ?? 10)).join("");
  const heads = ["current", "old retired", "failed logins", "requests", "versions"];
  return [
    `    ${ink(line("", heads), "dim")}`,
    ...rows.map((row) => {
      const { mark, style } = marks[row.isAsExpected ? "good" : "bad"];
      const after = (seconds: number | null) =>
        seconds === null ? "–" : spoken(seconds - row.fromSeconds);
      const told = line(row.title, [
        after(row.currentSeconds),
        row.end === "retired" ? after(row.toSeconds) : row.end,
        `${row.failedLogins} of ${row.logins}`,
        String(row.failed),
        row.isSameVersion ? "the same" : "differ",
      ]);
      return `  ${ink(mark, style)} ${told}`;
    }),
    "",
  ];
};

const held = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const good = checks.filter((check) => check.held);
  const names = wrap(good.map(({ name }) => plain(name)).join(" · "), columns - 4);
  return [
    `  ${ink(`${good.length} of ${checks.length} checks held`, "bold")}`,
    ...names.map((line) => `  ${ink(line, "dim")}`),
    "",
  ];
};
