import { executionName, journalPrefix } from "../../shared/again.ts";
import type { Clock } from "../../shared/clock.ts";
import type { FenceLayer } from "../../shared/contact.ts";
import type { Line } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import { activities } from "./activities.ts";
import type { Facts, Plan, Policy } from "./decide.ts";
import type { Ports } from "./ports.ts";
import { harmless } from "./rehearse.ts";
import type { Kind, Trigger, Wish } from "./request.ts";
import type { State, Transition } from "./states.ts";
import { isFinal, transition } from "./states.ts";
import { isUndone, undo } from "./undo.ts";

/** All that a run knows. Rebuilt from step results when it is resumed; never holds a secret. */
export interface Run {
  name: string;
  /** Which execution of the run this is: 0 the first, above that it was carried on. */
  again: number;
  kind: Kind;
  trigger: Trigger;
  policy: Policy;
  state: State;
  startedAtMilliseconds: number;
  facts: Facts | null;
  plan: Plan | null;
  hash: string | null;
  /** The lease as it was when the plan was made. */
  seen: Lease | null;
  epoch: number | null;
  desiredBefore: number | null;
  fence: FenceLayer[];
  /** Where the old database's log ended, when its guard could say so. */
  fencedLsn: string | null;
  approvedBy: string[];
  /** Until when the request for approval lives; null before the first. */
  expiresAtMilliseconds: number | null;
  /** How often the promotion was asked for; asking again while in doubt does not promote twice. */
  promoteCalls: number;
  /** The promotion may have begun: from here on the only way is forward. */
  pastReturn: boolean;
  /** The loss was stated, by this execution or an earlier one: the promotion may have been asked for. */
  stated: boolean;
  rounds: number;
  /** Journal lines that could not be written after the point of no return, or at the end. */
  unrecorded: number;
  notes: string[];
  timeline: { atMilliseconds: number; text: string }[];
  message: Posted | null;
  /** Slack has taken the run as it is now, as far as is known. */
  isShown: boolean;
}

/** Where the run's one Slack message is. */
export interface Posted {
  channel: string;
  ts: string;
}

/** How an activity ended: a row of the table, and what a person should read about it. */
export interface Ending {
  on: string;
  notes: string[];
  data?: Record<string, unknown>;
}

export interface Work {
  steps: Steps;
  clock: Clock;
  ports: Ports;
  run: Run;
}

export interface Result {
  outcome: "done" | "aborted" | "needs-human";
  run: string;
  kind: Kind;
  epoch: number | null;
  notes: string[];
  fence: FenceLayer[];
  approvedBy: string[];
  promoteCalls: number;
  unrecorded: number;
}

/** More moves than any run can need, three rounds of changed facts included. */
const movesLimit = 60;

/** Walks the table from `proposed` to one of its ends. */
export const failover = async (steps: Steps, world: Ports, wish: Wish): Promise<Result> => {
  const ports = wish.kind === "rehearsal" ? harmless(world) : world;
  const { clock, policy } = ports;
  const { trigger } = wish;
  const startedAtMilliseconds = await steps.step("begin", async () => Math.floor(clock.now()));
  const run = newRun(wish, policy, startedAtMilliseconds);
  const work: Work = { steps, clock, ports, run };
  const begun = record(work, "begin", {
    kind: "saw",
    text: `${trigger.who}: ${trigger.reason}`,
    data: { kind: wish.kind, trigger },
  });
  return walk(work, await begun.then(nothing, unrecorded));
};

/** From the state that the run is in to an end of the table. */
export const walk = async (work: Work, stuck: Ending | null = null): Promise<Result> => {
  const { run } = work;
  let next = stuck;
  for (let move = 1; !isFinal(run.state); move += 1) {
    if (move > movesLimit) throw new Error(`${run.name} made ${movesLimit} moves without an end`);
    const ending = next ?? (await perform(work));
    const row = transition(run.state, ending.on);
    if (isUndone(run, row)) ending.notes.push(...(await undo(work)));
    if (row.to === "done") ending.notes.push(...(await keepProof(work)));
    next = await enter(work, move, row, ending).then(nothing, unrecorded);
  }
  return resultOf(run);
};

const nothing = () => null;

/** What cannot be recorded ends the run with a human: an execution that only fails calls nobody. */
const unrecorded = (error: unknown): Ending => ({
  on: "failed",
  notes: [`What was done could not be written into the journal: ${sentence(error)}`],
});

export const newRun = ({ run, kind, trigger }: Wish, policy: Policy, at: number): Run => ({
  name: run,
  again: 0,
  kind,
  trigger,
  policy,
  state: "proposed",
  startedAtMilliseconds: at,
  facts: null,
  plan: null,
  hash: null,
  seen: null,
  epoch: null,
  desiredBefore: null,
  fence: [],
  fencedLsn: null,
  approvedBy: [],
  expiresAtMilliseconds: null,
  promoteCalls: 0,
  pastReturn: false,
  stated: false,
  rounds: 0,
  unrecorded: 0,
  notes: [],
  timeline: [],
  message: null,
  isShown: false,
});

/** That moving here was shown to work. It is over by then: a proof that is not kept undoes nothing. */
const keepProof = async ({ steps, clock, ports, run }: Work): Promise<string[]> => {
  const kept = await steps.step("keep the proof", () =>
    observed("coordination table", clock.now, async () => {
      await ports.keepProof(run.name, run.kind);
      return true;
    }),
  );
  return kept.known ? [] : [`That it worked could not be kept (${kept.why}).`];
};

/** The durable execution that this is. */
export const executionOf = ({ name, again }: Run): string => executionName(name, again);

/** A step that failed for longer than its retries ends the run with a human, never silently. */
const perform = async (work: Work): Promise<Ending> => {
  const { state, notes } = work.run;
  if (isFinal(state)) throw new Error(`${state} has no activity`);
  try {
    return await activities[state as keyof typeof activities](work);
  } catch (error) {
    // Why a lease was to go back must not be lost over why that failed.
    const why = state === "returning" ? notes : [];
    return { on: "failed", notes: [...why, `While ${state}: ${sentence(error)}`] };
  }
};

const enter = async (work: Work, move: number, row: Transition, ending: Ending) => {
  const { run } = work;
  run.state = row.to;
  run.notes = ending.notes;
  await record(work, `move ${move}`, {
    kind: kindOf(row),
    text: row.because,
    data: {
      from: row.from,
      to: row.to,
      on: ending.on,
      reversible: row.reversible,
      notes: ending.notes,
      ...ending.data,
    },
  });
};

const kindOf = (row: Transition): Line["kind"] => {
  if (row.on === "refused" || row.on === "paused" || row.on === "rejected") return "refused";
  if (row.to === "needs-human") return "failed";
  return row.to === "asking" ? "asked" : row.from === "proposed" ? "decided" : "did";
};

/**
 * Writes the journal, then shows the run in Slack. Before the point of no return what cannot be
 * recorded must not happen; after it the run goes on, counts what is missing, and says so at the end.
 * An end happens in any case: people have to be called also when the journal cannot be written.
 * Slack being down never matters here.
 */
export const record = async (
  work: Work,
  key: string,
  line: Pick<Line, "kind" | "text" | "data">,
): Promise<void> => {
  const { steps, ports, run, clock } = work;
  const write = (name: string, past: boolean) =>
    steps.step(name, async () => {
      const atMilliseconds = Math.floor(clock.now());
      const entry: Line = {
        key: `${journalPrefix(run.again)}${key}`,
        by: ports.name,
        atMilliseconds,
        ...line,
      };
      const written = ports.journal(run.name, entry);
      const recorded = past ? await written.then(yes, no) : await written.then(yes);
      const unrecorded = run.unrecorded + (recorded ? 0 : 1);
      const timeline = [...run.timeline, { atMilliseconds, text: line.text }];
      const message = await ports.show({ ...run, timeline, unrecorded });
      return { recorded, atMilliseconds, message };
    });
  const name = `record ${key}`;
  // A step is tried for a minute, which an end is worth: what has none in the journal looks alive.
  const told =
    isFinal(run.state) && !run.pastReturn
      ? await write(name, false).catch(() => write(`${name} unheard`, true))
      : await write(name, run.pastReturn);
  if (!told.recorded) run.unrecorded += 1;
  run.timeline.push({ atMilliseconds: told.atMilliseconds, text: line.text });
  run.isShown = told.message !== null;
  run.message = told.message ?? run.message;
};

const yes = () => true;
const no = () => false;

const resultOf = (run: Run): Result => ({
  outcome: run.state as Result["outcome"],
  run: run.name,
  kind: run.kind,
  epoch: run.epoch,
  notes: run.notes,
  fence: run.fence,
  approvedBy: run.approvedBy,
  promoteCalls: run.promoteCalls,
  unrecorded: run.unrecorded,
});
