import { menu } from "../../functions/remediation/actions.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";
import type { Result } from "../../functions/remediation/remediation.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import type { FaultKind } from "../../local/aws/faults.ts";
import type { Call } from "../../local/aws/service.ts";
import type { CheckpointMoment } from "../../local/lambda/ports.ts";
import { readReservations } from "../../shared/budget.ts";
import { verify } from "../../shared/journal.ts";
import { pause, resume } from "../../shared/pause.ts";
import type { HookTools } from "../simulation/world.ts";
import { raised, type Stage } from "./platform.ts";
import type { Lives, Story } from "./stories.ts";

export type Phase = "before" | "after";

/** What befalls a story, once. */
export type Blow =
  | { is: "nothing" }
  /** Calls of this kind, for a minute from the first one on. */
  | { is: "fault"; label: string; fault: FaultKind }
  | { is: "killed-at-call"; label: string; phase: Phase }
  | { is: "killed-at-checkpoint"; number: number; phase: Phase }
  /** The switch is thrown before the call of this number since the plan, and is off ten minutes later. */
  | { is: "paused"; number: number };

export interface Life {
  results: Result[];
  /** How often the blow fell. */
  hits: number;
  /** What does not hold, as sentences. */
  wrongs: string[];
}

const minute = 60_000;
const patienceSeconds = 4 * 3600;
/** A story that takes hours is looked at less often. */
const tickOf = (milliseconds: number): number => (milliseconds < 2_400_000 ? 30_000 : 180_000);

const takingPart = /\/(triage|remediation|database)\//;
const reads = /\.(?:Describe|Get|List|Query|Scan)/;

interface Asked {
  Key?: { id?: { S?: string } };
  Item?: { key?: { S?: string } };
  FunctionName?: string;
  DocumentName?: string;
  Payload?: Uint8Array;
}

/**
 * One kind of call, by who makes it and what for: items of a table are told apart by the noun in their
 * key, lines of the journal by theirs, and invocations by what they ask.
 */
export const labelOf = ({ service, operation }: Call, input: unknown, caller: string): string => {
  const { Key, Item, FunctionName, DocumentName = "", Payload } = input as Asked;
  const item =
    Key?.id?.S?.split("#")[0] ?? Item?.key?.S?.replace(/[#.\d]+.*/, "").trim() ?? DocumentName;
  const asked = FunctionName ? `${FunctionName} ${wantedOf(Payload)}` : item;
  return `${caller.split("/")[1]} ${service}.${operation} ${asked}`.trim();
};

const wantedOf = (payload: Uint8Array | undefined): string =>
  (JSON.parse(Buffer.from(payload ?? []).toString() || "{}") as { do?: string }).do ?? "";

/** Changes of the platform itself, which only a deed makes. */
const isChange = (call: Call, input: unknown, caller: string): boolean => {
  if (!caller.includes("/remediation/") || reads.test(`.${call.operation}`)) return false;
  if (call.service === "lambda") return labelOf(call, input, caller).endsWith("endSessions");
  // Two documents are all that instances are given, and one of them only reads.
  if (call.service === "ssm") return labelOf(call, input, caller).includes("restart");
  return !/^(dynamodb|events)$/.test(call.service);
};

const changesOf = (watch: Watch): Observer => ({
  after: async (call, input, outcome, caller = "") => {
    const had = outcome.kind === "answered" || (outcome.kind === "silent" && outcome.effect);
    if (!had || !isChange(call, input, caller)) return;
    watch.changes.push(`${call.operation} ${JSON.stringify(input)}`);
    if (watch.isPaused) watch.despite += 1;
  },
});

/** A story from its trouble until its incident is closed or handed on, with one blow or none. */
export const lived = async (story: Story, blow: Blow): Promise<Life> => {
  const watch = newWatch();
  const at = await raised({
    ...story.options,
    seed: `disturbed ${story.playbook}`,
    hooks: (tools) => hooksOf(tools, blow, watch),
  });
  try {
    strike(at, blow, watch);
    watch.at = at;
    watch.begun = true;
    const lives = await story.arrange(at);
    const wrongs = await seen(at, story, lives);
    return {
      results: at.results(),
      hits: watch.hits,
      wrongs: [
        ...wrongs,
        ...(await afterwards(at, story, watch.changes)),
        ...(watch.despite > 0 ? [`${watch.despite} changes while the switch was on`] : []),
      ],
    };
  } finally {
    await at.leave();
  }
};

/** Every kind of call that a story makes which nothing disturbs. */
export const callsOf = async (story: Story): Promise<string[]> => {
  const labels = new Set<string>();
  let begun = false;
  const at = await raised({
    ...story.options,
    seed: `disturbed ${story.playbook}`,
    hooks: () => ({
      observe: {
        before: async (call, input, caller = "") => {
          if (begun && takingPart.test(caller)) labels.add(labelOf(call, input, caller));
        },
      },
    }),
  });
  begun = true;
  await seen(at, story, await story.arrange(at));
  await at.leave();
  return [...labels].sort();
};

interface Watch {
  at: Stage | null;
  begun: boolean;
  hits: number;
  since: number;
  /** Calls of remediation since its plan, until it has made its change. */
  calls: number;
  changes: string[];
  isPaused: boolean;
  /** Changes made while the switch was on. */
  despite: number;
}

const newWatch = (): Watch => ({
  at: null,
  begun: false,
  hits: 0,
  since: 0,
  calls: 0,
  changes: [],
  isPaused: false,
  despite: 0,
});

const strike = (at: Stage, blow: Blow, watch: Watch): void => {
  if (blow.is !== "fault") return;
  at.faults.add({
    kind: blow.fault,
    older: true,
    match: {
      asks: (call, input, caller = "") => {
        if (!watch.begun || !takingPart.test(caller)) return false;
        if (labelOf(call, input, caller) !== blow.label) return false;
        const now = at.timeline.now();
        if (watch.since === 0) watch.since = now;
        if (now - watch.since >= minute) return false;
        watch.hits += 1;
        return true;
      },
    },
  });
};

const hooksOf = (tools: HookTools, blow: Blow, watch: Watch) => {
  const changes = changesOf(watch);
  if (blow.is === "killed-at-checkpoint") {
    const onCheckpoint = ({ phase, number }: CheckpointMoment) => {
      if (watch.hits > 0 || phase !== blow.phase || number !== blow.number) return undefined;
      watch.hits += 1;
      return "kill" as const;
    };
    return { observe: changes, lambda: { onCheckpoint } };
  }
  if (blow.is === "paused") return { observe: { ...changes, ...pausing(blow.number, watch) } };
  if (blow.is !== "killed-at-call") return { observe: changes };
  const kill = (call: Call, input: unknown, caller = "") => {
    if (!watch.begun || watch.hits > 0 || !takingPart.test(caller)) return undefined;
    if (labelOf(call, input, caller) !== blow.label) return undefined;
    const requestId = tools.requestOf(caller);
    if (requestId === undefined) return undefined;
    watch.hits += 1;
    tools.kill(requestId);
    return "silence" as const;
  };
  const observe: Observer =
    blow.phase === "before"
      ? { ...changes, before: async (call, input, caller) => kill(call, input, caller) }
      : {
          after: async (call, input, outcome, caller) => {
            await changes.after?.(call, input, outcome, caller);
            return kill(call, input, caller);
          },
        };
  return { observe };
};

/** Throws the switch before a call between plan and change: the change itself is not among them. */
const pausing = (number: number, watch: Watch): Pick<Observer, "before"> => {
  const turn = async (at: Stage, how: typeof pause | typeof resume) => {
    const atMilliseconds = Math.floor(at.timeline.now());
    await how(at.table, { by: "U0ANA", reason: "we look", atMilliseconds });
  };
  return {
    before: async (call, input, caller = "") => {
      const { at } = watch;
      if (!at || !caller.includes("/remediation/") || watch.changes.length > 0) return;
      const isPlan = labelOf(call, input, caller).endsWith("PutItem diagnosis");
      if (watch.calls === 0 && !isPlan) return;
      watch.calls += 1;
      if (watch.hits > 0 || watch.calls !== number || isChange(call, input, caller)) return;
      watch.hits = 1;
      await turn(at, pause);
      watch.isPaused = true;
      at.timeline.after(10 * minute, () => {
        watch.isPaused = false;
        void turn(at, resume);
      });
    },
  };
};

/** Lives through it; what did not hold at some moment. */
const seen = async (at: Stage, story: Story, lives: Lives): Promise<string[]> => {
  const wrongs = new Set<string>();
  const before = (await at.serving()).length;
  const least = before - (menu[story.deed].takesFromFleet ? 1 : 0);
  const begun = at.timeline.now();
  const end = begun + patienceSeconds * 1000;
  while (!(await isOver(at, story))) {
    if (at.timeline.now() > end) return [...wrongs, await stuck(at)];
    await at.timeline.advance(tickOf(at.timeline.now() - begun));
    await lives.live?.();
    const serving = (await at.serving()).length;
    if (serving < least) wrongs.add(`${serving} of ${before} were in service`);
    for (const wrong of await lives.wrongs()) wrongs.add(wrong);
  }
  return [...wrongs];
};

/** Closed, or in the hands of people: nothing runs, and nothing is going to be tried by itself. */
const isOver = async (at: Stage, { goesOnUntil, playbook }: Story): Promise<boolean> => {
  const runs = at.executions();
  if (runs.length === 0 || runs.some(({ status }) => status === "RUNNING")) return false;
  const incident = await at.incident();
  if (!incident) return false;
  const end = incident.attempt?.end ?? null;
  if (incident.closedAtMilliseconds !== null) return true;
  // Another that has called people without a deed does not keep this one from its next look.
  const { attempt } = incident;
  if (end === "needs-human" && (attempt?.hasActed || attempt?.playbook === playbook)) return true;
  if (goesOnUntil) return end === goesOnUntil;
  // Looked at once an hour, and people know.
  const isLeft = incident.parked.some(({ why }) => why.includes("again after 3600 s"));
  return isLeft && incident.told.length > 0;
};

const stuck = async (at: Stage): Promise<string> => {
  const states = at.executions().map(({ name, status }) => `${name} is ${status}`);
  return `it never ended: ${states.join(", ")}; ${JSON.stringify(await at.incident())}`;
};

/** What has to hold of everything that is left of it. */
const afterwards = async (at: Stage, story: Story, changes: string[]): Promise<string[]> => {
  const wrongs = at.bugs.map((bug) => `a bug: ${String(bug)}`);
  for (const { name, status, error } of at.executions()) {
    if (status !== "SUCCEEDED") wrongs.push(`${name} is ${status}: ${error?.ErrorMessage}`);
  }
  const distinct = new Set(changes);
  if (distinct.size > (story.changes ?? 1))
    wrongs.push(`more than one thing was changed: ${[...distinct]}`);
  wrongs.push(...(await budgetWrongs(at, story, changes.length)), ...(await journalWrongs(at)));
  if (at.results().at(-1)?.end !== "done" && !isTold(at)) wrongs.push("people were not told");
  return [...wrongs, ...leaks(at)];
};

const isTold = ({ slack }: Stage): boolean =>
  slack.messages().some(({ text }) => /needs a human|nothing is done by itself/.test(text));

const budgetWrongs = async (at: Stage, story: Story, changes: number): Promise<string[]> => {
  const taken = await at.timeline.run(readReservations(at.table, at.region));
  const own = playbooks.find(({ name }) => name === story.playbook);
  const wrongs: string[] = [];
  if (changes > 0 && taken.length === 0) wrongs.push("something was changed outside the budget");
  if (taken.length > (own?.budget.perHour ?? 0)) wrongs.push(`${taken.length} deeds were reserved`);
  if (new Set(taken.map(({ id }) => id)).size < taken.length) wrongs.push("reserved twice");
  return wrongs;
};

const journalWrongs = async (at: Stage): Promise<string[]> => {
  const entries = await at.journal();
  return [...new Set(entries.map(({ run }) => run))].flatMap((run) => {
    const own = entries.filter((entry) => entry.run === run);
    const isWhole = verify(own).ok && new Set(own.map(({ key }) => key)).size === own.length;
    return isWhole ? [] : [`the journal of ${run} is not whole`];
  });
};

const leaks = ({ secrets, lines, slack }: Stage): string[] => {
  const said = [...lines, JSON.stringify(slack.messages())].join("\n");
  return secrets.filter((secret) => said.includes(secret)).map(() => "a secret was said");
};
