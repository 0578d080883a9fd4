import type { Fact } from "../../shared/outcome.ts";
import type { CheckResult } from "./checks.ts";

/** What a rebuild would start beside the database, and where it lies. */
export interface ApplicationSeen {
  /** `repository@sha256:…` as the active region runs it; null when it has not told. */
  image: string | null;
  toldAtMilliseconds: number;
  /** Whether the registry of each region has it, by region. */
  present: Record<string, boolean>;
}

/** The active region tells it every five minutes. */
const oldestMilliseconds = 2 * 3_600_000;

/**
 * Whether the application could be started beside a restored database: its image in the registries of both
 * regions, and the same one that the operator's file names, which the infrastructure is made from.
 */
export const judgeApplication = (
  fact: Fact<ApplicationSeen>,
  configured: string,
  now: number,
): CheckResult[] => {
  const names = { there: "image-in-both-registries", same: "image-as-configured" };
  const expected = { there: "in the registry of each region", same: configured };
  const both = (is: CheckResult["is"], actual: string, says: string): CheckResult[] => [
    { name: names.there, expected: expected.there, is, actual, says },
    { name: names.same, expected: expected.same, is, actual, says },
  ];
  if (!fact.known) {
    return both("could-not-run", "no answer", `${fact.source} could not be asked: ${fact.why}.`);
  }
  const { image, toldAtMilliseconds, present } = fact.value;
  if (image === null || now - toldAtMilliseconds > oldestMilliseconds) {
    const says = "The active region has not told for long which image it runs.";
    return both("could-not-run", "nobody has told", says);
  }
  const missing = Object.keys(present).filter((region) => !present[region]);
  const digest = image.split("@")[1] ?? "";
  const isSame = digest === configured;
  return [
    {
      ...{ name: names.there, expected: expected.there },
      is: missing.length === 0 ? "passed" : "failed",
      actual: `${image}: ${missing.length === 0 ? "in both" : `not in ${missing.join(", ")}`}`,
      says:
        missing.length === 0
          ? "The image that runs lies in both regions."
          : `The image that runs is not in ${missing.join(" and ")}: push it there.`,
    },
    {
      ...{ name: names.same, expected: expected.same },
      is: isSame ? "passed" : "failed",
      actual: digest,
      says: isSame
        ? "What runs is what the operator's file names."
        : "What runs is not what the operator's file names: a rebuild would start another one.",
    },
  ];
};
