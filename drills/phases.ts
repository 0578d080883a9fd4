import type { State } from "../functions/failover/states.ts";
import type { Entry } from "../shared/journal.ts";
import type { Phase, PhaseCost } from "./report.ts";

type Final = "done" | "aborted" | "needs-human";

/** What a run does while it is in a state, in words for the timeline, and what the time goes to. */
const activities: Record<Exclude<State, Final>, { name: string; on: PhaseCost }> = {
  proposed: { name: "assess", on: "nightshift" },
  assessed: { name: "warm the standby region", on: "nightshift" },
  warming: { name: "open the request", on: "nightshift" },
  asking: { name: "people approve", on: "people" },
  approved: { name: "look again, move the lease", on: "nightshift" },
  rehearsing: { name: "look whether a move would be possible", on: "nightshift" },
  "carried-on": { name: "look at what was left", on: "nightshift" },
  claimed: { name: "fence the old region", on: "safety" },
  isolating: { name: "wait until it has fenced itself", on: "safety" },
  draining: { name: "let the replica catch up", on: "safety" },
  returning: { name: "give the lease back", on: "safety" },
  fenced: { name: "promote the replica", on: "aws" },
  promoted: { name: "open the new primary", on: "nightshift" },
  writable: { name: "re-point the secrets", on: "aws" },
  repointed: { name: "make the region active", on: "aws" },
  serving: { name: "check what users get", on: "aws" },
  hardening: { name: "give the primary its settings", on: "aws" },
};

/**
 * The phases of a run from its journal: each lasts from one move to the next. `servedAt` is when
 * users were told again that a write is safe.
 */
export const phasesOf = (
  entries: readonly Entry[],
  incidentAt: number,
  servedAt: number | undefined,
): Phase[] => {
  const begun = entries[0]?.atMilliseconds;
  if (begun === undefined) return [];
  // A planned move is under way for a while before anything happens to users.
  const noticed = phase("notice the loss", "safety", incidentAt, begun, incidentAt);
  const phases: Phase[] = noticed.seconds > 0 ? [noticed] : [];
  let since = begun;
  for (const { data, atMilliseconds } of entries) {
    const from = data?.from;
    const activity = isActive(from) ? activities[from] : undefined;
    if (!activity) continue;
    phases.push(phase(activity.name, activity.on, since, atMilliseconds, incidentAt));
    since = atMilliseconds;
  }
  if (servedAt !== undefined && servedAt > since) {
    phases.push(phase("old answers run out of caches", "aws", since, servedAt, incidentAt));
  }
  return phases;
};

const isActive = (state: unknown): state is keyof typeof activities =>
  typeof state === "string" && Object.hasOwn(activities, state);

const phase = (
  name: string,
  on: PhaseCost,
  from: number,
  to: number,
  incidentAt: number,
): Phase => ({
  name,
  on,
  startSeconds: (from - incidentAt) / 1000,
  seconds: (to - from) / 1000,
});
