import type { Config, Operator } from "../../shared/config.ts";
import { actionIds } from "../../shared/message.ts";
import type { Move } from "../../shared/move.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { overrides as knownOverrides } from "../failover/decide.ts";
import type { Override } from "../failover/request.ts";
import type { VerificationRequest } from "../verification/request.ts";
import type { Given } from "./refused.ts";
import type { SlackRequest } from "./request.ts";
import { type RotateWords, rotateOf } from "./rotate-words.ts";

const moves = ["failover", "switchover", "failback", "rehearse"] as const satisfies Move[];
const plain = ["pause", "resume", "rebuild"] as const;

export type Intent =
  | { wants: "status" }
  | { wants: "help" }
  /** Of what can be rotated, and how: something of it was not understood. */
  | { wants: "rotate-help" }
  /** What is done by itself when an alarm rings, and how each playbook has done. */
  | { wants: "repairs" }
  /** Which secrets are being rotated, and whether one could be now. */
  | { wants: "rotations" }
  /** Whether the backups are known to restore. */
  | { wants: "backups" }
  | { wants: "verify-backup"; age: Age }
  | { wants: "rotate"; words: RotateWords }
  /** Gives a playbook the automatic right back that it has lost. */
  | { wants: "repairs-ack"; playbook: string }
  | { wants: Move; reason: string; overrides: Override[] }
  | { wants: (typeof plain)[number]; reason: string }
  /** The run that is under way, when none is named. */
  | { wants: "abort"; reason: string; run?: string }
  /** Goes on with a run that has asked for a human; the one that has the lease, when none is named. */
  | { wants: "carry-on"; reason: string; accepts: Override[]; run?: string }
  /** 0 minutes end the window that is open, and need no reason. */
  | { wants: "maintenance"; minutes: number; reason: string }
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
  "rotate-help": ["request", "approve"],
  repairs: ["request", "approve"],
  rotations: ["request", "approve"],
  backups: ["request", "approve"],
  "verify-backup": ["request"],
  // Who approves says so by the same word; what it counts for is decided with the order.
  rotate: ["request", "approve"],
  // What may change the platform unasked is for those who would be asked.
  "repairs-ack": ["approve"],
  failover: ["request"],
  switchover: ["request"],
  failback: ["request"],
  rehearse: ["request"],
  rebuild: ["request"],
  "carry-on": ["request"],
  maintenance: ["request"],
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

const reasonMissing = (intent: Intent): Refusal | undefined => {
  if (!("reason" in intent) || intent.reason.length >= 3) return undefined;
  if (intent.wants === "maintenance" && intent.minutes === 0) return undefined;
  // Why the move was begun is known, and why it stopped.
  if (intent.wants === "carry-on") return undefined;
  const words = intent.wants === "maintenance" ? "maintenance <minutes>" : intent.wants;
  return { code: "no-reason", reason: `Say why: /nightshift ${words} <reason>.` };
};

const includes = <Word extends string>(list: readonly Word[], word: string): word is Word =>
  (list as readonly string[]).includes(word);

const prefix = "accept:";
const isOverride = (word: string): boolean =>
  word.startsWith(prefix) && includes(knownOverrides, word.slice(prefix.length));

const reasonOf = (words: readonly string[]): string => words.join(" ").slice(0, 500);

/** A run's own name, of whatever kind. */
export const runPattern =
  /^(?:(?:failover|rehearsal|rebuild)-\d+-\d+|remediation-[a-z0-9-]+-[0-9a-f]{8}-\d+)$/;

/** What an operator typed, as an intent; help for what is not understood. */
export const commanded = (text: string): Intent => {
  const [verb = "help", ...words] = text.trim().split(/\s+/);
  if (verb === "status" || verb === "ack" || verb === "rotations") return { wants: verb };
  if (includes(plain, verb)) return { wants: verb, reason: reasonOf(words) };
  if (verb === "abort") return abortOf(words);
  if (verb === "carry-on") return carryOnOf(words);
  if (verb === "maintenance" || verb === "freeze") return maintenanceOf(words);
  if (verb === "repairs") return repairsOf(words);
  if (verb === "backups") return { wants: verb };
  if (verb === "verify-backup") return verifyBackupOf(words);
  if (verb === "rotate") {
    const understood = rotateOf(words);
    return understood ? { wants: "rotate", words: understood } : { wants: "rotate-help" };
  }
  if (!includes(moves, verb)) return { wants: "help" };
  const reason = reasonOf(words.filter((word) => !isOverride(word)));
  return { wants: verb, reason, overrides: overridesIn(words) };
};

const overridesIn = (words: readonly string[]): Override[] =>
  knownOverrides.filter((name) => words.includes(`${prefix}${name}`));

const carryOnOf = (words: readonly string[]): Intent => {
  const [first = ""] = words;
  const run = runPattern.test(first) ? { run: first } : {};
  const rest = words.filter((word, index) => !isOverride(word) && !(index === 0 && "run" in run));
  const reason = reasonOf(rest);
  return { wants: "carry-on", reason, accepts: overridesIn(words), ...run };
};

const abortOf = (words: readonly string[]): Intent => {
  const [first = "", ...rest] = words;
  if (!runPattern.test(first)) return { wants: "abort", reason: reasonOf(words) };
  return { wants: "abort", run: first, reason: reasonOf(rest) };
};

/** Longer than a day is no window any more, and would explain a real loss away. */
const longestMinutes = 24 * 60;

const maintenanceOf = ([span = "", ...words]: readonly string[]): Intent => {
  if (span === "end") return { wants: "maintenance", minutes: 0, reason: reasonOf(words) };
  const [, count, unit] = /^(\d{1,4})(h|m)?$/.exec(span) ?? [];
  const minutes = Number(count ?? 0) * (unit === "h" ? 60 : 1);
  if (minutes < 1 || minutes > longestMinutes) return { wants: "help" };
  return { wants: "maintenance", minutes, reason: reasonOf(words) };
};

export type Age = VerificationRequest["age"];

/** No word is the newest state there is, `random` any moment of the window; else an instant in UTC. */
export const ageOf = ([word = "latest", ...more]: readonly string[]): Age | undefined => {
  if (more.length > 0) return undefined;
  if (word === "latest" || word === "random" || word === "snapshot") return { is: word };
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(word)) return undefined;
  const atMilliseconds = Date.parse(word);
  return Number.isNaN(atMilliseconds) ? undefined : { is: "at", atMilliseconds };
};

const verifyBackupOf = (words: readonly string[]): Intent => {
  const age = ageOf(words);
  return age ? { wants: "verify-backup", age } : { wants: "help" };
};

const repairsOf = ([what, playbook = "", ...more]: readonly string[]): Intent => {
  if (what === undefined) return { wants: "repairs" };
  const isName = /^[a-z][a-z0-9-]{1,60}$/.test(playbook) && more.length === 0;
  return what === "ack" && isName ? { wants: "repairs-ack", playbook } : { wants: "help" };
};

/** The answer that a button stands for, whoever has pressed it. A stranger is named by workspace too. */
export const answerIn = (request: SlackRequest, isStranger: boolean): Given | undefined => {
  if (request.kind !== "button") return undefined;
  const intent = pressed(request);
  if (intent.wants !== "answer") return undefined;
  const { user, workspace, userWorkspace } = request.sender;
  const who = isStranger ? `${user} of ${userWorkspace ?? workspace}` : user;
  return { user: who, says: intent.says, planHash: intent.planHash };
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

const accepted = knownOverrides.map((name) => `\`${prefix}${name}\``).join(" or ");

export const helpText = [
  "`/nightshift status` shows where the platform runs and whether anything is under way.",
  "`/nightshift failover <reason>` leaves a region that is lost. Others have to approve it.",
  "`/nightshift switchover <reason>` moves from a region that is well, and loses nothing.",
  "`/nightshift failback <reason>` is a switchover home.",
  "`/nightshift rehearse <reason>` does all of a move up to its one-way door, and moves nothing.",
  "`/nightshift rebuild <reason>` makes the region that was left a standby region again.",
  "`/nightshift abort <reason>` stops the run that is under way; until it promotes, all is undone.",
  "`/nightshift carry-on` goes on with the run that has stopped and asked for a human.",
  "`/nightshift ack` says that the last move was looked at: the block period does not hold the next.",
  "`/nightshift pause <reason>` stops all automation before its next change; `resume <reason>` ends it.",
  "`/nightshift maintenance <minutes> <reason>` (also `freeze 2h <reason>`) says what you do, and " +
    "repairs wait; `maintenance end` ends it.",
  "`/nightshift repairs` shows what is done by itself when an alarm rings, and how well.",
  "`/nightshift rotations` shows which secrets are being rotated, and what forbids a rotation now.",
  "`/nightshift rotate <secret> [dry-run | compromise <reason> | abandon <reason>]` shows what " +
    "would be done, and asks for a confirmation before it begins.",
  "`/nightshift backups` shows whether the backups are known to restore, and since when.",
  "`/nightshift verify-backup [random | 2026-11-22T03:00:00Z]` restores one now, apart from production.",
  "`/nightshift repairs ack <playbook>` gives a playbook its automatic right back.",
  "`/nightshift abort <run> <reason>` stops a repair before its next change.",
  `Add ${accepted} only where a refusal asks for it.`,
  "When Slack fails, use the break-glass command line: docs/runbook/break-glass.md.",
].join("\n");
