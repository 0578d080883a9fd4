import type { Coordination } from "./coordination.ts";

/** Where a region's own look keeps what it runs on; readiness writes it every five minutes. */
export const footprintId = (region: string) => `footprint#${region}`;

export interface Deployed {
  /** `repository@sha256:…`, the same text in every region; null when that look could not see it. */
  image: string | null;
  atMilliseconds: number;
}

/** What a region has told that it runs; null when it never has. */
export const readDeployed = async (
  table: Coordination,
  region: string,
): Promise<Deployed | null> => {
  const item = await table.read(footprintId(region));
  if (!item) return null;
  const image = typeof item.image === "string" ? item.image : null;
  return { image, atMilliseconds: Number(item.atMilliseconds) };
};
