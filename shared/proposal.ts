import type { Coordination } from "./coordination.ts";

/** The failover that was proposed last for a region: the change of its alarm, and the run. */
export interface Proposal {
  key: string;
  run: string;
}

const proposalId = (region: string): string => `proposal#${region}`;

/** Null when none was ever proposed. Throws when the table is silent. */
export const readProposal = async (
  table: Coordination,
  region: string,
): Promise<Proposal | null> => {
  const item = await table.read(proposalId(region));
  return typeof item?.key === "string" ? { key: item.key, run: String(item.run) } : null;
};

export const rememberProposal = async (
  table: Coordination,
  region: string,
  { key, run }: Proposal,
): Promise<void> => {
  await table.write(proposalId(region), { set: { key, run } });
};
