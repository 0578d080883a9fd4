import type { Config, Operator } from "../../shared/config.ts";
import { actionIds } from "../../shared/message.ts";
import type { Move } from "../../shared/move.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { SlackRequest } from "./request.ts";

/** Operators may add these words, each by its own name, since each accepts a risk of its own. */
const overrideWords = {
  "accept:unknown-loss": "unknown-loss",
  "accept:block-period": "block-period",
} as const;

export type Override = (typeof overrideWords)[keyof typeof overrideWords];

/** What nobody may ask for without saying why. */
const reasoned = ["failover", "switchover", "failback", "pause", "resume", "abort"] as const;
type Reasoned = (typeof reasoned)[number];

export type Intent =
  | { wants: "status" }
  | { wants: "help" }
  | { wants: Move; reason: string; overrides: Override[] }
  | { wants: "pause" | "resume" | "abort"; reason: string }
  | { wants: "ack" }
  | { wants: "answer"; says: "approve" | "reject"; planHash: string };

export type Decision =
  | { intent: Intent; operator: Operator }
  /** `stranger`: not one of ours, so nothing is told to them but no. */
  | { refused: Refusal; stranger: boolean };

/** Whether this person may want this. Reads only; what comes of it is decided where it is done. */
export const decide = (request: SlackRequest, slack: Config["slack"]): Decision => {
  const stranger = strangerRefusal(request, slack);
  if (stranger) return { refused: stranger, stranger: true };
  const operator = slack.operators.find(({ user }) => user === request.sender.user);
  if (!operator) {
    return refuse("unknown-user", "You are not an operator in nightshift.config.ts.");
  }
  const intent = request.kind === "command" ? commanded(request.text) : pressed(request);
  const refusal = permission(operator, intent.wants) ?? reasonMissing(intent);
  if (refusal) return { refused: refusal, stranger: false };
  if (intent.wants === "answer" && request.channel !== slack.channel) {
    return refuse("wrong-channel", "Approvals count only in the operators' channel.");
  }
  return { intent, operator };
};

const refuse = (code: string, reason: string): Decision => ({
  refused: { code, reason },
  stranger: false,
});

const strangerRefusal = ({ sender }: SlackRequest, slack: Config["slack"]): Refusal | undefined => {
  if (sender.bot) return { code: "bot", reason: "Nightshift listens to people only." };
  const foreign = sender.userWorkspace !== undefined && sender.userWorkspace !== slack.workspace;
  if (sender.workspace !== slack.workspace || foreign) {
    return { code: "foreign-workspace", reason: "Nightshift does not serve this workspace." };
  }
  if (sender.organisationWide || sender.enterprise !== slack.enterprise) {
    const reason = "The organisation is not slack.enterprise of nightshift.config.ts.";
    return { code: "foreign-enterprise", reason };
  }
  return undefined;
};

const mayAsk: Record<Intent["wants"], readonly Operator["may"][number][]> = {
  status: ["request", "approve"],
  help: ["request", "approve"],
  failover: ["request"],
  switchover: ["request"],
  failback: ["request"],
  pause: ["request"],
  resume: ["request"],
  ack: ["request"],
  // To stop is the safe direction, and whoever may approve may reject.
  abort: ["request", "approve"],
  // The approval itself says who may answer it.
  answer: ["request", "approve"],
};

/** The same from every door: what an operator may ask for. */
export const permission = (operator: Operator, wants: Intent["wants"]): Refusal | undefined => {
  if (operator.may.some((may) => mayAsk[wants].includes(may))) return undefined;
  return {
    code: "may-not-request",
    reason: `You are an operator, but not one who may ask for ${wants}.`,
  };
};

const reasonMissing = (intent: Intent): Refusal | undefined =>
  "reason" in intent && intent.reason.length < 3
    ? { code: "no-reason", reason: `Say why: /nightshift ${intent.wants} <reason>.` }
    : undefined;

/** What an operator typed, as an intent; help for what is not understood. */
export const commanded = (text: string): Intent => {
  const [verb = "help", ...words] = text.trim().split(/\s+/);
  if (verb === "status" || verb === "ack") return { wants: verb };
  if (!isReasoned(verb)) return { wants: "help" };
  if (verb === "pause" || verb === "resume" || verb === "abort") {
    return { wants: verb, reason: words.join(" ").slice(0, 500) };
  }
  const isOverride = (word: string): word is keyof typeof overrideWords =>
    Object.hasOwn(overrideWords, word);
  const overrides = words.filter(isOverride).map((word) => overrideWords[word]);
  const reason = words.filter((word) => !isOverride(word)).join(" ");
  return { wants: verb, reason: reason.slice(0, 500), overrides: [...new Set(overrides)] };
};

const isReasoned = (verb: string): verb is Reasoned =>
  (reasoned as readonly string[]).includes(verb);

const pressed = ({ action, value }: Extract<SlackRequest, { kind: "button" }>): Intent => {
  const isHash = /^[0-9a-f]{64}$/.test(value);
  if (isHash && action === actionIds.approve) {
    return { wants: "answer", says: "approve", planHash: value };
  }
  if (isHash && action === actionIds.reject) {
    return { wants: "answer", says: "reject", planHash: value };
  }
  return { wants: "help" };
};

export const helpText = [
  "`/nightshift status` shows where the platform runs and whether anything is under way.",
  "`/nightshift failover <reason>` leaves a region that is lost. Others have to approve it.",
  "`/nightshift switchover <reason>` moves from a region that is well, and loses nothing.",
  "`/nightshift failback <reason>` is a switchover home.",
  "`/nightshift abort <reason>` stops the run that is under way; until it promotes, all is undone.",
  "`/nightshift ack` says that the last move was looked at: the block period does not hold the next.",
  "`/nightshift pause <reason>` stops all automation before its next change; `resume <reason>` ends it.",
  "Add `accept:unknown-loss` or `accept:block-period` to a move only where a refusal asks for it.",
  "When Slack fails, use the break-glass command line: docs/runbook/break-glass.md.",
].join("\n");
