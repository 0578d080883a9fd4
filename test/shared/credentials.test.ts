import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { describe, expect, it } from "vitest";
import { clientOptions } from "../../shared/clients.ts";
import { parseCredentials, slackCredentials } from "../../shared/credentials.ts";
import { linked } from "../../shared/runtime.ts";
import { here, stage } from "../slack/stage.ts";

describe("the Slack secret", () => {
  it("is read anew when it is five minutes old, so that a rotated one comes into use", async () => {
    const { runtime, timeline, place } = await stage();
    const read = slackCredentials(runtime);
    expect((await read()).signingSecret).toBe(place.signingSecret);
    const next = { signingSecret: "another-signing-secret", botToken: "another-token" };
    await new SecretsManagerClient(clientOptions(runtime, here)).send(
      new PutSecretValueCommand({
        SecretId: linked<{ arn: string }>(runtime, "SlackSecret").arn,
        SecretString: JSON.stringify(next),
        ClientRequestToken: "0123456789abcdef0123456789abcdef",
      }),
    );
    await timeline.advance(299_000);
    expect((await read()).signingSecret).toBe(place.signingSecret);
    await timeline.advance(1000);
    expect(await read()).toEqual(next);
  });

  it.each([
    ["no JSON", "hunter2hunter2"],
    ["a short signing secret", '{"signingSecret":"hunter2","botToken":"hunter2hunter2"}'],
    ["no token", '{"signingSecret":"hunter2hunter2hunter2"}'],
  ])("is refused without being quoted: %s", (_what, text) => {
    expect(() => parseCredentials(text)).toThrow(/^the Slack secret/);
    expect(() => parseCredentials(text)).not.toThrow(/hunter2/);
  });
});
