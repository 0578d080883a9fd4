import { names } from "./names.ts";
import { setOwnerPassword } from "./rotation-platform.ts";
import { valueIn } from "./rotation-probe.ts";
import type { DrillWorld } from "./world.ts";

export type Trouble = "none" | "killed" | "wrong-password" | "person";

/** One secret's rotation, and what is in its way. */
export interface Act {
  name: string;
  title: string;
  secret: string;
  /** As people name it: `/nightshift rotate <this>`. */
  order: string;
  kind: "login" | "owner" | "cache" | "ring" | "person";
  trouble: Trouble;
}

const { rotated, secrets } = names;

export const acts: readonly Act[] = [
  {
    ...{ name: "first-login", title: "The application's login", secret: secrets.application },
    ...{ order: "database", kind: "login", trouble: "none" },
  },
  {
    ...{ name: "second-login", title: "Its other login, killed half way" },
    ...{ secret: secrets.application, order: "database", kind: "login", trouble: "killed" },
  },
  {
    ...{ name: "owner", title: "The owner, whose secret is wrong", secret: rotated.owner },
    ...{ order: "owner", kind: "owner", trouble: "wrong-password" },
  },
  {
    ...{ name: "cache", title: "The token of both caches", secret: names.cacheSecret },
    ...{ order: "cache", kind: "cache", trouble: "none" },
  },
  {
    ...{ name: "signing", title: "The signing keys", secret: rotated.signing },
    ...{ order: "signing-keys", kind: "ring", trouble: "none" },
  },
  {
    ...{ name: "encryption", title: "The encryption keys", secret: rotated.encryption },
    ...{ order: "encryption-keys", kind: "ring", trouble: "none" },
  },
  {
    ...{ name: "slack", title: "Slack's signing secret, by a person", secret: secrets.slack },
    ...{ order: "slack", kind: "person", trouble: "person" },
  },
];

/** What a refused step needs from somebody, and gets; a sentence about it. */
export const help = async (
  world: DrillWorld,
  { trouble, secret }: Act,
  token: string,
  made: { signingSecret: string },
): Promise<string> => {
  const { cloud, platform, slack } = world;
  const { region } = platform.home;
  const now = await valueIn(world, region, secret);
  if (trouble === "wrong-password") {
    await setOwnerPassword(world, now?.value.password ?? "");
    return "The owner gets the password back that its secret has; the rotation goes on by itself.";
  }
  // In Slack's settings somebody presses Regenerate, and carries the value over.
  slack.place.signingSecret = made.signingSecret;
  await cloud.ask("secrets-manager", "PutSecretValue", region, {
    SecretId: secret,
    ClientRequestToken: token,
    SecretString: JSON.stringify({ ...now?.value, ...made }),
    VersionStages: ["AWSPENDING"],
  });
  return "Somebody regenerates the secret in Slack and puts it into the waiting version.";
};
