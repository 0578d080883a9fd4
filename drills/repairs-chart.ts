import { escaped } from "./chart.ts";
import type { RepairReport, RepairRow, StretchKind } from "./repairs-report.ts";
import { axisOf, thinned } from "./timeline.ts";
import { clip, offset, plain, spoken } from "./words.ts";

/** What the time of a story went to: its colour on the page, and what that stands for. */
export const stretchWords: readonly (readonly [StretchKind, string, string])[] = [
  ["noticing", "safety", "until an alarm was sure"],
  ["deciding", "nightshift", "looking and deciding"],
  ["asking", "people", "waiting for people"],
  ["acting", "nightshift", "the deed"],
  ["proving", "aws", "until it had proven itself"],
];

const size = { width: 1120, gutter: 300, right: 70, row: 26, load: 110, axis: 26 };
const bandPadding = 14;

interface Drawing {
  x(seconds: number): number;
  ticks: readonly number[];
  load: number;
  foot: number;
}

/** A row for each story and users' writes under them, on one axis of modelled seconds, as an SVG element. */
export const repairsChart = (report: RepairReport): string => {
  const axis = axisOf({
    throughput: report.throughput,
    events: [],
    phases: report.rows.map(({ name, brokenAtSeconds, endedAtSeconds }) => ({
      name,
      startSeconds: brokenAtSeconds,
      seconds: endedAtSeconds - brokenAtSeconds,
    })),
  });
  const plot = size.width - size.gutter - size.right;
  const x = (seconds: number): number => {
    const inside = Math.min(Math.max(seconds, axis.from), axis.to);
    return round(size.gutter + ((inside - axis.from) / (axis.to - axis.from)) * plot);
  };
  const load = bandPadding + report.rows.length * size.row + bandPadding;
  const foot = load + size.load;
  const drawing = { x, ticks: axis.ticks, load, foot };
  return [
    `<svg viewBox="0 0 ${size.width} ${foot + size.axis}" role="img" aria-labelledby="drawn">`,
    `<title id="drawn">${escaped(describe(report))}</title>`,
    grid(drawing),
    report.rows.map((row, index) => bars(row, index, drawing)).join("\n"),
    writes(report, drawing),
    "</svg>",
  ].join("\n");
};

const describe = ({ rows }: RepairReport): string =>
  rows
    .map(({ title, brokenAtSeconds, endedAtSeconds }) => {
      const took = spoken(endedAtSeconds - brokenAtSeconds);
      return `${plain(title)} from ${offset(brokenAtSeconds)} for ${took}`;
    })
    .join("; ");

const round = (value: number): number => Math.round(value * 10) / 10;

const grid = ({ ticks, x, foot }: Drawing): string =>
  ticks
    .map(
      (tick) =>
        `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="4" y2="${foot}"/>` +
        `<text class="tick" x="${x(tick)}" y="${foot + 17}">${offset(tick)}</text>`,
    )
    .join("");

const bars = (row: RepairRow, index: number, { x }: Drawing): string => {
  const top = bandPadding + index * size.row;
  const pieces = row.stretches.map(({ kind, fromSeconds, toSeconds }) => {
    const colour = stretchWords.find(([name]) => name === kind)?.[1] ?? "nightshift";
    const wide = Math.max(1.5, round(x(toSeconds) - x(fromSeconds)));
    const beside = kind === "deciding" ? " beside" : "";
    return (
      `<rect class="bar ${colour}${beside}" x="${x(fromSeconds)}" y="${top}" width="${wide}" height="16">` +
      `<title>${kind}: ${spoken(toSeconds - fromSeconds)}</title></rect>`
    );
  });
  const took = row.seconds === null ? "no answer" : spoken(row.seconds);
  return (
    `<g><text class="phase" x="${size.gutter - 12}" y="${top + 12}">` +
    `${escaped(clip(plain(row.title), 46))}</text>${pieces.join("")}` +
    `<text class="took" x="${x(row.endedAtSeconds) + 6}" y="${top + 12}">${took}</text></g>`
  );
};

const writes = ({ throughput }: RepairReport, { x, load, foot }: Drawing): string => {
  const samples = thinned(throughput, 600);
  const most = Math.max(1, ...samples.flatMap((s) => [s.acknowledgedPerSecond, s.failedPerSecond]));
  const y = (perSecond: number): number => round(foot - (perSecond / most) * (size.load - 14));
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last) return "";
  const told = samples.map((s) => `${x(s.atSeconds)},${y(s.acknowledgedPerSecond)}`);
  const failed = samples.map((s) => `${x(s.atSeconds)},${y(s.failedPerSecond)}`);
  const label = (below: number, words: string, kind: string) =>
    `<text class="${kind}" x="${size.gutter - 12}" y="${load + below}">${words}</text>`;
  return [
    label(20, "users’ writes", "phase"),
    label(36, "acknowledged per second", "unit"),
    label(52, `highest ${round(most)}`, "unit"),
    label(68, "- - failed", "unit bad"),
    `<polygon class="area home" points="${x(first.atSeconds)},${foot} ${told.join(" ")} ` +
      `${x(last.atSeconds)},${foot}"><title>acknowledged</title></polygon>`,
    `<polyline class="failed" points="${failed.join(" ")}"><title>failed per second</title></polyline>`,
    `<line class="base" x1="${size.gutter}" x2="${x(last.atSeconds)}" y1="${foot}" y2="${foot}"/>`,
  ].join("\n");
};
