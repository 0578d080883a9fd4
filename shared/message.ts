import { isoSeconds } from "./clock.ts";

/** As much of Block Kit as is used. */
export type Block =
  | { type: "header"; text: { type: "plain_text"; text: string } }
  | { type: "section"; text: { type: "mrkdwn"; text: string } }
  | { type: "context"; elements: { type: "mrkdwn"; text: string }[] }
  | { type: "actions"; block_id: string; elements: Button[] }
  | { type: "divider" };

export interface Button {
  type: "button";
  text: { type: "plain_text"; text: string };
  action_id: string;
  value: string;
  style?: "primary" | "danger";
}

export interface SlackMessage {
  /** What notifications, screen readers and clients without blocks show. */
  text: string;
  blocks: Block[];
}

/** The two buttons' action ids; their value is the hash of the plan that is answered. */
export const actionIds = { approve: "nightshift-approve", reject: "nightshift-reject" } as const;

/** How much may be lost by promoting the replica. `unknown` is never shown as a small number. */
export interface StatedLoss {
  verdict: "within" | "over" | "unknown";
  objectiveSeconds: number;
  /** Upper bound, in seconds of acknowledged writes. */
  lossSeconds?: number;
  /** Everything acknowledged before this is on the replica. */
  heartbeatAtMilliseconds?: number;
  lsn?: string;
  /** How the verdict was reached, in a sentence or more. */
  why: string;
}

/** A run as people are to see it; one message, updated in place. */
export interface RunView {
  run: string;
  /** What kind of run it is, as the first word of its title; `Failover` when left out. */
  what?: string;
  from: string;
  to: string;
  requester: string;
  reason: string;
  /** Where the run is, in a sentence. */
  state: string;
  outcome?: "done" | "aborted" | "needs-human";
  /** The steps that are planned, in order. */
  plan: string[];
  /** Until which step everything can still be undone. */
  lastSafeAbort?: string;
  loss?: StatedLoss;
  /** Shows the buttons. */
  approval?: {
    planHash: string;
    neededApprovals: number;
    /** Slack member ids of those who have approved. */
    approvedBy: string[];
    expiresAtMilliseconds: number;
  };
  /** What has happened, oldest first; only the end is shown when it is long. */
  timeline: { atMilliseconds: number; text: string }[];
}

/** Slack's limits per block. Source: the JSDoc of @slack/types. */
const headerLimit = 150;
const sectionLimit = 3000;
const timelineLines = 12;
/**
 * Characters of all blocks together as JSON, below the 13,200 at which Slack answers
 * `msg_blocks_too_long`. The plan takes what the rest leaves, and at least one section's worth.
 */
const blocksLimit = 12_500;

/** The run's message. Every text in it is escaped: a reason typed by somebody cannot ping a channel. */
export const runMessage = (view: RunView): SlackMessage => {
  const what = view.what ?? "Failover";
  const title = `${signs[view.outcome ?? "running"]} ${what} ${view.from} → ${view.to}`;
  const blocks: Block[] = [
    { type: "header", text: { type: "plain_text", text: clip(title, headerLimit) } },
    section(
      `*${escaped(view.state)}*\nAsked by ${person(view.requester)}: ${escaped(view.reason)}`,
    ),
  ];
  if (view.loss) blocks.push(section(lossText(view.loss)));
  if (view.timeline.length > 0) blocks.push(section(timelineText(view.timeline)));
  if (view.approval) blocks.push(...approvalBlocks(view.approval));
  blocks.push({
    type: "context",
    elements: [{ type: "mrkdwn", text: `run ${escaped(view.run)}` }],
  });
  if (view.plan.length > 0) {
    const room = Math.max(sectionLimit, blocksLimit - JSON.stringify(blocks).length);
    blocks.splice(view.loss ? 3 : 2, 0, ...planSections(view, room));
  }
  return { text: clip(`${title}: ${escaped(view.state)}`, sectionLimit), blocks };
};

const signs = { running: "◐", done: "✓", aborted: "×", "needs-human": "▲" };

const lossText = (loss: StatedLoss): string => {
  const bound = loss.lossSeconds === undefined ? "no known bound" : `at most ${loss.lossSeconds} s`;
  const head = {
    within: `*Possible loss: ${bound} of writes* (objective ${loss.objectiveSeconds} s)`,
    over: `*Possible loss: ${bound} of writes, OVER the limit* (objective ${loss.objectiveSeconds} s)`,
    unknown: `*Possible loss: UNKNOWN* (objective ${loss.objectiveSeconds} s). To approve is to accept any.`,
  }[loss.verdict];
  const marks = [
    loss.heartbeatAtMilliseconds === undefined
      ? "no heartbeat is known"
      : `last heartbeat ${isoSeconds(loss.heartbeatAtMilliseconds)}`,
    loss.lsn === undefined ? "no LSN is known" : `replica at LSN ${escaped(loss.lsn)}`,
  ];
  return `${head}\n${escaped(loss.why)}\n${marks.join("; ")}`;
};

/** In as many sections as it takes: what people should mind comes last, and is what they must read. */
const planSections = ({ plan, lastSafeAbort }: RunView, room: number): Block[] => {
  const undone = lastSafeAbort ? [`Can be undone until: ${escaped(lastSafeAbort)}`] : [];
  const steps = plan.map((step, index) => `${index + 1}. ${escaped(step)}`);
  let left = room - undone.join().length - 100;
  const fitting = steps.filter((step) => {
    left -= step.length + 1;
    return left > 0;
  });
  const cut = steps.length - fitting.length;
  const rest = cut > 0 ? [`(${cut} more: see the journal of the run)`] : [];
  const texts: string[] = [];
  for (const line of ["*Plan*", ...fitting, ...rest, ...undone]) {
    const joined = [...texts.slice(-1), line].join("\n");
    if (texts.length > 0 && joined.length <= sectionLimit) texts[texts.length - 1] = joined;
    else texts.push(line);
  }
  return texts.map(section);
};

const timelineText = (timeline: RunView["timeline"]): string => {
  const shown = timeline.slice(-timelineLines);
  const earlier = timeline.length - shown.length;
  const lines = shown.map(
    ({ atMilliseconds, text }) => `${isoSeconds(atMilliseconds).slice(11, 19)}  ${escaped(text)}`,
  );
  return [...(earlier > 0 ? [`(${earlier} earlier)`] : []), ...lines].join("\n");
};

/** Who has approved so far, and the two buttons. */
export const approvalBlocks = (approval: NonNullable<RunView["approval"]>): Block[] => {
  const { planHash, neededApprovals, approvedBy, expiresAtMilliseconds } = approval;
  const by = approvedBy.length > 0 ? ` by ${approvedBy.map(person).join(", ")}` : "";
  const button = (says: "approve" | "reject", label: string, style: "primary" | "danger") => ({
    type: "button" as const,
    text: { type: "plain_text" as const, text: label },
    action_id: actionIds[says],
    value: planHash,
    style,
  });
  return [
    section(
      `*${approvedBy.length} of ${neededApprovals} approvals*${by}, ` +
        `until ${isoSeconds(expiresAtMilliseconds)}, for plan ${planHash.slice(0, 12)}`,
    ),
    {
      type: "actions",
      block_id: `approval-${planHash.slice(0, 12)}`,
      elements: [button("approve", "Approve", "primary"), button("reject", "Reject", "danger")],
    },
  ];
};

/** A message that calls named people: the run cannot go on without one of them. */
export const escalation = (run: string, people: readonly string[], text: string): SlackMessage => {
  const line = `▲ ${people.map(person).join(" ")} ${escaped(run)} needs a human: ${escaped(text)}`;
  return { text: clip(line, sectionLimit), blocks: [section(line)] };
};

/** A Slack mention for a member id, and the plain name for anything else. */
export const person = (who: string): string =>
  /^[UW][A-Z0-9]{2,}$/.test(who) ? `<@${who}>` : escaped(who);

/** The three characters that Slack's markup gives meaning to. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const section = (text: string): Block => ({
  type: "section",
  text: { type: "mrkdwn", text: clip(text, sectionLimit) },
});

const clip = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
