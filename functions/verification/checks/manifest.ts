import { isoSeconds } from "../../../shared/clock.ts";
import type { Manifest } from "../../../shared/manifest.ts";
import { parseManifest } from "../../../shared/manifest.ts";
import type { Session } from "../../../shared/runtime.ts";
import type { CopyFacts } from "../checks.ts";
import type { Found } from "./look.ts";

/** Written once a day, and two hours for a day on which that came late. */
const usualHours = 26;

export interface Taken {
  manifest: Manifest;
  takenAtMilliseconds: number;
}

/** The newest manifest in the copy, or why there is none to hold it against. */
export const manifestIn = async (
  session: Session,
  { restoredToMilliseconds }: CopyFacts,
  hours = usualHours,
): Promise<Taken | Found> => {
  const expected = `a manifest of the ${hours} hours before ${isoSeconds(restoredToMilliseconds)}`;
  const none = (actual: string, says: string): Found => ({
    is: "could-not-run",
    expected,
    actual,
    says,
  });
  const place = await session.query("select to_regclass('nightshift.manifest')::text as place");
  if (place.rows[0]?.place === null) {
    return none("no manifest", "There is nothing to compare with: no manifest was ever written.");
  }
  const { rows } = await session.query(
    `select taken_at_ms::float8 as at, content from nightshift.manifest
     order by taken_at_ms desc limit 1`,
  );
  const [row] = rows;
  if (!row) return none("no manifest", "There is nothing to compare with: there is no manifest.");
  const manifest = parseManifest(row.content);
  if (!manifest) return none("a manifest of another format", "The manifest cannot be read.");
  const takenAtMilliseconds = Number(row.at);
  const ageHours = (restoredToMilliseconds - takenAtMilliseconds) / 3_600_000;
  if (ageHours <= hours) return { manifest, takenAtMilliseconds };
  const actual = `a manifest of ${isoSeconds(takenAtMilliseconds)}`;
  const says = `The newest manifest is ${ageHours.toFixed(0)} hours older than the copy: too old to tell.`;
  return none(actual, says);
};

export const isTaken = (found: Taken | Found): found is Taken => "manifest" in found;
