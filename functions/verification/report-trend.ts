import type { ReportedRun } from "./report.ts";
import { duration, escaped } from "./report-markup.ts";

const width = 960;
const height = 220;
const left = 84;
const right = 12;
const top = 28;
const bottom = 30;
const inner = { width: width - left - right, height: height - top - bottom };

interface Line {
  name: string;
  colour: string;
  values: (number | null)[];
}

/** Recovery time and loss over the runs, each against its objective. */
export const trend = (runs: readonly ReportedRun[]): string => {
  const of = (pick: (run: ReportedRun) => number | null) => runs.map(pick);
  const last = runs.at(-1)?.body.objectives;
  const recovery = chart(
    runs,
    [
      {
        name: "read in full",
        colour: "#2456a6",
        values: of(({ body }) => body.measured.warmSeconds),
      },
      {
        name: "available",
        colour: "#7fa6dd",
        values: of(({ body }) => body.measured.availableSeconds),
      },
    ],
    last?.rtoSeconds ?? 0,
  );
  const loss = chart(
    runs,
    [{ name: "data loss", colour: "#8a4bb3", values: of(({ body }) => body.measured.lossSeconds) }],
    last?.rpoSeconds ?? 0,
  );
  return (
    `<section><h2>Recovery time</h2>${recovery}</section>` +
    `<section><h2>Data loss, by the newest heartbeat</h2>${loss}</section>`
  );
};

/** A red mark at the bottom stands for a run that did not measure: a gap alone would look like calm. */
const chart = (runs: readonly ReportedRun[], lines: readonly Line[], objective: number): string => {
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null));
  const ceiling = roundedUp(Math.max(objective * 1.15, ...values, 1));
  const across = (index: number) =>
    left + (runs.length === 1 ? inner.width / 2 : (inner.width * index) / (runs.length - 1));
  const up = (value: number) => top + inner.height * (1 - value / ceiling);
  const parts = [
    ...[0, 0.5, 1].map((share) => grid(up(share * ceiling), duration(share * ceiling))),
    rule(up(objective), 'stroke="#b3261e" stroke-dasharray="6 4"'),
    label(width - right, up(objective) - 5, `objective ${duration(objective)}`, "end", "#b3261e"),
    ...lines.flatMap((line) => [path(line, across, up), ...dots(runs, line, across, up)]),
    ...runs.flatMap((_, index) => (isUnmeasured(lines, index) ? [cross(across(index))] : [])),
    label(across(0), height - 8, dayOf(runs[0]), runs.length === 1 ? "middle" : "start"),
    runs.length > 1 ? label(across(runs.length - 1), height - 8, dayOf(runs.at(-1)), "end") : "",
    ...lines.map((line, index) =>
      label(left + index * 120, 14, `● ${line.name}`, "start", line.colour),
    ),
  ];
  const says = `${lines.map(({ name }) => name).join(" and ")} over ${runs.length} runs`;
  const box = `viewBox="0 0 ${width} ${height}"`;
  return `<svg ${box} role="img" aria-label="${escaped(says)}">${parts.join("")}</svg>`;
};

const fixed = (value: number): string => value.toFixed(1);

const rule = (y: number, stroke: string): string =>
  `<line x1="${left}" x2="${width - right}" y1="${fixed(y)}" y2="${fixed(y)}" ${stroke}/>`;

const grid = (y: number, text: string): string =>
  rule(y, 'stroke="#e3e7ee"') + label(left - 8, y + 4, text, "end");

const label = (x: number, y: number, text: string, anchor: string, colour = "#5d6778"): string =>
  `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}" fill="${colour}"
    font-size="11" font-family="system-ui,sans-serif">${escaped(text)}</text>`;

type Place = (value: number) => number;

/** Broken where nothing was measured: a straight line over it would claim what nobody knows. */
const path = ({ values, colour }: Line, across: Place, up: Place): string => {
  const steps = values.map((value, index) => {
    if (value === null) return "";
    const begins = index === 0 || values[index - 1] === null;
    return `${begins ? "M" : "L"}${fixed(across(index))} ${fixed(up(value))}`;
  });
  return `<path d="${steps.join("")}" fill="none" stroke="${colour}" stroke-width="2"/>`;
};

const dots = (
  runs: readonly ReportedRun[],
  { values, colour, name }: Line,
  across: Place,
  up: Place,
): string[] =>
  values.flatMap((value, index) => {
    if (value === null) return [];
    const says = `${runs[index]?.run}: ${name} ${duration(value)}`;
    return [
      `<circle cx="${fixed(across(index))}" cy="${fixed(up(value))}" r="3" fill="${colour}">` +
        `<title>${escaped(says)}</title></circle>`,
    ];
  });

const isUnmeasured = (lines: readonly Line[], index: number): boolean =>
  lines[0]?.values[index] === null;

const cross = (x: number): string => {
  const y = top + inner.height;
  const shape = `M${fixed(x - 4)} ${y - 8}l8 8m0 -8l-8 8`;
  return `<path d="${shape}" stroke="#b3261e" stroke-width="2"><title>not measured</title></path>`;
};

const dayOf = (run: ReportedRun | undefined): string => run?.recordedAt.slice(0, 10) ?? "";

/** To a figure that people read easily, in seconds, minutes or hours. */
const roundedUp = (seconds: number): number => {
  const unit = seconds > 3600 ? 3600 : seconds > 120 ? 60 : 1;
  const power = 10 ** Math.floor(Math.log10(seconds / unit));
  const step =
    [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((each) => each * power * unit >= seconds) ?? 10;
  return step * power * unit;
};
