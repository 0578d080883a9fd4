import { permission } from "../functions/slack/decide.ts";
import {
  orderAbort,
  orderAcknowledgement,
  orderAnswer,
  orderMove,
  orderPause,
  wakeRun,
} from "../functions/slack/orders.ts";
import type { Operator } from "../shared/config.ts";
import { verify } from "../shared/journal.ts";
import { readLease } from "../shared/lease.ts";
import { runUnderWay } from "../shared/move.ts";
import type { Refusal } from "../shared/outcome.ts";
import { observed } from "../shared/outcome.ts";
import { whilePaused } from "../shared/pause.ts";
import type { Command } from "./arguments.ts";
import type { Station } from "./aws.ts";
import { bookOf, silenceOf } from "./book.ts";
import { overview } from "./overview.ts";
import { journalLines, statusLines } from "./text.ts";

/** What came of a command: for people, and as data for programs. */
export interface Told {
  ok: boolean;
  lines: string[];
  data: Record<string, unknown>;
}

/** Carries out one command. Whoever is not mapped to an operator may look, and changes nothing. */
export const operate = async (at: Station, command: Command): Promise<Told> => {
  if (command.verb === "status") return status(at);
  if (command.verb === "journal") return journal(at, command.run);
  const who = operatorOf(at);
  if ("refused" in who) return refusal(who.refused);
  const { operator } = who;
  const { verb } = command;
  const refused = permission(operator, verb === "approve" || verb === "reject" ? "answer" : verb);
  if (refused) return refusal(refused);
  switch (command.verb) {
    case "failover":
    case "switchover":
    case "failback":
      return move(at, operator, command);
    case "approve":
    case "reject":
      return answer(at, operator, command);
    case "pause":
    case "resume":
      return turnPause(at, operator, command.verb, command.reason);
    case "ack":
      return acknowledge(at, operator);
    case "abort":
      return abort(at, operator, command.reason);
  }
};

type Who = { operator: Operator } | { refused: Refusal };

/** By the whole ARN: there is no wildcard that a stranger could match. */
const operatorOf = ({ caller, config }: Station): Who => {
  if (!caller.known) {
    const reason = `AWS does not say who you are, so nothing was changed. ${caller.why}`;
    return { refused: { code: "identity-unknown", reason } };
  }
  const operator = config.slack.operators.find(({ iam }) => iam === caller.value);
  if (operator) return { operator };
  const reason =
    `${caller.value} is the "iam" of no operator in nightshift.config.ts. ` +
    "You may look (status, journal), and change nothing.";
  return { refused: { code: "unknown-identity", reason } };
};

const refusal = ({ code, reason }: Refusal): Told => ({
  ok: false,
  lines: [`Refused (${code}): ${reason}`],
  data: { refused: { code, reason } },
});

const status = async (at: Station): Promise<Told> => {
  const seen = await overview(at);
  const who = operatorOf(at);
  const operator = "operator" in who ? who.operator : null;
  const caller = at.caller.known ? at.caller.value : null;
  return {
    // A status that does not know who may write is no status.
    ok: seen.lease.known,
    lines: statusLines(seen, at.caller, operator),
    data: { caller, operator: operator?.user ?? null, ...seen },
  };
};

const journal = async (at: Station, run: string): Promise<Told> => {
  const book = await bookOf(at, run);
  if (book.entries.length === 0) {
    const reason = `No journal of ${run} was found. ${silenceOf(book)}`.trim();
    return refusal({ code: "no-journal", reason });
  }
  const verdict = verify(book.entries);
  return { ok: verdict.ok, lines: journalLines(book, verdict), data: { ...book, verdict } };
};

const move = async (
  at: Station,
  operator: Operator,
  { verb, reason, overrides }: Extract<Command, { overrides: unknown }>,
): Promise<Told> => {
  const moved = await orderMove(at, { move: verb, who: operator.user, reason, overrides });
  if ("refused" in moved) return refusal(moved.refused);
  const { asked, joined } = moved;
  const lines = joined
    ? [
        `${asked.run} was asked for before, so nothing new was started. It may be another move:`,
        "look at the status, and abort it first if you need another.",
      ]
    : [
        `${asked.run} is started in ${asked.region}.`,
        "It makes a plan, and others approve it. What comes of it: npm run ops -- status",
      ];
  return { ok: !joined, lines, data: { ...asked, joined, requester: operator.user } };
};

const answer = async (
  at: Station,
  { user }: Operator,
  command: Extract<Command, { planHash: string }>,
): Promise<Told> => {
  const says = command.verb;
  const planHash = await wholeHash(at, command.planHash);
  if (planHash === undefined) {
    const reason = `The run under way has no plan that begins with ${command.planHash}. See the status.`;
    return refusal({ code: "unknown-plan", reason });
  }
  const decided = await orderAnswer(at, planHash, { user, says });
  if ("refused" in decided) return refusal(decided.refused);
  const approval = "changed" in decided ? decided.changed : decided.unchanged;
  // The run looks at least once a minute, so a wake-up that fails costs a minute and no more.
  const woken = await observed("wake-up", at.clock.now, () => wakeRun(at, approval));
  const { neededApprovals: needed, approvals: given, run } = approval;
  const recorded = "changed" in decided ? "Recorded" : "Recorded before";
  const line =
    says === "reject"
      ? `${recorded}: ${run} is rejected.`
      : `${recorded}: ${given.length} of ${needed} approvals for ${run}.`;
  const late = woken.known ? [] : [`The run could not be woken; it looks within a minute.`];
  return {
    ok: true,
    lines: [line, ...late],
    data: {
      run,
      planHash,
      says,
      user,
      neededApprovals: needed,
      approvedBy: given.map((each) => each.user),
      rejectedBy: approval.rejectedBy ?? null,
      wakeUp: woken.known ? (woken.value ?? null) : woken.why,
    },
  };
};

/** 64 digits stand for themselves; fewer are looked up in the run that is under way. */
const wholeHash = async (at: Station, given: string): Promise<string | undefined> => {
  if (given.length === 64) return given;
  const { run } = runUnderWay(await readLease(at.table), at.config.regions);
  const { entries } = await bookOf(at, run);
  const newest = entries.findLast(({ data }) => data?.plan && data.hash)?.data?.hash;
  return typeof newest === "string" && newest.startsWith(given) ? newest : undefined;
};

const turnPause = async (
  at: Station,
  { user }: Operator,
  to: "pause" | "resume",
  reason: string,
): Promise<Told> => {
  const pause = await orderPause(at, to, { by: user, reason });
  const ok = pause.is === (to === "pause" ? "paused" : "running");
  const now = whilePaused(pause)?.reason ?? "The pause switch is off: automation goes on.";
  const lines = ok ? [now] : [`Not as you wanted: somebody was faster, or no region answers.`, now];
  return { ok, lines, data: { pause } };
};

const acknowledge = async (at: Station, { user }: Operator): Promise<Told> => {
  const said = await orderAcknowledgement(at, user);
  if ("refused" in said) return refusal(said.refused);
  const { epoch, region, holder } = said.acknowledged;
  const lines = [
    `Acknowledged: the move to ${region} (epoch ${epoch}, ${holder}).`,
    "The block period does not hold the next move.",
  ];
  return { ok: true, lines, data: { epoch, region, holder, acknowledgedBy: user } };
};

const abort = async (at: Station, { user }: Operator, reason: string): Promise<Told> => {
  const aborted = await orderAbort(at, { by: user, reason });
  if ("refused" in aborted) return refusal(aborted.refused);
  const { run, abort: left, inTime, doubt } = aborted;
  const lines = [`${run} is told to stop, undo what it did and end, before its next change.`];
  if (left.by !== user) lines.push(`${left.by} had said so before.`);
  if (doubt) lines.push(`Its journal cannot be read (${doubt}).`);
  if (inTime === "maybe") lines.push("It may come too late: a begun promotion is not stopped.");
  return { ok: true, lines, data: { run, abort: left, inTime, ...(doubt ? { doubt } : {}) } };
};
