import { parseArgs } from "node:util";
import { breaches } from "./invariants.ts";
import { calm, type Night, simulateVerifications } from "./simulate.ts";

export const verificationsUsage = `usage: npm run simulate -- --verifications [--seed N] [--runs M]
  [--calm] [--trace]
  Nights of restore tests and their sweep, with the same arguments as for moves.`;

const line = ({ seed, scenario, kills, runs }: Night, isBroken: boolean): string => {
  const { damage, lostAfterSeconds, paused, hasStranger } = scenario;
  const befell = [
    damage?.is,
    lostAfterSeconds === null ? undefined : "home lost",
    paused ? "paused" : undefined,
    hasStranger ? "stranger" : undefined,
  ].filter((each) => each !== undefined);
  const ends = runs.map(({ end, code }) => (end === "verified" ? end : `${end} (${code})`));
  return [
    isBroken ? "BROKEN" : "held  ",
    `seed ${seed}`.padEnd(11),
    befell.join(", ").padEnd(44),
    `${kills.length} kills`.padStart(9),
    ` ${ends.join(", ")}`,
  ].join("  ");
};

/** Exit code: 0 when every invariant held, 1 when not, 2 for arguments that are not understood. */
export const mainVerifications = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({
    args,
    options: {
      verifications: { type: "boolean" },
      seed: { type: "string", default: "1" },
      runs: { type: "string", default: "20" },
      calm: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const [first, runs] = [Number(values.seed), Number(values.runs)];
  if (!Number.isInteger(first) || !Number.isInteger(runs) || first < 0 || runs < 1) {
    process.stderr.write(`${verificationsUsage}\n`);
    return 2;
  }
  const failed: number[] = [];
  for (let seed = first; seed < first + runs; seed += 1) {
    const { night, trace } = await simulateVerifications({ seed, ...(values.calm ? calm : {}) });
    const broken = breaches(night);
    if (values.trace) for (const entry of trace) console.log(entry);
    console.log(line(night, broken.length > 0));
    for (const { risk, what } of broken) console.log(`        ${risk}: ${what}`);
    if (broken.length > 0) failed.push(seed);
  }
  console.log(`\n${runs} nights. ${failed.length === 0 ? "Every invariant held." : ""}`);
  for (const seed of failed) {
    console.log(
      `To see it again: npm run simulate -- --verifications --seed ${seed} --runs 1 --trace`,
    );
  }
  return failed.length === 0 ? 0 : 1;
};
