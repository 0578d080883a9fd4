/**
 * What an alarm is, in words that a deployment and a drill both understand: values are plain texts in a
 * drill, and may be promises of texts in a deployment.
 */

/** A number that CloudWatch keeps. deploy/policies/metrics.ts knows which ones there are. */
export interface Metric<Text = string> {
  namespace: string;
  name: string;
  dimensions: Record<string, Text>;
  /** `p95` as well. */
  statistic: "Sum" | "Average" | "Minimum" | "Maximum" | `p${number}`;
}

/** Several metrics, and what is calculated from them as `result`. */
export interface Calculated<Text = string> {
  metrics: Record<string, Metric<Text>>;
  result: string;
  label: string;
}

/** One metric, or several and what is calculated from them. */
export type Measured<Text = string> = Metric<Text> | Calculated<Text>;

export interface AlarmOptions<Text = string> {
  /**
   * The end of its name: its kind, and after that which one of several it is about. The kind is what
   * playbooks go by: `unhealthy-hosts`, `cache-memory` of `cache-memory-1`.
   */
  name: string;
  /** What is wrong and what to do, for whoever gets the e-mail. */
  says: string;
  of: Measured<Text>;
  /** `unusual`: so many standard deviations away from what this hour and weekday have had before. */
  when: { above: number } | { below: number } | { unusual: number };
  periodSeconds: number;
  /** So many of the last so many periods. */
  during: [periods: number, ofPeriods: number];
  /** What silence means: nothing wrong, something wrong, nothing at all, or what was so before. */
  silenceIs: "well" | "wrong" | "unknown" | "as before";
  /** Whether anybody is told; false for alarms that others are made of. */
  tells?: boolean;
}

/** As CloudWatch says what silence means. */
export const silence = {
  well: "notBreaching",
  wrong: "breaching",
  unknown: "missing",
  "as before": "ignore",
} as const;

/** A metric, or the metrics of a calculation as CloudWatch takes them, with what is compared. */
export const judgedBy = <Text>({
  of,
  when,
}: Pick<AlarmOptions<Text>, "of" | "when">): Calculated<Text> | Metric<Text> => {
  if (!("unusual" in when)) return of;
  if ("metrics" in of) throw new Error("only a plain metric can be unusual");
  return {
    metrics: { m: of },
    result: `ANOMALY_DETECTION_BAND(m, ${when.unusual})`,
    label: "usual",
  };
};
