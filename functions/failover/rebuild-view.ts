import { isoSeconds } from "../../shared/clock.ts";
import {
  approvalBlocks,
  type Block,
  escaped,
  person,
  type SlackMessage,
} from "../../shared/message.ts";
import type { Rebuild } from "./rebuild.ts";

const signs = { running: "◐", done: "✓", aborted: "×", "needs-human": "▲" };

/** Slack's limit for the text of a section. Source: the JSDoc of @slack/types. */
const limit = 3000;

const section = (text: string): Block => ({ type: "section", text: { type: "mrkdwn", text } });

/** The run's one message in Slack. Pure. */
export const rebuildMessage = (run: Rebuild): SlackMessage => {
  const { outcome, from, to, name, who, reason, timeline, asking, approvedBy } = run;
  const title = `${signs[outcome ?? "running"]} Rebuild redundancy: ${to} as the standby of ${from}`;
  const last = timeline.at(-1)?.text ?? "";
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: title.slice(0, 150) } },
    section(`Asked by ${person(who)}: ${escaped(reason)}`.slice(0, limit)),
  ];
  if (asking) blocks.push(section(planText(run).slice(0, limit)));
  blocks.push(section(timelineText(run).slice(-limit)));
  if (outcome && run.notes.length > 0) blocks.push(section(notesText(run).slice(0, limit)));
  if (asking) blocks.push(...approvalBlocks({ ...asking, approvedBy }));
  blocks.push({ type: "context", elements: [{ type: "mrkdwn", text: `run ${escaped(name)}` }] });
  return { text: `${title}: ${escaped(last)}`.slice(0, limit), blocks };
};

const planText = ({ plan, notes, from }: Rebuild): string =>
  [
    "*Plan*",
    ...plan.map((step, index) => `${index + 1}. ${escaped(step)}`),
    ...notes.map((note) => `mind: ${escaped(note)}`),
    `No user notices: ${from} goes on serving them. It may take hours.`,
  ].join("\n");

const timelineText = ({ timeline, unrecorded }: Rebuild): string => {
  const lines = timeline.map(
    ({ atMilliseconds, text }) => `${isoSeconds(atMilliseconds).slice(11, 19)}  ${escaped(text)}`,
  );
  if (unrecorded > 0) lines.push(`${unrecorded} line(s) are missing in the journal.`);
  return lines.join("\n");
};

const notesText = ({ notes }: Rebuild): string =>
  ["*What is left*", ...notes.map((note) => `• ${escaped(note)}`)].join("\n");
