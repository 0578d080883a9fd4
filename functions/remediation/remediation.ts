import type { Clock } from "../../shared/clock.ts";
import type { AttemptEnd } from "../../shared/incident.ts";
import type { Entry, Line } from "../../shared/journal.ts";
import { observed, sentence } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import type { Deed, Standing } from "./actions.ts";
import { isIrreversible, saysOf } from "./actions.ts";
import { ask, closeQuestion } from "./asking.ts";
import { act } from "./carrying.ts";
import type { Verdict } from "./decide.ts";
import { decide } from "./decide.ts";
import type { Look } from "./evidence.ts";
import { gather } from "./evidence.ts";
import { guarded } from "./guarding.ts";
import { always } from "./past.ts";
import type { Evidence, Next, Playbook } from "./playbooks.ts";
import type { Ports } from "./ports.ts";
import { prove } from "./proving.ts";
import type { RemediationRequest } from "./request.ts";
import { shadow } from "./shadowing.ts";
import type { Saved, Spent } from "./warrant.ts";

export interface Posted {
  channel: string;
  ts: string;
}

export type Phase = "looking" | "deciding" | "asking" | "acting" | "proving" | "undoing" | "ended";

/** All that a run knows. Rebuilt from step results when it is resumed; never holds a secret. */
export interface Run {
  name: string;
  wish: RemediationRequest;
  phase: Phase;
  startedAtMilliseconds: number;
  evidence: Evidence<Look> | null;
  saved: Saved | null;
  verdict: Verdict | null;
  deed: Deed | null;
  /** The target as it stood before anything was done to it. */
  before: Standing | null;
  question: Question | null;
  approvedBy: string[];
  spent: Spent | null;
  /** How often the deed was done; a second time while in doubt harms nothing. */
  acts: number;
  /** When the deed was seen to be done; null before. Metrics of minutes prove by what came after it. */
  doneAtMilliseconds: number | null;
  /** From here on a line that cannot be written is counted and stops nothing. */
  hasActed: boolean;
  end: AttemptEnd | null;
  unrecorded: number;
  notes: string[];
  timeline: { atMilliseconds: number; text: string }[];
  message: Posted | null;
  /** The incident goes on without this run, so its one message is another run's by now. */
  hasLetGo: boolean;
}

/** What people are asked, in a message of its own. */
export interface Question {
  planHash: string;
  neededApprovals: number;
  openedAtMilliseconds: number;
  expiresAtMilliseconds: number;
  /** Null until Slack has taken it: then it is put up at the next look. */
  posted: Posted | null;
  /** Who had approved when it was last brought up to date. */
  shownFor: number;
  isRepeated: boolean;
  rejectedBy: string | null;
  /** What came of it, once it is over. */
  answer: string | null;
  /** Slack has taken the message in which its buttons are gone. */
  isClosed: boolean;
}

export interface Work {
  steps: Steps;
  clock: Clock;
  ports: Ports;
  run: Run;
  playbook: Playbook;
}

/** How a run ends, or null while it goes on. */
export interface Ending {
  end: AttemptEnd;
  /** Stable and short: `recovered`, `paused`, `healed`, `worse`, `ineffective`, … */
  code: string;
  notes: string[];
}

export interface Result {
  run: string;
  playbook: string;
  end: AttemptEnd;
  code: string;
  notes: string[];
  deed: Deed | null;
  acts: number;
  approvedBy: string[];
  unrecorded: number;
}

/** One attempt of one playbook: look, decide, ask where it has to, act once, prove, tell. */
export const remediate = async (
  steps: Steps,
  ports: Ports,
  wish: RemediationRequest,
): Promise<Result> => {
  const { clock } = ports;
  const run = newRun(wish);
  const playbook = ports.playbooks.find(({ name }) => name === wish.playbook);
  if (!playbook) throw new Error(`there is no playbook ${wish.playbook}`);
  const work: Work = { steps, clock, ports, run, playbook };
  const ending = await attempted(work);
  return close(work, ending);
};

const newRun = (wish: RemediationRequest): Run => ({
  name: wish.run,
  wish,
  phase: "looking",
  startedAtMilliseconds: 0,
  evidence: null,
  saved: null,
  verdict: null,
  deed: null,
  before: null,
  question: null,
  approvedBy: [],
  spent: null,
  acts: 0,
  doneAtMilliseconds: null,
  hasActed: false,
  end: null,
  unrecorded: 0,
  notes: [],
  timeline: [],
  message: wish.message,
  hasLetGo: false,
});

/** A step that failed for longer than its retries ends the run with a human, never silently. */
const attempted = async (work: Work): Promise<Ending> => {
  try {
    return await attempt(work);
  } catch (error) {
    const notes = [`While ${work.run.phase}: ${sentence(error)}`];
    return { end: "needs-human", code: "failed", notes };
  }
};

const attempt = async (work: Work): Promise<Ending> => {
  const { steps, clock, ports, run } = work;
  const begun = await steps.step("begin", async () => ({
    at: Math.floor(clock.now()),
    isOurs: await ports.beginAttempt(run.name),
  }));
  run.startedAtMilliseconds = begun.at;
  if (!begun.isOurs) return nothing("overtaken", ["The incident has gone on without this run."]);
  const { subject, others } = run.wish;
  const more = others > 0 ? ` ${others} other alarm(s) at the same time.` : "";
  await record(work, "begin", {
    kind: "saw",
    text: `${subject.alarm}: ${subject.reason}${more}`,
    data: { wish: run.wish },
  });
  await look(work);
  const refused = await judge(work);
  if (refused) return refused;
  return carry(work);
};

/** Everything is looked at and in the journal before anything can be destroyed. */
const look = async (work: Work): Promise<void> => {
  const { steps, clock, ports, run, playbook } = work;
  const looks = [...new Set<Look>([...playbook.evidence, ...always])];
  const evidence = await steps.step("evidence", () =>
    gather(clock, ports.lookers, looks, run.wish.subject),
  );
  run.evidence = evidence;
  const seen = Object.values(evidence).filter(({ known }) => known).length;
  const entry = await record(work, "evidence", {
    kind: "saw",
    text: `${seen} of ${looks.length} looks were answered.`,
    data: { evidence },
  });
  if (entry) run.saved = { run: run.name, ...entry };
};

const judge = async (work: Work): Promise<Ending | null> => {
  const { steps, clock, ports, run, playbook } = work;
  run.phase = "deciding";
  const record_ = await steps.step("how it has done before", () =>
    observed("coordination table", clock.now, () => ports.readEfficacy(playbook.name)),
  );
  const verdict = decide(playbook, evidenceOf(run), run.wish.subject, {
    given: ports.policy.rights[playbook.name] ?? "shadow",
    record: record_,
    isIrreversible,
  });
  run.verdict = verdict;
  const { finding, decision, mode } = verdict;
  run.deed = decision.kind === "refuse" ? null : decision.deed;
  const plan = run.deed ? ` ${words[mode]}: ${saysOf(run.deed)}.` : "";
  await record(work, "diagnosis", {
    kind: "decided",
    text: `${finding.is}: ${finding.says}${plan}`,
    data: { finding, decision, mode, reasons: verdict.reasons },
  });
  if (decision.kind !== "refuse") return null;
  const notes = [...decision.refusals.map(({ reason }) => reason), ...decision.advice];
  const code = decision.refusals[0]?.code ?? "refused";
  return { end: endAfter[playbook.next[finding.is] ?? "people"], code, notes };
};

/** A deed that was refused is looked at again: what forbids it may be over by then. */
const endAfter: Record<Next, AttemptEnd> = {
  deed: "nothing",
  again: "nothing",
  waits: "waits",
  passes: "passed",
  people: "needs-human",
};

const words = { nothing: "Nothing", shadow: "Would", ask: "Asks to", act: "Will" } as const;

const carry = async (work: Work): Promise<Ending> => {
  const { run } = work;
  const objection = await guarded(work, "before the plan");
  if (objection) return objection;
  const mode = run.verdict?.mode;
  if (mode === "shadow") return shadow(work);
  if (mode === "ask") {
    const answer = await ask(work);
    if (answer) return answer;
  }
  const changed = await guarded(work, "before the deed");
  if (changed) return changed;
  const acted = await act(work);
  if (acted) return acted;
  return prove(work);
};

export const evidenceOf = ({ evidence, name }: Run): Evidence<Look> => {
  if (!evidence) throw new Error(`${name} has no evidence`);
  return evidence;
};

export const deedOf = ({ deed, name }: Run): Deed => {
  if (!deed) throw new Error(`${name} has no plan`);
  return deed;
};

export const nothing = (code: string, notes: string[]): Ending => ({ end: "nothing", code, notes });
/** What only the switch, a freeze or a mute holds back is tried again, and not counted. */
const holding: readonly string[] = [
  ...["paused", "pause-unknown", "frozen", "freeze-unknown", "held", "abort-unknown"],
];

/** A refusal as the end of a run. Whoever stops one has taken the matter into their own hands. */
export const refusedFor = (code: string, notes: string[]): Ending => {
  if (code === "aborted") return human(code, notes);
  return holding.includes(code) ? { end: "held", code, notes } : nothing(code, notes);
};
export const human = (code: string, notes: string[]): Ending => ({
  end: "needs-human",
  code,
  notes,
});

const close = async (work: Work, { end, code, notes }: Ending): Promise<Result> => {
  const { steps, ports, run, playbook } = work;
  await closeQuestion(work, { code, notes });
  run.phase = "ended";
  run.end = end;
  run.notes = notes;
  // It is over by now: what cannot be written any more must not hide how it ended.
  run.hasActed = true;
  await record(work, "end", {
    kind: lineKinds[end],
    text: [`${sayings[end]} (${code})`, ...notes].join(". "),
    data: { end, code, notes, acts: run.acts },
  });
  const told = await steps.step("end the attempt", () =>
    observed("coordination table", ports.clock.now, () =>
      ports.endAttempt(run.name, end, run.message, run.acts),
    ),
  );
  if (!told.known) run.unrecorded += 1;
  return {
    run: run.name,
    playbook: playbook.name,
    end,
    code,
    notes,
    deed: run.deed,
    acts: run.acts,
    approvedBy: run.approvedBy,
    unrecorded: run.unrecorded,
  };
};

const lineKinds: Record<AttemptEnd, Line["kind"]> = {
  done: "did",
  nothing: "refused",
  held: "refused",
  waits: "refused",
  passed: "refused",
  shadow: "did",
  "needs-human": "failed",
};

const sayings: Record<AttemptEnd, string> = {
  done: "Repaired",
  nothing: "Nothing was done",
  held: "Held back",
  waits: "Nothing was done yet",
  passed: "It is none of this playbook's matters",
  shadow: "In shadow: nothing was done",
  "needs-human": "This needs a human",
};

/**
 * Writes the journal, then shows the run in Slack. Before the deed what cannot be recorded must not
 * happen; after it the run goes on and counts what is missing. Slack being down never matters here.
 */
export const record = async (
  work: Work,
  key: string,
  line: Pick<Line, "kind" | "text" | "data">,
): Promise<{ sequence: number; hash: string } | null> => {
  const { steps, ports, run, clock } = work;
  const past = run.hasActed;
  const told = await steps.step(`record ${key}`, async () => {
    const atMilliseconds = Math.floor(clock.now());
    const entry: Line = { key, by: ports.name, atMilliseconds, ...line };
    const written = ports.journal(run.name, entry);
    const kept = past ? await written.then(place, none) : await written.then(place);
    const timeline = [...run.timeline, { atMilliseconds, text: line.text }];
    return { kept, atMilliseconds, message: await ports.show({ ...run, timeline }) };
  });
  if (!told.kept) run.unrecorded += 1;
  run.timeline.push({ atMilliseconds: told.atMilliseconds, text: line.text });
  run.message = told.message ?? run.message;
  return told.kept;
};

const place = ({ sequence, hash }: Entry) => ({ sequence, hash });
const none = () => null;
