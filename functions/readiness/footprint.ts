import type { Coordination } from "../../shared/coordination.ts";
import { footprintId } from "../../shared/deployed.ts";
import type { DatabaseSettings } from "../../shared/settings.ts";
import type { Role } from "../guard/decide.ts";

/**
 * What a region runs on, as its own look saw it. The other region compares itself with it, also when
 * this one cannot be asked any more. Null is what that look could not see.
 */
export interface Footprint {
  region: string;
  atMilliseconds: number;
  database: DatabaseSize | null;
  /** RDS's own id of it (`db-…`): no other instance gets it, whatever either is called. */
  databaseResource: string | null;
  settings: DatabaseSettings | null;
  /** The application's container, `repository@sha256:…`: the same text in every region. */
  image: string | null;
  /** The id of each secret's current version, by the secret's name. */
  secrets: Record<string, string> | null;
  role: Role | null;
}

export interface DatabaseSize {
  instanceClass: string;
  storageGigabytes: number;
}

export const readFootprint = async (
  table: Coordination,
  region: string,
): Promise<Footprint | null> => {
  const item = await table.read(footprintId(region));
  return item ? (item as unknown as Footprint) : null;
};

/** Only goes forward: a delayed duplicate of an older look changes nothing. */
export const keepFootprint = async (table: Coordination, footprint: Footprint): Promise<void> => {
  await table.write(footprintId(footprint.region), {
    set: { ...footprint },
    onlyIf: "attribute_not_exists(#atMilliseconds) OR #atMilliseconds <= :at",
    values: { at: footprint.atMilliseconds },
  });
};
