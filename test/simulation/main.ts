import { parseArgs } from "node:util";
import type { Facts } from "./evidence.ts";
import { type Breach, breaches } from "./invariants.ts";
import { mainRepairs, repairsUsage } from "./repairs/main.ts";
import { mainRotations, rotationsUsage } from "./rotations/main.ts";
import type { Kind } from "./scenario.ts";
import { calm, calmMove, simulate } from "./simulate.ts";
import { mainVerifications, verificationsUsage } from "./verifications/main.ts";

const usage = `usage: npm run simulate -- [--seed N] [--runs M] [--only KIND] [--calm] [--trace]
  --seed N   the first seed, a whole number from 0 on (1 when left out)
  --runs M   so many runs with the seeds N, N+1, … (20 when left out)
  --only K   stories of one kind: loss (of the home region), switchover (a planned move), or
             alive (a failover away from a region that lives); drawn by the seed when left out
  --calm     without faults, crashes or surprises: the plain region loss, or the plain switchover
  --trace    prints every call, invocation and message of every run`;

interface Wanted {
  seed: number;
  runs: number;
  calm: boolean;
  only: Kind | undefined;
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
        only: { type: "string" },
        trace: { type: "boolean", default: false },
      },
    });
    const [seed, runs] = [whole(values.seed), whole(values.runs)];
    if (seed === undefined) return `--seed is to be a whole number from 0 on, not "${values.seed}"`;
    if (runs === undefined || runs < 1 || runs > mostRuns) {
      return `--runs is to be a whole number from 1 to ${mostRuns}, not "${values.runs}"`;
    }
    const { only } = values;
    if (only !== undefined && !isKind(only)) {
      return `--only is to be loss, switchover or alive, not "${only}"`;
    }
    return { seed, runs, calm: values.calm, only, trace: values.trace };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message;
  }
};

const isKind = (text: string): text is Kind => ["loss", "switchover", "alive"].includes(text);

const whole = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text) ? Number(text) : undefined;

const line = (facts: Facts, broken: readonly Breach[]): string => {
  const { seed, scenario, outcome, endedAt, finishedAt, incidentAt, kills, notes, lost } = facts;
  const took = Math.round(((endedAt ?? finishedAt) - incidentAt) / 1000);
  return [
    broken.length > 0 ? "BROKEN" : "held  ",
    `seed ${seed}`.padEnd(12),
    scenario.move.padEnd(10),
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
    const still = wanted.only === "switchover" ? calmMove : calm;
    const kind = wanted.only ? { kind: wanted.only } : {};
    const { facts, trace } = await simulate({ seed, ...kind, ...(wanted.calm ? still : {}) });
    const broken = breaches(facts);
    if (wanted.trace) for (const entry of trace) console.log(entry);
    console.log(line(facts, broken));
    for (const { risk, what } of broken) console.log(`        ${risk}: ${what}`);
    outcomes.set(facts.outcome, (outcomes.get(facts.outcome) ?? 0) + 1);
    const mode = `${wanted.only ? ` --only ${wanted.only}` : ""}${wanted.calm ? " --calm" : ""}`;
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

const given = process.argv.slice(2);
const nights: Record<string, (args: string[]) => Promise<number>> = {
  "--repairs": mainRepairs,
  "--rotations": mainRotations,
  "--verifications": mainVerifications,
};
const night = Object.entries(nights).find(([flag]) => given.includes(flag))?.[1];
const wanted = night ? undefined : parse(given);
if (night) {
  process.exitCode = await night(given);
} else if (typeof wanted === "string") {
  const usages = [usage, repairsUsage, rotationsUsage, verificationsUsage];
  process.stderr.write(`${wanted}\n${usages.join("\n")}\n`);
  process.exitCode = 2;
} else if (wanted) {
  process.exitCode = await run(wanted);
}
