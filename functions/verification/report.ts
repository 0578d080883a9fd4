import { isoSeconds } from "../../shared/clock.ts";
import type { EvidenceRecord } from "../../shared/evidence.ts";
import type { RecordedCheck, VerificationBody } from "./evidence.ts";
import { verificationIn } from "./evidence.ts";
import { duration, html, joined, type Markup, markup } from "./report-markup.ts";
import { trend } from "./report-trend.ts";

/** One run as the page needs it. */
export interface ReportedRun {
  sequence: number;
  hash: string;
  run: string;
  recordedAt: string;
  body: VerificationBody;
}

const mostRuns = 60;
const hourMilliseconds = 3_600_000;

/** Records of restore tests, oldest first, and no more than a page can show. */
export const reportedRuns = (records: readonly EvidenceRecord[]): ReportedRun[] =>
  records
    .flatMap((record) => {
      const body = verificationIn(record);
      const { sequence, hash, run, recordedAt } = record;
      return body ? [{ sequence, hash, run, recordedAt, body }] : [];
    })
    .toSorted((one, other) => one.sequence - other.sequence)
    .slice(-mostRuns);

export interface ReportSettings {
  now: number;
  /** A run older than this proves nothing about today. */
  overdueHours: number;
}

/**
 * One HTML page that needs nothing else: no script, no font, no picture from elsewhere. What it says comes
 * from the records of evidence only, so that nobody has to believe the page.
 */
export const reportPage = (
  runs: readonly ReportedRun[],
  { now, overdueHours }: ReportSettings,
): string => {
  const last = runs.at(-1);
  const title = last ? `Restore tests of ${last.body.platform}` : "Restore tests";
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>${markup(style)}</style></head><body><main>
<header><h1>${title}</h1>
<p class="quiet">Written ${minute(isoSeconds(now))} by Nightshift from ${runs.length} records of evidence.
All times are UTC.</p></header>
${last ? lately(last, now, overdueHours) : nothing()}
${runs.length > 0 ? markup(trend(runs)) : markup("")}
${last ? checksOfRun(last) : markup("")}
${runs.length > 0 ? history(runs) : markup("")}
${last ? proof(last) : markup("")}
</main></body></html>
`;
  return page.text;
};

const nothing = (): Markup =>
  html`<section class="verdict red"><h2>Nothing was ever verified</h2>
<p>There is no record of a restore test. Until there is one, assume that there is no backup.</p>
</section>`;

const lately = ({ run, body, recordedAt }: ReportedRun, now: number, overdueHours: number) => {
  const hours = (now - Date.parse(recordedAt)) / hourMilliseconds;
  const isOverdue = hours > overdueHours;
  const isGreen = body.outcome.verified && !isOverdue;
  const headline = isOverdue
    ? `Overdue: the last restore test is ${Math.floor(hours)} hours old`
    : body.outcome.verified
      ? "The backups restore, and what is in them is right"
      : "The backups are not verified";
  const { landed, restorable, correct } = body.outcome;
  return html`<section class="verdict ${isGreen ? "green" : "red"}"><h2>${headline}</h2>
<p>${run}, asked for by ${body.trigger.by}${body.trigger.reason ? ` (${body.trigger.reason})` : ""},
ended ${minute(recordedAt)}.</p></section>
<div class="cards">${joined([
    grade("Landed", "Fresh, kept long enough, copied to the other region", landed),
    grade("Restorable", "A real instance was made of it", restorable),
    grade("Correct", "All of it was read, and it is what it should be", correct),
  ])}</div>
<div class="cards">${joined(figures(body))}</div>`;
};

const grade = (
  name: string,
  question: string,
  { is, why }: VerificationBody["outcome"]["landed"],
): Markup =>
  html`<article class="card ${is === "yes" ? "green" : "red"}"><h3>${name}: ${is}</h3>
<p class="quiet">${question}</p>${joined(
    why.map((sentence) => html`<p>${sentence}</p>`),
  )}</article>`;

const figures = ({ measured, objectives, backup, restore }: VerificationBody): Markup[] => [
  figure(
    "Recovery time",
    measured.warmSeconds,
    measured.rtoMet,
    `until all was read once; objective ${duration(objectives.rtoSeconds)}. Available after
${duration(measured.availableSeconds)}.`,
  ),
  figure(
    "Data loss",
    measured.lossSeconds,
    measured.rpoMet,
    `by the newest heartbeat in the copy; objective ${duration(objectives.rpoSeconds)}. Backups
lagged ${duration(measured.backupLagSeconds)}.`,
  ),
  html`<article class="card"><h3>What was restored</h3><p>${
    backup && restore
      ? `${backup.source} of ${backup.sourceRegion} as of ${minute(restore.to)}, in ${restore.region} on
${restore.instanceClass}`
      : "nothing"
  }</p><p class="quiet">
${
  backup
    ? `${backup.storageGigabytes} GB, kept ${backup.retentionDays} days, key ${backup.kmsKey ?? "none"}`
    : "No backup was found."
}</p></article>`,
];

const figure = (name: string, value: number | null, isMet: boolean | null, says: string): Markup =>
  html`<article class="card ${isMet ? "green" : "red"}"><h3>${name}</h3><p class="figure">
${duration(value)}</p><p class="quiet">${says}</p></article>`;

const checksOfRun = ({ body }: ReportedRun): Markup => {
  const reds = body.checks.filter(({ is }) => is !== "passed").length;
  const said = reds === 0 ? "all passed" : `${reds} not green`;
  return html`<section><h2>Checks of the last run: ${body.checks.length}, ${said}</h2>${
    body.remediation.length > 0
      ? html`<ul class="todo">${joined(body.remediation.map((each) => html`<li>${each}</li>`))}</ul>`
      : markup("")
  }<table><thead><tr><th class="w22">Check</th><th class="w14">Result</th>
<th>Expected</th><th>Found</th></tr></thead>
<tbody>${joined(body.checks.map(checkRow))}</tbody></table>${
    body.version.leftOut.length > 0
      ? html`<p class="quiet">The operator does without: ${body.version.leftOut.join(", ")}. Nobody
has looked at it.</p>`
      : markup("")
  }</section>`;
};

const checkRow = ({ part, name, is, expected, actual, says }: RecordedCheck): Markup =>
  html`<tr><td><b>${name}</b><br><span class="quiet">${part}</span></td>
<td class="${is === "passed" ? "ok" : "bad"}">${is}</td><td>${expected}</td><td>${actual}<br>
<span class="quiet">${says}</span></td></tr>`;

const history = (runs: readonly ReportedRun[]): Markup =>
  html`<section><h2>The last ${runs.length} runs</h2><table><thead><tr>
<th class="w8">Record</th><th class="w30">Run</th>
<th>Restored to</th><th>Verdict</th><th>Recovery</th><th>Loss</th></tr></thead><tbody>${joined(
    runs.toReversed().map(historyRow),
  )}</tbody></table></section>`;

const historyRow = ({ sequence, run, recordedAt, body }: ReportedRun): Markup =>
  html`<tr><td>${sequence}</td><td>${run}<br><span class="quiet">${minute(recordedAt)}</span></td><td>
${minute(body.restore?.to ?? "nothing")}<br><span class="quiet">${body.restore?.aim ?? ""}</span></td>
<td class="${body.outcome.verified ? "ok" : "bad"}">
${body.outcome.verified ? "verified" : body.outcome.code}</td><td>
${duration(body.measured.warmSeconds)}</td><td>${duration(body.measured.lossSeconds)}</td></tr>`;

const proof = ({ sequence, hash, body }: ReportedRun): Markup =>
  html`<section><h2>How to check this page</h2><p>The newest record is <code>
${sequence}:${hash.slice(0, 16)}</code>. With the files of the evidence bucket and the public key,
and nothing of Nightshift's account:</p>
<pre>npm run evidence -- records --key key.der --head ${sequence}:${hash.slice(0, 16)}</pre>
<p class="quiet">Code ${body.version.code}, policy ${body.version.policy.slice(0, 16)}, journal
${body.journal.run}.</p></section>`;

/** `2026-11-22 03:00`: the header says that times are UTC. */
const minute = (iso: string): string => iso.replace(/^(\S{10})T(\d\d:\d\d).*$/, "$1 $2");

const style = `
.w8{width:8%}.w14{width:14%}.w22{width:22%}.w30{width:30%}
:root{color-scheme:light;--ink:#1c2330;--quiet:#5d6778;--line:#dde2ea;--green:#1b7f4b;--red:#b3261e}
*{box-sizing:border-box}
body{margin:0;background:#f4f6f9;color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1040px;margin:0 auto;padding:24px 20px 60px}h1{font-size:24px;margin:0}
h2{font-size:18px;margin:0 0 8px}h3{font-size:15px;margin:0 0 4px}p{margin:0 0 6px}
header{margin-bottom:16px}
section{background:#fff;border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:16px 0}
.quiet{color:var(--quiet);font-size:13px}.verdict{border-left:8px solid}
.verdict.green{border-left-color:var(--green)}
.verdict.red{border-left-color:var(--red)}
.cards{display:grid;grid-template-columns:repeat(3,1fr);gap:12px;margin:12px 0}
.card{background:#fff;border:1px solid var(--line);border-top:4px solid var(--line);border-radius:8px;
  padding:12px 14px;overflow-wrap:anywhere}
.card.green{border-top-color:var(--green)}.card.red{border-top-color:var(--red)}
.card.red h3{color:var(--red)}
.figure{font-size:26px;font-weight:600;margin:0}
table{border-collapse:collapse;width:100%;font-size:13px;table-layout:fixed}
th{text-align:left;color:var(--quiet);font-weight:600}
th,td{padding:6px 8px;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
.ok{color:var(--green);font-weight:600}.bad{color:var(--red);font-weight:600}
.todo{margin:0 0 12px;padding-left:20px}
pre{background:#f4f6f9;padding:10px;border-radius:6px;overflow:auto}
svg{display:block;width:100%;height:auto}
@media(max-width:720px){.cards{grid-template-columns:1fr}}@media print{body{background:#fff}
section,.card{break-inside:avoid}}
`;
