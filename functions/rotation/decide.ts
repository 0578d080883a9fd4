import * as z from "zod/mini";
import type { Refusal } from "../../shared/outcome.ts";

const token = z.string().check(z.minLength(32), z.maxLength(64));
const name = z.string().check(z.minLength(1), z.maxLength(2048));

/**
 * What Secrets Manager sends.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
 */
export const step = z.object({
  Step: z.enum(["createSecret", "setSecret", "testSecret", "finishSecret"]),
  SecretId: name,
  ClientRequestToken: token,
});
export type Step = z.infer<typeof step>;

const about = { secret: name, token };

/** What whoever ends the overlap asks; it has no right to read a secret itself. */
export const question = z.discriminatedUnion("do", [
  /** Uses AWSCURRENT in this region. */
  z.strictObject({ do: z.literal("prove"), ...about }),
  /** Makes the newest key of a ring the primary. */
  z.strictObject({ do: z.literal("promote"), ...about }),
  /** Lets the application go on sealing its rows again with the primary, and says how many are left. */
  z.strictObject({ do: z.literal("reencrypt"), ...about }),
  /** Ends the validity of the value before. */
  z.strictObject({ do: z.literal("retire"), ...about }),
  /** Ends what was opened in this region with a value that somebody else may know. */
  z.strictObject({ do: z.literal("expel"), ...about }),
  /**
   * AUTH and PING in this region, with the token of that version of the secret that has this digest; null is
   * no token. Only who is in the region's network can reach its cache.
   */
  z.strictObject({ do: z.literal("login"), ...about, digest: z.nullable(z.string()) }),
  /** Recognises a rotation that got stuck and mends it, or begins one. */
  z.strictObject({
    ...{ do: z.literal("begin"), ...about, reason: z.string(), by: z.string() },
    mode: z.optional(z.enum(["usual", "compromise", "abandon"])),
  }),
  /** What a rotation would find, and what forbids it: changes nothing. */
  z.strictObject({ do: z.literal("look"), ...about }),
]);
export type Question = z.infer<typeof question>;

/** The hourly look at all of this region's rotations. */
export const keepRequest = z.strictObject({ do: z.literal("keep") });

export const request = z.union([step, question]);
export type RotationRequest = z.infer<typeof request>;

/** What DescribeSecret tells. */
export interface Described {
  isRotated: boolean;
  /** It follows the secret of another region. */
  isReplica: boolean;
  /** By version id. */
  stages: Readonly<Record<string, readonly string[]>>;
  replicas: readonly { region: string; status: string; message: string }[];
}

export const holderOf = (
  { stages }: Pick<Described, "stages">,
  label: string,
): string | undefined => Object.keys(stages).find((id) => stages[id]?.includes(label));

export type Judged =
  | { is: "pending"; current: string }
  /** It is through: whatever is asked for has happened. */
  | { is: "current" }
  | { is: "refused"; refusal: Refusal };

const refused = (code: string, reason: string): Judged => ({
  is: "refused",
  refusal: { code, reason },
});

/** Whether a step may work on the version `token`. A label that is not where it should be stops it. */
export const judgeVersions = (described: Described, token: string): Judged => {
  const labels = described.stages[token];
  if (!described.isRotated) return refused("not-rotated", "Rotation is switched off for it.");
  if (!labels) return refused("unknown-version", `There is no version ${token}.`);
  if (labels.includes("AWSCURRENT")) return { is: "current" };
  if (!labels.includes("AWSPENDING")) {
    const reason = `Version ${token} has no AWSPENDING: that rotation was abandoned.`;
    return refused("abandoned", reason);
  }
  const current = holderOf(described, "AWSCURRENT");
  if (current === undefined) return refused("no-current", "No version has AWSCURRENT.");
  return { is: "pending", current };
};

/** A replica that cannot follow would have the standby region log in with what is about to be retired. */
export const judgeReplicas = ({ replicas }: Described): Refusal | undefined => {
  const failed = replicas.filter(({ status }) => status === "Failed");
  if (failed.length === 0) return undefined;
  const list = failed.map(({ region, message }) => `${region} (${message || "no reason given"})`);
  const reason = `The secret does not reach its replica in ${list.join(", ")}.`;
  return { code: "replica-failed", reason };
};

export type Stuck =
  | { is: "idle" }
  /** The version never got a content: its label can go. */
  | { is: "empty"; version: string }
  /** The version has one, and may be in force already: that rotation goes on. */
  | { is: "unfinished"; version: string };

/** What an AWSPENDING that lies on another version than AWSCURRENT is. */
export const judgeStuck = (described: Described, hasContent: boolean): Stuck => {
  const pending = holderOf(described, "AWSPENDING");
  if (pending === undefined || pending === holderOf(described, "AWSCURRENT")) return { is: "idle" };
  return { is: hasContent ? "unfinished" : "empty", version: pending };
};
