import { createHmac } from "node:crypto";
import type { SlackPlace, StoredMessage } from "./slack.ts";

/** One request to the function URL, as Slack would send it. */
export interface SignedHttpRequest {
  method: "POST";
  headers: Record<string, string>;
  body: string;
}

export interface Person {
  /** Member id. */
  user: string;
  /** The person's workspace, when it is not the one that the request comes from. */
  workspace?: string;
}

/**
 * Signs a body as Slack does. Written apart from the verification on purpose, so that the two can
 * only agree by both being right.
 */
export const signed = (
  signingSecret: string,
  nowMilliseconds: number,
  body: string,
): SignedHttpRequest => {
  const timestamp = String(Math.floor(nowMilliseconds / 1000));
  const digest = createHmac("sha256", signingSecret)
    .update(`v0:${timestamp}:${body}`, "utf8")
    .digest("hex");
  return {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": `v0=${digest}`,
      "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    },
    body,
  };
};

/** The form of a slash command. `more` overrides single fields, to play a stranger. */
export const commandBody = (
  place: SlackPlace,
  person: Person,
  text: string,
  more: Record<string, string> = {},
): string =>
  new URLSearchParams({
    team_id: person.workspace ?? place.workspace,
    team_domain: "example",
    channel_id: place.channel,
    user_id: person.user,
    command: "/nightshift",
    text,
    api_app_id: "A0NIGHTSHIFT",
    is_enterprise_install: "false",
    trigger_id: "1.2.3",
    ...more,
  }).toString();

/** The form of a pressed button, with the whole message in it as Slack has it. */
export const buttonBody = (
  place: SlackPlace,
  person: Person,
  message: Pick<StoredMessage, "ts" | "text" | "blocks">,
  button: { action_id: string; value: string },
  more: Record<string, unknown> = {},
): string => {
  const payload = {
    type: "block_actions",
    user: { id: person.user, team_id: person.workspace ?? place.workspace, username: "someone" },
    api_app_id: "A0NIGHTSHIFT",
    container: { type: "message", message_ts: message.ts, channel_id: place.channel },
    trigger_id: "1.2.3",
    team: { id: place.workspace, domain: "example" },
    enterprise: null,
    is_enterprise_install: false,
    channel: { id: place.channel, name: "operations" },
    message: { type: "message", bot_id: "B0BOT", ...message },
    actions: [{ type: "button", block_id: "approval", action_ts: message.ts, ...button }],
    ...more,
  };
  return new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
};
