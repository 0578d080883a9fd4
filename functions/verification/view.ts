import { isoSeconds } from "../../shared/clock.ts";
import type { Block, SlackMessage } from "../../shared/message.ts";
import { escaped } from "../../shared/message.ts";
import type { Proof } from "./ports.ts";
import type { Grade, RunRecord } from "./record.ts";

/** Slack's limits per block. Source: the JSDoc of @slack/types. */
const headerLimit = 150;
const sectionLimit = 3000;

const ends = {
  verified: "✓ Backups verified",
  red: "▲ Backups NOT verified",
  postponed: "× Put off",
};
const grades: Record<Grade["is"], string> = { yes: "✓", no: "▲ no", unknown: "▲ unknown" };

/** The run's one message: the three answers, what was measured, and what speaks against it. */
export const messageOf = (
  record: RunRecord,
  phase: string,
  proof: Proof = { evidence: null, report: null },
): SlackMessage => {
  const { region, sourceRegion, verdict, plan, wish, run, end, notes } = record;
  const isOver = phase === "ended";
  const what = isOver ? ends[end] : "◐ Restore test";
  const title = `${what}: ${sourceRegion || "?"} restored in ${region}`;
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: clip(title, headerLimit) } },
    section(`Asked by ${escaped(wish.by)}: ${escaped(wish.reason)}`),
  ];
  if (plan) blocks.push(section(planText(record)));
  if (isOver && end !== "postponed") {
    const { landed, restorable, correct } = verdict;
    const line = (name: string, { is }: Grade) => `*${name}* ${grades[is]}`;
    const answers = [
      line("Landed", landed),
      line("Restorable", restorable),
      line("Correct", correct),
    ];
    blocks.push(section(`${answers.join("   ")}\n${figuresText(record)}`));
  }
  const text = isOver ? notes.map((note) => `• ${escaped(note)}`).join("\n") : escaped(phase);
  if (text) blocks.push(section(text));
  const foot = [`run ${escaped(run)}`, ...footOf(proof)].join(" · ");
  blocks.push({ type: "context", elements: [{ type: "mrkdwn", text: foot }] });
  return { text: clip(`${title}. ${escaped(notes.join(" "))}`, sectionLimit), blocks };
};

/** Whoever keeps this message can tell later whether records are missing at the end. */
const footOf = ({ evidence, report }: Proof): string[] => [
  ...(evidence ? [`evidence ${evidence.sequence}:${evidence.hash.slice(0, 16)}`] : []),
  ...(report ? [`<${report}|page with the trend>`] : []),
];

const planText = ({ plan }: RunRecord): string =>
  plan
    ? `Restores ${escaped(plan.backup.sourceId)} as of ${isoSeconds(plan.restoreToMilliseconds)} ` +
      `as ${escaped(plan.copy)}, gone by ${isoSeconds(plan.deleteAfterMilliseconds)}`
    : "";

const figuresText = ({ figures, objectives }: RunRecord): string => {
  const { availableSeconds, warmSeconds, lossSeconds } = figures;
  const told = (value: number | null) =>
    value === null ? "not measured" : `${Math.round(value)} s`;
  return [
    `available after ${told(availableSeconds)} (objective ${objectives.rtoSeconds} s)`,
    `read in full after ${told(warmSeconds)}`,
    `loss ${told(lossSeconds)} (objective ${objectives.rpoSeconds} s)`,
  ].join(", ");
};

const section = (text: string): Block => ({
  type: "section",
  text: { type: "mrkdwn", text: clip(text, sectionLimit) },
});

const clip = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
