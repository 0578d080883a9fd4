import { beforeEach, expect, it } from "vitest";
import { signed } from "../../local/slack/signed.ts";
import { coordination } from "../../shared/coordination.ts";
import { advanceFlight, takeFlight } from "../../shared/rotation.ts";
import { keepRule } from "../../shared/rotation-order.ts";
import { stage } from "./stage.ts";

let door: Awaited<ReturnType<typeof stage>>;
beforeEach(async () => {
  door = await stage();
});

const newSecret = "b".repeat(32);
const token = "the-next-version".padEnd(32, "0");
const run = "rotation-slack-0123abcd";

/** A request signed with `secret`, as Slack or somebody else sends one. */
const statusOf = async (secret: string): Promise<number> => {
  const body = new URLSearchParams({
    ...{ command: "/nightshift", text: "help", user_id: "U0ANA" },
    ...{ team_id: door.place.workspace, channel_id: door.place.channel },
    trigger_id: String(Math.floor(door.timeline.now())),
  }).toString();
  const { statusCode } = await door.send(signed(secret, door.timeline.now(), body));
  // Each second has another timestamp, and what was found is kept for ten.
  await door.timeline.advance(11_000);
  return statusCode;
};

const put = (stages: string[]) =>
  door.askSecrets("PutSecretValue", {
    ...{ SecretId: "slack", ClientRequestToken: token, VersionStages: stages },
    SecretString: JSON.stringify({ signingSecret: newSecret, botToken: door.place.botToken }),
  });

/** Where Secrets Manager has moved the label, and the overlap lasts. */
const overlap = async () => {
  const table = coordination(door.runtime);
  const wanted = { scope: "slack", run, secret: "slack", token, untilMilliseconds: 0 };
  await door.timeline.run(takeFlight(table, wanted, door.timeline.now()));
  await door.timeline.run(advanceFlight(table, wanted, "overlap"));
  return table;
};

it("takes Slack's old and new signing secret while that is rotated, and the old one no longer", async () => {
  expect([await statusOf(door.place.signingSecret), await statusOf(newSecret)]).toEqual([200, 401]);
  put(["AWSPENDING"]);
  expect([await statusOf(door.place.signingSecret), await statusOf(newSecret)]).toEqual([200, 200]);
  const table = await overlap();
  put(["AWSPENDING"]);
  door.askSecrets("UpdateSecretVersionStage", {
    ...{ SecretId: "slack", VersionStage: "AWSCURRENT", MoveToVersionId: token },
    RemoveFromVersionId: "first".padEnd(32, "0"),
  });
  await door.timeline.advance(300_000);
  expect([await statusOf(door.place.signingSecret), await statusOf(newSecret)]).toEqual([200, 200]);
  await door.timeline.run(advanceFlight(table, { scope: "slack", run }, "ended"));
  expect([await statusOf(door.place.signingSecret), await statusOf(newSecret)]).toEqual([401, 200]);
});

it("takes the old one no longer at once when somebody else may know it", async () => {
  const table = await overlap();
  put(["AWSCURRENT"]);
  const rule = { mode: "compromise" as const, reason: "it was in a log", by: "U0ANA" };
  await door.timeline.run(keepRule(table, run, rule));
  await door.timeline.advance(300_000);
  expect([await statusOf(door.place.signingSecret), await statusOf(newSecret)]).toEqual([401, 200]);
});
