import { isoSeconds } from "./clock.ts";
import type { Coordination } from "./coordination.ts";
import { readFreezes, whileFrozen } from "./freeze.ts";
import { readLease } from "./lease.ts";
import type { Refusal } from "./outcome.ts";
import { readPause, whilePaused } from "./pause.ts";
import { type Flight, readFlight } from "./rotation.ts";

/** What has at most two valid secrets at a time, in the order in which it is told of. */
const scopes = ["database", "cache", "signing-keys", "encryption-keys", "slack"] as const;

export interface RotationsSeen {
  /** Where secrets are rotated: with the lease. */
  region: string;
  flights: { scope: string; flight: Flight | null }[];
  /** Why none may begin now, whatever the secret; null when nothing forbids it. */
  forbidden: Refusal | null;
}

/** Throws when the table is silent. `isUnderWay`: whether a move of that name has begun and not ended. */
export const readRotations = async (
  table: Coordination,
  now: number,
  isUnderWay: (run: string) => Promise<boolean>,
): Promise<RotationsSeen> => {
  const { region } = await readLease(table);
  const [flights, pause, freezes] = await Promise.all([
    Promise.all(
      scopes.map(async (scope) => ({ scope, flight: (await readFlight(table, scope)) ?? null })),
    ),
    readPause(table),
    readFreezes(table, region, now, isUnderWay),
  ]);
  // Another rotation forbids one of its own scope only, which its line says.
  const forbidden = whilePaused(pause) ?? whileFrozen(freezes, ["rotation"]) ?? null;
  return { region, flights, forbidden };
};

/** For people, whichever door they came through. */
export const rotationsLines = ({ region, flights, forbidden }: RotationsSeen): string[] => [
  forbidden
    ? `No rotation may begin in ${region}: ${forbidden.reason}`
    : `Secrets are rotated in ${region}; nothing forbids the next rotation.`,
  ...flights.map(({ scope, flight }) => `${scope}: ${flight ? lineOf(flight) : "never rotated"}`),
];

const phases: Record<Flight["phase"], string> = {
  exchange: "gets a new value since",
  overlap: "old and new are both valid since",
  ended: "the last rotation has ended; it began",
};

const lineOf = ({ phase, sinceMilliseconds, run, secret }: Flight): string =>
  `${phases[phase]} ${isoSeconds(sinceMilliseconds)} (${secret}, ${run})`;
