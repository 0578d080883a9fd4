import type { Coordination } from "./coordination.ts";

/**
 * What people or the platform are doing to a region on purpose, and what an observer may take for its
 * loss: a deploy that rolls its instances, or a maintenance window that somebody has declared. It never
 * forbids a failover; it is named as a rival explanation to the people who are asked.
 */
export interface Upheaval {
  region: string;
  kind: "deploy" | "maintenance";
  by: string;
  reason: string;
  sinceMilliseconds: number;
  /** Over by itself then: a window that nobody closed must not explain things away for ever. */
  untilMilliseconds: number;
}

const upheavalId = (region: string, kind: Upheaval["kind"]) => `upheaval#${kind}#${region}`;

/** Those that are under way at `nowMilliseconds`. */
export const readUpheavals = async (
  table: Coordination,
  region: string,
  nowMilliseconds: number,
): Promise<Upheaval[]> => {
  const kinds = ["deploy", "maintenance"] as const;
  const items = await Promise.all(kinds.map((kind) => table.read(upheavalId(region, kind))));
  return items
    .map((item) => item as unknown as Upheaval | undefined)
    .filter((item) => item !== undefined)
    .filter((item) => item.untilMilliseconds > nowMilliseconds);
};

/** Declares one, or changes when it ends: `untilMilliseconds` in the past closes it. */
export const declareUpheaval = async (table: Coordination, upheaval: Upheaval): Promise<void> => {
  await table.write(upheavalId(upheaval.region, upheaval.kind), { set: { ...upheaval } });
};
