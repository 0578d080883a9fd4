import { chart, escaped, legend } from "./chart.ts";
import { enteredBy } from "./moves.ts";
import { commandOf, type Report, type RunEvent } from "./report.ts";
import { style } from "./style.ts";
import type { Tone } from "./verdict.ts";
import { headline, verdicts } from "./verdict.ts";
import { count, minutes, offset, plain, plural, spoken } from "./words.ts";

/**
 * One HTML page that needs nothing else: no script, no font, no picture from elsewhere. Everything
 * that came from the run is escaped.
 */
export const page = (report: Report): string => {
  const { tone, text } = headline(report);
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    // Should anything ever slip through the escaping, the browser still runs and fetches nothing.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${html(`${report.scenario}: ${text}`)}</title>`,
    `<style>${style}</style></head><body><main>`,
    `<header><p>Nightshift · ${html(report.scenario)} · ${dateOf(report)}</p>`,
    `<h1 class="${tone}">${html(text)}</h1></header>`,
    list(report),
    tiles(report),
    timeline(report),
    approvals(report),
    checks(report),
    fence(report),
    phases(report),
    events(report),
    footer(report),
    "</main></body></html>",
    "",
  ].join("\n");
};

const html = (text: string): string => escaped(plain(text));

/** Keeps line breaks: a data-loss statement has paragraphs. */
const paragraphs = (text: string): string => text.split("\n").map(html).join("\n");

const dateOf = ({ incidentAt }: Report): string =>
  `${new Date(incidentAt).toISOString().slice(0, 16).replace("T", " ")} UTC (modelled)`;

const list = (report: Report): string => {
  const items = verdicts(report).map(({ tone, text }) => `<li class="${tone}">${html(text)}</li>`);
  return `<ul class="verdicts">${items.join("")}</ul>`;
};

const tiles = (report: Report): string => {
  const { rtoSeconds, rpoSeconds, lossBoundSeconds, objectives } = report;
  const tile = (name: string, value: string, tone: Tone, small: string): string =>
    `<div><dt>${name}</dt><dd class="${tone}">${html(value)}<small>${html(small)}</small></dd></div>`;
  const against = (value: number | null, limit: number): Tone => {
    if (value === null) return "unknown";
    return value <= limit ? "good" : "bad";
  };
  const seconds = (value: number | null): string => (value === null ? "unknown" : spoken(value));
  const held = report.checks.filter((check) => check.held).length;
  const all = report.checks.length;
  return [
    `<dl class="tiles">`,
    tile(
      "Recovery time (RTO)",
      rtoSeconds === null ? "not served" : minutes(rtoSeconds),
      rtoSeconds === null ? "bad" : against(rtoSeconds, objectives.rtoSeconds),
      `objective ${minutes(objectives.rtoSeconds)}`,
    ),
    tile(
      "Data loss (RPO)",
      seconds(rpoSeconds),
      against(rpoSeconds, objectives.rpoSeconds),
      `objective ${spoken(objectives.rpoSeconds)}`,
    ),
    tile(
      "Stated before approval",
      lossBoundSeconds === null ? "unknown" : `≤ ${spoken(lossBoundSeconds)}`,
      lossBoundSeconds === null ? "unknown" : against(rpoSeconds ?? 0, lossBoundSeconds),
      "the most to lose",
    ),
    tile(
      "Writes lost",
      count(report.lost),
      against(report.rpoSeconds, objectives.rpoSeconds),
      `of ${count(report.acknowledged)}`,
    ),
    tile(
      "Writes on old primary",
      count(report.splitBrain),
      report.splitBrain === 0 ? "good" : "bad",
      "after the promotion",
    ),
    tile("Checks", `${held} of ${all}`, all > 0 && held === all ? "good" : "bad", "held"),
    "</dl>",
  ].join("\n");
};

const timeline = (report: Report): string => {
  const used = new Set<string>(report.phases.map(({ on }) => on ?? "nightshift"));
  const keys = legend
    .filter(([name]) => used.has(name))
    .map(([name, words]) => `<span class="key ${name}"></span>${html(words)}`);
  const beside = report.phases.some(({ parallel }) => parallel)
    ? " · paler: ran beside another phase"
    : "";
  const zero = report.planned ? "handover" : "incident";
  return (
    `<h2>Timeline, modelled time from the ${zero}</h2>\n<figure>${chart(report)}` +
    `<figcaption>${keys.join("")}${beside}</figcaption></figure>`
  );
};

const table = (heads: readonly string[], rows: readonly string[]): string => {
  const cells = heads.map((head) =>
    head.startsWith("#") ? `<th class="number">${head.slice(1)}</th>` : `<th>${head}</th>`,
  );
  const head = `<thead><tr>${cells.join("")}</tr></thead>`;
  return `<div class="scroll"><table>${head}<tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
};

const approvals = (report: Report): string => {
  const { statement, approvals: given, refusedAnswers = [], lossBoundSeconds } = report;
  if (given.length + refusedAnswers.length === 0 && !statement) return "";
  const words =
    statement ??
    (lossBoundSeconds === null
      ? "No bound on the loss was stated."
      : `At most ${spoken(lossBoundSeconds)} of acknowledged writes could be lost.`);
  const people = given.map(({ user, atSeconds }) => `${html(user)} at ${offset(atSeconds)}`);
  return [
    "<h2>What was approved, and by whom</h2>",
    `<blockquote>${paragraphs(words)}</blockquote>`,
    people.length > 0 ? `<p>Approved by ${people.join(", ")}.</p>` : "<p>Nobody approved.</p>",
    ...refusedAnswers.map(
      ({ user, says, atSeconds, reason }) =>
        `<p>Did not count: ${html(says)} of ${html(user)} at ${offset(atSeconds)}. ${html(reason)}</p>`,
    ),
  ].join("\n");
};

const checks = (report: Report): string => {
  if (report.checks.length === 0) return "<h2>Checks</h2><p>None ran.</p>";
  // A failed check is what the reader came for.
  const sorted = [...report.checks].sort((a, b) => Number(a.held) - Number(b.held));
  const rows = sorted.map(({ name, held, expected, actual }) => {
    const verdict = held
      ? `<td class="word good">✓ held</td>`
      : `<td class="word bad">✗ failed</td>`;
    return (
      `<tr class="${held ? "good" : "bad"}">${verdict}<td>${html(name)}</td>` +
      `<td>${html(expected)}</td><td>${html(actual)}</td></tr>`
    );
  });
  return `<h2>Checks</h2>\n${table(["", "Check", "Expected", "Found"], rows)}`;
};

const fence = (report: Report): string => {
  if (report.fence.length === 0) return "";
  const tones = { fenced: "good", unverified: "unknown", unreachable: "unknown" } as const;
  const rows = report.fence.map(
    ({ layer, result, detail }) =>
      `<tr><td>${html(layer)}</td><td class="word ${tones[result]}">${result}</td>` +
      `<td>${html(detail)}</td></tr>`,
  );
  return [
    "<h2>Fence around the old primary</h2>",
    grounds(report),
    table(["Layer", "Result", "Detail"], rows),
  ].join("\n");
};

/** An unreachable layer alarms a reader who is not told what the promotion rested on instead. */
const grounds = ({ events: seen, promotions }: Report): string => {
  const last = seen.findLast((event) => enteredBy(event) === "fenced");
  if (last)
    return `<p>Why it was safe to promote, from ${offset(last.atSeconds)}: ${html(last.text)}</p>`;
  return promotions > 0
    ? `<p class="bad">The journal does not say why it was safe to promote.</p>`
    : "";
};

const phases = (report: Report): string => {
  if (report.phases.length === 0) return "";
  const rows = report.phases.map(({ name, startSeconds, seconds, parallel, on }) => {
    const cost = legend.find(([key]) => key === (on ?? "nightshift"))?.[1] ?? "";
    return (
      `<tr><td>${html(name)}</td><td class="time">${offset(startSeconds)}</td>` +
      `<td class="number">${spoken(seconds)}</td>` +
      `<td>${html(cost)}${parallel ? ", beside another phase" : ""}</td></tr>`
    );
  });
  return `<h2>Phases</h2>\n${table(["Phase", "From", "#Took", "Spent on"], rows)}`;
};

const strong: ReadonlySet<RunEvent["kind"]> = new Set(["incident", "promotion", "served", "fault"]);

const events = (report: Report): string => {
  const { entries, verified } = report.journal;
  const chain = verified
    ? "their hash chain was verified: none is missing, changed or out of order"
    : "their hash chain could NOT be verified";
  const rows = report.events.map(
    ({ atSeconds, who, kind, text }) =>
      `<tr${strong.has(kind) ? ` class="key-event"` : ""}><td class="time">${offset(atSeconds)}</td>` +
      `<td class="who">${html(who)}</td><td class="word">${html(kind)}</td><td>${html(text)}</td></tr>`,
  );
  return [
    "<h2>What happened</h2>",
    `<p>The run's journal has ${plural(entries, "entry", "entries")}; ${chain}.</p>`,
    table(["Time", "Who", "What", ""], rows),
  ].join("\n");
};

const footer = (report: Report): string => {
  const { speed, regions } = report;
  return [
    "<footer>",
    `<p>${html(report.modelled)}</p>`,
    `<p>Home ${html(regions.home)}, standby ${html(regions.standby)}, witness ` +
      `${html(regions.witness)}. Time ran ${html(String(speed))} times as fast as on the wall. ` +
      `Run again: <code>${html(commandOf(report))}</code>. ` +
      "All figures of this page are in <code>report.json</code> beside it.</p>",
    "</footer>",
  ].join("\n");
};
