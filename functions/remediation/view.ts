import { isoSeconds } from "../../shared/clock.ts";
import type { Block, SlackMessage } from "../../shared/message.ts";
import { approvalBlocks, escaped } from "../../shared/message.ts";
import { saysOf } from "./actions.ts";
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

const signs = { done: "✓", nothing: "×", passed: "×", shadow: "○", "needs-human": "▲" };
const ends = {
  done: "Repaired",
  nothing: "Nothing was done",
  passed: "It is something else",
  shadow: "In shadow: nothing was done",
  "needs-human": "This needs a human",
};

/** The run's one message: what is the matter, what is done about it and why, and what came of it. */
export const messageOf = (run: Run): SlackMessage => {
  const { wish, verdict, deed, end, asking } = run;
  const sign = end ? signs[end] : "◐";
  const title = `${sign} ${wish.subject.kind} in ${wish.subject.region}`;
  const state = end ? [ends[end], ...run.notes].join(". ") : phases[run.phase];
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: clip(title, headerLimit) } },
    section(`*${escaped(state)}*\n${escaped(wish.subject.alarm)}: ${escaped(wish.subject.reason)}`),
  ];
  if (verdict) {
    const { finding, reasons } = verdict;
    const because = reasons.length > 0 ? `\n${escaped(reasons.join(" "))}` : "";
    const plan = deed ? `\n*Plan*: ${escaped(saysOf(deed))}${because}` : "";
    blocks.push(section(`*Diagnosis*: ${finding.is}. ${escaped(finding.says)}${plan}`));
    const advice = finding.advice.map((line) => `• ${escaped(line)}`).join("\n");
    if (advice && end !== "done") blocks.push(section(`*Look at*\n${advice}`));
  }
  if (run.timeline.length > 0) blocks.push(section(timelineOf(run.timeline)));
  if (asking && run.phase === "asking") {
    const { approvedBy } = run;
    blocks.push(...approvalBlocks({ ...asking, approvedBy }));
  }
  const context = `run ${escaped(run.name)}, playbook ${escaped(wish.playbook)}`;
  blocks.push({ type: "context", elements: [{ type: "mrkdwn", text: context }] });
  return { text: clip(`${title}: ${escaped(state)}`, sectionLimit), blocks };
};

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
