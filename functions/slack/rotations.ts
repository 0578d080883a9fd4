import { standingOf } from "../../shared/abort.ts";
import type { Lease } from "../../shared/lease.ts";
import { readLease } from "../../shared/lease.ts";
import { escaped } from "../../shared/message.ts";
import { otherRegion } from "../../shared/move.ts";
import { type RotationsSeen, readRotations, rotationsLines } from "../../shared/rotations.ts";
import type { Within } from "./deadline.ts";
import type { Desk } from "./orders.ts";

/** The same for every door. Throws when the table or the journal is silent. */
export const lookAtRotations = async ({
  table,
  runs,
  clock,
  config,
}: Desk): Promise<RotationsSeen> => {
  const isUnderWay = async (run: string) => {
    const lease: Lease = await readLease(table);
    // A move that has not claimed the lease yet runs where it is going.
    const { begun, ended } = standingOf(
      await runs.entries(otherRegion(lease, config.regions), run),
    );
    return begun && !ended;
  };
  return readRotations(table, clock.now(), isUnderWay);
};

/** Which secrets are being rotated, and what forbids the next rotation. */
export const rotations = async ({
  door,
  within,
}: {
  door: Desk;
  within: Within;
}): Promise<string> => {
  const seen = await within("rotations", () => lookAtRotations(door));
  if (!seen.known) return `Rotations: UNKNOWN (${escaped(seen.why)})`;
  return rotationsLines(seen.value).map(escaped).join("\n• ");
};
