import type { Observer } from "../../local/aws/endpoint.ts";
import type { Call } from "../../local/aws/service.ts";
import { verify } from "../../shared/journal.ts";
import { type Blow, labelOf } from "../remediation/disturbed.ts";
import type { HookTools } from "../simulation/world.ts";
import { isIdle } from "./looks.ts";
import { raised, type Stage } from "./stage.ts";

const minute = 60_000;
const patience = 30 * 60 * minute;

interface Watch {
  begun: boolean;
  hits: number;
  since: number;
  /** Instances that somebody was told to change, by id. */
  changed: Set<string>;
}

const ours = (caller: string) => caller.includes("/verification/");

const targetOf = (input: unknown): string | undefined => {
  const asked = input as Record<string, string | undefined>;
  const named = asked.TargetDBInstanceIdentifier ?? asked.DBInstanceIdentifier;
  return named ?? asked.ResourceName?.split(":").at(-1);
};

const isChange = ({ service, operation }: Call) =>
  service === "rds" && !operation.startsWith("Describe") && !operation.startsWith("List");

const hooksOf = (tools: HookTools, blow: Blow, watch: Watch) => {
  const look = (call: Call, input: unknown, caller = "") => {
    const target = targetOf(input);
    if (ours(caller) && isChange(call) && target) watch.changed.add(target);
  };
  const strikes = (call: Call, input: unknown, caller = "") =>
    blow.is === "killed-at-call" &&
    watch.begun &&
    watch.hits === 0 &&
    ours(caller) &&
    labelOf(call, input, caller) === blow.label;
  const kill = (call: Call, input: unknown, caller = "") => {
    if (!strikes(call, input, caller)) return undefined;
    const requestId = tools.requestOf(caller);
    if (requestId === undefined) return undefined;
    watch.hits += 1;
    tools.kill(requestId);
    return "silence" as const;
  };
  const phase = blow.is === "killed-at-call" ? blow.phase : "before";
  const observe: Observer = {
    before: async (call, input, caller) => {
      look(call, input, caller);
      return phase === "before" ? kill(call, input, caller) : undefined;
    },
    after: async (call, input, _outcome, caller) =>
      phase === "after" ? kill(call, input, caller) : undefined,
  };
  if (blow.is !== "killed-at-checkpoint") return { observe };
  const onCheckpoint = (moment: { phase: string; number: number }) => {
    if (watch.hits > 0 || moment.phase !== blow.phase || moment.number !== blow.number) return;
    watch.hits += 1;
    return "kill" as const;
  };
  return { observe, lambda: { onCheckpoint } };
};

export interface Life {
  end: string;
  code: string;
  hits: number;
  /** What does not hold, as sentences. */
  wrongs: string[];
}

/** A restore test with one blow, or none. */
export const lived = async (blow: Blow): Promise<Life> => {
  const watch: Watch = { begun: false, hits: 0, since: 0, changed: new Set() };
  const at = await raised({ seed: "disturbed", hooks: (tools) => hooksOf(tools, blow, watch) });
  try {
    if (blow.is === "fault") strike(at, blow, watch);
    watch.begun = true;
    const before = await production(at);
    await at.start();
    const end = at.timeline.now() + patience;
    do await at.timeline.advance(minute);
    while (!isIdle(at) && at.timeline.now() < end);
    const result = await at.ended();
    const wrongs = await wrongsOf(at, watch, before);
    const isTold = result.leftovers.length > 0 || (await at.copies()).length === 0;
    if (!isTold) wrongs.push("a copy is left, and nobody was told");
    if (result.end === "verified" && !result.evidence) wrongs.push("green without evidence");
    return { end: result.end, code: result.code, hits: watch.hits, wrongs };
  } finally {
    await at.close();
  }
};

/** Every kind of call that an undisturbed restore test makes. */
export const callsOf = async (): Promise<string[]> => {
  const labels = new Set<string>();
  const before = async (call: Call, input: unknown, caller = "") =>
    void (ours(caller) && labels.add(labelOf(call, input, caller)));
  const at = await raised({ seed: "disturbed", hooks: () => ({ observe: { before } }) });
  await at.start();
  await at.ended();
  await at.close();
  return [...labels].sort();
};

const strike = (at: Stage, blow: Extract<Blow, { is: "fault" }>, watch: Watch): void => {
  at.faults.add({
    kind: blow.fault,
    older: true,
    match: {
      asks: (call, input, caller = "") => {
        if (!watch.begun || !ours(caller)) return false;
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

const production = async (at: Stage): Promise<string> =>
  JSON.stringify([await at.instancesIn(at.home.region), await originals(at)]);

const originals = async (at: Stage) =>
  (await at.instancesIn(at.standby.region)).filter(
    (each) => each.DBInstanceIdentifier === at.standby.databaseId,
  );

const wrongsOf = async (at: Stage, watch: Watch, before: string): Promise<string[]> => {
  const wrongs = at.bugs.map((bug) => `a bug: ${String(bug)}`);
  if ((await production(at)) !== before) wrongs.push("production has changed");
  const touched = [...watch.changed].filter((id) => !id.startsWith("platform-verify-"));
  if (touched.length > 0) wrongs.push(`${touched.join(", ")} was touched`);
  if (watch.changed.size > 1) wrongs.push(`more than one copy: ${[...watch.changed].join(", ")}`);
  const entries = await at.journal();
  const keys = new Set(entries.map(({ key }) => key));
  if (!verify(entries).ok || keys.size !== entries.length) wrongs.push("the journal is not whole");
  if ((await at.records()).length > 1) wrongs.push("it was proven twice");
  const said = [...at.lines, JSON.stringify(at.slack.messages())].join("\n");
  if (at.secrets.some((secret) => said.includes(secret))) wrongs.push("a secret was said");
  return wrongs;
};
