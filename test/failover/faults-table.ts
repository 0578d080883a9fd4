import { expect } from "vitest";
import type { FaultKind } from "../../local/aws/faults.ts";
import { ofTheRun } from "../../shared/refused-answer.ts";
import type { Facts } from "../simulation/evidence.ts";
import { breaches } from "../simulation/invariants.ts";
import { config } from "../simulation/world.ts";
import { callsOf, type Move, type Struck, struck } from "./faults-stage.ts";

/** A call that a run cannot do without for a minute: it may end otherwise, and has to say why. */
export interface Needed {
  calls: RegExp;
  ends: "aborted" | "needs-human";
  /** What a person has to be told. */
  says: RegExp;
  because: string;
}

const reads = /\.(?:Describe|Get|List|Query|Scan)/;

/** A read has no effect, so that no answer is no answer, whether it was made or not. */
const faultsOf = (label: string): FaultKind[] => [
  "throttle",
  "error",
  "timeout-before",
  reads.test(label) ? "stale" : "timeout-after",
];

export interface Calls {
  label: string;
  faults: FaultKind[];
}

/** Every call that the move makes when nothing strikes it, with the faults that it is struck by. */
export const tableOf = async (move: Move): Promise<Calls[]> =>
  (await callsOf(move)).map((label) => ({ label, faults: faultsOf(label) }));

/** The end of the last run, in its own words and in those of the table of states. */
const reasonOf = ({ runs }: Facts): string => {
  const last = runs.at(-1);
  return [ofTheRun(last?.journal ?? []).at(-1)?.text ?? "", ...(last?.result?.notes ?? [])].join(
    " ",
  );
};

/** What a blow may not do, as sentences; none when the run stood it. */
export const wrongs = ({ facts, hits }: Struck, exceptions: readonly Needed[]): string[] => {
  const { outcome, promotions, served, lease } = facts;
  const wrong = breaches(facts).map(({ risk, what }) => `${risk}: ${what}`);
  if (outcome === "done") {
    if (promotions !== 1) wrong.push(`the promotion took effect ${promotions} times`);
    if (!served) wrong.push("done, and users are not served");
    return wrong;
  }
  const reason = reasonOf(facts);
  const excuse = exceptions.find(
    ({ calls, ends }) => calls.test(hits[0] ?? "") && ends === outcome,
  );
  if (!excuse?.says.test(reason)) wrong.push(`it ended ${outcome}: ${reason}`);
  if (outcome === "aborted" && (promotions > 0 || lease.region !== config.regions.primary)) {
    wrong.push(`aborted with ${promotions} promotion(s) and the lease in ${lease.region}`);
  }
  if (!facts.told?.match(/^[×▲]/)) wrong.push(`people read at the end: ${facts.told}`);
  if (/\.\s*\./.test(`${facts.told} ${reason}`)) wrong.push(`full stops in a row: ${facts.told}`);
  return wrong;
};

/** Counts what was done, and whether every exception was needed. */
export const tally = (needed: readonly Needed[]) => {
  const counts = { runs: 0, done: 0, aborted: 0, "needs-human": 0, hits: 0, neverStale: 0 };
  const used = new Set<Needed>();
  return {
    counts,
    unused: () => needed.filter((each) => !used.has(each)).map(({ because }) => because),
    strike: async (move: Move, label: string, fault: FaultKind): Promise<void> => {
      const run = await struck(move, { label, fault });
      const { outcome } = run.facts;
      counts.runs += 1;
      counts.hits += run.hits.length;
      if (outcome === "done" || outcome === "aborted" || outcome === "needs-human") {
        counts[outcome] += 1;
      }
      const isStrong = fault === "stale" && run.hits.length === 0;
      if (isStrong) counts.neverStale += 1;
      else expect(run.hits.length, `${fault} of ${label} has hit`).toBeGreaterThan(0);
      expect(wrongs(run, needed), `${fault} of ${label} for a minute`).toEqual([]);
      const excuse = needed.find(({ calls, ends }) => calls.test(label) && ends === outcome);
      if (excuse) used.add(excuse);
    },
  };
};
