import type { Entry } from "../shared/journal.ts";
import type { PhaseCost } from "./report.ts";
import type { EarlierPhase } from "./scenario.ts";

/** The first move as one stretch: it has a drill of its own that shows its phases. */
export const earlierMove = (
  to: string,
  fromMilliseconds: number,
  toMilliseconds: number,
): EarlierPhase => ({
  name: `home lost, move to ${to}`,
  on: "safety",
  fromMilliseconds,
  toMilliseconds,
});

/** What a rebuild does until the entry of that key is written. */
const parts: Record<string, { name: string; on: PhaseCost }> = {
  fenced: { name: "rebuild: prove the fence", on: "safety" },
  approved: { name: "rebuild: one operator approves", on: "people" },
  quarantined: { name: "rebuild: old primary aside", on: "aws" },
  replicating: { name: "rebuild: build a replica", on: "aws" },
  parameters: { name: "rebuild: its parameters, a restart", on: "aws" },
  capacity: { name: "rebuild: secrets, capacity", on: "aws" },
  done: { name: "rebuild: the public name, backups", on: "nightshift" },
};

/** Each from the end of the one before it. */
export const rebuildPhases = (entries: readonly Entry[]): EarlierPhase[] => {
  const phases: EarlierPhase[] = [];
  let since = entries[0]?.atMilliseconds ?? 0;
  for (const { key, atMilliseconds } of entries) {
    const part = parts[key];
    if (!part) continue;
    phases.push({ ...part, fromMilliseconds: since, toMilliseconds: atMilliseconds });
    since = atMilliseconds;
  }
  return phases;
};
