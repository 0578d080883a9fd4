import type { Cloud } from "../local/cloud.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import { balancerSuffix, prefix, putAlarms, refusals } from "./alarms.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

const resources = (values: Record<string, Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`SST_RESOURCE_${name}`, JSON.stringify(value)]),
  );

const tables = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
};
/** Documents of Systems Manager: what instances can be told to do. */
export const commands = {
  inspect: `${prefix}-inspect-container`,
  restart: `${prefix}-restart-container`,
};
const SlackSecret = { arn: names.secrets.slack };

const triage = ({ region }: Site, common: Record<string, string>): FunctionDefinition => ({
  name: "triage",
  region,
  entry: "functions/triage/handler.ts",
  timeoutSeconds: 120,
  // As in production: a storm must not take all that there is.
  reservedConcurrency: 5,
  environment: {
    ...common,
    ...resources({
      CoordinationTable: tables.CoordinationTable,
      SlackSecret,
      Alarms: { prefix },
      RemediationFunction: { name: "remediation" },
    }),
  },
});

const remediation = (
  site: Site,
  zone: string,
  common: Record<string, string>,
): FunctionDefinition => ({
  name: "remediation",
  region: site.region,
  entry: "functions/remediation/handler.ts",
  timeoutSeconds: 300,
  // An approval, a deed and its proof.
  durable: { executionTimeoutSeconds: 6 * 3600 },
  environment: {
    ...common,
    ...resources({
      ...tables,
      SlackSecret,
      DatabaseFunction: { name: "database" },
      Remediated: {
        autoScalingGroup: names.group,
        targetGroup: site.targetGroup,
        loadBalancerSuffix: balancerSuffix(site.loadBalancer),
        databaseId: site.databaseId,
        secret: names.secrets.application,
        certificate: site.certificate,
        zone,
        cache: { group: names.cache },
        refusals,
        commands,
        path: pathOf(site),
      },
    }),
  },
});

/** What of the way has security groups here: the application's into the database. */
const pathOf = ({ applicationSecurityGroup, databaseSecurityGroup }: Site) => [
  {
    ...{ from: "the application", fromGroup: applicationSecurityGroup },
    ...{ to: "the database", toGroup: databaseSecurityGroup, port: 5432 },
  },
];

/** The functions of repairs, in both regions, each for its own. */
export const repairsOf = (
  { home, standby, zoneId }: Platform,
  common: Record<string, string>,
): FunctionDefinition[] =>
  [home, standby].flatMap((site) => [triage(site, common), remediation(site, zoneId, common)]);

/** Repairs in both regions: functions, alarms, and what sets them off. */
export const deployRemediation = async (
  cloud: Cloud,
  platform: Platform,
  common: Record<string, string>,
): Promise<void> => {
  for (const definition of repairsOf(platform, common)) cloud.functions.define(definition);
  for (const site of [platform.home, platform.standby]) {
    await putAlarms(cloud, platform, site);
    await setOff(cloud, site.region);
  }
};

/** Each change of one of our alarms, and each minute, since an alarm does not ring twice. */
const setOff = async (cloud: Cloud, region: string) => {
  const Arn = cloud.functions.functionArn(region, "triage");
  await cloud.ask("eventbridge", "PutRule", region, {
    Name: "triage",
    EventPattern: JSON.stringify({
      source: ["aws.cloudwatch"],
      "detail-type": ["CloudWatch Alarm State Change"],
      region: [region],
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
