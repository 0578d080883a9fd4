import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import * as z from "zod/mini";
import { clientOptions } from "./clients.ts";
import type { Clock } from "./clock.ts";
import type { Runtime } from "./runtime.ts";
import { linked, regionOf } from "./runtime.ts";
import type { SlackPort } from "./slack.ts";
import { slackChannel } from "./slack.ts";

/** What Slack and we know of each other. Kept in memory only, never in a log or a checkpoint. */
export interface SlackCredentials {
  signingSecret: string;
  botToken: string;
}

const schema = z.object({
  signingSecret: z.string().check(z.minLength(16)),
  botToken: z.string().check(z.minLength(6)),
});

/** A rotated secret is in use everywhere within this time. */
const keepSeconds = 300;

/** Reads the linked secret `SlackSecret` of this region, and again when five minutes have passed. */
export const slackCredentials = (runtime: Runtime): (() => Promise<SlackCredentials>) => {
  const client = new SecretsManagerClient(clientOptions(runtime, regionOf(runtime)));
  const { arn } = linked<{ arn: string }>(runtime, "SlackSecret");
  return kept(runtime.clock, async () => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
    return parseCredentials(SecretString ?? "");
  });
};

/** Throws without quoting what it was given. */
export const parseCredentials = (text: string): SlackCredentials => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("the Slack secret is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error("the Slack secret lacks signingSecret (16 characters or more) or botToken");
};

const kept = <T>(clock: Pick<Clock, "now">, read: () => Promise<T>): (() => Promise<T>) => {
  let last: { value: T; atMilliseconds: number } | undefined;
  return async () => {
    const now = clock.now();
    if (last && now - last.atMilliseconds < keepSeconds * 1000) return last.value;
    const value = await read();
    last = { value, atMilliseconds: now };
    return value;
  };
};

/** The operators' channel, for any function that has the secret linked. */
export const operatorsChannel = (
  runtime: Runtime,
  credentials: () => Promise<SlackCredentials>,
  bounds: { timeoutSeconds: number; attempts: number },
): SlackPort =>
  slackChannel({
    fetch: runtime.fetch ?? globalThis.fetch,
    clock: runtime.clock,
    apiUrl: runtime.environment.SLACK_API_URL,
    channel: runtime.config.slack.channel,
    token: async () => (await credentials()).botToken,
    ...bounds,
  });
