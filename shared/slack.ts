import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "./clock.ts";
import type { SlackMessage } from "./message.ts";
import { sentence } from "./outcome.ts";

/** As much of the global fetch as is used. */
export type Fetch = (
  url: string,
  init: { method: "POST"; headers: Record<string, string>; body: string; signal: AbortSignal },
) => Promise<{
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}>;

export interface PostedAt {
  channel: string;
  /** Slack's name of the message within its channel. */
  ts: string;
}

/** A message that did not arrive is a fact to live with: Slack being down never stops a run. */
export type Delivery<T = object> =
  | ({ delivered: true } & T)
  | { delivered: false; because: string };

/** The channel that the operators watch. Nothing here throws on account of Slack or the network. */
export interface SlackPort {
  post(message: SlackMessage): Promise<Delivery<PostedAt>>;
  update(ts: string, message: SlackMessage): Promise<Delivery>;
  /** An answer below the message `ts`. */
  thread(ts: string, text: string): Promise<Delivery>;
  /** Only `user` sees it. */
  whisper(user: string, text: string): Promise<Delivery>;
}

export interface SlackOptions {
  fetch: Fetch;
  clock: Clock;
  /** `https://slack.com/api` when left out. */
  apiUrl?: string | undefined;
  channel: string;
  /** The bot token, asked for at each call: it may have been rotated. */
  token(): Promise<string>;
  /** For one try, the reading of the answer included. */
  timeoutSeconds: number;
  attempts: number;
}

/**
 * Slack's Web API over fetch. Not @slack/web-api: it is 65 KB for four calls, it times out by
 * AbortSignal.timeout, which no simulated clock can move, and by default it retries for 30 minutes.
 */
export const slackChannel = (options: SlackOptions): SlackPort => {
  const { channel } = options;
  const unfurl = { unfurl_links: false, unfurl_media: false };
  return {
    post: async (message) => {
      const answer = await call(options, "chat.postMessage", { channel, ...unfurl, ...message });
      if ("because" in answer) return { delivered: false, because: answer.because };
      const { ts, channel: postedTo } = answer.body;
      if (typeof ts === "string") {
        return { delivered: true, channel: typeof postedTo === "string" ? postedTo : channel, ts };
      }
      return { delivered: false, because: "chat.postMessage: the answer names no message" };
    },
    // Only an update may be repeated when its answer was lost: the others would show twice.
    update: (ts, message) =>
      delivery(call(options, "chat.update", { channel, ts, ...message }, { repeatable: true })),
    thread: (ts, text) =>
      delivery(call(options, "chat.postMessage", { channel, thread_ts: ts, text, ...unfurl })),
    whisper: (user, text) => delivery(call(options, "chat.postEphemeral", { channel, user, text })),
  };
};

type Answer = { body: Record<string, unknown> } | { because: string };

const delivery = async (answer: Promise<Answer>): Promise<Delivery> => {
  const settled = await answer;
  return "because" in settled
    ? { delivered: false, because: settled.because }
    : { delivered: true };
};

/** What Slack calls its own trouble, as against ours. */
const passing = ["ratelimited", "internal_error", "fatal_error", "service_unavailable"];
const longestPauseSeconds = 2;

const call = async (
  options: SlackOptions,
  method: string,
  body: object,
  { repeatable }: { repeatable: boolean } = { repeatable: false },
): Promise<Answer> => {
  let because = "never tried";
  for (let attempt = 1; attempt <= options.attempts; attempt += 1) {
    const tried = await once(options, method, body);
    if ("body" in tried) return tried;
    because = `${method}: ${tried.because}`;
    const again = tried.untouched || (repeatable && tried.passing);
    if (!again || tried.pauseSeconds > longestPauseSeconds) break;
    if (attempt < options.attempts) await options.clock.sleep(tried.pauseSeconds * 1000);
  }
  return { because };
};

interface Failed {
  because: string;
  /** Slack said that it has not done it. */
  untouched: boolean;
  /** Another try may go better. */
  passing: boolean;
  pauseSeconds: number;
}

const once = async (
  options: SlackOptions,
  method: string,
  body: object,
): Promise<{ body: Record<string, unknown> } | Failed> => {
  const failed = (because: string, more: Partial<Failed> = {}): Failed => ({
    because,
    untouched: false,
    passing: true,
    pauseSeconds: 0.3,
    ...more,
  });
  try {
    return await inTime(options, async (signal) => {
      const response = await options.fetch(
        `${options.apiUrl ?? "https://slack.com/api"}/${method}`,
        {
          method: "POST",
          headers: {
            "content-type": "application/json; charset=utf-8",
            authorization: `Bearer ${await options.token()}`,
          },
          body: JSON.stringify(body),
          signal,
        },
      );
      if (response.status === 429) {
        const pauseSeconds = Number(response.headers.get("retry-after")) || 1;
        return failed("Slack limits the rate", { untouched: true, pauseSeconds });
      }
      if (response.status !== 200) return failed(`HTTP ${response.status}`);
      const answer = JSON.parse(await response.text()) as Record<string, unknown>;
      if (answer.ok === true) return { body: answer };
      const error = String(answer.error ?? "no reason given");
      return failed(error, {
        passing: passing.includes(error),
        untouched: error === "ratelimited",
      });
    });
  } catch (error) {
    // Not swallowed: the reason goes back to the caller as a value, which is this port's promise.
    return failed(sentence(error));
  }
};

/** By the runtime's clock, so that silence takes its time in a simulation too. */
const inTime = async <T>(
  { clock, timeoutSeconds }: SlackOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const finished = new AbortController();
  const late = new AbortController();
  const timeout = clock.sleep(timeoutSeconds * 1000, finished.signal).then(() => {
    const error = new Error(`no answer within ${timeoutSeconds} s`);
    late.abort(error);
    throw error;
  });
  try {
    return await Promise.race([work(late.signal), timeout]);
  } finally {
    finished.abort();
  }
};

/**
 * The payload of a button carries the whole message in form encoding, which triples it at the worst.
 * Slack's own limit for the blocks of a message is near 13,000 characters.
 */
export const requestLimitBytes = 64 * 1024;

/** Either way, so that a request dated in the future cannot be kept and replayed later. */
export const timestampWindowSeconds = 300;

export interface SignedRequest {
  /** The body exactly as it came: parsing and encoding it again would give another signature. */
  rawBody: Uint8Array;
  /** Names in lower case, as a function URL gives them. */
  headers: Record<string, string | undefined>;
}

export type SignatureRefusal =
  | "no-signing-secret"
  | "too-large"
  | "not-signed"
  | "malformed-signature"
  | "out-of-window"
  | "wrong-signature";

export type Verified =
  | { ok: true; signature: string; timestampSeconds: number }
  | { ok: false; refused: SignatureRefusal };

/**
 * Whether Slack sent this, and just now. Source: "Verifying requests from Slack": HMAC-SHA256 over
 * `v0:<timestamp>:<raw body>`. Reads nothing of the body.
 */
export const verifySlackRequest = (
  { rawBody, headers }: SignedRequest,
  signingSecret: string,
  nowMilliseconds: number,
): Verified => {
  const refused = (why: SignatureRefusal): Verified => ({ ok: false, refused: why });
  // An empty key is a valid HMAC key, and anybody can sign with it.
  if (signingSecret.length < 16) return refused("no-signing-secret");
  if (rawBody.byteLength > requestLimitBytes) return refused("too-large");
  const timestamp = headers["x-slack-request-timestamp"];
  const signature = headers["x-slack-signature"];
  if (!timestamp || !signature) return refused("not-signed");
  if (!/^[1-9]\d{8,10}$/.test(timestamp) || !/^v0=[0-9a-f]{64}$/.test(signature)) {
    return refused("malformed-signature");
  }
  const ageSeconds = Math.abs(Math.floor(nowMilliseconds / 1000) - Number(timestamp));
  if (ageSeconds > timestampWindowSeconds) return refused("out-of-window");
  const expected = createHmac("sha256", signingSecret)
    .update(`v0:${timestamp}:`)
    .update(rawBody)
    .digest();
  return timingSafeEqual(expected, Buffer.from(signature.slice(3), "hex"))
    ? { ok: true, signature, timestampSeconds: Number(timestamp) }
    : refused("wrong-signature");
};
