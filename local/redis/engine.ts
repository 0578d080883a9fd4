import type { Place } from "../network.ts";

/** Where a cache answers; it stays the same as long as the cache exists. */
export interface CacheAddress {
  host: string;
  port: number;
}

/** Whom a cache lets in. */
export interface Admission {
  /** Valid ones, the oldest first. */
  tokens: readonly string[];
  /** Whether somebody who shows no token at all may come in. */
  withoutToken: boolean;
}

/**
 * The caches under the modelled ElastiCache: a server that speaks Redis' protocol in a drill, a real
 * Redis in some tests, a model of the login alone in a simulation. No method takes modelled time.
 */
export interface CacheEngine {
  /** `id` is unique in the whole cloud, not only in its region. */
  create(cache: { id: string; region: Place; admission: Admission }): Promise<CacheAddress>;
  /** Changes who may come in, at once. Whoever is in stays, unless `endsSessions` says otherwise. */
  admit(id: string, admission: Admission, endsSessions: boolean): Promise<void>;
  /** Power off: nobody gets an answer, and what was kept is lost. */
  kill(id: string): Promise<void>;
  /** After `kill`. */
  start(id: string): Promise<void>;
  vitals(id: string): Promise<CacheVitals>;
  /** Stops everything and removes every trace. Safe to call twice. */
  close(): Promise<void>;
}

export interface CacheVitals {
  connections: number;
  usedBytes: number;
  /** Since the cache was made. */
  accepted: number;
  refusedLogins: number;
}
