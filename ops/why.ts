import { sentence } from "../shared/outcome.ts";

/**
 * An error with what is behind it: "no replica answered" may be an outage, or a permission that the
 * caller lacks, and only the replicas' own words tell which.
 */
export const whyOf = (error: unknown): string => {
  const behind = error instanceof AggregateError ? [...new Set(error.errors.map(sentence))] : [];
  return [sentence(error), ...behind].join("; ");
};

/** The same work, whose failure says why. */
export const explained = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw error instanceof AggregateError ? new Error(whyOf(error), { cause: error }) : error;
  }
};
