import type { ComparisonOperator, StateValue } from "@aws-sdk/client-cloudwatch";

export interface Threshold {
  comparison: ComparisonOperator;
  threshold: number;
  evaluationPeriods: number;
  datapointsToAlarm: number;
  treatMissingData: string;
}

/**
 * CloudWatch looks at more periods than it needs, so that data which came late or not at all can
 * be made up for by older data. AWS's examples show two more; the exact number is not published.
 */
export const extraPeriods = 2;

export const breaches = (value: number, { comparison, threshold }: Threshold): boolean => {
  if (comparison === "GreaterThanThreshold") return value > threshold;
  if (comparison === "GreaterThanOrEqualToThreshold") return value >= threshold;
  if (comparison === "LessThanThreshold") return value < threshold;
  if (comparison === "LessThanOrEqualToThreshold") return value <= threshold;
  throw new Error(`alarms with ${comparison} are not modelled`);
};

/**
 * The state that a series of data points gives an alarm, oldest first, `undefined` for missing,
 * `evaluationPeriods + extraPeriods` of them. Follows the two tables in
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
 */
export const evaluate = (
  points: (number | undefined)[],
  rule: Threshold,
  current: StateValue,
): StateValue => {
  const { evaluationPeriods: wanted, datapointsToAlarm: needed } = rule;
  const real = points.filter((point) => point !== undefined);
  if (real.length >= wanted) {
    const recent = real.slice(-wanted);
    return recent.filter((point) => breaches(point, rule)).length >= needed ? "ALARM" : "OK";
  }
  const breaching = real.filter((point) => breaches(point, rule)).length;
  const filled = wanted - real.length;
  if (rule.treatMissingData === "breaching") return breaching + filled >= needed ? "ALARM" : "OK";
  if (rule.treatMissingData === "notBreaching") return breaching >= needed ? "ALARM" : "OK";
  if (breaching >= needed) return "ALARM";
  if (breaching < real.length) return "OK";
  if (rule.treatMissingData === "ignore") return current;
  if (real.length === 0) return "INSUFFICIENT_DATA";
  // Only breaching points, too few of them: enough when the oldest is as old as `needed` periods,
  // because nothing since then contradicts it. Otherwise too little is known.
  const oldest = points.findIndex((point) => point !== undefined);
  return points.length - oldest >= needed ? "ALARM" : "INSUFFICIENT_DATA";
};
