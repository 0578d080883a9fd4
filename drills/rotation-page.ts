import { escaped } from "./chart.ts";
import {
  type RotationReport,
  type RotationRow,
  rotationCommand,
  rotationHeadline,
  rotationVerdicts,
} from "./rotation-report.ts";
import { style } from "./style.ts";
import type { Tone } from "./verdict.ts";
import { count, offset, plain, spoken } from "./words.ts";

const html = (text: string): string => escaped(plain(text));

/**
 * One HTML page that needs nothing else: no script, no font, no picture from elsewhere. Everything
 * that came from the run is escaped.
 */
export const rotationPage = (report: RotationReport): string => {
  const { tone, text } = rotationHeadline(report);
  const verdicts = rotationVerdicts(report).map(
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
    rotationsTable(report),
    "<h2>What was in the way</h2>",
    ...report.rows.filter(({ texts, refusals }) => texts.length + refusals.length > 0).map(story),
    checks(report),
    events(report),
    footer(report),
    "</main></body></html>",
    "",
  ].join("\n");
};

const tiles = ({ rows, logins, failed, acknowledged, checks: all }: RotationReport): string => {
  const tile = (name: string, value: string, isGood: boolean, small: string): string =>
    `<div><dt>${name}</dt><dd class="${isGood ? "good" : "bad"}">${html(value)}` +
    `<small>${html(small)}</small></dd></div>`;
  const held = all.filter((each) => each.held).length;
  const done = rows.filter(({ end }) => end === "retired").length;
  const left = rows.reduce((sum, { oldSessions }) => sum + (oldSessions ?? 0), 0);
  return [
    `<dl class="tiles">`,
    tile("Rotations", `${done} of ${rows.length}`, done === rows.length, "old value retired"),
    tile("Failed logins", count(logins.failed), logins.failed === 0, `of ${count(logins.tried)}`),
    tile("Failed requests", count(failed), failed === 0, `${count(acknowledged)} acknowledged`),
    tile("Old sessions", count(left), left === 0, "when the old login ended"),
    tile("Checks", `${held} of ${all.length}`, all.length > 0 && held === all.length, "held"),
    "</dl>",
  ].join("\n");
};

const size = { width: 1120, gutter: 300, right: 30, row: 30, foot: 26 };

/** For each rotation how long its new value took to become current, and the old one to end. */
const timeline = ({ rows }: RotationReport): string => {
  const end = Math.max(60, ...rows.map(({ toSeconds }) => toSeconds));
  const plot = size.width - size.gutter - size.right;
  const x = (seconds: number) => Math.round(size.gutter + (Math.max(0, seconds) / end) * plot);
  const height = rows.length * size.row + size.foot;
  const bar = (colour: string, words: string, from: number, to: number, y: number) => {
    const title = html(`${words}: ${spoken(to - from)}`);
    const width = Math.max(2, x(to) - x(from));
    const place = `x="${x(from)}" y="${y}" width="${width}" height="14"`;
    return `<rect class="bar ${colour}" ${place}><title>${title}</title></rect>`;
  };
  const parts = rows.map((row, index) => {
    const y = index * size.row + 8;
    const { fromSeconds, toSeconds } = row;
    const current = row.currentSeconds ?? toSeconds;
    const label = `<text class="phase" x="${size.gutter - 10}" y="${y + 12}">${html(row.title)}</text>`;
    const exchange = bar("nightshift", "until the new value is current", fromSeconds, current, y);
    return [label, exchange, bar("people", "both are valid", current, toSeconds, y)].join("");
  });
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const seconds = share * end;
    return (
      `<line class="grid" x1="${x(seconds)}" x2="${x(seconds)}" y1="0" y2="${height - size.foot}"/>` +
      `<text class="tick" x="${x(seconds)}" y="${height - 8}">${offset(seconds)}</text>`
    );
  });
  return [
    "<h2>Timeline, modelled time from the first order</h2>",
    `<figure><svg viewBox="0 0 ${size.width} ${height}" role="img" aria-label="How long each rotation took">`,
    ...grid,
    ...parts,
    `</svg><figcaption><span class="key nightshift"></span>until the new value is current` +
      `<span class="key people"></span>old and new are both valid</figcaption></figure>`,
  ].join("\n");
};

const table = (heads: readonly string[], rows: readonly string[]): string => {
  const head = `<thead><tr>${heads.map((each) => `<th>${each}</th>`).join("")}</tr></thead>`;
  return `<div class="scroll"><table>${head}<tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
};

const rotationsTable = ({ rows }: RotationReport): string => {
  const lines = rows.map((row) => {
    const [tone, word] = row.isAsExpected
      ? ["good", "✓ as it should"]
      : ["bad", "✗ not as it should"];
    const took = (seconds: number | null) =>
      seconds === null ? "–" : spoken(seconds - row.fromSeconds);
    return (
      `<tr><td class="word ${tone}">${word}</td><td>${html(row.title)}</td>` +
      `<td class="word">${html(row.secret)}</td><td class="time">${took(row.currentSeconds)}</td>` +
      `<td class="time">${row.end === "retired" ? took(row.toSeconds) : html(row.end)}</td>` +
      `<td>${row.failedLogins} of ${count(row.logins)}</td>` +
      `<td>${row.failed} of ${count(row.acknowledged + row.failed)}</td>` +
      `<td>${row.oldSessions ?? "–"}</td><td>${row.isSameVersion ? "the same" : "differ"}</td></tr>`
    );
  });
  const heads = ["", "What", "Secret", "Current after", "Old value ended after", "Failed logins"];
  const rest = ["Failed requests", "Old sessions", "Versions of both regions"];
  return `<h2>Rotations</h2>\n${table([...heads, ...rest], lines)}`;
};

const story = (row: RotationRow): string => {
  const tone: Tone = row.isAsExpected ? "good" : "bad";
  const lines = [...row.texts, ...row.refusals.map((reason) => `Refused: ${reason}`), row.says];
  return [
    `<h3>${html(row.title)}: <span class="${tone}">${html(row.end)}</span></h3>`,
    `<ul>${lines.map((line) => `<li>${html(line)}</li>`).join("")}</ul>`,
    `<p>${html(row.run)}</p>`,
  ].join("\n");
};

const checks = (report: RotationReport): string => {
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

const events = (report: RotationReport): string => {
  const rows = report.events.map(
    ({ atSeconds, who, kind, text }) =>
      `<tr${kind === "fault" ? ` class="key-event"` : ""}><td class="time">${offset(atSeconds)}</td>` +
      `<td class="who">${html(who)}</td><td class="word">${html(kind)}</td><td>${html(text)}</td></tr>`,
  );
  return `<h2>What happened</h2>\n${table(["Time", "Who", "What", ""], rows)}`;
};

const footer = (report: RotationReport): string =>
  [
    "<footer>",
    `<p>${html(report.modelled)}</p>`,
    `<p>Time ran ${html(String(report.speed))} times as fast as on the wall. ` +
      `Run again: <code>${html(rotationCommand(report))}</code>. ` +
      "All figures of this page are in <code>report.json</code> beside it.</p>",
    "</footer>",
  ].join("\n");
