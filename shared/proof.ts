import type { Coordination } from "./coordination.ts";

/** The last time that moving to a region was shown to work, by a move or by a rehearsal of one. */
export interface Proof {
  region: string;
  run: string;
  kind: "emergency" | "switchover" | "rehearsal";
  atMilliseconds: number;
}

const proofId = (region: string) => `proof#${region}`;

export const readProof = async (table: Coordination, region: string): Promise<Proof | null> => {
  const item = await table.read(proofId(region));
  return item ? (item as unknown as Proof) : null;
};

/** Only goes forward. */
export const keepProof = async (table: Coordination, proof: Proof): Promise<void> => {
  await table.write(proofId(proof.region), {
    set: { ...proof },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: proof.atMilliseconds },
  });
};
