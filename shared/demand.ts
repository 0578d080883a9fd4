import type { Coordination } from "./coordination.ts";

/**
 * How many instances the active region has needed, kept where it can be read when that region is gone:
 * the standby has to be brought to what users need, not to what was once written into a file.
 */
export interface Demand {
  region: string;
  /** The most instances that were in service at once in the last 24 hours. */
  peakInstances: number;
  atMilliseconds: number;
}

const demandId = (region: string) => `demand#${region}`;

export const readDemand = async (table: Coordination, region: string): Promise<Demand | null> => {
  const item = await table.read(demandId(region));
  return item ? (item as unknown as Demand) : null;
};

/** Only goes forward. */
export const keepDemand = async (table: Coordination, demand: Demand): Promise<void> => {
  await table.write(demandId(demand.region), {
    set: { ...demand },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: demand.atMilliseconds },
  });
};
