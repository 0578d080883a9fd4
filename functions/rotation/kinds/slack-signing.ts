import type { Kind, SecretValue } from "../kinds.ts";
import { did, refuse } from "../kinds.ts";

/** Slack shows it as 32 hexadecimal digits: "Verifying requests from Slack". */
const isSigningSecret = (text: unknown): text is string =>
  typeof text === "string" && /^[0-9a-f]{32}$/.test(text);

/**
 * Slack makes the value, and a person carries it over. It goes straight into Secrets Manager: a message,
 * a command line or a log is no place for it.
 */
export const slackSigning: Kind = {
  name: "slack-signing",
  isReadByFleet: false,
  make: async () => {
    const reason =
      "Slack makes this secret. Regenerate it in the app's settings, and put signingSecret and botToken " +
      "into the version that has AWSPENDING (aws secretsmanager put-secret-value, with " +
      "--client-request-token, --version-stages AWSPENDING and --secret-string file://…). The rotation " +
      "goes on by itself then.";
    return refuse("person-needed", reason);
  },
  set: async ({ current, pending }) => judged(current, pending),
  test: async ({ current, pending }) => judged(current, pending),
  putBack: async () => did("Nothing outside of the secret was changed by us."),
  prove: async (current) =>
    isSigningSecret(current.signingSecret)
      ? did("The signing secret has its form.")
      : refuse("not-a-secret", "The current signing secret has not the form that Slack gives it."),
  retire: async () => did("Slack ended the old secret itself."),
};

const judged = (current: SecretValue, pending: SecretValue) => {
  if (!isSigningSecret(pending.signingSecret)) {
    return refuse("not-a-secret", "signingSecret has to be 32 hexadecimal digits.");
  }
  if (pending.signingSecret === current.signingSecret) {
    return refuse("same-value", "signingSecret is the one that is in use.");
  }
  if (typeof pending.botToken !== "string" || !pending.botToken.startsWith("xoxb-")) {
    return refuse("not-a-token", "botToken has to be there as well; it begins with xoxb-.");
  }
  return did("The new secret has the form that Slack gives it.");
};
