import { lookAtBackups, orderVerification, verifyingText } from "../functions/slack/backups.ts";
import { orderCarryOn } from "../functions/slack/carry-on.ts";
import { type Age, permission } from "../functions/slack/decide.ts";
import {
  orderAbort,
  orderAcknowledgement,
  orderAnswer,
  orderMaintenance,
  orderMove,
  orderPause,
  orderRebuild,
  wakeRun,
} from "../functions/slack/orders.ts";
import { type Given, keepRefusedAnswer, whyNotKept } from "../functions/slack/refused.ts";
import { rotationTold } from "../functions/slack/rotate-told.ts";
import type { RotateWords } from "../functions/slack/rotate-words.ts";
import { lookAtRotations } from "../functions/slack/rotations.ts";
import { isoSeconds } from "../shared/clock.ts";
import type { Operator } from "../shared/config.ts";
import { verify } from "../shared/journal.ts";
import { readLease } from "../shared/lease.ts";
import { runUnderWay } from "../shared/move.ts";
import type { Refusal } from "../shared/outcome.ts";
import { observed, withoutStop } from "../shared/outcome.ts";
import { whilePaused } from "../shared/pause.ts";
import { readRepairs, repairsLines, returnRight } from "../shared/repairs.ts";
import { rotationsLines } from "../shared/rotations.ts";
import { backupsLines } from "../shared/verification.ts";
import type { Command } from "./arguments.ts";
import type { Station } from "./aws.ts";
import { bookOf, rebuilding, silenceOf } from "./book.ts";
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
  if (command.verb === "repairs") return repairs(at);
  if (command.verb === "rotations") return rotations(at);
  if (command.verb === "backups") return backups(at);
  const who = operatorOf(at);
  if ("refused" in who) return turnedAway(at, command, at.caller, who.refused);
  const { operator } = who;
  const { verb } = command;
  const refused = permission(operator, verb === "approve" || verb === "reject" ? "answer" : verb);
  if (refused) return refusal(refused);
  switch (command.verb) {
    case "failover":
    case "switchover":
    case "failback":
    case "rehearse":
      return move(at, operator, command);
    case "rebuild":
      return rebuild(at, operator, command.reason);
    case "maintenance":
      return maintenance(at, operator, command);
    case "carry-on":
      return carryOn(at, operator, command);
    case "approve":
    case "reject":
      return answer(at, operator, command);
    case "pause":
    case "resume":
      return turnPause(at, operator, command.verb, command.reason);
    case "verify-backup":
      return verifyBackup(at, operator, command.age);
    case "rotate":
      return rotate(at, operator, command.words);
    case "repairs-ack":
      return giveRightBack(at, operator, command.playbook);
    case "ack":
      return acknowledge(at, operator);
    case "abort":
      return abort(at, operator, command);
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

const repairs = async (at: Station): Promise<Told> => {
  const { region } = await readLease(at.table);
  const seen = await readRepairs(at.table, region, at.config);
  return { ok: true, lines: repairsLines(seen), data: { ...seen } };
};

const rotations = async (at: Station): Promise<Told> => {
  const seen = await lookAtRotations(at);
  return { ok: true, lines: rotationsLines(seen), data: { ...seen } };
};

const backups = async (at: Station): Promise<Told> => {
  const seen = await lookAtBackups(at);
  return { ok: true, lines: backupsLines(seen), data: { ...seen } };
};

const verifyBackup = async (at: Station, { user: by }: Operator, age: Age): Promise<Told> => {
  const begun = await orderVerification(at, { by, age });
  return { ok: true, lines: [verifyingText(begun)], data: { ...begun } };
};

const rotate = async (at: Station, { user }: Operator, words: RotateWords): Promise<Told> => {
  const confirm = (said: string) => `npm run ops -- ${said}`;
  const told = await rotationTold(at, words, user, confirm);
  if ("refused" in told) return refusal(told.refused);
  return { ok: true, lines: told.lines, data: { ...told.data } };
};

const giveRightBack = async (at: Station, { user }: Operator, playbook: string): Promise<Told> => {
  const said = await returnRight(at.table, at.config, playbook);
  if ("refused" in said) return refusal(said.refused);
  const { regions } = said;
  const line = `${playbook} may do again what the operator's file gives it, in ${regions.join(" and ")}.`;
  return { ok: true, lines: [line], data: { playbook, regions, givenBackBy: user } };
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

const rebuild = async (at: Station, { user }: Operator, reason: string): Promise<Told> => {
  const begun = await orderRebuild(at, { by: user, reason });
  if ("refused" in begun) return refusal(begun.refused);
  const { run, region, joined } = begun;
  const lines = joined
    ? [`${run} is under way already. What comes of it: npm run ops -- journal ${run}`]
    : [
        `${run} is started in ${region}.`,
        "It looks at the old region's fence, then asks; one other operator approves it, with the hash",
        "that the status shows.",
      ];
  return { ok: !joined, lines, data: { run, region, joined, requester: user } };
};

const carryOn = async (
  at: Station,
  { user }: Operator,
  { run: named, reason, accepts }: Extract<Command, { verb: "carry-on" }>,
): Promise<Told> => {
  const wish = { who: user, reason, accepts, ...(named ? { run: named } : {}) };
  const carried = await orderCarryOn(at, wish);
  if ("refused" in carried) return refusal(carried.refused);
  const { run, execution, region, joined } = carried;
  const lines = joined
    ? [`${run} is carried on already, as ${execution}.`]
    : [
        `${run} is carried on in ${region}, as ${execution}.`,
        "Before the promotion it makes a new plan, and others approve it; after it, it goes forward.",
        "What comes of it: npm run ops -- status",
      ];
  return { ok: !joined, lines, data: { run, execution, region, joined, requester: user } };
};

const maintenance = async (
  at: Station,
  { user }: Operator,
  { minutes, reason }: Extract<Command, { minutes: number }>,
): Promise<Told> => {
  const said = await orderMaintenance(at, { by: user, minutes, reason });
  if ("refused" in said) return refusal(said.refused);
  if ("ended" in said) {
    const lines = [`The maintenance window of ${said.ended} is over.`];
    return { ok: true, lines, data: { region: said.ended, ended: true } };
  }
  const { region, untilMilliseconds } = said.declared;
  const lines = [
    `Maintenance of ${region} until ${isoSeconds(untilMilliseconds)}: repairs wait until then. It forbids`,
    "no failover: whoever is asked about one is told of it.",
  ];
  return { ok: true, lines, data: { declared: said.declared } };
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
  if ("refused" in decided) return refusedAnswer(at, { user, says, planHash }, decided.refused);
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

/** Somebody who is no operator and tries to answer a plan: their run's journal keeps that too. */
const turnedAway = async (
  at: Station,
  command: Command,
  caller: Station["caller"],
  refused: Refusal,
): Promise<Told> => {
  if (!("planHash" in command) || !caller.known) return refusal(refused);
  const hash = await observed("plan", at.clock.now, () => wholeHash(at, command.planHash));
  if (!hash.known || hash.value === undefined) return refusal(refused);
  const answer = { user: caller.value, says: command.verb, planHash: hash.value };
  return refusedAnswer(at, answer, refused);
};

/** Refused all the same when that cannot be recorded, and then that is said. */
const refusedAnswer = async (at: Station, answer: Given, refused: Refusal): Promise<Told> => {
  const told = refusal(refused);
  const kept = await observed("journal", at.clock.now, () =>
    keepRefusedAnswer(at, { ...answer, refusal: refused }),
  );
  const why = whyNotKept(kept);
  if (!why) return told;
  return { ...told, lines: [...told.lines, `This is not in a journal: ${withoutStop(why)}.`] };
};

/** 64 digits stand for themselves; fewer are looked up in what is under way. */
const wholeHash = async (at: Station, given: string): Promise<string | undefined> => {
  if (given.length === 64) return given;
  const lease = await readLease(at.table);
  const asked = await newestHash(at, runUnderWay(lease, at.config.regions).run);
  if (asked?.startsWith(given)) return asked;
  const run = await rebuilding(at, lease);
  const other = run && (await newestHash(at, run));
  return other?.startsWith(given) ? other : undefined;
};

const newestHash = async (at: Station, run: string): Promise<string | undefined> => {
  const { entries } = await bookOf(at, run);
  const hash = entries.findLast(({ data }) => data?.plan && data.hash)?.data?.hash;
  return typeof hash === "string" ? hash : undefined;
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

const abort = async (
  at: Station,
  { user }: Operator,
  { reason, run: named }: Extract<Command, { verb: "abort" }>,
): Promise<Told> => {
  const aborted = await orderAbort(at, { by: user, reason, ...(named ? { run: named } : {}) });
  if ("refused" in aborted) return refusal(aborted.refused);
  const { run, abort: left, inTime, doubt, carriedOn } = aborted;
  const lines = carriedOn
    ? [`${run} had stopped, so ${carriedOn} is started to give the lease back.`]
    : [`${run} is told to stop, undo what it did and end, before its next change.`];
  if (left.by !== user) lines.push(`${left.by} had said so before.`);
  if (doubt) lines.push(`Its journal cannot be read (${doubt}).`);
  if (inTime === "maybe") lines.push("It may come too late: a begun promotion is not stopped.");
  const more = { ...(doubt ? { doubt } : {}), ...(carriedOn ? { carriedOn } : {}) };
  return { ok: true, lines, data: { run, abort: left, inTime, ...more } };
};
