import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";

interface Known {
  /** Each set of dimensions under which the metrics are kept. */
  dimensions: readonly (readonly string[])[];
  metrics: readonly string[];
  source: string;
}

/**
 * Metrics that exist. CloudWatch takes an alarm on any name, and one on a name that nobody puts stays
 * silent for ever, which looks like all is well.
 */
export const knownMetrics: Readonly<Record<string, Known>> = {
  "AWS/ApplicationELB": {
    dimensions: [
      ["LoadBalancer"],
      ["LoadBalancer", "TargetGroup"],
      ["AvailabilityZone", "LoadBalancer"],
      ["AvailabilityZone", "LoadBalancer", "TargetGroup"],
    ],
    metrics: [
      "HTTPCode_ELB_5XX_Count",
      "HTTPCode_Target_5XX_Count",
      "HealthyHostCount",
      "RequestCount",
      "TargetResponseTime",
      "UnHealthyHostCount",
    ],
    source: "CloudWatch metrics for your Application Load Balancer",
  },
  "AWS/AutoScaling": {
    dimensions: [["AutoScalingGroupName"]],
    metrics: ["GroupDesiredCapacity", "GroupInServiceInstances"],
    source: "Amazon CloudWatch metrics for Amazon EC2 Auto Scaling",
  },
  "AWS/CertificateManager": {
    dimensions: [["CertificateArn"]],
    metrics: ["DaysToExpiry"],
    source: "Supported CloudWatch metrics, AWS Certificate Manager",
  },
  "AWS/EC2": {
    dimensions: [["AutoScalingGroupName"]],
    metrics: ["CPUUtilization"],
    source: "CloudWatch metrics that are available for your instances",
  },
  "AWS/ElastiCache": {
    dimensions: [["CacheClusterId"]],
    metrics: ["DatabaseMemoryUsagePercentage", "EngineCPUUtilization", "Evictions"],
    source: "Metrics for Valkey and Redis OSS",
  },
  "AWS/Events": {
    dimensions: [["RuleName"]],
    metrics: ["FailedInvocations"],
    source: "Monitoring Amazon EventBridge",
  },
  "AWS/Lambda": {
    dimensions: [["FunctionName"]],
    metrics: [
      "DurableExecutionFailed",
      "DurableExecutionTimedOut",
      "Errors",
      "Invocations",
      "Throttles",
    ],
    source: "Types of metrics for Lambda functions; Monitoring durable functions",
  },
  "AWS/RDS": {
    dimensions: [["DBInstanceIdentifier"]],
    metrics: [
      "CPUUtilization",
      "DatabaseConnections",
      "FreeStorageSpace",
      "FreeableMemory",
      "MaximumUsedTransactionIDs",
      "OldestReplicationSlotLag",
      "ReplicaLag",
    ],
    source: "Amazon CloudWatch instance-level metrics for Amazon RDS",
  },
  "AWS/SQS": {
    dimensions: [["QueueName"]],
    metrics: ["ApproximateNumberOfMessagesVisible"],
    source: "Available CloudWatch metrics for Amazon SQS",
  },
  "AWS/Scheduler": {
    dimensions: [["ScheduleGroup"]],
    metrics: ["InvocationDroppedCount"],
    source: "Monitoring Amazon EventBridge Scheduler with Amazon CloudWatch",
  },
  CWAgent: {
    dimensions: [["AutoScalingGroupName"]],
    metrics: ["mem_used_percent"],
    source:
      "Metrics collected by the CloudWatch agent; aggregated by the group in its configuration",
  },
  Nightshift: {
    dimensions: [["Observer"], ["Region"], ["Observer", "Region"]],
    metrics: [
      "BackupReplicationAgeSeconds",
      "BackupsVerified",
      "HoursSinceBackupsVerified",
      "LeftoverCopies",
      "PageDue",
      "PublicNameServes",
      "Readiness",
      "ReadinessChecksFailing",
      "RegionReachable",
      "RestoreRpoMet",
      "RestoreRtoMet",
      "SettingsDrift",
      "SomebodyActive",
      "StaleSecrets",
      "StuckRotations",
      "UnrotatedSecrets",
    ],
    source:
      "functions/canary/aws.ts, functions/detection/aws.ts, functions/readiness/aws.ts, " +
      "functions/sweep/aws.ts, functions/sweep/sweep.ts, functions/verification/aws.ts",
  },
};

/** A metric that something asks for. */
export interface Asked {
  namespace: string;
  name: string;
  dimensions: string[];
}

interface Query {
  id: string;
  expression?: string;
  metric?: { namespace: string; metricName: string; dimensions?: Record<string, string> };
  returnData?: boolean;
}

/** Metrics of an alarm, whether it has one or is calculated from several. */
export const metricsOf = ({ inputs }: Resource): Asked[] => {
  const of = (metric: Record<string, unknown>): Asked => ({
    namespace: String(metric.namespace),
    name: String(metric.metricName),
    dimensions: Object.keys((metric.dimensions ?? {}) as object).sort(),
  });
  if (inputs.metricName !== undefined) return [of(inputs)];
  return ((inputs.metricQueries ?? []) as Query[]).flatMap(({ metric }) =>
    metric ? [of(metric)] : [],
  );
};

/** Metrics that filters of a stage make out of log lines. */
const filtered = ({ resources }: Recording): Set<string> =>
  new Set(
    resources
      .filter(({ type }) => type === "aws:cloudwatch/logMetricFilter:LogMetricFilter")
      .map(({ inputs }) => inputs.metricTransformation as { namespace: string; name: string })
      .map(({ namespace, name }) => `${namespace} ${name}`),
  );

const problemOf = (asked: Asked, made: ReadonlySet<string>): string | null => {
  const { namespace, name, dimensions } = asked;
  if (made.has(`${namespace} ${name}`)) {
    return dimensions.length === 0 ? null : `${name} of a filter has no dimensions`;
  }
  const known = knownMetrics[namespace.replace(/^Nightshift\/[a-z0-9-]+$/, "Nightshift")];
  if (!known) return `nobody puts metrics in the namespace ${namespace}`;
  if (!known.metrics.includes(name)) return `${namespace} has no metric ${name}`;
  const fits = known.dimensions.some((each) => [...each].sort().join() === dimensions.join());
  return fits ? null : `${namespace} keeps no ${name} by ${dimensions.join(" and ") || "nothing"}`;
};

const alarmType = "aws:cloudwatch/metricAlarm:MetricAlarm";

const alarmed: Policy = {
  name: "every alarm is on a metric that exists",
  check: (recording): Violation[] => {
    const made = filtered(recording);
    return recording.resources
      .filter(({ type }) => type === alarmType)
      .flatMap((alarm) =>
        metricsOf(alarm).flatMap((asked) => {
          const problem = problemOf(asked, made);
          return problem ? [{ resource: alarm.name, problem }] : [];
        }),
      );
  },
};

/** `[namespace, name, dimension, value, …, options]`, and `.` for what stands above it. */
const plotted = (body: string): Asked[] => {
  const { widgets } = JSON.parse(body) as {
    widgets: { properties: { metrics?: unknown[][] } }[];
  };
  return widgets.flatMap(({ properties: { metrics = [] } }) => {
    let above: string[] = [];
    return metrics.map((row) => {
      const texts = row.filter((each): each is string => typeof each === "string");
      const whole = texts.map((text, index) => (text === "." ? (above[index] ?? "") : text));
      above = whole;
      const [namespace = "", name = "", ...rest] = whole;
      return { namespace, name, dimensions: rest.filter((_, index) => index % 2 === 0).sort() };
    });
  });
};

const drawn: Policy = {
  name: "every graph of a dashboard is of a metric that exists",
  check: (recording): Violation[] => {
    const made = filtered(recording);
    return recording.resources
      .filter(({ type }) => type === "aws:cloudwatch/dashboard:Dashboard")
      .flatMap(({ name, inputs }) =>
        plotted(String(inputs.dashboardBody)).flatMap((asked) => {
          const problem = problemOf(asked, made);
          return problem ? [{ resource: name, problem }] : [];
        }),
      );
  },
};

/** Source: "PutMetricAlarm" in the API reference of CloudWatch. */
const shaped: Policy = {
  name: "every alarm can be raised: periods, points, statistic and threshold fit together",
  check: ({ resources }): Violation[] =>
    resources
      .filter(({ type }) => type === alarmType)
      .flatMap((alarm) =>
        [...shapeProblems(alarm)].map((problem) => ({ resource: alarm.name, problem })),
      ),
};

const statistics = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const missing = ["breaching", "notBreaching", "ignore", "missing"];

/**
 * A metric that is a little late is filled where it is still missing, and a minute that was judged is not
 * judged again unless the alarm looks further back. Source: FILL in "Using math expressions with
 * CloudWatch metrics", which asks for an M out of N alarm.
 */
const filledLate = ({ metricQueries }: Resource["inputs"]): boolean =>
  ((metricQueries ?? []) as Query[]).some(({ expression }) => expression?.includes("FILL("));

function* shapeProblems({ inputs }: Resource): Generator<string> {
  const { period, evaluationPeriods, datapointsToAlarm, statistic, extendedStatistic } = inputs;
  const periods = Number(evaluationPeriods);
  if (period !== undefined && ![10, 30].includes(Number(period)) && Number(period) % 60 !== 0) {
    yield `a period of ${period} seconds is not offered`;
  }
  if (Number(period ?? 60) * periods > 7 * 86_400) yield "it looks back longer than a week";
  if (filledLate(inputs) && !(Number(datapointsToAlarm ?? periods) < periods)) {
    yield "its newest period may be filled before its number arrives: fewer points than periods";
  }
  if (Number(datapointsToAlarm ?? 1) > periods) yield "it wants more points than it looks at";
  if (statistic !== undefined && !statistics.includes(String(statistic))) {
    yield `there is no statistic ${statistic}`;
  }
  if (extendedStatistic !== undefined && !/^p\d{1,2}(\.\d+)?$/.test(String(extendedStatistic))) {
    yield `there is no statistic ${extendedStatistic}`;
  }
  if (!missing.includes(String(inputs.treatMissingData)))
    yield "it does not say what silence means";
  if ((inputs.threshold === undefined) === (inputs.thresholdMetricId === undefined)) {
    yield "it is compared with nothing, or with two things";
  }
  const queries = (inputs.metricQueries ?? []) as Query[];
  const returned = queries.filter(({ returnData }) => returnData).length;
  const wanted = inputs.thresholdMetricId === undefined ? 1 : 2;
  if (queries.length > 0 && returned !== wanted) yield `${returned} of its metrics are judged`;
}

/** Another stage's metrics have the same names and dimensions, and say how well that one is. */
const ownNamespace: Policy = {
  name: "functions put their metrics where the alarms of their stage look for them",
  check: (recording): Violation[] => {
    const put = new Set(
      recording.resources
        .filter(({ type }) => type === "aws:lambda/function:Function")
        .map(({ inputs }) => inputs.environment as { variables?: Record<string, string> })
        .flatMap((environment) => environment?.variables?.METRIC_NAMESPACE ?? []),
    );
    const [namespace = "none"] = put;
    const made = filtered(recording);
    const foreign = recording.resources
      .filter(({ type }) => type === alarmType)
      .filter((alarm) =>
        metricsOf(alarm).some(
          (asked) =>
            asked.namespace.startsWith("Nightshift") &&
            asked.namespace !== namespace &&
            !made.has(`${asked.namespace} ${asked.name}`),
        ),
      )
      .map(({ name }) => ({ resource: name, problem: `nobody of this stage puts metrics there` }));
    const isOwn = recording.stage === "production" || namespace.endsWith(`/${recording.stage}`);
    return [
      ...(put.size === 1 ? [] : [{ resource: "functions", problem: `${put.size} namespaces` }]),
      ...(isOwn
        ? []
        : [{ resource: "functions", problem: `${namespace} is that of another stage` }]),
      ...foreign,
    ];
  },
};

export const metricPolicies: readonly Policy[] = [alarmed, drawn, shaped, ownNamespace];
