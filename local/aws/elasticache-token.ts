import type { ModifyReplicationGroupCommandInput } from "@aws-sdk/client-elasticache";
import type { Admission } from "../redis/engine.ts";
import { AwsError } from "./service.ts";

/**
 * What AWS does not say of a change of the token, one way or the other: drawn by the seed, so that
 * whatever rotates tokens has to get along with both.
 */
export interface Unknowns {
  /**
   * SET ends the connections that came in by what it takes away. Only for users (RBAC) AWS says that they
   * stay: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
   */
  setEndsSessions: boolean;
  /** A second ROTATE to the newest token is refused; else it counts as another, and the older one goes. */
  repeatIsRefused: boolean;
}

/** The tokens of a replication group, and how they came to be. */
export interface Tokens extends Admission {
  last: "created" | "ROTATE" | "SET";
}

/** What a change makes of the tokens, and what is shown of it while it lasts. */
export interface TokenChange {
  status: "ROTATING" | "SETTING";
  tokens: Tokens;
  endsSessions: boolean;
}

const invalid = (message: string) => new AwsError("InvalidParameterValueException", message);
const combination = (message: string) =>
  new AwsError("InvalidParameterCombinationException", message);

/** No group ever has more. */
const mostTokens = 2;

/**
 * Length and characters are of https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/
 * API_ModifyReplicationGroup.html; the guide allows fewer characters still, and so does this:
 * "Nonalphanumeric characters are restricted to (!, &, #, $, ^, <, >, -)",
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
 */
export const refuseToken = (token: string): void => {
  if (token.length < 16 || token.length > 128) {
    throw invalid("Invalid AuthToken provided: it must be between 16 and 128 characters long.");
  }
  if (!/^[A-Za-z0-9!&#$^<>-]+$/.test(token)) {
    throw invalid("Invalid AuthToken provided: it contains a character that is not allowed.");
  }
};

/**
 * ROTATE adds a token and keeps the one before; with two present the oldest goes; the first on a group
 * without a token keeps access without one. SET leaves one alone, only after ROTATE, and only the one that
 * was rotated to. Source: "Modifying the AUTH token on an existing cluster" in
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html and the API reference.
 */
export const changeOf = (
  before: Tokens,
  input: ModifyReplicationGroupCommandInput,
  unknowns: () => Unknowns,
): TokenChange => {
  const { AuthToken: token = "", AuthTokenUpdateStrategy: strategy = "ROTATE" } = input;
  if (strategy === "DELETE") {
    throw combination("AuthTokenUpdateStrategy DELETE needs a user group, which is not here.");
  }
  refuseToken(token);
  const newest = before.tokens.at(-1);
  if (strategy === "SET") {
    if (before.last !== "ROTATE") {
      throw combination("AuthTokenUpdateStrategy SET is allowed only after ROTATE.");
    }
    if (token !== newest) throw invalid("SET needs the AuthToken that was rotated to last.");
    const tokens: Tokens = { tokens: [token], withoutToken: false, last: "SET" };
    return { status: "SETTING", tokens, endsSessions: unknowns().setEndsSessions };
  }
  if (token === newest && unknowns().repeatIsRefused) {
    throw invalid("The AuthToken is the same as the current one.");
  }
  // Access without a token counts as the oldest.
  const isFull = before.tokens.length + Number(before.withoutToken) >= mostTokens;
  const kept = before.tokens.slice(isFull && !before.withoutToken ? 1 : 0);
  const tokens: Tokens = {
    tokens: [...new Set([...kept, token])],
    withoutToken: before.withoutToken && !isFull,
    last: "ROTATE",
  };
  return { status: "ROTATING", tokens, endsSessions: false };
};
