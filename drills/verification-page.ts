import { escaped } from "./chart.ts";
import { style } from "./style.ts";
import type { Tone } from "./verdict.ts";
import {
  type ActRow,
  type StretchName,
  type VerificationReport,
  verificationCommand,
  verificationHeadline,
  verificationVerdicts,
} from "./verification-report.ts";
import { count, offset, plain, spoken } from "./words.ts";

const html = (text: string): string => escaped(plain(text));

/**
 * One HTML page that needs nothing else: no script, no font, no picture from elsewhere. Everything
 * that came from the run is escaped.
 */
export const verificationPage = (report: VerificationReport, trends: string): string => {
  const { tone, text } = verificationHeadline(report);
  const verdicts = verificationVerdicts(report).map(
    (verdict) => `<li class="${verdict.tone}">${html(verdict.text)}</li>`,
  );
  const began = new Date(report.beganAt).toISOString().slice(0, 16).replace("T", " ");
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    // Should anything ever slip through the escaping, the browser still runs and fetches nothing.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${html(`${report.scenario}: ${text}`)}</title>`,
    `<style>${style}</style></head><body><main>`,
    `<header><p>Nightshift · ${html(report.scenario)} · ${began} UTC (modelled)</p>`,
    `<h1 class="${tone}">${html(text)}</h1></header>`,
    `<ul class="verdicts">${verdicts.join("")}</ul>`,
    tiles(report),
    timeline(report),
    actsTable(report),
    trends,
    "<h2>What was found</h2>",
    ...report.rows.map(story),
    evidence(report),
    checks(report),
    events(report),
    footer(report),
    "</main></body></html>",
    "",
  ].join("\n");
};

const tiles = ({
  rows,
  objectives,
  lost,
  acknowledged,
  evidence: proof,
  checks: all,
}: VerificationReport) => {
  const [good] = rows;
  const tile = (name: string, value: string, tone: Tone, small: string): string =>
    `<div><dt>${name}</dt><dd class="${tone}">${html(value)}<small>${html(small)}</small></dd></div>`;
  const toneOf = (is: boolean): Tone => (is ? "good" : "bad");
  const took = (seconds: number | null | undefined) =>
    seconds == null ? "not measured" : spoken(seconds);
  const held = all.filter((each) => each.held).length;
  return [
    `<dl class="tiles">`,
    tile(
      "Available",
      took(good?.availableSeconds),
      toneOf(good?.availableSeconds != null),
      "after the order",
    ),
    tile(
      "Read in full",
      took(good?.warmSeconds),
      toneOf((good?.warmSeconds ?? Number.POSITIVE_INFINITY) <= objectives.rtoSeconds),
      `objective ${spoken(objectives.rtoSeconds)}`,
    ),
    tile(
      "Loss",
      took(good?.lossSeconds),
      toneOf(good?.lossSeconds != null),
      "by the newest heartbeat",
    ),
    tile(
      "Writes missing",
      count(lost),
      toneOf(lost === 0),
      `of ${count(acknowledged)} acknowledged`,
    ),
    tile(
      "Records",
      String(proof.records),
      toneOf(proof.ok),
      proof.ok ? "signed and whole" : "not well",
    ),
    tile(
      "Checks",
      `${held} of ${all.length}`,
      toneOf(all.length > 0 && held === all.length),
      "held",
    ),
    "</dl>",
  ].join("\n");
};

const stretchWords: Record<StretchName, [string, string]> = {
  restore: ["aws", "RDS restores"],
  isolate: ["safety", "kept apart, first login"],
  read: ["nightshift", "every row is read"],
  check: ["people", "the other checks"],
  destroy: ["aws", "taken away"],
};

const size = { width: 1120, gutter: 300, right: 30, row: 30, foot: 26 };

/** A bar for each act, of what its time went to. */
const timeline = ({ rows }: VerificationReport): string => {
  const end = Math.max(60, ...rows.map(({ toSeconds }) => toSeconds));
  const plot = size.width - size.gutter - size.right;
  const x = (seconds: number) => Math.round(size.gutter + (Math.max(0, seconds) / end) * plot);
  const height = rows.length * size.row + size.foot;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * end);
  const parts = rows.map((row, index) => {
    const y = index * size.row + 8;
    const from = x(row.fromSeconds);
    const across = Math.max(2, x(row.toSeconds) - from);
    const whole = `<rect class="bar beside" x="${from}" y="${y + 5}" width="${across}" height="4"/>`;
    const bars = row.stretches.map(({ name, fromSeconds, toSeconds }) => {
      const [colour, words] = stretchWords[name];
      const width = Math.max(2, x(toSeconds) - x(fromSeconds));
      const title = `${words}: ${spoken(toSeconds - fromSeconds)}`;
      const place = `x="${x(fromSeconds)}" y="${y}" width="${width}" height="14"`;
      return `<rect class="bar ${colour}" ${place}><title>${html(title)}</title></rect>`;
    });
    const label = `<text class="phase" x="${size.gutter - 10}" y="${y + 12}">${html(row.title)}</text>`;
    return [label, whole, ...bars].join("");
  });
  const grid = ticks.map(
    (seconds) =>
      `<line class="grid" x1="${x(seconds)}" x2="${x(seconds)}" y1="0" y2="${height - size.foot}"/>` +
      `<text class="tick" x="${x(seconds)}" y="${height - 8}">${offset(seconds)}</text>`,
  );
  const keys = (["restore", "isolate", "read", "check"] as const).map((name) => {
    const [colour, words] = stretchWords[name];
    const said = name === "restore" ? "RDS restores, or takes away" : words;
    return `<span class="key ${colour}"></span>${html(said)}`;
  });
  return [
    "<h2>Timeline, modelled time from the first order</h2>",
    `<figure><svg viewBox="0 0 ${size.width} ${height}" role="img" ` +
      `aria-label="What each act's time went to">`,
    ...grid,
    ...parts,
    `</svg><figcaption>${keys.join("")}</figcaption></figure>`,
  ].join("\n");
};

const table = (heads: readonly string[], rows: readonly string[]): string => {
  const head = `<thead><tr>${heads.map((each) => `<th>${each}</th>`).join("")}</tr></thead>`;
  return `<div class="scroll"><table>${head}<tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
};

const actsTable = ({ rows }: VerificationReport): string => {
  const cell = (is: string) => `<td class="word ${is === "yes" ? "good" : "bad"}">${html(is)}</td>`;
  const took = (seconds: number | null) => (seconds === null ? "–" : spoken(seconds));
  const lines = rows.map((row) => {
    const { landed, restorable, correct } = row.verdict;
    const [tone, word] = row.isAsExpected
      ? ["good", "✓ as it should"]
      : ["bad", "✗ not as it should"];
    return (
      `<tr><td class="word ${tone}">${word}</td><td>${html(row.title)}</td>` +
      `${cell(landed)}${cell(restorable)}${cell(correct)}<td class="word">${html(row.code)}</td>` +
      `<td class="time">${took(row.availableSeconds)}</td><td class="time">${took(row.warmSeconds)}</td>` +
      `<td class="time">${took(row.lossSeconds)}</td><td>${row.sequence ?? "none"}</td></tr>`
    );
  });
  const heads = [
    "",
    "Act",
    "Landed",
    "Restorable",
    "Correct",
    "Verdict",
    "Available",
    "Read in full",
  ];
  return `<h2>Acts</h2>\n${table([...heads, "Loss", "Record"], lines)}`;
};

const story = (row: ActRow): string => {
  const tone = row.isAsExpected ? "good" : "bad";
  const reds = row.reds.map(
    ({ name, says, actual }) =>
      `<tr><td class="word">${html(name)}</td><td>${html(says)}</td><td>${html(actual)}</td></tr>`,
  );
  return [
    `<h3>${html(row.title)}: <span class="${tone}">${html(`${row.end} (${row.code})`)}</span></h3>`,
    `<p>${html(row.text)} ${html(row.run)}: ${row.checks.passed} of ${row.checks.all} checks passed; ` +
      `users had ${count(row.acknowledged)} writes acknowledged and ${count(row.failed)} ` +
      "failed meanwhile.</p>",
    ...(reds.length > 0 ? [table(["Found by", "", "Found"], reds)] : []),
  ].join("\n");
};

const evidence = ({ evidence: proof }: VerificationReport): string =>
  [
    "<h2>Evidence</h2>",
    `<p class="${proof.ok ? "" : "bad"}">${html(proof.says)}</p>`,
    "<p>Verify it yourself: <code>npm run evidence -- records --key key.pem " +
      `--head ${html(proof.head)}</code> ` +
      `in this folder. The page that operators get, with the trend, is <code>restore-tests.html</code>.</p>`,
  ].join("\n");

const checks = (report: VerificationReport): string => {
  if (report.checks.length === 0) return "<h2>Checks</h2><p>None ran.</p>";
  // A failed check is what the reader came for.
  const sorted = report.checks.toSorted((a, b) => Number(a.held) - Number(b.held));
  const rows = sorted.map(({ name, held, expected, actual }) => {
    const [tone, word] = held ? ["good", "✓ held"] : ["bad", "✗ failed"];
    return (
      `<tr class="${tone}"><td class="word ${tone}">${word}</td><td>${html(name)}</td>` +
      `<td>${html(expected)}</td><td>${html(actual)}</td></tr>`
    );
  });
  return `<h2>Checks of the drill</h2>\n${table(["", "Check", "Expected", "Found"], rows)}`;
};

const events = (report: VerificationReport): string => {
  const rows = report.events.map(
    ({ atSeconds, who, kind, text }) =>
      `<tr${kind === "fault" ? ` class="key-event"` : ""}><td class="time">${offset(atSeconds)}</td>` +
      `<td class="who">${html(who)}</td><td class="word">${html(kind)}</td><td>${html(text)}</td></tr>`,
  );
  return `<h2>What happened</h2>\n${table(["Time", "Who", "What", ""], rows)}`;
};

const footer = (report: VerificationReport): string =>
  [
    "<footer>",
    `<p>${html(report.modelled)}</p>`,
    `<p>Time ran ${html(String(report.speed))} times as fast as on the wall. ` +
      `Run again: <code>${html(verificationCommand(report))}</code>. ` +
      "All figures of this page are in <code>report.json</code> beside it.</p>",
    "</footer>",
  ].join("\n");
