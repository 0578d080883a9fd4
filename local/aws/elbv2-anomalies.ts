import type { AnomalyDetection } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { Target, TargetGroupState } from "./elbv2-state.ts";

/** What a target answered in one minute, or did not. */
export interface Answers {
  minute: number;
  requests: number;
  failed: number;
}

const minuteMilliseconds = 60_000;
const keptMinutes = 3;
/** Anomalies are detected among three healthy targets or more. Source: "Automatic target weights", ALB. */
const leastCompared = 3;
/** How it is decided is not published: assumptions, of which only the order of size matters. */
const leastRequests = 5;
const apartShare = 0.1;

/** Counts one request for anomaly detection: 5xx, and errors of the connection. */
export const noteAnswer = (target: Target, now: number, failed: boolean): void => {
  const minute = Math.floor(now / minuteMilliseconds);
  const kept = (target.answers ?? []).filter((each) => each.minute > minute - keptMinutes);
  const found = kept.find((each) => each.minute === minute);
  const current = found ?? { minute, requests: 0, failed: 0 };
  if (!found) kept.push(current);
  current.requests += 1;
  if (failed) current.failed += 1;
  target.answers = kept;
};

const shareOf = (target: Target, now: number): number | undefined => {
  const since = Math.floor(now / minuteMilliseconds) - keptMinutes;
  const kept = (target.answers ?? []).filter(({ minute }) => minute > since);
  const requests = kept.reduce((sum, each) => sum + each.requests, 0);
  if (requests < leastRequests) return undefined;
  return kept.reduce((sum, each) => sum + each.failed, 0) / requests;
};

/** Undefined while too few are healthy, or nobody counts requests. */
export const anomalyOf = (
  group: TargetGroupState,
  target: Target,
  now: number,
): AnomalyDetection | undefined => {
  const healthy = [...group.targets.values()].filter(({ state }) => state === "healthy");
  if (healthy.length < leastCompared || !healthy.includes(target)) return undefined;
  const own = shareOf(target, now);
  const others = healthy
    .filter((other) => other !== target)
    .flatMap((other) => shareOf(other, now) ?? [])
    .sort((a, b) => a - b);
  const usual = others[Math.floor(others.length / 2)];
  const isApart = own !== undefined && usual !== undefined && own > usual + apartShare;
  // Weights are only changed by the algorithm weighted_random, which is not modelled.
  return { Result: isApart ? "anomalous" : "normal", MitigationInEffect: "no" };
};
