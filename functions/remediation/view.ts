import { isoSeconds } from "../../shared/clock.ts";
import type { Block, SlackMessage } from "../../shared/message.ts";
import { approvalBlocks, escaped, person } from "../../shared/message.ts";
import { saysOf } from "./actions.ts";
import type { Look } from "./evidence.ts";
import { changesWords, historyWords } from "./past.ts";
import { wayWords } from "./path.ts";
import type { Evidence } from "./playbooks.ts";
import type { Phase, Run } from "./remediation.ts";

/** Slack's limits per block. Source: the JSDoc of @slack/types. */
const headerLimit = 150;
const sectionLimit = 3000;
const timelineLines = 10;

const phases: Record<Phase, string> = {
  looking: "Looking",
  deciding: "Deciding",
  asking: "Waiting for approval",
  acting: "Acting",
  proving: "Looking whether it has helped",
  undoing: "Taking it back",
  ended: "Ended",
};

const signs = {
  done: "✓",
  nothing: "×",
  held: "‖",
  waits: "…",
  passed: "×",
  shadow: "○",
  "needs-human": "▲",
};
const ends = {
  done: "Repaired",
  nothing: "Nothing was done",
  held: "Held back: nothing was done for now",
  waits: "Nothing was done yet: it is looked at again soon",
  passed: "It is something else",
  shadow: "In shadow: nothing was done",
  "needs-human": "This needs a human",
};

/** The run's one message: what is the matter, what is done about it and why, and what came of it. */
export const messageOf = (run: Run): SlackMessage => {
  const { wish, verdict, deed, end } = run;
  const sign = end ? signs[end] : "◐";
  const title = `${sign} ${wish.subject.kind} in ${wish.subject.region}`;
  const state = end ? [ends[end], ...run.notes].join(". ") : phases[run.phase];
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: clip(title, headerLimit) } },
    section(`*${escaped(state)}*\n${escaped(wish.subject.alarm)}: ${escaped(wish.subject.reason)}`),
  ];
  const before = beforeOf(run);
  if (before) blocks.push(section(before));
  if (verdict) {
    const { finding, reasons } = verdict;
    const because = reasons.length > 0 ? `\n${escaped(reasons.join(" "))}` : "";
    const plan = deed ? `\n*Plan*: ${escaped(saysOf(deed))}${because}` : "";
    blocks.push(section(`*Diagnosis*: ${finding.is}. ${escaped(finding.says)}${plan}`));
    const advice = finding.advice.map((line) => `• ${escaped(line)}`).join("\n");
    if (advice && end !== "done") blocks.push(section(`*Look at*\n${advice}`));
  }
  if (run.timeline.length > 0) blocks.push(section(timelineOf(run.timeline)));
  blocks.push(contextOf(run));
  return { text: clip(`${title}: ${escaped(state)}`, sectionLimit), blocks };
};

/** How its alarm has behaved, and what was changed before it rang. */
const beforeOf = ({ evidence, wish }: Run): string => {
  const { history, changes, path } = (evidence ?? {}) as Partial<Evidence<Look>>;
  const rang = historyWords(history);
  const way = wayWords(path, wish.subject.region).map((line) => `*On the way*: ${escaped(line)}`);
  const changed = changesWords(changes).map((line) => `• ${escaped(line)}`);
  const title = changed.length > 0 ? ["*Changed before*"] : [];
  return [...(rang ? [escaped(rang)] : []), ...way, ...title, ...changed].join("\n");
};

/**
 * The question by itself: what is asked, of whom, why, and until when. Without its buttons once it is
 * over, with what came of it.
 */
export const questionOf = (run: Run, called: readonly string[]): SlackMessage => {
  const { wish, verdict, deed, question, approvedBy } = run;
  const isOpen = question?.answer === null;
  const plan = deed ? saysOf(deed) : "nothing";
  const { subject } = wish;
  const sign = isOpen ? "▲" : "◐";
  const title = `${sign} May this be done in ${subject.region}? ${plan}`;
  const whom = isOpen ? called.map(person).join(" ") : answerOf(run);
  const why = verdict ? [verdict.finding.says, ...verdict.reasons].join(" ") : "";
  const blocks: Block[] = [
    section(`*${escaped(title)}*\n${whom}`),
    section(`${escaped(subject.alarm)}: ${escaped(why)}`),
  ];
  const advice = verdict?.finding.advice.map((line) => `• ${escaped(line)}`).join("\n");
  if (advice) blocks.push(section(`*Look at*\n${advice}`));
  if (question && isOpen) blocks.push(...approvalBlocks({ ...question, approvedBy }));
  blocks.push(contextOf(run));
  return { text: clip(`${escaped(title)} ${whom}`, sectionLimit), blocks };
};

/** Who has pressed what, or why nobody has to press any more. */
const answerOf = ({ question, approvedBy }: Run): string => {
  if (question?.rejectedBy) return `Rejected by ${person(question.rejectedBy)}.`;
  const isGranted = question !== null && approvedBy.length >= question.neededApprovals;
  if (isGranted) return `Approved by ${approvedBy.map(person).join(" and ")}.`;
  return escaped(question?.answer ?? "It is over.");
};

/** Said below the question when half of its time is over. */
export const reminderOf = ({ name, question }: Run, called: readonly string[]): string => {
  const until = question ? isoSeconds(question.expiresAtMilliseconds).slice(11, 16) : "its end";
  const whom = called.map(person).join(" ");
  return `${whom} ${escaped(name)} still waits for an answer, until ${until} UTC. Nobody has said no.`;
};

/** The newest line of a run that may not touch the incident's message any more. */
export const threadLineOf = ({ name, wish, timeline }: Run): string =>
  clip(
    `${escaped(name)} (${wish.playbook}): ${escaped(timeline.at(-1)?.text ?? "")}`,
    sectionLimit,
  );

const contextOf = ({ name, wish }: Run): Block => ({
  type: "context",
  elements: [{ type: "mrkdwn", text: `run ${escaped(name)}, playbook ${escaped(wish.playbook)}` }],
});

const timelineOf = (timeline: Run["timeline"]): string => {
  const shown = timeline.slice(-timelineLines);
  const earlier = timeline.length - shown.length;
  const lines = shown.map(
    ({ atMilliseconds, text }) =>
      `${isoSeconds(atMilliseconds).slice(11, 19)}  ${escaped(clip(text, 200))}`,
  );
  return [...(earlier > 0 ? [`(${earlier} earlier)`] : []), ...lines].join("\n");
};

const section = (text: string): Block => ({
  type: "section",
  text: { type: "mrkdwn", text: clip(text, sectionLimit) },
});

const clip = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
