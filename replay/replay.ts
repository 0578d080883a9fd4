import { isIrreversible, saysOf, takesFromFleet } from "../functions/remediation/actions.ts";
import { decide } from "../functions/remediation/decide.ts";
import type { Look } from "../functions/remediation/evidence.ts";
import { objections } from "../functions/remediation/guardrails.ts";
import type { Evidence, Playbook, Right } from "../functions/remediation/playbooks.ts";
import { canonical } from "../shared/canonical.ts";
import type { Refusal } from "../shared/outcome.ts";
import type { Decided, Recorded } from "./attempt.ts";

/** One thing that was decided, then and now. */
export interface Line {
  what: "playbook" | "evidence" | "finding" | "plan" | "how far" | "guardrails";
  past: string;
  now: string;
  isSame: boolean;
  /** What is behind the difference, as far as it can be told; a sentence each. */
  because: string[];
}

export interface Replayed {
  run: string;
  playbook: string;
  alarm: string;
  isSame: boolean;
  lines: Line[];
}

/** Of what was so at that very moment: the recording has the answer only, so it stands as it was. */
const ofTheMoment = new Set([
  "paused",
  "pause-unknown",
  "frozen",
  "freeze-unknown",
  "alarm-unknown",
  "superseded",
  "held",
  "changed",
  "fleet-unknown",
]);

/**
 * What today's playbooks, menu and guardrails make of what was seen then. Pure: nothing is looked at, and
 * nothing of the moment (switch, freezes, the alarm itself) is guessed: that stands as it was recorded.
 */
export const replay = (recorded: Recorded, playbooks: readonly Playbook[]): Replayed => {
  const { wish, run, past } = recorded;
  const about = { run, playbook: wish.playbook, alarm: wish.subject.alarm };
  const playbook = playbooks.find(({ name }) => name === wish.playbook);
  if (!playbook) {
    const gone = line("playbook", wish.playbook, "none of this name", ["It has been taken away."]);
    return { ...about, isSame: false, lines: [gone] };
  }
  const { evidence, unseen } = asNeeded(recorded, playbook);
  const now = decidedNow(recorded, playbook, evidence);
  const because = unseen.map((name) => `${name} is looked at today and was not recorded.`);
  const lines = [
    covers(playbook, recorded),
    finding(past, now, because),
    plan(past, now),
    howFar(recorded, now, playbook),
    guardrails(past, now),
  ];
  return { ...about, isSame: lines.every(({ isSame }) => isSame), lines };
};

/** A look that is new is unknown, and what the playbook makes of that is its answer. */
const asNeeded = ({ evidence }: Recorded, { evidence: needs }: Playbook) => {
  const unseen = needs.filter((name) => !(name in evidence));
  const unknown = { known: false, why: "not recorded", source: "the recording", atMilliseconds: 0 };
  const missing = Object.fromEntries(unseen.map((name) => [name, unknown]));
  return { evidence: { ...evidence, ...missing } as Evidence<Look>, unseen };
};

const decidedNow = (recorded: Recorded, playbook: Playbook, evidence: Evidence<Look>): Decided => {
  const { wish, past } = recorded;
  const verdict = decide(playbook, evidence, wish.subject, {
    given: rightOf(past),
    record: { known: true, value: { demotedBy: null }, source: "the recording", atMilliseconds: 0 },
    isIrreversible,
  });
  const { decision, mode } = verdict;
  const deed = decision.kind === "refuse" ? null : decision.deed;
  return {
    finding: { is: verdict.finding.is, says: verdict.finding.says },
    deed,
    refused: decision.kind === "refuse" ? decision.refusals : [],
    mode,
    objections: deed ? objectionsNow(recorded, playbook, evidence, deed) : [],
  };
};

/** The least right by which it came to what it did then; where nothing was planned, any would have done. */
const rightOf = ({ mode }: Decided): Right => {
  if (mode === "shadow" || mode === "ask") return mode;
  return "automatic";
};

const objectionsNow = (
  { wish, past }: Recorded,
  { despite = [] }: Playbook,
  evidence: Evidence<Look>,
  deed: NonNullable<Decided["deed"]>,
): Refusal[] => {
  const { targets, group, deploy } = evidence;
  const seen = { source: "the recording", atMilliseconds: 0 };
  const facts = {
    pause: { is: "running" as const },
    freezes: { known: true as const, value: [], ...seen },
    alarm: { known: true as const, value: { state: "ALARM", key: wish.key, held: null }, ...seen },
    fleet: takesFromFleet(deed) && targets && group && deploy ? { targets, group, deploy } : null,
  };
  const found = objections(deed, facts, { key: wish.key, despite });
  const wasThere = past.objections.filter(({ code }) => ofTheMoment.has(code));
  return [...found.filter(({ code }) => !ofTheMoment.has(code)), ...wasThere];
};

const line = (what: Line["what"], past: string, now: string, because: string[] = []): Line => {
  const isSame = past === now;
  return { what, past, now, isSame, because: isSame ? [] : because };
};

const covers = ({ name, alarms }: Playbook, { wish }: Recorded): Line => {
  const { kind } = wish.subject;
  const isFor = alarms.includes(kind);
  const now = isFor ? name : `${name}, not for ${kind}`;
  return line("playbook", name, now, [`Its alarms are ${alarms.join(", ")} today.`]);
};

const finding = (past: Decided, now: Decided, because: string[]): Line => {
  const said = (decided: Decided) => `${decided.finding.is}: ${decided.finding.says}`;
  if (past.finding.is === now.finding.is) {
    // Other words for the same finding are no other decision.
    return line("finding", past.finding.is, now.finding.is);
  }
  return line("finding", said(past), said(now), because);
};

const plan = (past: Decided, now: Decided): Line => {
  if (past.deed && now.deed && canonical(past.deed) === canonical(now.deed)) {
    return line("plan", saysOf(now.deed), saysOf(now.deed));
  }
  const said = ({ deed, refused }: Decided) =>
    deed ? saysOf(deed) : `nothing (${refused.map(({ code }) => code).join(", ")})`;
  const because = now.deed ? targetsOf(past, now) : now.refused.map(({ reason }) => reason);
  const found = line("plan", said(past), said(now), because);
  // Two deeds can read alike and be on other targets.
  const isOther = canonical(past.deed ?? null) !== canonical(now.deed ?? null);
  return isOther ? { ...found, isSame: false, because } : found;
};

/** Fields of the target that are others, each as `name: then → now`. */
const targetsOf = (past: Decided, now: Decided): string[] => {
  if (!past.deed || !now.deed) return [];
  const [before, after] = [past.deed, now.deed].map(
    ({ do: name, target }) => ({ do: name, ...target }) as Record<string, unknown>,
  );
  return Object.keys({ ...before, ...after }).flatMap((name) => {
    const [was, is] = [before?.[name], after?.[name]].map(
      (value) => JSON.stringify(value) ?? "none",
    );
    return was === is ? [] : [`${name}: ${was} → ${is}`];
  });
};

const modes = {
  nothing: "nothing",
  shadow: "says what it would do",
  ask: "asks people",
  act: "by itself",
} as const;

const howFar = ({ past }: Recorded, now: Decided, { right }: Playbook): Line => {
  const because =
    now.mode === "nothing" ? [] : [`The playbook's right is at most "${right}" today.`];
  return line("how far", modes[past.mode], modes[now.mode], because);
};

const guardrails = (past: Decided, now: Decided): Line => {
  const codes = ({ objections: all }: Decided) =>
    [...new Set(all.map(({ code }) => code))].sort().join(", ") || "nothing against it";
  // A plan that is not made any more has nothing that could be held against it.
  if (!now.deed) return line("guardrails", codes(past), codes(past));
  return line(
    "guardrails",
    codes(past),
    codes(now),
    now.objections.map(({ reason }) => reason),
  );
};
