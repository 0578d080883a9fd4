import { names } from "../../../drills/names.ts";
import type { Night } from "./simulate.ts";

export interface Breach {
  risk: string;
  what: string;
}

/** What must not be, whatever befell the night. */
export const breaches = (night: Night): Breach[] => [
  ...half(night),
  ...night.lockedOut.map((what) => ({ risk: "locked-out", what })),
  ...night.lostKeys.map((id) => ({ risk: "lost-keys", what: `key ${id} is in no ring any more` })),
  ...night.unrotated.map((name) => ({
    risk: "half-done",
    what: `${name} has no rotation in ${night.region}`,
  })),
  ...unsealed(night),
  ...night.leaks.map((value) => ({
    risk: "strangers",
    what: `a value that ends with ${value.slice(-4)} was written down`,
  })),
  ...night.bugs.map((bug) => ({ risk: "bug", what: String(bug) })),
];

/** No rotation of the ring is over as long as a row is sealed by an older key. */
const unsealed = ({ rotated }: Night): Breach[] =>
  rotated
    .filter(({ secret }) => secret === names.rotated.encryption)
    .filter(({ entries }) => entries.some(({ key }) => key === "retired"))
    .filter(({ entries }) => !entries.some(({ key }) => key === "sealed again"))
    .map(({ run }) => ({ risk: "lost-keys", what: `${run} ended with rows on an older key` }));

/**
 * A rotation ends with its old value retired, or with people called, or never began. In a region that
 * stays away nothing can end: old and new are both valid, until it is back or somebody asks again.
 */
const half = ({ running, flights, ends, pages, rotated, isAway }: Night): Breach[] => {
  if (isAway) return [];
  const found: Breach[] = running.map((name) => ({
    risk: "half-done",
    what: `${name} still runs`,
  }));
  const asked = ends.filter(({ end }) => end === "needs-human").length;
  if (asked > 0 && pages === 0) {
    found.push({
      risk: "half-done",
      what: `${asked} overlaps asked for people, and none was called`,
    });
  }
  for (const flight of flights) {
    if (flight?.phase !== "overlap") continue;
    const its = ends.filter(({ run }) => run.startsWith(flight.run));
    if (its.length === 0) {
      found.push({ risk: "half-done", what: `${flight.run}: nobody ends the overlap` });
    }
  }
  for (const { run, entries, isCurrent } of rotated) {
    if (isCurrent && !entries.some(({ key }) => /(^|: )ended: /.test(key))) {
      found.push({ risk: "half-done", what: `${run} is current, and its overlap never ended` });
    }
  }
  return found;
};
