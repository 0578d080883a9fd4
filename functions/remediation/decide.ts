import type { Fact, Refusal } from "../../shared/outcome.ts";
import type { Deed } from "./actions.ts";
import { withCauses } from "./causation.ts";
import type { Look } from "./evidence.ts";
import type { Decision, Evidence, Finding, Playbook, Right, Subject } from "./playbooks.ts";

/** How a playbook has done, as far as its right depends on it. */
export interface Record {
  /** The run by which it has lost its automatic right; null when it has it. */
  demotedBy: string | null;
}

export interface Verdict {
  finding: Finding<string>;
  decision: Decision;
  /** What comes of it: nothing, only words, a question, or the deed. */
  mode: "nothing" | "shadow" | "ask" | "act";
  reasons: string[];
}

const order: readonly Right[] = ["off", "shadow", "ask", "automatic"];

/** The least of what the playbook, the operator's file and its own record give it. */
export const rightOf = (most: Right, given: Right, record: Fact<Record>): Right => {
  const [least] = [most, given].toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
  const right = least ?? "off";
  const isTrusted = record.known && record.value.demotedBy === null;
  return right === "automatic" && !isTrusted ? "ask" : right;
};

/** Diagnosis, decision, and how far it may go. Pure: the same evidence gives the same answer. */
export const decide = (
  playbook: Playbook,
  evidence: Evidence<Look>,
  subject: Subject,
  {
    given,
    record,
    isIrreversible,
  }: {
    given: Right;
    record: Fact<Record>;
    isIrreversible: (deed: Deed) => boolean;
  },
): Verdict => {
  const finding = playbook.diagnose(evidence, subject);
  // Evidence from before every run looked at what was changed has no `changes` in it.
  const { changes } = evidence as Partial<Evidence<Look>>;
  const right = rightOf(playbook.right, given, record);
  const planned = decisionOf(playbook, finding, evidence, subject);
  const decision = withCauses(planned, changes, subject, right === "automatic");
  if (decision.kind === "refuse") return { finding, decision, mode: "nothing", reasons: [] };
  const reasons = [...decision.reasons, ...whyNotBySelf(right, decision, record, isIrreversible)];
  const byItself =
    right === "automatic" && decision.kind === "proceed" && !isIrreversible(decision.deed);
  if (right === "off") {
    return { finding, decision: switchedOff(playbook), mode: "nothing", reasons };
  }
  return {
    finding,
    decision,
    mode: right === "shadow" ? "shadow" : byItself ? "act" : "ask",
    reasons,
  };
};

const decisionOf = (
  { decide, name }: Playbook,
  { is, says, advice }: Finding<string>,
  evidence: Evidence<Look>,
  subject: Subject,
): Decision => {
  // Whatever a playbook's table says of it: what is not understood is not acted upon.
  const act = is === "unknown" || !Object.hasOwn(decide, is) ? undefined : decide[is];
  if (act) return act(evidence, subject);
  const code = is === "unknown" ? "unknown" : "not-actionable";
  const refusals: Refusal[] = [{ code, reason: `${name} finds "${is}": ${says}` }];
  return { kind: "refuse", refusals, advice };
};

const switchedOff = ({ name }: Playbook): Decision => ({
  kind: "refuse",
  refusals: [{ code: "off", reason: `${name} is switched off in the operator's file.` }],
  advice: [],
});

const whyNotBySelf = (
  right: Right,
  decision: Exclude<Decision, { kind: "refuse" }>,
  record: Fact<Record>,
  isIrreversible: (deed: Deed) => boolean,
): string[] => {
  if (right === "shadow") return ["It is in shadow: it says what it would do and does nothing."];
  const reasons: string[] = [];
  if (isIrreversible(decision.deed)) reasons.push("It cannot be undone, so people are asked.");
  if (!record.known) reasons.push(`How it has done before cannot be read (${record.why}).`);
  else if (record.value.demotedBy !== null) {
    reasons.push(
      `It has not helped several times in a row, the last in ${record.value.demotedBy}.`,
    );
  }
  return reasons;
};
