import { parseArgs } from "node:util";
import type { Facts } from "./evidence.ts";
import { type Breach, breaches } from "./invariants.ts";
import { calm, simulate } from "./simulate.ts";

const usage = `usage: npm run simulate -- [--seed N] [--runs M] [--calm] [--trace]
  --seed N   the first seed, a whole number from 0 on (1 when left out)
  --runs M   so many runs with the seeds N, N+1, … (20 when left out)
  --calm     the plain region loss, without faults, crashes or surprises
  --trace    prints every call, invocation and message of every run`;

interface Wanted {
  seed: number;
  runs: number;
  calm: boolean;
  trace: boolean;
}

const mostRuns = 1_000_000;

/** What is wrong with the arguments, as a sentence, or what they ask for. */
const parse = (args: string[]): Wanted | string => {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: "string", default: "1" },
        runs: { type: "string", default: "20" },
        calm: { type: "boolean", default: false },
        trace: { type: "boolean", default: false },
      },
    });
    const [seed, runs] = [whole(values.seed), whole(values.runs)];
    if (seed === undefined) return `--seed is to be a whole number from 0 on, not "${values.seed}"`;
    if (runs === undefined || runs < 1 || runs > mostRuns) {
      return `--runs is to be a whole number from 1 to ${mostRuns}, not "${values.runs}"`;
    }
    return { seed, runs, calm: values.calm, trace: values.trace };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message;
  }
};

const whole = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text) ? Number(text) : undefined;

const line = (facts: Facts, broken: readonly Breach[]): string => {
  const { seed, scenario, outcome, endedAt, finishedAt, incidentAt, kills, notes, lost } = facts;
  const took = Math.round(((endedAt ?? finishedAt) - incidentAt) / 1000);
  return [
    broken.length > 0 ? "BROKEN" : "held  ",
    `seed ${seed}`.padEnd(12),
    scenario.incident.padEnd(11),
    outcome.padEnd(12),
    `${took} s`.padStart(7),
    `${kills.length} kills`.padStart(9),
    `${notes.promoteCalls.length} promote calls`.padStart(16),
    `${lost.length} lost`.padStart(8),
  ].join("  ");
};

const run = async (wanted: Wanted): Promise<number> => {
  const started = performance.now();
  const outcomes = new Map<string, number>();
  const failed: string[] = [];
  for (let seed = wanted.seed; seed < wanted.seed + wanted.runs; seed += 1) {
    const { facts, trace } = await simulate({ seed, ...(wanted.calm ? calm : {}) });
    const broken = breaches(facts);
    if (wanted.trace) for (const entry of trace) console.log(entry);
    console.log(line(facts, broken));
    for (const { risk, what } of broken) console.log(`        ${risk}: ${what}`);
    outcomes.set(facts.outcome, (outcomes.get(facts.outcome) ?? 0) + 1);
    const mode = wanted.calm ? " --calm" : "";
    if (broken.length > 0)
      failed.push(`npm run simulate -- --seed ${seed} --runs 1${mode} --trace`);
  }
  const seconds = (performance.now() - started) / 1000;
  const counted = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  const rate = (wanted.runs / seconds).toFixed(1);
  console.log(`\n${wanted.runs} runs: ${counted}. ${rate} failovers a second.`);
  if (failed.length === 0) {
    console.log("Every invariant held.");
    return 0;
  }
  console.log(`${failed.length} run(s) broke an invariant. To see one again:`);
  for (const command of failed) console.log(`  ${command}`);
  return 1;
};

const wanted = parse(process.argv.slice(2));
if (typeof wanted === "string") {
  process.stderr.write(`${wanted}\n${usage}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await run(wanted);
}
