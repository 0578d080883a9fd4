import type { Cloud } from "../local/cloud.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

/** All alarms of the platform begin with it. */
const prefix = "nightshift";

const resources = (values: Record<string, Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
  );

const tables = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
  SlackSecret: { arn: names.secrets.slack },
};

const triage = ({ region }: Site, common: Record<string, string>): FunctionDefinition => ({
  name: "triage",
  region,
  entry: "functions/triage/handler.ts",
  timeoutSeconds: 120,
  environment: {
    ...common,
    ...resources({
      ...tables,
      Alarms: { prefix },
      RemediationFunction: { name: "remediation" },
    }),
  },
});

const remediation = (
  { region, loadBalancer, databaseId }: Site,
  targetGroup: string,
  common: Record<string, string>,
): FunctionDefinition => ({
  name: "remediation",
  region,
  entry: "functions/remediation/handler.ts",
  timeoutSeconds: 300,
  // An approval, a deed and its proof.
  durable: { executionTimeoutSeconds: 6 * 3600 },
  environment: {
    ...common,
    ...resources({
      ...tables,
      DatabaseFunction: { name: "database" },
      Remediated: {
        autoScalingGroup: names.group,
        targetGroup,
        loadBalancerSuffix: balancerSuffix(loadBalancer),
        databaseId,
        secret: names.secrets.application,
        refusals: { namespace: `Nightshift/${prefix}`, name: "ConnectionsRefused" },
      },
    }),
  },
});

const balancerSuffix = (arn: string): string => arn.split(":loadbalancer/")[1] ?? arn;

/** Repairs in both regions, each of its own: functions, alarms, and what sets them off. */
export const deployRemediation = async (
  cloud: Cloud,
  platform: Platform,
  common: Record<string, string>,
): Promise<FunctionDefinition[]> => {
  const sites = [platform.home, platform.standby];
  const deployed = await Promise.all(sites.map((site) => deployIn(cloud, platform, site, common)));
  return deployed.flat();
};

const deployIn = async (
  cloud: Cloud,
  platform: Platform,
  site: Site,
  common: Record<string, string>,
): Promise<FunctionDefinition[]> => {
  const { region } = site;
  const { TargetGroups } = await cloud.ask<{ TargetGroups: { TargetGroupArn: string }[] }>(
    "elastic-load-balancing-v2",
    "DescribeTargetGroups",
    region,
    { Names: [names.group] },
  );
  const targetGroup = TargetGroups[0]?.TargetGroupArn ?? "";
  const functions = [triage(site, common), remediation(site, targetGroup, common)];
  for (const definition of functions) cloud.functions.define(definition);
  await putAlarms(cloud, platform, site, targetGroup);
  await setOff(cloud, region);
  return functions;
};

/** Each change of one of our alarms, and each minute, since an alarm does not ring twice. */
const setOff = async (cloud: Cloud, region: string) => {
  const Arn = cloud.functions.functionArn(region, "triage");
  await cloud.ask("eventbridge", "PutRule", region, {
    Name: "triage",
    EventPattern: JSON.stringify({
      source: ["aws.cloudwatch"],
      "detail-type": ["CloudWatch Alarm State Change"],
      detail: { alarmName: [{ prefix: `${prefix}-` }], state: { value: ["ALARM"] } },
    }),
    State: "ENABLED",
  });
  await cloud.ask("eventbridge", "PutTargets", region, {
    Rule: "triage",
    Targets: [{ Id: "triage", Arn }],
  });
  await cloud.ask("scheduler", "CreateSchedule", region, {
    Name: "triage-each-minute",
    ScheduleExpression: "rate(1 minute)",
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: {
      Arn,
      RoleArn: `arn:aws:iam::${names.account}:role/schedules`,
      Input: JSON.stringify({ do: "recheck" }),
    },
  });
};

const gigabyte = 1024 ** 3;

/** Of the kinds in `stacks/alarms/`, those that a playbook is for, with the same bounds. */
const putAlarms = async (cloud: Cloud, platform: Platform, site: Site, targetGroup: string) => {
  const { storageGigabytes } = platform.config.sizes.database;
  const put = (kind: string, alarm: Record<string, unknown>) =>
    cloud.ask("cloudwatch", "PutMetricAlarm", site.region, {
      AlarmName: `${prefix}-${kind}`,
      TreatMissingData: "notBreaching",
      ...alarm,
    });
  await put("unhealthy-hosts", {
    Namespace: "AWS/ApplicationELB",
    MetricName: "UnHealthyHostCount",
    Dimensions: [
      { Name: "LoadBalancer", Value: balancerSuffix(site.loadBalancer) },
      { Name: "TargetGroup", Value: targetGroup.split(":").at(-1) },
    ],
    Statistic: "Maximum",
    Period: 60,
    EvaluationPeriods: 5,
    DatapointsToAlarm: 5,
    Threshold: 0,
    ComparisonOperator: "GreaterThanThreshold",
  });
  await put("database-storage", {
    Namespace: "AWS/RDS",
    MetricName: "FreeStorageSpace",
    Dimensions: [{ Name: "DBInstanceIdentifier", Value: site.databaseId }],
    Statistic: "Minimum",
    Period: 300,
    EvaluationPeriods: 3,
    DatapointsToAlarm: 2,
    Threshold: Math.floor(0.15 * storageGigabytes * gigabyte),
    ComparisonOperator: "LessThanThreshold",
  });
  await put("database-connections", {
    Namespace: "AWS/RDS",
    MetricName: "DatabaseConnections",
    Dimensions: [{ Name: "DBInstanceIdentifier", Value: site.databaseId }],
    Statistic: "Maximum",
    Period: 60,
    EvaluationPeriods: 5,
    DatapointsToAlarm: 3,
    // PostgreSQL on this machine takes a hundred.
    Threshold: 80,
    ComparisonOperator: "GreaterThanThreshold",
  });
};
