import type { Facts, RunFacts } from "./evidence.ts";
import { kindOf } from "./invariants.ts";
import { config } from "./world.ts";

/** Something that has to happen in some run, or the simulation does not show what it seems to. */
export interface Sometimes {
  what: string;
  happened(facts: Facts): boolean;
}

const texts = ({ runs }: Facts): string[] =>
  runs.flatMap(({ journal }) =>
    journal.flatMap(({ text, data }) => [text, ...(((data as Told)?.notes ?? []) as string[])]),
  );

interface Told {
  notes?: unknown;
  on?: string;
}

const moved = ({ runs }: Facts, from: string, on: string): boolean =>
  runs.some(({ journal }) =>
    journal.some(({ data }) => {
      const told = data as { from?: string; on?: string } | undefined;
      return told?.from === from && told.on === on;
    }),
  );

const done = ({ result }: RunFacts): boolean => result?.outcome === "done";

const aborted = (facts: Facts): boolean =>
  texts(facts).some((text) => text.startsWith("Aborted by "));

const killed = ({ kills }: Facts, where: RegExp): boolean =>
  kills.some((kill) => where.test(kill.where));

export const sometimes: readonly Sometimes[] = [
  { what: "a run ended done", happened: ({ outcome }) => outcome === "done" },
  { what: "a run ended aborted", happened: ({ outcome }) => outcome === "aborted" },
  { what: "a run asked for a human", happened: ({ outcome }) => outcome === "needs-human" },
  { what: "nothing was moved because only one observer was there to see it", happened: noNeed },
  {
    what: "the promotion was asked for and nobody learned whether it happened",
    happened: ({ notes }) => notes.promoteCalls.some(({ outcome }) => outcome.startsWith("silent")),
  },
  {
    what: "the promotion had its effect and its answer was lost",
    happened: ({ notes }) =>
      notes.promoteCalls.some(({ outcome }) => outcome === "silent after its effect"),
  },
  {
    what: "the run was killed between the promotion and its checkpoint",
    happened: (facts) => killed(facts, /^after rds\.PromoteReadReplica/),
  },
  {
    what: "the run was killed before the promotion was asked for",
    happened: (facts) => killed(facts, /^before rds\.PromoteReadReplica/),
  },
  {
    what: "the promotion was asked for more than once and had one effect",
    happened: ({ notes, promotions }) => notes.promoteCalls.length > 1 && promotions === 1,
  },
  {
    what: "the replica was backing up when the run looked at it",
    happened: ({ notes }) => notes.backingUpSeen > 0,
  },
  {
    what: "an approval was void because the facts had changed",
    happened: (facts) => moved(facts, "approved", "changed"),
  },
  {
    what: "an operator rejected the plan",
    happened: (facts) => moved(facts, "asking", "rejected"),
  },
  { what: "nobody approved in time", happened: (facts) => moved(facts, "asking", "expired") },
  {
    what: "an isolated region fenced itself",
    happened: ({ notes }) => notes.selfFences.some(({ epoch }) => epoch === null),
  },
  {
    what: "the old region came back and obeyed the newer epoch",
    happened: ({ notes }) => notes.selfFences.some(({ epoch }) => epoch !== null && epoch >= 2),
  },
  {
    what: "the old region was reached and fenced at the first try",
    happened: (facts) => moved(facts, "claimed", "fenced"),
  },
  {
    what: "the run had to wait until the old region had fenced itself",
    happened: (facts) => moved(facts, "isolating", "waited"),
  },
  {
    what: "the alarm's event came twice, and one run was started",
    happened: ({ duplicates, notes, runs }) =>
      duplicates.includes("detection") && notes.detections > 1 && runs.length === 1,
  },
  {
    what: "the run ended done while Slack was silent, so that the channel does not know it",
    happened: ({ outcome, told }) => outcome === "done" && !told?.startsWith("✓"),
  },
  {
    what: "the loss was unknown, and the move was refused",
    happened: (facts) =>
      texts(facts).some((text) => text.startsWith("What may be lost is unknown")),
  },
  {
    what: "the pause switch stopped a run",
    happened: (facts) => texts(facts).some((text) => text.includes("paused")),
  },
  {
    what: "acknowledged writes were lost, within the stated bound",
    happened: ({ lost }) => lost.length > 0,
  },
  {
    what: "a planned move ended done, under load",
    happened: (facts) => facts.runs.some((run) => done(run) && kindOf(run) === "switchover"),
  },
  {
    what: "a run gave the lease back",
    happened: ({ runs, lease, notes }) =>
      runs.length > 0 &&
      notes.leases.some(({ state }) => state === "moving") &&
      lease.region === config.regions.primary,
  },
  {
    what: "a planned move was given up because the replica did not get everything",
    happened: (facts) => moved(facts, "draining", "give-back"),
  },
  {
    what: "the replica had everything before it was promoted",
    happened: (facts) => moved(facts, "draining", "drained"),
  },
  {
    what: "a lost region was left although its last writes had not come over",
    happened: (facts) => moved(facts, "draining", "behind"),
  },
  {
    what: "the old region was fenced gently",
    happened: ({ notes }) => notes.selfFences.some(({ layers }) => layers === 2),
  },
  {
    what: "the settings of the old primary were given to the new one",
    happened: (facts) => moved(facts, "hardening", "hardened"),
  },
  {
    what: "a run was aborted while it waited for the isolation of the old region",
    happened: (facts) => moved(facts, "isolating", "give-back") && aborted(facts),
  },
  {
    what: "a run was aborted between the fence and the promotion",
    happened: (facts) => moved(facts, "fenced", "give-back") && aborted(facts),
  },
  {
    what: "a run that was told to stop ended done, because it had promoted already",
    happened: (facts) => facts.outcome === "done" && facts.scenario.abortsAt !== null,
  },
  {
    what: "the records were changed because the health check did not move users",
    happened: (facts) => texts(facts).some((text) => text.startsWith("The records were changed")),
  },
  {
    what: "a region that had fenced itself came back with its lease and served users again",
    happened: ({ notes, lease, served }) =>
      notes.selfFences.some(({ epoch }) => epoch === null) &&
      lease.region === config.regions.primary &&
      served,
  },
  {
    what: "home was lost in the middle of a planned move",
    happened: ({ scenario, notes }) =>
      scenario.move === "switchover" &&
      scenario.incident !== "none" &&
      scenario.incidentAt.after === "claim" &&
      notes.leases.some(({ state }) => state === "moving"),
  },
  {
    what: "a failover ended done after a planned move had given the lease back",
    happened: (facts) =>
      facts.outcome === "done" && facts.runs.some((run) => run.name !== facts.lease.holder),
  },
  { what: "an operator asked for the move", happened: ({ operatorAsked }) => operatorAsked },
  {
    what: "a run was killed ten times and more, and ended",
    happened: ({ kills, endedAt }) => kills.length >= 10 && endedAt !== null,
  },
  { what: "the guard was killed", happened: (facts) => killed(facts, /guard$/) },
  { what: "the database function was killed", happened: (facts) => killed(facts, /database$/) },
];

function noNeed({ scenario, outcome }: Facts): boolean {
  return scenario.incident === "witness-cut" && outcome === "not-started";
}
