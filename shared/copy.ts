import { sha256 } from "./canonical.ts";
import { isoSeconds } from "./clock.ts";

// A copy of the database that a restore test makes: made by verification, taken away by it or by sweep.

/** The run that a copy belongs to, and when it has to be gone. Nothing else carries these. */
export const runTag = "nightshift:verification";
export const deleteAfterTag = "nightshift:delete-after";

/** The line of the journal that is written before a copy is made. */
export const copyLine = "copy";

/** Made from the name of its run, so that nobody has to be asked what a run has called its copy. */
export const copyOf = (prefix: string, run: string): string =>
  `${prefix}-verify-${sha256(run).slice(0, 16)}`;

/** The form of such a name, whoever made it. */
export const copyPattern = (prefix: string): RegExp =>
  new RegExp(`^${prefix}-verify-[0-9a-f]{16}$`);

export const isCopyOf = (prefix: string, run: string, id: string): boolean =>
  id === copyOf(prefix, run);

export const marksOf = (run: string, deleteAfterMilliseconds: number): Record<string, string> => ({
  [runTag]: run,
  [deleteAfterTag]: isoSeconds(deleteAfterMilliseconds),
});

/** Whether an instance carries the mark of the very run that its name is made from. */
export const isOurs = (prefix: string, id: string, tags: Record<string, string>): boolean => {
  const run = tags[runTag];
  return run !== undefined && isCopyOf(prefix, run, id);
};
