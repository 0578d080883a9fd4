import type { SignedRequest, Verified } from "../../shared/slack.ts";
import { verifySlackRequest } from "../../shared/slack.ts";
import type { Within } from "./deadline.ts";

/** What Slack may sign with besides what this function has in memory. */
export type OtherSecrets = () => Promise<readonly string[]>;

/** By the secret in memory, and only when that one did not sign it by another that may. */
export const verifiedBy = async (
  signed: SignedRequest,
  door: { now(): number; signingSecret(): Promise<string>; others: OtherSecrets },
  within: Within,
): Promise<Verified> => {
  const verified = verifySlackRequest(signed, await door.signingSecret(), door.now());
  if (verified.ok || verified.refused !== "wrong-signature") return verified;
  const others = await within("signing secrets", door.others);
  if (!others.known) return verified;
  const found = others.value.map((secret) => verifySlackRequest(signed, secret, door.now()));
  return found.find(({ ok }) => ok) ?? verified;
};
