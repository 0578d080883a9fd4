import { describe, expect, it } from "vitest";
import { automationPolicies } from "../../deploy/policies/automation.ts";
import { metricPolicies } from "../../deploy/policies/metrics.ts";
import { managedPolicies, wildcards } from "../../deploy/policies/wildcards.ts";
import type { Recording, Resource } from "../../deploy/recording.ts";
import { broken, every, recorded, the } from "./recordings.ts";

const own = [wildcards, managedPolicies, ...metricPolicies, ...automationPolicies];

type Inputs = Resource["inputs"];

/** Changes the inputs of one resource. */
const inputs =
  (name: string, change: (inputs: Inputs) => void) =>
  (recording: Recording): Recording =>
    broken(recording, name, (resource) => change(resource.inputs));

const without =
  (name: string) =>
  (recording: Recording): Recording => {
    the(recording, name);
    return { ...recording, resources: recording.resources.filter((each) => each.name !== name) };
  };

const set = (name: string, field: string, value: unknown) =>
  inputs(name, (given) => Object.assign(given, { [field]: value }));

/** Puts another text into the inputs, wherever one stands. */
const swapped = (name: string, from: string, to: string) => (recording: Recording) =>
  broken(recording, name, (resource: Resource) => {
    const text = JSON.stringify(resource.inputs);
    expect(text).toContain(from);
    resource.inputs = JSON.parse(text.replaceAll(from, to));
  });

const wideAction = swapped(
  "GuardInPrimaryMay",
  "autoscaling:UpdateAutoScalingGroup",
  "autoscaling:*",
);
const escaped = (text: string) => JSON.stringify(JSON.stringify(text)).slice(1, -1);

const breaks: [what: string, policy: RegExp, make: (recording: Recording) => Recording][] = [
  ["an action by wildcard", /by wildcard/, wideAction],
  [
    "a resource by wildcard where IAM takes a name",
    /by wildcard/,
    swapped("GuardInStandbyMay", "autoscaling:DescribeAutoScalingGroups", "rds:RebootDBInstance"),
  ],
  [
    "a wildcard within a name, without a reason",
    /by wildcard/,
    swapped("FailoverInStandbyMay", "-quarantine-*", "*"),
  ],
  [
    "the pattern of a look for backups with an action that is no look",
    /by wildcard/,
    swapped(
      "ReadinessInStandbyMay",
      "rds:DescribeDBInstanceAutomatedBackups",
      "rds:DeleteDBInstance",
    ),
  ],
  [
    "metrics of any namespace",
    /by wildcard/,
    swapped("CanaryInWitnessMay", "cloudwatch:namespace", "aws:RequestedRegion"),
  ],
  [
    "a policy that AWS manages",
    /AWS manages/,
    set("GuardInPrimaryRole", "managedPolicyArns", ["arn:aws:iam::aws:policy/AmazonRDSFullAccess"]),
  ],
  ["a misspelt metric", /metric that exists$/, set("LatencyInPrimary", "metricName", "Latency")],
  [
    "a namespace of nobody's",
    /alarm is on a metric/,
    set("NotReadyInStandby", "namespace", "NightShift"),
  ],
  [
    "a metric by a dimension that it is not kept by",
    /alarm is on a metric/,
    set("ReplicaLagInStandby", "dimensions", { DBClusterIdentifier: "x" }),
  ],
  [
    "a misspelt metric in a calculation",
    /alarm is on a metric/,
    swapped("ErrorRateInPrimary", "HTTPCode_Target_5XX_Count", "HTTPCode_Target_5xx"),
  ],
  [
    "a graph of nothing",
    /every graph/,
    swapped("DashboardInStandby", "GroupInServiceInstances", "InServiceInstances"),
  ],
  [
    "an alarm on another stage's metrics",
    /of their stage/,
    set("NotReadyInStandby", "namespace", "Nightshift/ana"),
  ],
  [
    "a function that puts its metrics elsewhere",
    /of their stage/,
    swapped("CanaryInWitnessFunction", '"Nightshift"', '"Nightshift/ana"'),
  ],
  ["more points than periods", /can be raised/, set("LatencyInPrimary", "datapointsToAlarm", 9)],
  [
    "a filled metric that is judged by its newest minute alone",
    /can be raised/,
    set("RemediationRunsFailedInStandby", "evaluationPeriods", 1),
  ],
  ["a period that is not offered", /can be raised/, set("LatencyInPrimary", "period", 45)],
  ["a statistic that is none", /can be raised/, set("InstanceCpuInStandby", "statistic", "Mean")],
  [
    "silence without a meaning",
    /can be raised/,
    set("InstanceCpuInStandby", "treatMissingData", undefined),
  ],
  ["no threshold", /can be raised/, set("InstanceCpuInStandby", "threshold", undefined)],
  [
    "no dead-letter queue",
    /gives them up in time/,
    set("FailoverInStandbyFunction", "deadLetterConfig", undefined),
  ],
  [
    "dead letters in another region",
    /gives them up in time/,
    swapped("GuardInStandbyFunction", "arn:aws:sqs:eu-west-1", "arn:aws:sqs:eu-central-1"),
  ],
  [
    "dead letters that nobody hears of",
    /gives them up in time/,
    without("CanaryDeadLettersInWitness"),
  ],
  [
    "retries as many as Lambda likes",
    /gives them up in time/,
    set("DetectionInPrimaryEvents", "maximumRetryAttempts", undefined),
  ],
  [
    "an order that is hours old",
    /gives them up in time/,
    set("FailoverInStandbyEvents", "maximumEventAgeInSeconds", 21_600),
  ],
  [
    "settings of a version that nobody asks for",
    /gives them up in time/,
    set("FailoverInStandbyEvents", "qualifier", undefined),
  ],
  [
    "a schedule without bounds",
    /every schedule/,
    inputs("GuardScheduleInPrimary", (given) => {
      Object.assign(given.target as object, { retryPolicy: undefined });
    }),
  ],
  [
    "a rule that gives up to nowhere",
    /every rule/,
    set("RegionLostTargetInStandby", "deadLetterConfig", undefined),
  ],
  ["nobody hears of errors", /somebody hears/, without("SlackErrorsInStandby")],
  [
    "an alarm without an action",
    /somebody hears/,
    set("FailoverThrottlesInStandby", "alarmActions", []),
  ],
  ["nobody hears of a failed run", /somebody hears/, without("FailoverRunsFailedInStandby")],
  [
    "the silence of a guard passes for well",
    /somebody hears/,
    set("GuardSilentInPrimary", "treatMissingData", "notBreaching"),
  ],
  ["a log for ever", /is traced/, set("SlackInStandbyLogs", "retentionInDays", 0)],
  [
    "no traces",
    /is traced/,
    set("FailoverInStandbyFunction", "tracingConfig", { mode: "PassThrough" }),
  ],
  [
    "a durable function without a version",
    /published/,
    set("FailoverInStandbyFunction", "publish", false),
  ],
  ["a durable function without an alias", /published/, without("FailoverInStandbyLive")],
  [
    "a link to the newest version",
    /published/,
    swapped("SlackInStandbyFunction", "production-failover:live", "production-failover"),
  ],
  [
    "a permission for the newest version",
    /published/,
    swapped(
      "DetectionInStandbyMay",
      escaped("production-failover:live").replaceAll('\\"', ""),
      "production-failover",
    ),
  ],
  [
    "a permission of operators for the newest version",
    /published/,
    swapped("OperatorsMay", "production-failover:live", "production-failover"),
  ],
  [
    "a door to another function",
    /only the Slack door/,
    set("SlackInStandbyUrl", "functionName", "nightshift-production-failover"),
  ],
  [
    "a door for any flood",
    /only the Slack door/,
    set("SlackInStandbyFunction", "reservedConcurrentExecutions", undefined),
  ],
  [
    "a storm of alarms that takes all there is",
    /any alarm sets off/,
    set("TriageInPrimaryFunction", "reservedConcurrentExecutions", undefined),
  ],
  [
    "a topic that nobody has subscribed to",
    /somebody who hears/,
    swapped("Alerts1InStandby", "arn:aws:sns:eu-west-1", "arn:aws:sns:eu-central-1"),
  ],
  ["an alarm that nobody hears", /tells a topic/, set("ReplicaLagInPrimary", "alarmActions", [])],
  [
    "an alarm that tells another region",
    /tells a topic/,
    swapped("ReplicaLagInStandby", "arn:aws:sns:eu-west-1", "arn:aws:sns:eu-central-1"),
  ],
  ["one observer is enough", /two observers/, swapped("OtherRegionLostInStandby", " AND ", " OR ")],
  [
    "a region that observes itself",
    /two observers/,
    swapped(
      "EuCentral1LostFromEuWest2InStandby",
      '"Observer":"eu-west-2"',
      '"Observer":"eu-central-1"',
    ),
  ],
  [
    "a silent observer that counts",
    /two observers/,
    set("NobodyActiveFromEuWest2InStandby", "treatMissingData", "breaching"),
  ],
];

describe("the policies of the automation", () => {
  it.each(["production", "personal"] as const)("are kept by stage %s", async (stage) => {
    const recording = await recorded(stage);
    // Policies over nothing would be kept whatever is deployed.
    expect(every(recording, "aws:lambda/function:Function").length).toBeGreaterThanOrEqual(19);
    expect(every(recording, "aws:scheduler/schedule:Schedule")).toHaveLength(13);
    expect(every(recording, "aws:cloudwatch/compositeAlarm:CompositeAlarm")).toHaveLength(2);
    for (const { name, check } of own) expect(check(recording), name).toEqual([]);
  });

  it.each(breaks)("notice %s", async (_what, policy, make) => {
    const after = make(await recorded("production"));
    const noticing = own.filter(({ check }) => check(after).length > 0).map(({ name }) => name);
    expect(noticing.filter((name) => policy.test(name))).not.toEqual([]);
  });

  it("are each broken by one of these", () => {
    const unbroken = own.filter(({ name }) => !breaks.some(([, policy]) => policy.test(name)));
    expect(unbroken.map(({ name }) => name)).toEqual([]);
  });
});
