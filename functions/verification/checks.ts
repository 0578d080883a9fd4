import type { Session } from "../../shared/runtime.ts";

/** Plain JSON: it is kept in checkpoints, so it holds no secret and stays far below 100 KB. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

export interface CheckResult {
  name: string;
  /** What could not run is as red as what failed: nobody knows what it would have found. */
  is: "passed" | "failed" | "could-not-run";
  expected: string;
  actual: string;
  /** One sentence for people. */
  says: string;
  /** Figures with their unit last in the name (`rows`, `scannedBytes`, `lossSeconds`). */
  measured?: Record<string, number>;
}

/** What is known of the copy before anybody looks into it. */
export interface CopyFacts {
  run: string;
  /** Where the copy runs, and where its source does or did. */
  region: string;
  sourceRegion: string;
  /** Name of the database within the instance. */
  database: string;
  /** Whether it was to be the newest state there is. */
  aim: "latest" | "older" | "snapshot";
  /** The moment that the copy was asked to be restored to, modelled milliseconds since 1970. */
  restoredToMilliseconds: number;
  /** When the restore was ordered: what is older than it by more than the objective is too old. */
  orderedAtMilliseconds: number;
  /** How old a copy of that moment may be at most, in seconds: `verification.objectives.rpoSeconds`. */
  maximumLossSeconds: number;
  /** Of the image that is deployed; null when nobody knows. */
  schemaRevision: string | null;
  /** Results of the checks before this one, in order. */
  before: readonly CheckResult[];
}

/** One go at a check that may take several: a function ends after 15 minutes, a scan of 5 TB does not. */
export interface Turn {
  /** What the last turn gave back as `more`; null at first. */
  cursor: Json;
  now(): number;
  /** Whether it is time to stop and give back a cursor. Ask between chunks of at most ten seconds. */
  isOver(): boolean;
}

export type Turned = CheckResult | { more: Json };

export interface Check {
  /** Short and stable, as in evidence: `readable-in-full`. */
  name: string;
  title: string;
  /** Checks that have to pass before this one means anything: else it is recorded as `could-not-run`. */
  needs: readonly string[];
  /**
   * Looks into the copy. The session belongs to one turn: nothing may be kept in it. Throwing means
   * `could-not-run` once the step's retries are used up. Writes nothing.
   */
  run(session: Session, facts: CopyFacts, turn: Turn): Promise<Turned>;
}

/** In this order. */
export type Checks = readonly Check[];

export const isMore = (turned: Turned): turned is { more: Json } => "more" in turned;
