import { escaped } from "./chart.ts";
import { repairsChart, stretchWords } from "./repairs-chart.ts";
import { outcomeOf, timesOf } from "./repairs-closing.ts";
import {
  type RepairReport,
  type RepairRow,
  repairCommand,
  repairHeadline,
  repairVerdicts,
} from "./repairs-report.ts";
import { style } from "./style.ts";
import type { Tone } from "./verdict.ts";
import { count, offset, plain, plural, spoken } from "./words.ts";

const html = (text: string): string => escaped(plain(text));

/**
 * One HTML page that needs nothing else: no script, no font, no picture from elsewhere. Everything
 * that came from the run is escaped.
 */
export const repairsPage = (report: RepairReport): string => {
  const { tone, text } = repairHeadline(report);
  const verdicts = repairVerdicts(report).map(
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
    stories(report),
    checks(report),
    events(report),
    footer(report),
    "</main></body></html>",
    "",
  ].join("\n");
};

const tiles = (report: RepairReport): string => {
  const { rows, lost, acknowledged, failed, budget, checks: all } = report;
  const tile = (name: string, value: string, tone: Tone, small: string): string =>
    `<div><dt>${name}</dt><dd class="${tone}">${html(value)}<small>${html(small)}</small></dd></div>`;
  const tellers = rows.map(outcomeOf);
  const good = (text: string) =>
    tellers.filter((each) => each.text === text && each.tone === "good").length;
  const acts = rows.filter(({ mustAct }) => mustAct).length;
  const waits = rows.length - acts;
  const held = all.filter((check) => check.held).length;
  const toneOf = (is: boolean): Tone => (is ? "good" : "bad");
  return [
    `<dl class="tiles">`,
    tile(
      "Repaired and proven",
      `${good("repaired")} of ${acts}`,
      toneOf(good("repaired") === acts),
      "by themselves or approved",
    ),
    ...(waits > 0
      ? [
          tile(
            "Rightly left alone",
            `${good("left alone")} of ${waits}`,
            toneOf(good("left alone") === waits),
            "nothing was touched",
          ),
        ]
      : []),
    tile("Writes lost", count(lost), toneOf(lost === 0), `of ${count(acknowledged)} acknowledged`),
    tile("Requests failed", count(failed), "good", "in all stories"),
    tile(
      "Deeds",
      `${budget.used}`,
      toneOf(budget.used <= budget.perHour),
      `of ${budget.perHour} an hour`,
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

const timeline = (report: RepairReport): string => {
  const keys = stretchWords.map(
    ([, colour, words]) => `<span class="key ${colour}"></span>${html(words)}`,
  );
  return (
    `<h2>Timeline, modelled time from the first break</h2>\n<figure>${repairsChart(report)}` +
    `<figcaption>${keys.join("")}</figcaption></figure>`
  );
};

const stories = ({ rows }: RepairReport): string =>
  ["<h2>What broke, and what came of it</h2>", ...rows.map(story)].join("\n");

const story = (row: RepairRow): string => {
  const { tone, text } = outcomeOf(row);
  const after = row.seconds === null ? "" : ` after ${spoken(row.seconds)}`;
  const line = (name: string, words: string) =>
    words === "" ? "" : `<tr><td class="who">${name}</td><td>${html(words)}</td></tr>`;
  const others = row.attempts
    .filter(({ run }) => run !== row.run)
    .map(({ playbook, end, code }) => `${playbook} ended ${end} (${code})`);
  const alarms = row.alarms > 0 ? `${count(row.alarms)} alarms of the storm rang. ` : "";
  return [
    `<h3>${html(row.title)}: <span class="${tone}">${html(`${text}${after}`)}</span></h3>`,
    `<div class="scroll"><table><tbody>`,
    line("broke", `${row.text} (${offset(row.brokenAtSeconds)})`),
    line("seen", row.seen),
    line("decided", row.decided),
    line("approved by", row.approvedBy.join(" and ")),
    line("done", row.done),
    line(row.mustAct ? "proven" : "ended", row.proven),
    line("time", timesOf(row)),
    line(
      "users",
      `${count(row.acknowledged)} writes acknowledged, ${count(row.failed)} requests failed`,
    ),
    line("besides", `${alarms}${others.join("; ")}`.trim()),
    line("run", `${row.run}, playbook ${row.playbook}`),
    "</tbody></table></div>",
  ].join("\n");
};

const table = (heads: readonly string[], rows: readonly string[]): string => {
  const head = `<thead><tr>${heads.map((each) => `<th>${each}</th>`).join("")}</tr></thead>`;
  return `<div class="scroll"><table>${head}<tbody>\n${rows.join("\n")}\n</tbody></table></div>`;
};

const checks = (report: RepairReport): string => {
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
  return `<h2>Checks</h2>\n${table(["", "Check", "Expected", "Found"], rows)}`;
};

const events = (report: RepairReport): string => {
  const { runs, entries, verified } = report.journal;
  const chain = verified
    ? "the hash chain of each was verified: none is missing, changed or out of order"
    : "their hash chains could NOT be verified";
  const rows = report.events.map(
    ({ atSeconds, who, kind, text }) =>
      `<tr${kind === "fault" ? ` class="key-event"` : ""}><td class="time">${offset(atSeconds)}</td>` +
      `<td class="who">${html(who)}</td><td class="word">${html(kind)}</td><td>${html(text)}</td></tr>`,
  );
  return [
    "<h2>What happened</h2>",
    `<p>${plural(entries, "entry", "entries")} of ${plural(runs, "attempt")}; ${chain}.</p>`,
    table(["Time", "Who", "What", ""], rows),
  ].join("\n");
};

const footer = (report: RepairReport): string =>
  [
    "<footer>",
    `<p>${html(report.modelled)}</p>`,
    `<p>Time ran ${html(String(report.speed))} times as fast as on the wall. ` +
      `Run again: <code>${html(repairCommand(report))}</code>. ` +
      "All figures of this page are in <code>report.json</code> beside it.</p>",
    "</footer>",
  ].join("\n");
