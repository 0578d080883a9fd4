import { isDeepStrictEqual } from "node:util";
import type { Random } from "../../shared/random.ts";
import type { Place } from "../network.ts";
import { AwsError, type Call } from "./service.ts";

export type FaultKind =
  /** The service's own throttling error; no effect. */
  | "throttle"
  /** An internal failure (500); no effect. */
  | "error"
  /** No effect, and no answer. */
  | "timeout-before"
  /** The effect, and no answer: the caller cannot know. */
  | "timeout-after"
  /** A read is answered as it was before, as an eventually consistent service may do. */
  | "stale"
  /** The call takes `milliseconds` longer. */
  | "slow";

export interface FaultRule {
  match?: {
    /** Signing name: `rds`, `monitoring`, … */
    service?: string;
    operation?: string;
    region?: Place;
    from?: Place;
    /** By what is asked, and by whom: `caller` is the trace that the request carries. */
    asks?(call: Call, input: unknown, caller: string | undefined): boolean;
  };
  kind: FaultKind;
  /** Only for `stale`: passes over reads that were never answered otherwise before. */
  older?: true;
  /** Of each matching call, 0 to 1. 1 when absent. */
  probability?: number;
  /** How many calls it hits at most. No bound when absent. */
  times?: number;
  /** How many matching calls pass before the rule begins. */
  after?: number;
  /** Only for `slow`, in modelled time. 1000 when absent. */
  milliseconds?: number;
}

export interface Faults {
  /** Adds a rule; the function that comes back takes it away again. */
  add(rule: FaultRule): () => void;
  /** What befalls this call: of several rules that match, the first added that fires. */
  strike(call: Call, input?: unknown, caller?: string): Strike | undefined;
  /** For the endpoint: keeps answers of reads while a rule could give them out again. */
  remember(call: Call, input: unknown, output: unknown): void;
  /** The answer that the same read got before, if there was one: a different one where possible. */
  recall(call: Call, input: unknown): { output: unknown } | undefined;
}

export interface Strike {
  kind: FaultKind;
  milliseconds: number;
}

interface Armed {
  rule: FaultRule;
  seen: number;
  hits: number;
}

interface Answers {
  last: unknown;
  differentBefore: { output: unknown } | undefined;
}

const read = /^(?:BatchGet|Describe|Get|Head|List|Query|Scan)/;

/** Faults of AWS calls, drawn from `random`, so that one seed gives one sequence of them. */
export const faults = (random: Random, rules: FaultRule[] = []): Faults => {
  const armed = new Set<Armed>(rules.map((rule) => ({ rule, seen: 0, hits: 0 })));
  const answers = new Map<string, Answers>();

  const fires = (entry: Armed): boolean => {
    const { probability = 1, times = Number.POSITIVE_INFINITY, after = 0 } = entry.rule;
    entry.seen += 1;
    if (entry.seen <= after || entry.hits >= times) return false;
    if (probability < 1 && random.fraction() >= probability) return false;
    entry.hits += 1;
    return true;
  };

  const known = (call: Call, input: unknown): Answers | undefined => {
    const key = question(call, input);
    return key === undefined ? undefined : answers.get(key);
  };
  const hasOlder = (call: Call, input: unknown): boolean =>
    known(call, input)?.differentBefore !== undefined;

  return {
    add: (rule) => {
      const entry = { rule, seen: 0, hits: 0 };
      armed.add(entry);
      return () => void armed.delete(entry);
    },
    strike: (call, input, caller) => {
      for (const entry of armed) {
        const { match, kind, older } = entry.rule;
        if (!matches(entry.rule, call)) continue;
        if (kind === "stale" && older && !hasOlder(call, input)) continue;
        if (match?.asks && !match.asks(call, input, caller)) continue;
        if (!fires(entry)) continue;
        return { kind: entry.rule.kind, milliseconds: entry.rule.milliseconds ?? 1000 };
      }
      return undefined;
    },
    remember: (call, input, output) => {
      if (![...armed].some(({ rule }) => rule.kind === "stale" && matches(rule, call))) return;
      const key = question(call, input);
      if (key === undefined) return;
      const before = answers.get(key);
      if (before && isDeepStrictEqual(before.last, output)) return;
      const differentBefore = before && { output: before.last };
      answers.set(key, { last: structuredClone(output), differentBefore });
    },
    recall: (call, input) => {
      const found = known(call, input);
      return found && structuredClone(found.differentBefore ?? { output: found.last });
    },
  };
};

const matches = ({ match = {}, kind }: FaultRule, call: Call): boolean =>
  (match.service === undefined || match.service === call.service) &&
  (match.operation === undefined || match.operation === call.operation) &&
  (match.region === undefined || match.region === call.region) &&
  (match.from === undefined || match.from === call.from) &&
  (kind !== "stale" || read.test(call.operation));

/** Undefined for a call that may never be answered from the past. */
const question = (call: Call, input: unknown): string | undefined => {
  if (!read.test(call.operation)) return undefined;
  const asked = input as Record<string, unknown>;
  if (asked.ConsistentRead === true) return undefined;
  return `${call.service} ${call.region} ${call.operation} ${JSON.stringify(asked)}`;
};

/**
 * What each service says when it throttles. Services not named here answer `ThrottlingException`
 * with 400. The SDK recognises all of them as throttling and waits longer before it tries again.
 * Sources: the "common errors" page of each API reference.
 */
const throttling: Record<string, [shape: string, status: number]> = {
  autoscaling: ["Throttling", 400],
  ec2: ["RequestLimitExceeded", 503],
  elasticloadbalancing: ["Throttling", 400],
  lambda: ["TooManyRequestsException", 429],
  rds: ["Throttling", 400],
  route53: ["Throttling", 400],
  s3: ["SlowDown", 503],
  sts: ["Throttling", 400],
};

export const throttlingError = (service: string): AwsError => {
  const [shape, status] = throttling[service] ?? ["ThrottlingException", 400];
  return new AwsError(shape, "Rate exceeded", { status });
};
