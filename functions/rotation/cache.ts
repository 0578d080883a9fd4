import { sha256 } from "../../shared/canonical.ts";
import type { Authenticated } from "../../shared/runtime.ts";

/** How an AUTH with a token ended. */
export type CacheAnswer = Authenticated;

export interface CacheStanding {
  /** `available`, `modifying`, … */
  status: string;
  /** A token is needed at all. */
  isTokenNeeded: boolean;
  /** A change of the token is under way. */
  isTokenChanging: boolean;
  /** When AWS last changed the token; null when it never did. */
  tokenChangedAtMilliseconds: number | null;
}

/** The replication group and its endpoint. */
export interface CachePort {
  region: string;
  /** AUTH and PING; null is no token at all. */
  login(token: string | null): Promise<CacheAnswer>;
  standing(): Promise<CacheStanding>;
  /** ROTATE adds a token, SET leaves only that one. */
  change(token: string, strategy: "ROTATE" | "SET"): Promise<void>;
}

/** Names a cache's token in the rotation that makes version `version`, without telling it. */
export const digestOf = (version: string, token: string): string => sha256(`${version} ${token}`);
