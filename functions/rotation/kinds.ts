import type { Refusal } from "../../shared/outcome.ts";
import type { Random } from "../../shared/random.ts";
import type { RotationLook } from "../../shared/rotation-order.ts";
import type { CachePort } from "./cache.ts";
import type { Ciphertexts } from "./ciphertexts.ts";
import type { Credential, Logins } from "./logins.ts";

export type KindName =
  | "database-login"
  | "database-master"
  | "redis-auth"
  | "signing-ring"
  | "encryption-ring"
  | "slack-signing";

export type SecretValue = Record<string, unknown>;

/**
 * What a step found or did, in a sentence; or why it did not do it. `idle` is the login that the value
 * proven has put out of use; `restSeconds`, for how long what the old one has made is still shown.
 */
export type Told =
  | {
      did: string;
      idle?: string;
      restSeconds?: number;
      /** The old value has no time: somebody else may know it. */
      isCompromised?: boolean;
      seen?: RotationLook;
      /** Rows that the application has to seal again, and whether it was told to wait. */
      left?: number;
      isHeld?: boolean;
    }
  | { refused: Refusal };

export const did = (text: string): Told => ({ did: text });
export const refuse = (code: string, reason: string): { refused: Refusal } => ({
  refused: { code, reason },
});

/** What kinds reach the world with. In this region, by what was deployed and never by what a secret says. */
export interface Tools {
  random: Random;
  now(): number;
  sleep(milliseconds: number): Promise<void>;
  database: Logins;
  /** The application's two logins. */
  logins: readonly string[];
  /** Who may change their passwords. */
  owner(): Promise<Credential>;
  /** For so long somebody may show what a signing key has made: the longest life of a session or token. */
  sessionSeconds: number;
  ciphertexts: Ciphertexts;
  cache: CachePort;
  /** That of this region, and those of all regions that the secret is replicated to. */
  caches(): Promise<readonly CachePort[]>;
  /**
   * Keeps that a token is about to be sent to a region, before it is: refused when another one was sent and
   * was never settled, so that a further one would push out the one in use.
   */
  markSent(
    region: string,
  ): Promise<{ isFirst: boolean; sentAtMilliseconds: number } | { refused: Refusal }>;
}

/** Two versions of a secret. */
export interface Change {
  current: SecretValue;
  pending: SecretValue;
}

export interface Retiring {
  current: SecretValue;
  previous: SecretValue;
  /** Whoever still uses the previous one is given no time. */
  isCompromised?: boolean;
}

/**
 * One kind of secret. Every method may be called again, also by two at the same time, and also when the
 * answer of the last call was lost. Who throws has not found out what the world looks like.
 */
export interface Kind {
  name: KindName;
  /** Whether the fleet has to read the new value before anything is retired. */
  isReadByFleet: boolean;
  /** Made once; kept in AWSPENDING before anything is done with it. */
  make(current: SecretValue, tools: Tools): Promise<{ made: SecretValue } | { refused: Refusal }>;
  /** Makes the pending value good beside the current one. */
  set(change: Change, tools: Tools): Promise<Told>;
  /** Uses the pending value. */
  test(change: Change, tools: Tools): Promise<Told>;
  /** After a test that the pending value did not pass: makes sure that the current one is good. */
  putBack(change: Change, tools: Tools): Promise<Told>;
  /** Uses the current value in this region, which may be the standby. */
  prove(current: SecretValue, tools: Tools): Promise<Told>;
  /**
   * The same ring with the new key first; only for rings. Pure, so that it comes out the same each time.
   */
  promote?(value: SecretValue): { made: SecretValue } | { refused: Refusal };
  /** Ends the validity of what `previous` was, when `current` is in use everywhere. */
  retire(values: Retiring, tools: Tools): Promise<Told>;
  /** Ends what was opened in this region with a value that is worth nothing any more. */
  expel?(current: SecretValue, tools: Tools): Promise<Told>;
  /** Whether rows are sealed with it, which somebody has to seal again. */
  isSealing?: boolean;
  /** For rings: the value without what is retired, and what was found; null when it stays as it is. */
  pruned?(value: SecretValue, tools: Tools): Changed | null | Promise<Changed | null>;
}

export type Changed = { made: SecretValue; told?: string } | { refused: Refusal };
