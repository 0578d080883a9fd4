import type { EventKind, MarkKind, Report, Sample } from "./report.ts";

/** The axis that phases, marks and users' writes share, in modelled seconds from the incident. */
export interface Axis {
  from: number;
  to: number;
  ticks: number[];
}

const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** From a little before the incident, so that healthy service is seen, to the last thing known. */
export const axisOf = (report: Pick<Report, "phases" | "events" | "throughput">): Axis => {
  const ends = [
    60,
    ...report.phases.map((phase) => phase.startSeconds + phase.seconds),
    ...report.events.map((event) => event.atSeconds),
    ...report.throughput.map((sample) => sample.atSeconds),
  ];
  const to = ends.reduce((latest, end) => Math.max(latest, end));
  const starts = [0, ...report.throughput.map((sample) => sample.atSeconds)];
  const earliest = starts.reduce((first, start) => Math.min(first, start));
  // A warm-up of many minutes must not squeeze what matters into a corner.
  const soon = Math.max(earliest, -Math.max(30, to * 0.12));
  // A planned move is assessed and approved before its handover: that is part of the story.
  const from = report.phases.reduce(
    (first, { startSeconds }) => Math.min(first, startSeconds),
    soon,
  );
  const step = steps.find((candidate) => (to - from) / candidate <= 12) ?? (to - from) / 12;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return { from, to, ticks };
};

export interface Mark {
  kind: MarkKind;
  atSeconds: number;
  label: string;
}

const markWords: Record<MarkKind, string> = {
  incident: "region lost",
  alarm: "alarm",
  approval: "approved",
  fence: "fenced",
  promotion: "promoted",
  dns: "DNS moved",
  served: "first write",
  fault: "fault",
};

const isMark = (kind: EventKind): kind is MarkKind => kind in markWords;

/** Every approval is a mark of its own, of any other kind only the first: the rest is in the list. */
export const marksOf = ({ events, planned }: Pick<Report, "events" | "planned">): Mark[] => {
  const marks: Mark[] = [];
  for (const { kind, atSeconds, who } of events) {
    if (!isMark(kind)) continue;
    const seen = marks.filter((mark) => mark.kind === kind).length;
    if (seen > 0 && kind !== "approval") continue;
    const words = kind === "incident" && planned ? "handover" : markWords[kind];
    const label = kind === "approval" ? `${ordinal(seen)} approval (${who})` : words;
    marks.push({ kind, atSeconds, label });
  }
  return marks.sort((a, b) => a.atSeconds - b.atSeconds);
};

const ordinal = (index: number): string => ["first", "second"][index] ?? `${index + 1}th`;

/** Averages neighbours until at most `most` samples are left; a gap in service is never averaged away. */
export const thinned = (samples: readonly Sample[], most: number): Sample[] => {
  const size = Math.ceil(samples.length / most);
  if (size <= 1) return [...samples];
  const kept: Sample[] = [];
  let group: Sample[] = [];
  for (const sample of samples) {
    const first = group[0];
    if (first && (group.length === size || first.region !== sample.region)) {
      kept.push(average(first, group));
      group = [];
    }
    group.push(sample);
  }
  if (group[0]) kept.push(average(group[0], group));
  return kept;
};

const average = (first: Sample, group: readonly Sample[]): Sample => ({
  ...first,
  acknowledgedPerSecond: mean(group.map((sample) => sample.acknowledgedPerSecond)),
  failedPerSecond: mean(group.map((sample) => sample.failedPerSecond)),
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export interface Stretch {
  region: string | null;
  samples: Sample[];
  /** Where the next stretch begins, or the end of the last sample. */
  untilSeconds: number;
}

/** Consecutive samples that the same region (or nobody) answered. */
export const stretchesOf = (samples: readonly Sample[]): Stretch[] => {
  const stretches: Stretch[] = [];
  for (const sample of samples) {
    const last = stretches.at(-1);
    const region = sample.acknowledgedPerSecond > 0 ? sample.region : null;
    if (last) last.untilSeconds = sample.atSeconds;
    if (last && last.region === region) last.samples.push(sample);
    else stretches.push({ region, samples: [sample], untilSeconds: sample.atSeconds });
  }
  return stretches;
};

/** The time in which nobody's writes were acknowledged, if it began at the incident or after it. */
export const gapOf = (
  samples: readonly Sample[],
  servedSeconds: number | null,
): { from: number; to: number } | null => {
  const last = samples.at(-1);
  if (!last) return null;
  const silent = stretchesOf(samples).find(
    ({ region, untilSeconds }) => region === null && untilSeconds > 0,
  );
  const from = silent?.samples[0]?.atSeconds;
  if (from === undefined) return null;
  const end = servedSeconds ?? last.atSeconds;
  return end > from ? { from: Math.max(0, from), to: end } : null;
};
