import type { Phase, Report, Sample } from "./report.ts";
import type { Axis, Mark, Stretch } from "./timeline.ts";
import { axisOf, gapOf, marksOf, stretchesOf, thinned } from "./timeline.ts";
import { clip, offset, plain, spoken } from "./words.ts";

/** Text and attribute values alike: all five characters that HTML gives a meaning. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const size = { width: 1120, gutter: 214, right: 26, lane: 17, row: 23, load: 150, axis: 26 };
/** Of the widest font that a page is likely to get, so that no label runs into another. */
const letter = 6.9;

interface Drawing {
  axis: Axis;
  x(seconds: number): number;
  /** Tops of the three bands, and the foot of the drawing. */
  rows: number;
  load: number;
  foot: number;
}

/** Phases, marks and users' writes on one axis of modelled seconds, as an SVG element. */
export const chart = (report: Report): string => {
  const axis = axisOf(report);
  const plot = size.width - size.gutter - size.right;
  const x = (seconds: number): number => {
    const inside = Math.min(Math.max(seconds, axis.from), axis.to);
    return round(size.gutter + ((inside - axis.from) / (axis.to - axis.from)) * plot);
  };
  const lanes = laneOf(marksOf(report), x);
  const rows = 12 + (Math.max(-1, ...lanes.map(({ lane }) => lane)) + 1) * size.lane;
  const load = rows + report.phases.length * size.row + 34;
  const foot = load + size.load;
  const drawing: Drawing = { axis, x, rows, load, foot };
  const height = foot + size.axis;
  return [
    `<svg viewBox="0 0 ${size.width} ${height}" role="img" aria-labelledby="drawn">`,
    `<title id="drawn">${escaped(describe(report))}</title>`,
    grid(drawing),
    gap(report, drawing),
    lanes.map((placed) => pole(placed, drawing)).join(""),
    report.phases.map((phase, row) => bar(phase, row, drawing)).join(""),
    writes(report, drawing),
    lanes.map(flag).join(""),
    "</svg>",
  ].join("\n");
};

const describe = (report: Report): string => {
  const phases = report.phases.map(
    ({ name, startSeconds, seconds }) =>
      `${name} from ${offset(startSeconds)} for ${spoken(seconds)}`,
  );
  return `Timeline from the incident: ${phases.join("; ")}. Under it users' acknowledged writes.`;
};

const round = (value: number): number => Math.round(value * 10) / 10;

const grid = ({ axis, x, rows, foot }: Drawing): string =>
  axis.ticks
    .map(
      (tick) =>
        `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="${rows}" y2="${foot}"/>` +
        `<text class="tick" x="${x(tick)}" y="${foot + 17}">${offset(tick)}</text>`,
    )
    .join("");

const bar = (phase: Phase, row: number, { x, rows, axis }: Drawing): string => {
  const top = rows + 6 + row * size.row;
  const left = x(phase.startSeconds);
  const wide = Math.max(2, round(x(phase.startSeconds + phase.seconds) - left));
  const took = spoken(phase.seconds);
  const outside = left + wide + 6 + took.length * letter < x(axis.to);
  const at = outside ? `x="${round(left + wide + 6)}"` : `x="${round(left - 6)}" text-anchor="end"`;
  const name = plain(phase.name);
  const story = `${name}: from ${offset(phase.startSeconds)}, ${took}`;
  const parallel = phase.parallel ? " beside" : "";
  return (
    `<g><title>${escaped(story)}</title>` +
    `<text class="phase" x="${size.gutter - 12}" y="${top + 12}">${escaped(clip(name, 32))}</text>` +
    `<rect class="bar ${phase.on ?? "nightshift"}${parallel}" x="${left}" y="${top}" ` +
    `width="${wide}" height="16" rx="3"/>` +
    `<text class="took" ${at} y="${top + 12}">${took}</text></g>`
  );
};

const gap = (report: Report, { x, rows, foot }: Drawing): string => {
  const silent = gapOf(report.throughput, report.rtoSeconds);
  if (!silent) return "";
  const left = x(silent.from);
  const wide = round(x(silent.to) - left);
  const words = `no write acknowledged for ${spoken(silent.to - silent.from)}`;
  const middle = round(left + wide / 2);
  const label =
    words.length * letter < wide
      ? `<text class="gap-words" x="${middle}" y="${foot - 9}">${words}</text>`
      : "";
  return (
    `<rect class="gap" x="${left}" y="${rows}" width="${wide}" height="${foot - rows}">` +
    `<title>${words}</title></rect>${label}`
  );
};

const writes = (report: Report, drawing: Drawing): string => {
  const { x, load, foot, axis } = drawing;
  const shown = report.throughput.filter(
    ({ atSeconds }) => atSeconds >= axis.from && atSeconds <= axis.to,
  );
  const samples = thinned(shown, 600);
  const most = Math.max(1, ...samples.flatMap((s) => [s.acknowledgedPerSecond, s.failedPerSecond]));
  const y = (perSecond: number): number => round(foot - (perSecond / most) * (size.load - 14));
  const line = samples.map((s) => `${x(s.atSeconds)},${y(s.failedPerSecond)}`).join(" ");
  const failed = samples.some(({ failedPerSecond }) => failedPerSecond > 0);
  return [
    `<text class="phase" x="${size.gutter - 12}" y="${load + 20}">users’ writes</text>`,
    `<text class="unit" x="${size.gutter - 12}" y="${load + 36}">acknowledged per second</text>`,
    `<text class="unit" x="${size.gutter - 12}" y="${load + 52}">highest ${peak(most)}</text>`,
    ...stretchesOf(samples).map((stretch) => area(stretch, report, drawing, y)),
    failed
      ? `<polyline class="failed" points="${line}"><title>failed per second</title></polyline>`
      : "",
    failed
      ? `<text class="unit bad" x="${size.gutter - 12}" y="${load + 68}">- - failed</text>`
      : "",
    `<line class="base" x1="${size.gutter}" x2="${x(axis.to)}" y1="${foot}" y2="${foot}"/>`,
  ].join("\n");
};

const peak = (perSecond: number): string =>
  perSecond >= 10 ? String(Math.round(perSecond)) : String(round(perSecond));

const area = (
  { region, samples, untilSeconds }: Stretch,
  report: Report,
  { x, foot }: Drawing,
  y: (perSecond: number) => number,
): string => {
  const first = samples[0];
  const last = samples.at(-1);
  if (region === null || !first || !last) return "";
  const top = samples.map((s: Sample) => `${x(s.atSeconds)},${y(s.acknowledgedPerSecond)}`);
  const end = x(untilSeconds);
  const points = [
    `${x(first.atSeconds)},${foot}`,
    ...top,
    `${end},${y(last.acknowledgedPerSecond)}`,
    `${end},${foot}`,
  ];
  const name = plain(region);
  const fits = end - x(first.atSeconds) > name.length * letter + 12;
  const label = fits
    ? `<text class="where" x="${x(first.atSeconds) + 7}" y="${foot - 9}">${escaped(name)}</text>`
    : "";
  const side = region === report.regions.home ? "home" : "standby";
  return (
    `<polygon class="area ${side}" points="${points.join(" ")}">` +
    `<title>acknowledged by ${escaped(name)}</title></polygon>${label}`
  );
};

interface Placed {
  mark: Mark;
  lane: number;
  left: number;
  flipped: boolean;
  words: string;
}

/** Gives every mark the highest lane in which its words touch no other's. */
const laneOf = (marks: readonly Mark[], x: (seconds: number) => number): Placed[] => {
  const taken: { lane: number; from: number; to: number }[] = [];
  return marks.map((mark) => {
    const words = `${offset(mark.atSeconds)} ${clip(plain(mark.label), 34)}`;
    const at = x(mark.atSeconds);
    const long = words.length * letter + 10;
    const flipped = at + long > size.width;
    const [from, to] = flipped ? [at - long, at] : [at, at + long];
    let lane = 0;
    while (taken.some((other) => other.lane === lane && other.from < to && from < other.to)) {
      lane += 1;
    }
    taken.push({ lane, from, to });
    return { mark, lane, left: at, flipped, words };
  });
};

// Lines are drawn before and words after everything else, so that no line crosses a word.
const pole = ({ mark, lane, left }: Placed, { foot }: Drawing): string =>
  `<line class="pole ${mark.kind}" x1="${left}" x2="${left}" y1="${4 + lane * size.lane}" y2="${foot}"/>`;

const flag = ({ mark, lane, left, flipped, words }: Placed): string => {
  const anchor = flipped ? ` text-anchor="end"` : "";
  const [time = "", ...rest] = words.split(" ");
  return (
    `<text class="flag ${mark.kind}" x="${flipped ? left - 5 : left + 5}" ` +
    `y="${15 + lane * size.lane}"${anchor}>` +
    `<tspan class="time">${time}</tspan> ${escaped(rest.join(" "))}</text>`
  );
};

/** The legend's entries: class of the bar, and what it stands for. */
export const legend: readonly (readonly [string, string])[] = [
  ["nightshift", "Nightshift’s own work"],
  ["aws", "waiting for AWS"],
  ["people", "waiting for people"],
  ["safety", "waiting to be sure: that it is lost, and that there are never two writers"],
];
