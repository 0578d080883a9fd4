import type { Answer, Approval } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import { isoSeconds } from "../../shared/clock.ts";
import type { Operator } from "../../shared/config.ts";
import type { Log } from "../../shared/log.ts";
import { escaped, person } from "../../shared/message.ts";
import type { Asked } from "../../shared/move.ts";
import type { Fact, Refusal } from "../../shared/outcome.ts";
import { returnRight } from "../../shared/repairs.ts";
import type { SignedRequest, SlackPort } from "../../shared/slack.ts";
import type { Override } from "../failover/request.ts";
import { backups, orderVerification, verifyingText } from "./backups.ts";
import { orderCarryOn } from "./carry-on.ts";
import { deadline, type Within } from "./deadline.ts";
import type { Age, Decision, Intent } from "./decide.ts";
import { answerIn, decide, helpText } from "./decide.ts";
import type { Nonce } from "./nonces.ts";
import type { Desk } from "./orders.ts";
import {
  orderAbort,
  orderAcknowledgement,
  orderAnswer,
  orderMaintenance,
  orderMove,
  orderPause,
  orderRebuild,
  wakeRun,
} from "./orders.ts";
import { type Given, keepRefusedAnswer, whyNotKept } from "./refused.ts";
import { parseRequest } from "./request.ts";
import { begunLines, carryOutAnswered } from "./rotate.ts";
import { rotationTold } from "./rotate-told.ts";
import { type RotateWords, rotateUsage } from "./rotate-words.ts";
import { rotations } from "./rotations.ts";
import { type OtherSecrets, verifiedBy } from "./signing.ts";
import { pauseLine, repairs, status } from "./status.ts";

export interface FrontDoor extends Desk {
  clock: Clock;
  log: Log;
  signingSecret(): Promise<string>;
  /** While Slack's own secret is rotated there are others. */
  otherSecrets: OtherSecrets;
  /** Throws when the coordination table is silent. */
  claimNonce(signature: string, timestampSeconds: number): Promise<Nonce>;
  channel: SlackPort;
  /** From the request to our answer; Slack itself gives up after three seconds. */
  answerSeconds: number;
}

export interface HttpAnswer {
  statusCode: number;
  headers?: Record<string, string>;
  body?: string;
}

/** Answers one HTTP request that says it is from Slack. Nothing of a body is ever logged. */
export const receive = async (door: FrontDoor, signed: SignedRequest): Promise<HttpAnswer> => {
  const within = deadline(door);
  const { signingSecret, otherSecrets: others, clock } = door;
  const verified = await verifiedBy(signed, { signingSecret, others, now: clock.now }, within);
  if (!verified.ok) {
    door.log.warn("request refused", { refused: verified.refused, bytes: signed.rawBody.length });
    return { statusCode: verified.refused === "too-large" ? 413 : 401 };
  }
  const nonce = await within("nonce", () =>
    door.claimNonce(verified.signature, verified.timestampSeconds),
  );
  if (nonce.known && nonce.value !== "fresh") {
    door.log.warn("request refused", { refused: nonce.value, bytes: signed.rawBody.length });
    return { statusCode: nonce.value === "flooded" ? 429 : 401 };
  }
  const request = parseRequest(signed.rawBody);
  if (!request) {
    door.log.warn("request refused", { refused: "malformed", bytes: signed.rawBody.length });
    return { statusCode: 400 };
  }
  const decision = guarded(decide(request, door.config.slack), nonce);
  const reply = replier(door, request.kind, request.sender.user);
  if ("refused" in decision) {
    const { code, reason } = decision.refused;
    door.log.warn("request refused", { refused: code, user: request.sender.user });
    const answer = answerIn(request, decision.stranger);
    if (answer && nonce.known) await keepRefused(door, within, answer, decision.refused);
    // A stranger who presses a button gets no message: it would have to go to their workspace.
    if (decision.stranger && request.kind === "button") return { statusCode: 403 };
    return reply({ text: reason, again: code === "nonce-unknown" });
  }
  const { intent, operator } = decision;
  door.log.info("request accepted", { wants: intent.wants, user: operator.user });
  const thread = request.kind === "button" ? request.ts : undefined;
  return reply(await carryOut({ door, within, operator, thread }, intent));
};

/** `again`: it is not certain that anything was done, and the same request may be repeated. */
interface Reply {
  text: string;
  again?: boolean;
}

/** One request on its way. */
interface Work {
  door: FrontDoor;
  within: Within;
  operator: Operator;
  /** The message that the pressed button is on. */
  thread: string | undefined;
}

/** Looking is harmless twice; changing is not, so it waits for a table that can tell a replay. */
const guarded = (decision: Decision, nonce: Fact<Nonce>): Decision => {
  if (nonce.known || "refused" in decision) return decision;
  if (
    ["status", "help", "rotate-help", "repairs", "rotations", "backups"].includes(
      decision.intent.wants,
    )
  )
    return decision;
  const reason =
    "The coordination table does not answer, so a replay could not be told. Nothing was done. " +
    "Try again, or use the break-glass command line of the runbook.";
  return { refused: { code: "nonce-unknown", reason }, stranger: false };
};

/** A command is answered in the response; a button only through the channel. */
const replier =
  (door: FrontDoor, kind: "command" | "button", user: string) =>
  async ({ text, again }: Reply): Promise<HttpAnswer> => {
    if (kind === "command") {
      return {
        statusCode: 200,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ response_type: "ephemeral", text }),
      };
    }
    if (text !== "") {
      const delivery = await door.channel.whisper(user, text);
      if (!delivery.delivered) door.log.warn("answer undelivered", { because: delivery.because });
    }
    // Slack marks a button whose press was not taken, also when our own words do not get through.
    return { statusCode: again ? 503 : 200 };
  };

const carryOut = async (work: Work, intent: Intent): Promise<Reply> => {
  switch (intent.wants) {
    case "help":
      return { text: helpText };
    case "status":
      return { text: await status(work) };
    case "repairs":
      return { text: await repairs(work) };
    case "rotations":
      return { text: await rotations(work) };
    case "backups":
      return { text: await backups(work) };
    case "verify-backup":
      return verifyBackup(work, intent.age);
    case "rotate":
      return rotate(work, intent.words);
    case "rotate-help":
      return { text: escaped(rotateUsage) };
    case "repairs-ack":
      return giveRightBack(work, intent.playbook);
    case "failover":
    case "switchover":
    case "failback":
    case "rehearse":
      return requestMove(work, intent);
    case "rebuild":
      return requestRebuild(work, intent.reason);
    case "maintenance":
      return declareMaintenance(work, intent);
    case "pause":
    case "resume":
      return turnPause(work, intent.wants, intent.reason);
    case "carry-on":
      return requestCarryOn(work, intent);
    case "ack":
      return acknowledge(work);
    case "abort":
      return abort(work, intent);
    case "answer":
      return recordAnswer(work, intent);
  }
};

/** What no answer came for is neither done nor not done; all of these bear being asked for again. */
const uncertain = ({ door, operator }: Work, what: string, why: string): Reply => {
  door.log.error("order uncertain", { what, user: operator.user, why });
  return { text: `It is not certain that ${what} (${escaped(why)}). Ask again.`, again: true };
};

const refusal = ({ door, operator }: Work, { code, reason }: Refusal): Reply => {
  door.log.warn("order refused", { refused: code, user: operator.user });
  return { text: escaped(reason) };
};

const requestMove = async (
  work: Work,
  { wants: move, reason, overrides }: Extract<Intent, { overrides: Override[] }>,
): Promise<Reply> => {
  const { door, within, operator } = work;
  const wish = { move, who: operator.user, reason, overrides };
  const moved = await within(move, () => orderMove(door, wish));
  if (!moved.known) return uncertain(work, `the ${move} was started`, moved.why);
  if ("refused" in moved.value) return refusal(work, moved.value.refused);
  const { asked, joined } = moved.value;
  const { run, region: target } = asked;
  door.log.info("run asked for", { user: operator.user, move, run, target, joined });
  return { text: joined ? joinedText(run) : startedText(asked) };
};

const startedText = ({ run, region }: Asked) =>
  `${run} is started in ${region}. Its plan comes to the channel, and others approve it.`;

const joinedText = (run: string) =>
  `${run} was asked for before, so nothing new was started. Its message in the channel shows which ` +
  "move it is; abort it first if you need another.";

const requestRebuild = async (work: Work, reason: string): Promise<Reply> => {
  const { door, within, operator } = work;
  const by = operator.user;
  const begun = await within("rebuild", () => orderRebuild(door, { by, reason }));
  if (!begun.known) return uncertain(work, "the rebuild was started", begun.why);
  if ("refused" in begun.value) return refusal(work, begun.value.refused);
  const { run, region, joined } = begun.value;
  door.log.info("run asked for", { user: by, move: "rebuild", run, target: region, joined });
  if (joined) return { text: `${run} is under way already: see its message in the channel.` };
  const text =
    `${run} is started in ${region}. It looks at the old region's fence first; then it asks in the ` +
    "channel, and one other operator approves it.";
  return { text };
};

const requestCarryOn = async (
  work: Work,
  { run: named, reason, accepts }: Extract<Intent, { wants: "carry-on" }>,
): Promise<Reply> => {
  const { door, within, operator } = work;
  const wish = { who: operator.user, reason, accepts, ...(named ? { run: named } : {}) };
  const carried = await within("carry-on", () => orderCarryOn(door, wish));
  if (!carried.known) return uncertain(work, "the run was carried on", carried.why);
  if ("refused" in carried.value) return refusal(work, carried.value.refused);
  const { run, execution, region: target, joined } = carried.value;
  door.log.info("run carried on", { user: operator.user, run, execution, target, joined });
  if (joined) return { text: `${run} is carried on already, as ${execution}.` };
  const text =
    `${run} is carried on in ${target}, as ${execution}. It looks at what was left, and says in the ` +
    "channel whether it goes forward, asks for approval anew, or gives the lease back.";
  return { text };
};

const declareMaintenance = async (
  work: Work,
  { minutes, reason }: Extract<Intent, { wants: "maintenance" }>,
): Promise<Reply> => {
  const { door, within, operator } = work;
  const by = operator.user;
  const said = await within("maintenance", () => orderMaintenance(door, { by, minutes, reason }));
  if (!said.known) return uncertain(work, "your maintenance window was recorded", said.why);
  if ("refused" in said.value) return refusal(work, said.value.refused);
  door.log.info("maintenance", { user: by, minutes });
  if ("ended" in said.value) {
    return { text: `The maintenance window of ${said.value.ended} is over.` };
  }
  const { region, untilMilliseconds } = said.value.declared;
  const text =
    `Maintenance of ${region} until ${isoSeconds(untilMilliseconds)}: repairs wait until then. It forbids ` +
    "no failover: whoever is asked about one is told of it. `/nightshift maintenance end` ends it.";
  return { text };
};

const turnPause = async (work: Work, to: "pause" | "resume", reason: string): Promise<Reply> => {
  const { door, within, operator } = work;
  const turned = await within(to, () => orderPause(door, to, { by: operator.user, reason }));
  if (!turned.known) return uncertain(work, `your ${to} was recorded`, turned.why);
  door.log.info("pause switch", { user: operator.user, to, is: turned.value.is });
  if (turned.value.is === "unknown") {
    return uncertain(work, `your ${to} was recorded`, turned.value.why);
  }
  const wanted = to === "pause" ? "paused" : "running";
  if (turned.value.is !== wanted) {
    return { text: `Somebody was faster. Now: ${pauseLine(turned.value)}` };
  }
  return {
    text:
      to === "pause"
        ? "Paused: nothing is changed in any region from now on, until somebody resumes it. " +
          "A run that is under way stops before its next change."
        : "Resumed: automation goes on in all regions.",
  };
};

const acknowledge = async (work: Work): Promise<Reply> => {
  const { door, within, operator } = work;
  const said = await within("ack", () => orderAcknowledgement(door, operator.user));
  if (!said.known) return uncertain(work, "your acknowledgement was recorded", said.why);
  if ("refused" in said.value) return refusal(work, said.value.refused);
  const { epoch, region, holder } = said.value.acknowledged;
  door.log.info("move acknowledged", { user: operator.user, epoch });
  const text =
    `Acknowledged: the move to ${region} (epoch ${epoch}, ${escaped(holder)}). ` +
    "The block period does not hold the next move.";
  return { text };
};

const verifyBackup = async (work: Work, age: Age): Promise<Reply> => {
  const { door, within, operator } = work;
  const wish = { by: operator.user, age };
  const begun = await within("verify-backup", () => orderVerification(door, wish));
  if (!begun.known) return uncertain(work, "the restore test was started", begun.why);
  door.log.info("restore test asked for", { user: operator.user, ...begun.value });
  return { text: verifyingText(begun.value) };
};

const rotate = async (work: Work, words: RotateWords): Promise<Reply> => {
  const { door, within, operator } = work;
  const told = await within("rotate", () => rotationTold(door, words, operator.user));
  if (!told.known) return uncertain(work, "your order was taken", told.why);
  if ("refused" in told.value) return refusal(work, told.value.refused);
  const { lines, message } = told.value;
  door.log.info("rotation", { user: operator.user, does: words.does, ordered: words.ordered });
  if (message) {
    const posted = await door.channel.post(message);
    if (!posted.delivered) return uncertain(work, "the others were asked", posted.because);
  }
  return { text: lines.map(escaped).join("\n") };
};

const giveRightBack = async (work: Work, playbook: string): Promise<Reply> => {
  const { door, within, operator } = work;
  const said = await within("repairs", () => returnRight(door.table, door.config, playbook));
  if (!said.known) return uncertain(work, `${playbook} has its right back`, said.why);
  if ("refused" in said.value) return refusal(work, said.value.refused);
  const { regions } = said.value;
  door.log.info("right given back", { user: operator.user, playbook, regions });
  return {
    text: `${playbook} may do again what the operator's file gives it, in ${regions.join(" and ")}.`,
  };
};

const abort = async (
  work: Work,
  { reason, run: named }: Extract<Intent, { wants: "abort" }>,
): Promise<Reply> => {
  const { door, within, operator } = work;
  const word = { by: operator.user, reason, ...(named ? { run: named } : {}) };
  const aborted = await within("abort", () => orderAbort(door, word));
  if (!aborted.known) return uncertain(work, "your abort was recorded", aborted.why);
  if ("refused" in aborted.value) return refusal(work, aborted.value.refused);
  const { run, abort: left, inTime, doubt, carriedOn } = aborted.value;
  door.log.info("abort left", { user: operator.user, run, by: left.by, inTime, doubt });
  const first = left.by === operator.user ? "" : ` ${person(left.by)} had said so before.`;
  const late =
    inTime === "yes" ? "" : " It may come too late: a promotion that has begun is not stopped.";
  if (carriedOn) {
    const back = `${run} had stopped, so ${carriedOn} is started to give the lease back.${first}${late}`;
    return { text: back };
  }
  const text =
    `${run} is told to stop, undo what it did and end, before its next change.${first}${late} ` +
    "What it undid is told in its message.";
  return { text };
};

const recordAnswer = async (
  work: Work,
  { says, planHash }: Extract<Intent, { wants: "answer" }>,
): Promise<Reply> => {
  const { door, within, operator, thread } = work;
  const { user } = operator;
  const decided = await within("approval", () => orderAnswer(door, planHash, { user, says }));
  if (!decided.known) {
    door.log.error("answer not recorded", { user, says, why: decided.why });
    return { text: "It is not certain that your answer was recorded. Press again.", again: true };
  }
  if ("refused" in decided.value) {
    const { code, reason } = decided.value.refused;
    door.log.warn("answer refused", { refused: code, user, says });
    // Pressed again it may count.
    if (code === "contended") return { text: reason, again: true };
    await keepRefused(door, within, { user, says, planHash }, decided.value.refused);
    return { text: reason };
  }
  const changed = "changed" in decided.value;
  const approval = "changed" in decided.value ? decided.value.changed : decided.value.unchanged;
  door.log.info("answer recorded", { user, says, run: approval.run, planHash });
  const note = changed && thread ? noteAnswer(door, approval, { user, says }, thread) : undefined;
  // Also for an answer that was there already: its wake-up may be what was lost.
  await Promise.all([wake(work, approval), note]);
  if (approval.run.startsWith("rotation-")) return beginRotation(work, approval);
  return { text: changed ? "" : "Your answer was recorded before." };
};

/** The press that was still missing begins it. */
const beginRotation = async (work: Work, approval: Approval): Promise<Reply> => {
  const begun = await work.within("rotate", () => carryOutAnswered(work.door, approval));
  if (!begun.known) return uncertain(work, `${approval.run} was begun`, begun.why);
  if (begun.value === undefined) return { text: "" };
  if ("refused" in begun.value) return refusal(work, begun.value.refused);
  return { text: begunLines(begun.value).map(escaped).join("\n") };
};

/** An answer that did not count is refused all the same when that cannot be recorded. */
const keepRefused = async (
  door: FrontDoor,
  within: Within,
  answer: Given,
  refusal: Refusal,
): Promise<void> => {
  const kept = await within("journal", () => keepRefusedAnswer(door, { ...answer, refusal }));
  const why = whyNotKept(kept);
  if (why) door.log.warn("refused answer not recorded", { user: answer.user, why });
};

const noteAnswer = async (
  door: FrontDoor,
  approval: Approval,
  answer: Pick<Answer, "user" | "says">,
  thread: string,
) => {
  const text =
    answer.says === "reject"
      ? `${person(answer.user)} rejected the plan.`
      : `${person(answer.user)} approved: ${approval.approvals.length} of ` +
        `${approval.neededApprovals}.`;
  const delivery = await door.channel.thread(thread, text);
  if (!delivery.delivered) door.log.warn("note undelivered", { because: delivery.because });
};

const wake = async ({ door, within }: Work, approval: Approval): Promise<void> => {
  const woken = await within("wake-up", () => wakeRun(door, approval));
  const result = woken.known ? woken.value : woken.why;
  if (result) door.log.info("wake-up", { run: approval.run, result });
};
