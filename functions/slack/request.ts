import * as z from "zod/mini";

/** Who sent it, as Slack says, which has signed it. */
export interface Sender {
  user: string;
  workspace: string;
  /** The workspace of the user; another one for guests from a shared channel. */
  userWorkspace?: string | undefined;
  enterprise?: string | undefined;
  /** Installed for a whole organisation: such requests carry no single workspace. */
  organisationWide: boolean;
  bot: boolean;
}

export type SlackRequest =
  | { kind: "command"; command: string; text: string; sender: Sender; channel: string }
  | { kind: "button"; action: string; value: string; sender: Sender; channel: string; ts: string };

const command = z.object({
  command: z.string(),
  text: z.optional(z.string().check(z.maxLength(2000))),
  user_id: z.string(),
  team_id: z.string(),
  channel_id: z.string(),
  enterprise_id: z.optional(z.string()),
  is_enterprise_install: z.optional(z.string()),
  bot_id: z.optional(z.string()),
});

const buttons = z.object({
  type: z.literal("block_actions"),
  user: z.object({
    id: z.string(),
    team_id: z.optional(z.string()),
    is_bot: z.optional(z.boolean()),
  }),
  team: z.object({ id: z.string() }),
  enterprise: z.nullish(z.object({ id: z.string() })),
  is_enterprise_install: z.optional(z.boolean()),
  channel: z.object({ id: z.string() }),
  container: z.object({ message_ts: z.string() }),
  actions: z
    .array(z.object({ action_id: z.string(), value: z.string().check(z.maxLength(2000)) }))
    .check(z.length(1)),
});

/** Reads a form body that was verified before. Nothing when it is not one that Slack sends us. */
export const parseRequest = (rawBody: Uint8Array): SlackRequest | undefined => {
  const form = Object.fromEntries(new URLSearchParams(Buffer.from(rawBody).toString("utf8")));
  return form.payload === undefined ? parseCommand(form) : parseButton(form.payload);
};

const parseCommand = (form: Record<string, string>): SlackRequest | undefined => {
  const { data } = command.safeParse(form);
  if (!data) return undefined;
  return {
    kind: "command",
    command: data.command,
    text: data.text ?? "",
    channel: data.channel_id,
    sender: {
      user: data.user_id,
      workspace: data.team_id,
      enterprise: data.enterprise_id || undefined,
      organisationWide: data.is_enterprise_install === "true",
      bot: data.bot_id !== undefined || isBot(data.user_id),
    },
  };
};

const parseButton = (payload: string): SlackRequest | undefined => {
  const { data } = buttons.safeParse(jsonOrNothing(payload));
  const pressed = data?.actions[0];
  if (!data || !pressed) return undefined;
  return {
    kind: "button",
    action: pressed.action_id,
    value: pressed.value,
    channel: data.channel.id,
    ts: data.container.message_ts,
    sender: {
      user: data.user.id,
      workspace: data.team.id,
      userWorkspace: data.user.team_id,
      enterprise: data.enterprise?.id,
      organisationWide: data.is_enterprise_install === true,
      bot: data.user.is_bot === true || isBot(data.user.id),
    },
  };
};

const isBot = (user: string): boolean => user === "USLACKBOT" || user.startsWith("B");

const jsonOrNothing = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
