import * as z from "zod/mini";

export type AlarmState = "OK" | "ALARM" | "INSUFFICIENT_DATA";

/** A metric that an alarm looks at. */
export interface AlarmMetric {
  namespace: string;
  name: string;
  dimensions: Record<string, string>;
}

/** A "CloudWatch Alarm State Change" event in our words. */
export interface AlarmChange {
  arn: string;
  name: string;
  account: string;
  region: string;
  kind: "metric" | "math" | "anomaly" | "composite";
  state: AlarmState;
  previous: AlarmState;
  /** When the alarm changed, not when the event was sent. */
  atMilliseconds: number;
  reason: string;
  /** The same for every delivery of one change: EventBridge delivers at least once. */
  key: string;
  /** Alarm actions were suppressed. The event is sent all the same. */
  suppressedBy?: string;
  metrics: AlarmMetric[];
  /** Of a composite alarm: the alarms that made it change, by ARN. */
  children: string[];
}

const stateName = z.enum(["OK", "ALARM", "INSUFFICIENT_DATA"]);
const stateSchema = z.object({
  value: stateName,
  reason: z.optional(z.string()),
  reasonData: z.optional(z.string()),
  // Milliseconds and "+0000", unlike every other AWS event.
  timestamp: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:?00)$/)),
  actionsSuppressedBy: z.optional(z.string()),
});
const metricSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  dimensions: z.optional(z.record(z.string(), z.string())),
});

/**
 * Only what is used, and unknown fields pass: AWS adds some (`alarmTags`), and an event refused for
 * one is an alarm missed. Source: "Alarm events and EventBridge" in the CloudWatch user guide.
 */
const eventSchema = z.object({
  source: z.literal("aws.cloudwatch"),
  "detail-type": z.literal("CloudWatch Alarm State Change"),
  account: z.string().check(z.regex(/^\d{12}$/)),
  region: z.string(),
  resources: z.array(z.string()).check(z.length(1)),
  detail: z.object({
    alarmName: z.string(),
    state: stateSchema,
    previousState: z.optional(z.object({ value: stateName })),
    configuration: z.object({
      alarmRule: z.optional(z.string()),
      metrics: z.optional(
        z.array(
          z.object({
            expression: z.optional(z.string()),
            metricStat: z.optional(z.object({ metric: metricSchema })),
          }),
        ),
      ),
    }),
  }),
});

export type ParsedAlarm = { alarm: AlarmChange } | { malformed: string[] };

/** Reads an EventBridge event. `malformed` lists the fields that are not as documented. */
export const parseAlarm = (event: unknown): ParsedAlarm => {
  const parsed = eventSchema.safeParse(event);
  if (!parsed.success) {
    return { malformed: parsed.error.issues.map(({ path }) => path.join(".") || "(event)") };
  }
  const { account, region, resources, detail } = parsed.data;
  const { state, configuration } = detail;
  const metrics = configuration.metrics ?? [];
  const arn = resources[0] ?? "";
  return {
    alarm: {
      arn,
      name: detail.alarmName,
      account,
      region,
      kind: kindOf(configuration),
      state: state.value,
      previous: detail.previousState?.value ?? "INSUFFICIENT_DATA",
      atMilliseconds: Date.parse(state.timestamp.replace(/\+00:?00$/, "Z")),
      reason: state.reason ?? "",
      key: `${arn}@${state.timestamp}`,
      ...(state.actionsSuppressedBy ? { suppressedBy: state.actionsSuppressedBy } : {}),
      metrics: metrics.flatMap(({ metricStat }) =>
        metricStat ? [{ dimensions: {}, ...metricStat.metric }] : [],
      ),
      children: childrenOf(state.reasonData),
    },
  };
};

const kindOf = (configuration: {
  alarmRule?: string | undefined;
  metrics?: { expression?: string | undefined }[] | undefined;
}): AlarmChange["kind"] => {
  if (configuration.alarmRule !== undefined) return "composite";
  const expressions = (configuration.metrics ?? []).flatMap(({ expression }) => expression ?? []);
  // The band around a metric is an expression as well, beside the metric itself.
  if (expressions.some((each) => each.includes("ANOMALY_DETECTION_BAND("))) return "anomaly";
  return expressions.some((each) => each !== "") ? "math" : "metric";
};

const reasonSchema = z.object({ triggeringAlarms: z.array(z.object({ arn: z.string() })) });

/** `reasonData` is JSON in a string, and only a composite's names other alarms. */
const childrenOf = (reasonData: string | undefined): string[] => {
  const parsed = reasonSchema.safeParse(jsonOrNothing(reasonData));
  return parsed.success ? parsed.data.triggeringAlarms.map(({ arn }) => arn) : [];
};

const jsonOrNothing = (text: string | undefined): unknown => {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    // Free text by contract; only AWS's own JSON is of use here.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};
