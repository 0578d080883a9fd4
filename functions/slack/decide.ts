import type { Config, Operator } from "../../shared/config.ts";
import { actionIds } from "../../shared/message.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { SlackRequest } from "./request.ts";

/** Operators may add these words, each by its own name, since each accepts a risk of its own. */
const overrideWords = {
  "accept:unknown-loss": "unknown-loss",
  "accept:block-period": "block-period",
} as const;

export type Override = (typeof overrideWords)[keyof typeof overrideWords];

export type Intent =
  | { wants: "status" }
  | { wants: "help" }
  | { wants: "failover"; reason: string; overrides: Override[] }
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
  if (intent.wants === "failover" && !operator.may.includes("request")) {
    return refuse(
      "may-not-request",
      "You are an operator, but not one who may request a failover.",
    );
  }
  if (intent.wants === "failover" && intent.reason.length < 3) {
    return refuse("no-reason", "Say why: /nightshift failover <reason>.");
  }
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

const commanded = (text: string): Intent => {
  const [verb = "help", ...words] = text.trim().split(/\s+/);
  if (verb === "status") return { wants: "status" };
  if (verb !== "failover") return { wants: "help" };
  const isOverride = (word: string): word is keyof typeof overrideWords =>
    Object.hasOwn(overrideWords, word);
  const overrides = words.filter(isOverride).map((word) => overrideWords[word]);
  const reason = words.filter((word) => !isOverride(word)).join(" ");
  return { wants: "failover", reason: reason.slice(0, 500), overrides: [...new Set(overrides)] };
};

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
  "`/nightshift failover <reason>` asks for a move to the standby region. Others have to approve it.",
  "Add `accept:unknown-loss` or `accept:block-period` only where a refusal asks for it.",
  "When Slack fails, use the break-glass command line of the runbook.",
].join("\n");
