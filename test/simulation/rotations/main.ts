import { parseArgs } from "node:util";
import { breaches } from "./invariants.ts";
import { calm, type Night, simulateRotations } from "./simulate.ts";

export const rotationsUsage = `usage: npm run simulate -- --rotations [--seed N] [--runs M] [--calm] [--trace]
  Nights of rotations, with the loss of a region among them, with the same arguments as for moves.`;

const line = ({ seed, scenario, kills, ends, region, looks }: Night, isBroken: boolean): string => {
  const secrets = scenario.orders.map(({ secret }) => secret.replace("platform/", "")).join(" ");
  const lost = scenario.lostAfterSeconds === null ? "" : ` | lost ${scenario.lostAfterSeconds} s`;
  return [
    isBroken ? "BROKEN" : "held  ",
    `seed ${seed}`.padEnd(11),
    `${secrets}${lost}`.padEnd(48),
    `${kills.length} kills`.padStart(9),
    `${looks} looks`.padStart(10),
    ` ${region} ${ends.map(({ end }) => end).join(" ") || "no overlap"}`,
  ].join("  ");
};

/** Exit code: 0 when every invariant held, 1 when not, 2 for arguments that are not understood. */
export const mainRotations = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({
    args,
    options: {
      rotations: { type: "boolean" },
      seed: { type: "string", default: "1" },
      runs: { type: "string", default: "20" },
      calm: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const [first, runs] = [Number(values.seed), Number(values.runs)];
  if (!Number.isInteger(first) || !Number.isInteger(runs) || first < 0 || runs < 1) {
    process.stderr.write(`${rotationsUsage}\n`);
    return 2;
  }
  const failed: number[] = [];
  for (let seed = first; seed < first + runs; seed += 1) {
    const { night, trace } = await simulateRotations({ seed, ...(values.calm ? calm : {}) });
    const broken = breaches(night);
    if (values.trace) for (const entry of trace) console.log(entry);
    console.log(line(night, broken.length > 0));
    for (const { risk, what } of broken) console.log(`        ${risk}: ${what}`);
    if (broken.length > 0) failed.push(seed);
  }
  console.log(`\n${runs} nights. ${failed.length === 0 ? "Every invariant held." : ""}`);
  for (const seed of failed) {
    console.log(`To see it again: npm run simulate -- --rotations --seed ${seed} --runs 1 --trace`);
  }
  return failed.length === 0 ? 0 : 1;
};
