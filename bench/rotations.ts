import type { RotationCost } from "../test/simulation/rotations/measure.ts";
import type { BundleMeasure } from "./bundles.ts";

/** One rotation of each kind, alone, in virtual time. Stack traces would be most of the work. */
export const measureRotations = async (): Promise<RotationCost[]> => {
  const { rotationCosts } = await import("../test/simulation/rotations/measure.ts");
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await rotationCosts();
  } finally {
    Error.stackTraceLimit = depth;
  }
};

const minutes = (seconds: number): string =>
  seconds < 600 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;

/** Rows of a table: the bundle is the same for all kinds, since one function does all of them. */
export const rotationRows = (
  rotations: readonly RotationCost[],
  bundles: readonly BundleMeasure[],
): string[][] => {
  const bundle = bundles.find(({ name }) => name === "rotation");
  const size = bundle ? `${(bundle.minifiedBytes / 1000).toFixed(0)} KB` : "unknown";
  return [
    ["a rotation of", "current", "old retired", "AWS calls", "of its end", "database", "bundle"],
    ...rotations.map(({ kind, currentSeconds, retiredSeconds, awsCalls, databaseRoundTrips }) => [
      kind,
      minutes(currentSeconds),
      minutes(retiredSeconds),
      String(awsCalls.rotation),
      String(awsCalls.retirement),
      String(databaseRoundTrips),
      size,
    ]),
  ];
};
