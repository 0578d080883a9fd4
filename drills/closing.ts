import type { Ink, Style } from "./ink.ts";
import { type Check, commandOf, type Phase, type Report } from "./report.ts";
import { headline, type Tone, verdicts } from "./verdict.ts";
import { clip, count, minutes, offset, padded, plain, spoken, width, wrap } from "./words.ts";

const marks: Record<Tone, { mark: string; style: Style }> = {
  good: { mark: "✓", style: "green" },
  bad: { mark: "✗", style: "red" },
  unknown: { mark: "?", style: "yellow" },
};

/** The end of a drill in a terminal: the answer first, what failed next, the rest after it. */
export const closing = (report: Report, columns: number, ink: Ink): string[] => {
  const { tone, text } = headline(report);
  const rule = ink("─".repeat(columns), "dim");
  const loud = wrap(plain(text), columns - 4).map((line) => `  ${line}`);
  return [
    "",
    rule,
    ...loud.map((line) => ink(line, marks[tone].style, "bold")),
    "",
    ...verdicts(report).flatMap((verdict) => sentence(verdict.tone, verdict.text, columns, ink)),
    "",
    ...failures(report.checks, columns, ink),
    ...figures(report, columns, ink),
    ...phases(report.phases, columns, ink),
    ...held(report.checks, columns, ink),
    `  ${ink("Report  ", "dim")}${plain(report.report)}`,
    `  ${ink("Again   ", "dim")}${commandOf(report)}`,
    rule,
  ];
};

const sentence = (tone: Tone, text: string, columns: number, ink: Ink): string[] => {
  const { mark, style } = marks[tone];
  const [first = "", ...more] = wrap(plain(text), columns - 6);
  return [`  ${ink(mark, style)} ${first}`, ...more.map((line) => `    ${line}`)];
};

const failures = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const failed = checks.filter((check) => !check.held);
  if (failed.length === 0) return [];
  const lines = failed.flatMap(({ name, expected, actual }) => [
    ink(`  ✗ FAILED  ${clip(plain(name), columns - 14)}`, "red", "bold"),
    ...wrap(`expected ${plain(expected)}, found ${plain(actual)}`, columns - 14).map(
      (line) => `            ${line}`,
    ),
  ]);
  return [...lines, ""];
};

const figures = (report: Report, columns: number, ink: Ink): string[] => {
  const { rtoSeconds, rpoSeconds, lossBoundSeconds, objectives } = report;
  const cells: [string, string, string][] = [
    [
      "recovery time",
      rtoSeconds === null ? "not served" : minutes(rtoSeconds),
      `objective ${minutes(objectives.rtoSeconds)}`,
    ],
    [
      "data loss",
      rpoSeconds === null ? "unknown" : spoken(rpoSeconds),
      `objective ${spoken(objectives.rpoSeconds)}`,
    ],
    [
      "stated bound",
      lossBoundSeconds === null ? "unknown" : `≤ ${spoken(lossBoundSeconds)}`,
      "before approval",
    ],
    ["lost", count(report.lost), `of ${count(report.acknowledged)} writes`],
    ["split brain", count(report.splitBrain), "old-side writes"],
    ["promotions", count(report.promotions), ""],
  ];
  const each = Math.max(12, Math.floor((columns - 2) / cells.length));
  const row = (index: 0 | 1 | 2) => cells.map((cell) => padded(cell[index], each)).join("");
  return [
    `  ${ink(row(0).trimEnd(), "dim")}`,
    `  ${ink(row(1).trimEnd(), "bold")}`,
    `  ${ink(row(2).trimEnd(), "dim")}`,
    "",
  ];
};

const colours: Record<NonNullable<Phase["on"]>, Style> = {
  nightshift: "blue",
  aws: "dim",
  people: "yellow",
  safety: "magenta",
};

const spentOn: Record<NonNullable<Phase["on"]>, string> = {
  nightshift: "Nightshift",
  aws: "AWS",
  people: "people",
  safety: "safety",
};

const phases = (all: readonly Phase[], columns: number, ink: Ink): string[] => {
  if (all.length === 0) return [];
  // A planned move begins before its incident, and its bars have to fit as well.
  const begin = Math.min(0, ...all.map(({ startSeconds }) => startSeconds));
  const ends = all.map(({ startSeconds, seconds }) => startSeconds + seconds);
  const whole = Math.max(1, ...ends.map((end) => end - begin));
  const plot = Math.max(10, columns - 70);
  const lines = all.map(({ name, startSeconds, seconds, on = "nightshift" }) => {
    const before = Math.round(((startSeconds - begin) / whole) * plot);
    const long = Math.max(1, Math.round((seconds / whole) * plot));
    const bar = long === 1 && seconds / whole < 0.5 / plot ? "▏" : "█".repeat(long);
    const took = spoken(seconds);
    return (
      `  ${padded(plain(name), 32)}${ink(offset(startSeconds).padStart(7), "dim")}` +
      `${" ".repeat(Math.max(1, 13 - width(took)))}${took}  ` +
      `${ink(padded(spentOn[on], 11), "dim")}${" ".repeat(Math.min(before, plot - 1))}` +
      ink(bar, colours[on])
    );
  });
  return [`  ${ink("Where the time went", "bold")}`, ...lines, ""];
};

const held = (checks: readonly Check[], columns: number, ink: Ink): string[] => {
  const good = checks.filter((check) => check.held);
  const title = `  ${ink(`${good.length} of ${checks.length} checks held`, "bold")}`;
  const names = wrap(good.map(({ name }) => plain(name)).join(" · "), columns - 4);
  const lines = names.map((line) => `  ${ink(line, "dim")}`);
  return [title, ...lines, ""];
};
