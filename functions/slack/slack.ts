import type { Answer, Approval, Decided } from "../../shared/approval.ts";
import type { Clock } from "../../shared/clock.ts";
import { isoSeconds } from "../../shared/clock.ts";
import type { Config, Operator } from "../../shared/config.ts";
import type { Contact } from "../../shared/contact.ts";
import type { Lease } from "../../shared/lease.ts";
import type { Log } from "../../shared/log.ts";
import { escaped, person } from "../../shared/message.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";
import type { Pause } from "../../shared/pause.ts";
import { whilePaused } from "../../shared/pause.ts";
import type { SignedRequest, SlackPort } from "../../shared/slack.ts";
import { verifySlackRequest } from "../../shared/slack.ts";
import type { Decision, Intent, Override } from "./decide.ts";
import { decide, helpText } from "./decide.ts";
import type { Nonce } from "./nonces.ts";
import { parseRequest } from "./request.ts";

export interface FrontDoor {
  clock: Clock;
  log: Log;
  config: Config;
  signingSecret(): Promise<string>;
  /** Throws when the coordination table is silent. */
  claimNonce(signature: string, timestampSeconds: number): Promise<Nonce>;
  readLease(): Promise<Lease>;
  readContact(region: string): Promise<Contact | undefined>;
  readPause(): Promise<Pause>;
  /** Hands the request over and does not wait for the run. The same run is never started twice. */
  startFailover(request: Wish): Promise<{ run: string }>;
  answer(planHash: string, answer: Answer, mayApprove: readonly string[]): Promise<Decided>;
  /** `gone` when nobody waits on the callback any more, which is no trouble: see Approval. */
  wake(callbackId: string): Promise<"woken" | "gone">;
  channel: SlackPort;
  /** From the request to our answer; Slack itself gives up after three seconds. */
  answerSeconds: number;
}

/** What an operator asks for; `who` is their Slack member id. */
export interface Wish {
  who: string;
  reason: string;
  sinceMilliseconds: number;
  overrides: Override[];
}

export interface HttpAnswer {
  statusCode: number;
  headers?: Record<string, string>;
  body?: string;
}

/** Answers one HTTP request that says it is from Slack. Nothing of a body is ever logged. */
export const receive = async (door: FrontDoor, signed: SignedRequest): Promise<HttpAnswer> => {
  const within = deadline(door);
  const verified = verifySlackRequest(signed, await door.signingSecret(), door.clock.now());
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
  if (decision.intent.wants === "status" || decision.intent.wants === "help") return decision;
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
    case "failover":
      return requestFailover(work, intent);
    case "answer":
      return recordAnswer(work, intent);
  }
};

const requestFailover = async (
  { door, within, operator }: Work,
  { reason, overrides }: Extract<Intent, { wants: "failover" }>,
): Promise<Reply> => {
  const { user } = operator;
  const sinceMilliseconds = Math.floor(door.clock.now());
  const wish = { who: user, reason, sinceMilliseconds, overrides };
  const started = await within("failover", () => door.startFailover(wish));
  if (!started.known) {
    door.log.error("failover not started", { user, why: started.why });
    const text = `It is not certain that the failover was started (${escaped(started.why)}). Ask again.`;
    return { text, again: true };
  }
  door.log.info("failover started", { user, run: started.value.run });
  const text = `${started.value.run} is started. Its plan comes to the channel, and others approve it.`;
  return { text };
};

const recordAnswer = async (
  work: Work,
  { says, planHash }: Extract<Intent, { wants: "answer" }>,
): Promise<Reply> => {
  const { door, within, operator, thread } = work;
  const { user } = operator;
  const approvers = door.config.slack.operators
    .filter(({ may }) => may.includes("approve"))
    .map((each) => each.user);
  const answer: Answer = { user, says, atMilliseconds: Math.floor(door.clock.now()) };
  const decided = await within("approval", () => door.answer(planHash, answer, approvers));
  if (!decided.known) {
    door.log.error("answer not recorded", { user, says, why: decided.why });
    return { text: "It is not certain that your answer was recorded. Press again.", again: true };
  }
  if ("refused" in decided.value) {
    const { code, reason } = decided.value.refused;
    door.log.warn("answer refused", { refused: code, user, says });
    return { text: reason, again: code === "contended" };
  }
  const changed = "changed" in decided.value;
  const approval = "changed" in decided.value ? decided.value.changed : decided.value.unchanged;
  door.log.info("answer recorded", { user, says, run: approval.run, planHash });
  const note = changed && thread ? noteAnswer(door, approval, answer, thread) : undefined;
  // Also for an answer that was there already: its wake-up may be what was lost.
  await Promise.all([wakeRun(work, approval), note]);
  return { text: changed ? "" : "Your answer was recorded before." };
};

const noteAnswer = async (door: FrontDoor, approval: Approval, answer: Answer, thread: string) => {
  const text =
    answer.says === "reject"
      ? `${person(answer.user)} rejected the plan.`
      : `${person(answer.user)} approved: ${approval.approvals.length} of ` +
        `${approval.neededApprovals}.`;
  const delivery = await door.channel.thread(thread, text);
  if (!delivery.delivered) door.log.warn("note undelivered", { because: delivery.because });
};

const wakeRun = async ({ door, within }: Work, approval: Approval): Promise<void> => {
  const { callbackId, rejectedBy, approvals, neededApprovals } = approval;
  const settled = rejectedBy !== undefined || approvals.length >= neededApprovals;
  if (!settled || callbackId === undefined) return;
  const woken = await within("wake-up", () => door.wake(callbackId));
  const result = woken.known ? woken.value : woken.why;
  door.log.info("wake-up", { run: approval.run, result });
};

const status = async ({ door, within }: Work): Promise<string> => {
  const { primary, standby } = door.config.regions;
  const [lease, pause, ...contacts] = await Promise.all([
    within("lease", door.readLease),
    within("pause", door.readPause),
    ...[primary, standby].map((region) => within("contact", () => door.readContact(region))),
  ]);
  const now = door.clock.now();
  return [
    leaseText(lease),
    ...[primary, standby].map((region, index) => contactText(region, contacts[index], now)),
    pauseText(pause),
  ].join("\n");
};

const leaseText = (lease: Fact<Lease>): string => {
  if (!lease.known) return `Lease: UNKNOWN (${escaped(lease.why)})`;
  const { region, epoch, state, holder, movedAtMilliseconds } = lease.value;
  const since = `epoch ${epoch}, since ${isoSeconds(movedAtMilliseconds)} by ${escaped(holder)}`;
  return state === "held"
    ? `*${region}* may write (${since}). No failover is under way past its approval.`
    : `The lease is MOVING to *${region}* (${since}).`;
};

const contactText = (
  region: string,
  contact: Fact<Contact | undefined> | undefined,
  now: number,
): string => {
  if (!contact?.known) return `Guard of ${region}: UNKNOWN (${escaped(contact?.why ?? "")})`;
  if (!contact.value) return `Guard of ${region}: never seen`;
  const ageSeconds = Math.round((now - contact.value.contactAtMilliseconds) / 1000);
  return `Guard of ${region}: last contact ${ageSeconds} s ago, obeys epoch ${contact.value.epoch}`;
};

const pauseText = (fact: Fact<Pause>): string => {
  const pause: Pause = fact.known ? fact.value : { is: "unknown", why: fact.why };
  const at = pause.is === "paused" ? ` (since ${isoSeconds(pause.atMilliseconds)})` : "";
  const refusal = whilePaused(pause);
  return refusal ? `${escaped(refusal.reason)}${at}` : "Pause switch: running";
};

/** One look or one call; what the time that is left does not suffice for is unknown. */
type Within = <T>(source: string, look: () => Promise<T>) => Promise<Fact<T>>;

/** All calls of one request share its time, so that a slow one is borne when the others are quick. */
const deadline = ({ clock, answerSeconds }: FrontDoor): Within => {
  const end = clock.now() + answerSeconds * 1000;
  return (source, look) =>
    observed(source, clock.now, async () => {
      const leftSeconds = Math.max(0.2, (end - clock.now()) / 1000);
      const finished = new AbortController();
      const late = clock.sleep(leftSeconds * 1000, finished.signal).then(() => {
        throw new Error(`no answer within ${Math.round(leftSeconds * 10) / 10} s`);
      });
      try {
        return await Promise.race([look(), late]);
      } finally {
        finished.abort();
      }
    });
};
