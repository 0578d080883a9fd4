import type { Button } from "../../shared/message.ts";
import { actionIds } from "../../shared/message.ts";
import type { Random } from "../../shared/random.ts";
import type { Timeline } from "../time/timeline.ts";
import type { Person, SignedHttpRequest } from "./signed.ts";
import { buttonBody, commandBody, signed } from "./signed.ts";
import type { SlackStandIn, StoredMessage } from "./slack.ts";

/** How a scripted person behaves. */
export interface Script extends Person {
  says: "approve" | "reject";
  /** Modelled seconds until they have read and thought; drawn between the two. */
  thinksSeconds: [least: number, most: number];
}

/** Sends to the function URL. May throw when nobody answers. */
export type Send = (request: SignedHttpRequest) => Promise<{ status: number; body: string }>;

export interface OperatorOptions {
  slack: SlackStandIn;
  timeline: Timeline;
  random: Random;
  send: Send;
  scripts: Script[];
  /** Modelled seconds after which Slack calls a press failed; 3, as Slack does, when left out. */
  giveUpSeconds?: number;
}

export interface Operators {
  /** What each press came to, in order. */
  presses(): readonly { user: string; says: string; planHash: string; status: number }[];
  /** A slash command by anybody, signed. */
  command(user: string, text: string): Promise<{ status: number; body: string }>;
  stop(): void;
}

/** Somebody whose press was not taken presses again, so often. */
const patience = 6;
const againSeconds = 15;

/** People who watch the channel, and press the button of every plan they have not answered yet. */
export const operators = (options: OperatorOptions): Operators => {
  const { slack, timeline, send } = options;
  const { signingSecret } = slack.place;
  const presses: { user: string; says: string; planHash: string; status: number }[] = [];
  const answered = new Set<string>();
  let stopped = false;

  const press = async (
    script: Script,
    ts: string,
    button: Button,
    tries: number,
  ): Promise<void> => {
    const message = slack.messages().find((each) => each.ts === ts);
    // The buttons are gone once the run has moved on: nobody presses what is not there.
    if (stopped || !message || !buttonOf(message, script.says, button.value)) return;
    const { action_id, value } = button;
    const body = buttonBody(slack.place, script, message, { action_id, value });
    const request = signed(signingSecret, timeline.now(), body);
    const status = await statusOf(options, request);
    presses.push({ user: script.user, says: script.says, planHash: value, status });
    if (status === 200 || tries >= patience) return;
    timeline.after(againSeconds * 1000, () => press(script, ts, button, tries + 1));
  };

  slack.onMessage((message) => {
    if (stopped || message.onlyFor) return;
    for (const script of options.scripts) {
      const button = buttonOf(message, script.says);
      const once = `${script.user} ${button?.value}`;
      if (!button || answered.has(once)) continue;
      answered.add(once);
      const [least, most] = script.thinksSeconds;
      const seconds = least + options.random.fraction() * (most - least);
      timeline.after(seconds * 1000, () => press(script, message.ts, button, 1));
    }
  });

  return {
    presses: () => presses,
    command: (user, text) =>
      send(signed(signingSecret, timeline.now(), commandBody(slack.place, { user }, text))),
    stop: () => void (stopped = true),
  };
};

/** 0 when nobody answered in time, which to a person in front of Slack is one more red line. */
const statusOf = (
  { send, timeline, giveUpSeconds = 3 }: OperatorOptions,
  request: SignedHttpRequest,
): Promise<number> =>
  new Promise((resolve) => {
    const late = timeline.after(giveUpSeconds * 1000, () => resolve(0));
    const answered = (status: number) => {
      late.cancel();
      resolve(status);
    };
    send(request).then(
      ({ status }) => answered(status),
      () => answered(0),
    );
  });

/** The message's button for approve or reject; the one for plan `planHash` when that is given. */
export const buttonOf = (
  message: Pick<StoredMessage, "blocks">,
  says: "approve" | "reject",
  planHash?: string,
): Button | undefined =>
  message.blocks
    .flatMap((block) => (block.type === "actions" ? block.elements : []))
    .find(
      ({ action_id, value }) =>
        action_id === actionIds[says] && (planHash === undefined || value === planHash),
    );
