import { parseArgs } from "node:util";
import { breaches } from "./invariants.ts";
import { calm, type Night, simulateRepairs } from "./simulate.ts";
import { sometimes } from "./sometimes.ts";

export const repairsUsage = `usage: npm run simulate -- --repairs [--seed N] [--runs M] [--calm] [--trace]
  Nights of alarms and of what is done about them, with the same arguments as for moves.`;

const line = ({ seed, scenario, results, kills, changes }: Night, isBroken: boolean): string => {
  const troubles = scenario.troubles.map(({ trouble }) => trouble.is).join(" ");
  const meanwhile = scenario.meanwhile.map(({ deed }) => deed.is).join(" ");
  const counts = new Map<string, number>();
  for (const { end } of results) counts.set(end, (counts.get(end) ?? 0) + 1);
  const ends = [...counts].map(([end, count]) => `${count} ${end}`).join(", ") || "no attempt";
  return [
    isBroken ? "BROKEN" : "held  ",
    `seed ${seed}`.padEnd(11),
    `${troubles}${meanwhile && ` | ${meanwhile}`}`.padEnd(60),
    `${kills.length} kills`.padStart(9),
    `${changes.filter(({ hadEffect }) => hadEffect).length} changes`.padStart(10),
    ` ${ends}`,
  ].join("  ");
};

/** Exit code: 0 when every invariant held, 1 when not, 2 for arguments that are not understood. */
export const mainRepairs = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({
    args,
    options: {
      repairs: { type: "boolean" },
      seed: { type: "string", default: "1" },
      runs: { type: "string", default: "20" },
      calm: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const [first, runs] = [Number(values.seed), Number(values.runs)];
  if (!Number.isInteger(first) || !Number.isInteger(runs) || first < 0 || runs < 1) {
    process.stderr.write(`${repairsUsage}\n`);
    return 2;
  }
  const missing = new Set(sometimes);
  const failed: number[] = [];
  for (let seed = first; seed < first + runs; seed += 1) {
    const { night, trace } = await simulateRepairs({ seed, ...(values.calm ? calm : {}) });
    const broken = breaches(night);
    if (values.trace) for (const entry of trace) console.log(entry);
    console.log(line(night, broken.length > 0));
    for (const { risk, what } of broken) console.log(`        ${risk}: ${what}`);
    if (broken.length > 0) failed.push(seed);
    for (const each of missing) if (each.happened(night)) missing.delete(each);
  }
  console.log(`\n${runs} nights.`);
  if (missing.size > 0) {
    console.log(`Never happened: ${[...missing].map(({ what }) => what).join("; ")}.`);
  }
  if (failed.length === 0) console.log("Every invariant held.");
  for (const seed of failed) {
    console.log(`To see it again: npm run simulate -- --repairs --seed ${seed} --runs 1 --trace`);
  }
  return failed.length === 0 ? 0 : 1;
};
