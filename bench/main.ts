/** `npm run bench`: what the parts cost, measured side by side in one run. Under a minute. */
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import type { RotationCost } from "../test/simulation/rotations/measure.ts";
import { type BundleMeasure, measureBundles } from "./bundles.ts";
import { type Measured, measureEndpoint } from "./endpoint.ts";
import { type FailoverBench, measureFailovers } from "./failovers.ts";
import { type Course, measureOverhead, type Overhead } from "./overhead.ts";
import { measureRotations, rotationRows } from "./rotations.ts";
import { measureStorm, type StormMeasure } from "./storm.ts";

interface Bench {
  machine: { node: string; cores: number; processor: string };
  bundles: BundleMeasure[];
  endpoint: Measured[];
  failovers: FailoverBench;
  overhead: Overhead;
  storm: StormMeasure;
  rotations: RotationCost[];
  seconds: number;
}

const measure = async (tell: (line: string) => void): Promise<Bench> => {
  const began = performance.now();
  tell("bundling, weighing and importing every function …");
  const bundles = await measureBundles();
  tell("calling the endpoint, in process and over HTTP …");
  const endpoint = await measureEndpoint();
  tell("simulating failovers in virtual time …");
  const failovers = await measureFailovers();
  tell("failing over, by Nightshift and by hand …");
  const overhead = await measureOverhead();
  tell("ringing a thousand alarms at once …");
  const storm = await measureStorm({ alarms: 1000, resources: 50 });
  tell("rotating a secret of each kind …");
  const rotations = await measureRotations();
  return {
    machine: {
      node: process.version,
      cores: availableParallelism(),
      processor: cpus()[0]?.model ?? "unknown",
    },
    bundles,
    endpoint,
    failovers,
    overhead,
    storm,
    rotations,
    seconds: Math.round((performance.now() - began) / 1000),
  };
};

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} KB`;
const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;

/** First column to the left, numbers to the right. */
const table = (rows: string[][]): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: string[]) =>
    row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
  return rows.map((row) => `  ${line(row).join("   ")}`.trimEnd()).join("\n");
};

const bundleRows = (bundles: BundleMeasure[]): string[][] => [
  ["function", "minified", "gzip", "import", "processor", "from source"],
  ...bundles.map((each) => [
    each.name,
    kilobytes(each.minifiedBytes),
    kilobytes(each.gzipBytes),
    milliseconds(each.importMilliseconds),
    milliseconds(each.importProcessorMilliseconds),
    milliseconds(each.sourceImportMilliseconds),
  ]),
];

const endpointRows = (endpoint: Measured[]): string[][] => [
  ["one call, client included", "processor", "wall", "a second"],
  ...endpoint.map((each) => [
    each.name,
    milliseconds(each.processorMilliseconds),
    milliseconds(each.wallMilliseconds),
    (1000 / each.wallMilliseconds).toFixed(0),
  ]),
];

const failoverLine = (failovers: FailoverBench): string =>
  "skipped" in failovers
    ? `  failovers were not simulated: ${failovers.skipped}`
    : `  ${failovers.perSecond.toFixed(1)} complete failovers a second of wall time, ` +
      `${milliseconds(failovers.processorMillisecondsEach)} of one core each ` +
      `(${failovers.failovers} of them)`;

const seconds = (value: number): string => `${value.toFixed(0)} s`;

const mean = (courses: Course[], of: (course: Course) => number): string =>
  seconds(courses.reduce((sum, course) => sum + of(course), 0) / courses.length);

const overheadRows = ({ nightshift, byHand }: Overhead): string[][] => [
  ["mean, modelled", "Nightshift", "by hand"],
  ...(
    [
      ["isolation of the old region, what is left of it", (one) => one.critical.isolationSeconds],
      ["promotion, reboot included", (one) => one.critical.promotionSeconds],
      ["instances, what they take longer", (one) => one.critical.capacitySeconds],
      ["health checks and DNS", (one) => one.critical.trafficSeconds],
      ["waiting for whoever carries it out", (one) => one.overheadSeconds],
      ["from the decision until users are served", (one) => one.servedSeconds],
    ] satisfies [string, (course: Course) => number][]
  ).map(([name, of]) => [name, mean(nightshift, of), mean(byHand, of)]),
];

const overheadLines = ({ nightshift, ratio, ...percent }: Overhead): string =>
  [
    `  Overhead: ${percent.overheadPercent.toFixed(1)} % of AWS's own times, at most ` +
      `${percent.mostOverheadPercent.toFixed(1)} % in ${nightshift.length} failovers.`,
    `  By hand, one step after the other, a look each 30 s and nobody thinking, it takes ` +
      `${ratio.toFixed(2)} times as long.`,
    "  People's time until the decision is in neither.",
  ].join("\n");

const total = (calls: Record<string, number>): number =>
  Object.values(calls).reduce((sum, each) => sum + each, 0);

const stormLines = (storm: StormMeasure): string =>
  [
    `  ${storm.mostAlarms} alarms of ${storm.resources} resources in a minute, around one sick ` +
      `instance: ${storm.incidents} incident, ${storm.attempts} attempt, ${storm.deeds} deed,`,
    `  proven ${seconds(storm.provenSeconds)} after the first alarm (modelled). Triage: ` +
      `${storm.invocations} invocations, ${storm.mostAtOnce} at once at most, the last ` +
      `${seconds(storm.deliveredSeconds)} after the first,`,
    `  ${seconds(storm.invokedSeconds)} together, ${storm.looks} looks, ` +
      `${total(storm.calls.triage)} AWS calls; the attempt: ${total(storm.calls.remediation)} AWS calls.`,
    `  The incident is one item of ${storm.incidentBytes} bytes. ` +
      `${milliseconds(storm.processorMilliseconds)} of one core for all of it, platform included.`,
  ].join("\n");

const printed = ({ machine, bundles, endpoint, failovers, overhead, ...bench }: Bench): string =>
  [
    `Node ${machine.node}, ${machine.cores} cores, ${machine.processor}`,
    "",
    "Bundles as deployed; import times are medians of fresh processes",
    table(bundleRows(bundles)),
    "",
    "The AWS endpoint of local/",
    table(endpointRows(endpoint)),
    "",
    "The simulation",
    failoverLine(failovers),
    "",
    "A dead region, on the same modelled times of AWS",
    table(overheadRows(overhead)),
    overheadLines(overhead),
    "",
    "A storm of alarms, in virtual time",
    stormLines(bench.storm),
    "",
    "One rotation of each kind on modelled times, fleets of both regions replaced for each",
    table(rotationRows(bench.rotations, bundles)),
    "",
    `Measured in ${bench.seconds} s. Machines are noisy: compare the lines of one run with each other,`,
    "and processor time, not wall time, between runs.",
    "",
  ].join("\n");

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const bench = await measure((line) => process.stderr.write(`${line}\n`));
process.stdout.write(values.json ? `${JSON.stringify(bench)}\n` : printed(bench));
