import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FullReport } from "./account.ts";
import { commandOf, type EventKind } from "./report.ts";
import { headline, verdicts } from "./verdict.ts";
import { count, offset, plain, plural, spoken } from "./words.ts";

/** Writes `report.md` beside the page, for a ticket or a chat, and gives its path back. */
export const writeMarkdown = async (report: FullReport, directory: string): Promise<string> => {
  const path = join(directory, "report.md");
  await writeFile(path, markdown(report));
  return path;
};

/** The report as Markdown. Everything that came from the run is escaped: it stays text. */
export const markdown = (report: FullReport): string =>
  [
    `# ${escaped(report.scenario)}: ${escaped(headline(report).text)}`,
    "",
    ...verdicts(report).map(({ tone, text }) => `- ${marks[tone]} ${escaped(text)}`),
    "",
    `Incident (00:00): ${escaped(report.incident.text)}.`,
    `${new Date(report.incidentAt).toISOString()}, run \`${inCode(report.run)}\`.`,
    ...(report.statement ? ["", `> ${escaped(report.statement)}`] : []),
    ...section("Figures", ["figure", "value", "objective or bound"], figures(report)),
    ...section("Where the time went", ["phase", "from", "took", "spent on"], phases(report)),
    ...section("Checks", ["", "check", "expected", "found"], checks(report)),
    ...section("Fence of the old region", ["layer", "result", "detail"], fence(report)),
    ...section("Approvals", ["who", "when", "did not count, because"], approvals(report)),
    ...section("Journal", ["when", "kind", "by", "text"], journal(report)),
    "",
    `${plural(report.journal.entries, "entry", "entries")}, chain ` +
      `${report.journal.verified ? "verified" : "**broken**"}.`,
    "",
    escaped(report.modelled),
    "",
    `Again: \`${inCode(commandOf(report))}\``,
    "",
  ].join("\n");

const marks = { good: "✓", bad: "✗", unknown: "?" } as const;

/** Characters that Markdown or HTML give a meaning; a line break would end a row of a table. */
const escaped = (text: string): string =>
  plain(text).replace(/[\\`*_[\]<>|#~&]/g, (character) => `\\${character}`);

const inCode = (text: string): string => plain(text).replaceAll("`", "'");

const section = (
  title: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string[] => {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  if (rows.length === 0) return ["", `## ${title}`, "", "None."];
  const rule = row(heads.map(() => "---"));
  return ["", `## ${title}`, "", row(heads), rule, ...rows.map((cells) => row(cells.map(escaped)))];
};

const figures = (report: FullReport): string[][] => {
  const { objectives, lossBoundSeconds, rpoSeconds } = report;
  const failed =
    Object.entries(report.failures)
      .map(([why, times]) => `${count(times)} × ${why}`)
      .join(", ") || "none";
  const known = (seconds: number | null, otherwise: string) =>
    seconds === null ? otherwise : spoken(seconds);
  return [
    [
      "recovery time from the incident",
      known(report.rtoSeconds, "not served"),
      spoken(objectives.rtoSeconds),
    ],
    ["recovery time from the approval", known(report.rtoFromApprovalSeconds, "unknown"), ""],
    ["longest time without an acknowledged write", known(report.longestOutageSeconds, "none"), ""],
    ["data loss", known(rpoSeconds, "unknown"), spoken(objectives.rpoSeconds)],
    ["stated before approval", known(lossBoundSeconds, "not stated"), ""],
    ["writes acknowledged", count(report.acknowledged), ""],
    ["writes not acknowledged", failed, ""],
    ["writes lost", count(report.lost), ""],
    ["writes on the old primary after the promotion", count(report.splitBrain), "0"],
    ["promotions", count(report.promotions), "1"],
  ];
};

const phases = (report: FullReport): string[][] =>
  report.phases.map(({ name, startSeconds, seconds, on = "nightshift" }) => [
    name,
    offset(startSeconds),
    spoken(seconds),
    on,
  ]);

/** What failed comes first: somebody reads this who has little time. */
const checks = (report: FullReport): string[][] =>
  report.checks
    .toSorted((a, b) => Number(a.held) - Number(b.held))
    .map(({ name, held, expected, actual }) => [held ? "✓" : "✗", name, expected, actual]);

const fence = (report: FullReport): string[][] =>
  report.fence.map(({ layer, result, detail }) => [layer, result, detail]);

const approvals = ({ approvals: given, refusedAnswers = [] }: FullReport): string[][] => [
  ...given.map(({ user, atSeconds }) => [user, offset(atSeconds), ""]),
  ...refusedAnswers.map(({ user, says, atSeconds, reason }) => [
    `${user} (${says})`,
    offset(atSeconds),
    reason,
  ]),
];

const recorded: ReadonlySet<EventKind> = new Set<EventKind>([
  "saw",
  "decided",
  "asked",
  "did",
  "refused",
  "failed",
]);

const journal = (report: FullReport): string[][] =>
  report.events
    .filter(({ kind }) => recorded.has(kind))
    .map(({ atSeconds, kind, who, text }) => [offset(atSeconds), kind, who, text]);
