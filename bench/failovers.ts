import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface FailoverMeasure {
  failovers: number;
  perSecond: number;
  /** Of one core, so that what else runs on the machine does not count. */
  processorMillisecondsEach: number;
}

export type FailoverBench = FailoverMeasure | { skipped: string };

type Simulate = (wanted: object) => Promise<unknown>;

/** Complete failovers in virtual time, one after the other, for about so many seconds. */
export const measureFailovers = async (seconds = 12): Promise<FailoverBench> => {
  const file = new URL("../test/simulation/simulate.ts", import.meta.url);
  if (!existsSync(file)) return { skipped: `${fileURLToPath(file)} does not exist` };
  const loaded: { simulate?: Simulate; calm?: object } = await import(file.href);
  const { simulate, calm } = loaded;
  if (!simulate) return { skipped: `${fileURLToPath(file)} exports no simulate` };
  const one = (seed: number) => simulate({ seed, ...calm });
  for (let seed = 1; seed <= 3; seed += 1) await one(seed);
  // The simulation takes the clock of the process over and gives it back; this one it leaves.
  const began = process.hrtime.bigint();
  const used = process.cpuUsage();
  const elapsedSeconds = () => Number(process.hrtime.bigint() - began) / 1e9;
  let failovers = 0;
  while (elapsedSeconds() < seconds) {
    failovers += 1;
    await one(1000 + failovers);
  }
  const { user, system } = process.cpuUsage(used);
  return {
    failovers,
    perSecond: failovers / elapsedSeconds(),
    processorMillisecondsEach: (user + system) / 1000 / failovers,
  };
};
