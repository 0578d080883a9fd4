import type { Cloud } from "../local/cloud.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import { names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";

/** The functions of Nightshift, by name, region and link, as `stacks/` will declare them for AWS. */
export const functionsOf = (
  platform: Platform,
  common: Record<string, string>,
): FunctionDefinition[] => {
  const { home, standby } = platform;
  const { witness } = platform.config.regions;
  return [
    guard(home, common),
    guard(standby, common),
    database(home, common),
    database(standby, common),
    canary(platform, standby.region, common),
    canary(platform, witness, common),
    detection(platform, common),
    failover(platform, standby, common),
    failover(platform, home, common),
    slack(standby.region, common),
    slack(home.region, common),
  ];
};

const links = (resources: Record<string, Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(resources).map(([name, value]) => [
      `SST_RESOURCE_${name}`,
      JSON.stringify(value),
    ]),
  );

const tables = {
  CoordinationTable: { name: names.coordination },
  JournalTable: { name: names.journal },
};

type Common = Record<string, string>;

const guard = (site: Site, common: Common): FunctionDefinition => ({
  name: "guard",
  region: site.region,
  entry: "functions/guard/handler.ts",
  // A minute of beats, and the fence at the end of it.
  timeoutSeconds: 120,
  environment: {
    ...common,
    ...links({
      ...tables,
      DatabaseFunction: { name: "database" },
      Guarded: {
        databaseId: site.databaseId,
        roleRule: site.roleRule,
        databaseSecurityGroup: site.databaseSecurityGroup,
        applicationSecurityGroup: site.applicationSecurityGroup,
        databasePort: 5432,
        autoScalingGroup: names.group,
      },
    }),
  },
});

const database = (site: Site, common: Common): FunctionDefinition => ({
  name: "database",
  region: site.region,
  entry: "functions/database/handler.ts",
  timeoutSeconds: 30,
  environment: {
    ...common,
    ...links({
      Database: {
        host: site.host,
        port: site.port,
        database: names.database,
        secret: names.secrets.nightshift,
        roles: names.roles,
        // The local servers answer on this machine's loopback only.
        tls: "off",
      } as never,
    }),
  },
});

const canary = (platform: Platform, region: string, common: Common): FunctionDefinition => {
  const { home, standby, publicUrl } = platform;
  const { port } = new URL(publicUrl);
  const roleUrl = (site: Site) =>
    `http://${site.loadBalancerName}:${port}/.well-known/nightshift/role`;
  return {
    name: "canary",
    region,
    entry: "functions/canary/handler.ts",
    timeoutSeconds: 30,
    environment: {
      ...common,
      ...links({
        Canary: {
          roleUrls: { [home.region]: roleUrl(home), [standby.region]: roleUrl(standby) },
          publicUrl,
          reportTo: [standby.region],
        },
      }),
    },
  };
};

/** What each observer says about the home region, and the composite alarm that needs two of them. */
const regionAlarms = ({ config, home, standby }: Platform) => {
  const observers = [standby.region, config.regions.witness];
  const lost = (observer: string) => `nightshift-${home.region}-lost-from-${observer}`;
  const idle = (observer: string) => `nightshift-nobody-active-from-${observer}`;
  return {
    composite: `nightshift-${home.region}-lost`,
    observers: Object.fromEntries(observers.map((name) => [name, [lost(name), idle(name)]])),
    metricAlarms: observers.flatMap((observer) => [
      { name: lost(observer), metric: "RegionReachable", region: home.region, observer },
      { name: idle(observer), metric: "SomebodyActive", region: undefined, observer },
    ]),
    rule: [lost, idle]
      .map((name) => `(${observers.map((each) => `ALARM("${name(each)}")`).join(" AND ")})`)
      .join(" OR "),
  };
};

const alarmLink = (platform: Platform) => {
  const { composite, observers } = regionAlarms(platform);
  return { composite, observers };
};

const detection = (platform: Platform, common: Common): FunctionDefinition => ({
  name: "detection",
  region: platform.standby.region,
  entry: "functions/detection/handler.ts",
  timeoutSeconds: 60,
  environment: {
    ...common,
    ...links({
      ...tables,
      FailoverFunction: { name: "failover" },
      RegionAlarms: { regions: { [platform.home.region]: alarmLink(platform) } },
    }),
  },
});

const failover = (platform: Platform, site: Site, common: Common): FunctionDefinition => ({
  name: "failover",
  region: site.region,
  entry: "functions/failover/handler.ts",
  timeoutSeconds: 300,
  // A rebuild waits for a replica that AWS may take hours to make.
  durable: { executionTimeoutSeconds: 6 * 3600 },
  environment: {
    ...common,
    ...links({
      ...tables,
      DatabaseFunction: { name: "database" },
      GuardFunctions: { [platform.home.region]: "guard", [platform.standby.region]: "guard" },
      SlackSecret: { arn: names.secrets.slack },
      OtherRegion: {
        database: (site === platform.home ? platform.standby : platform.home).databaseId,
        autoScalingGroup: names.group,
      },
      Standby: {
        replica: site.databaseId,
        databaseHost: site.host,
        databasePort: site.port,
        autoScalingGroup: names.group,
        secrets: [names.secrets.application, names.secrets.nightshift],
        regionalName: site.loadBalancerName,
        publicUrl: platform.publicUrl,
        zoneId: platform.zoneId,
        recordSets: [platform.home.region, platform.standby.region],
      },
    }),
  },
});

const slack = (region: string, common: Common): FunctionDefinition => ({
  name: "slack",
  region,
  entry: "functions/slack/handler.ts",
  timeoutSeconds: 30,
  url: true,
  environment: {
    ...common,
    ...links({
      ...tables,
      FailoverFunction: { name: "failover" },
      SlackSecret: { arn: names.secrets.slack },
    }),
  },
});

/** Defines the functions, and what sets them off. */
export const deployAutomation = async (
  cloud: Cloud,
  platform: Platform,
  common: Record<string, string>,
): Promise<FunctionDefinition[]> => {
  const functions = functionsOf(platform, common);
  for (const definition of functions) cloud.functions.define(definition);
  const { home, standby, config } = platform;
  const eachMinute = async (region: string, name: string, input: object) => {
    await cloud.ask("scheduler", "CreateSchedule", region, {
      Name: `${name}-each-minute`,
      ScheduleExpression: "rate(1 minute)",
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: {
        Arn: cloud.functions.functionArn(region, name),
        RoleArn: `arn:aws:iam::${names.account}:role/schedules`,
        Input: JSON.stringify(input),
      },
    });
  };
  for (const { region } of [home, standby]) await eachMinute(region, "guard", { do: "watch" });
  for (const region of [standby.region, config.regions.witness]) {
    await eachMinute(region, "canary", {});
  }
  await eachMinute(standby.region, "detection", { do: "recheck" });
  await putRegionAlarms(cloud, platform);
  return functions;
};

/** Each observer has alarms of its own; the composite one needs both of them to say the same. */
const putRegionAlarms = async (cloud: Cloud, platform: Platform) => {
  const { standby } = platform;
  const { composite, metricAlarms, rule } = regionAlarms(platform);
  for (const { name, metric, region, observer } of metricAlarms) {
    await cloud.ask("cloudwatch", "PutMetricAlarm", standby.region, {
      AlarmName: name,
      Namespace: "Nightshift",
      MetricName: metric,
      Dimensions: [
        ...(region ? [{ Name: "Region", Value: region }] : []),
        { Name: "Observer", Value: observer },
      ],
      Statistic: "Maximum",
      Period: 60,
      EvaluationPeriods: 2,
      DatapointsToAlarm: 2,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
      // A silent observer is no witness of anything: it must not help to declare a region lost.
      TreatMissingData: "missing",
    });
  }
  await cloud.ask("cloudwatch", "PutCompositeAlarm", standby.region, {
    AlarmName: composite,
    AlarmRule: rule,
  });
  await cloud.ask("eventbridge", "PutRule", standby.region, {
    Name: "region-lost",
    EventPattern: JSON.stringify({
      source: ["aws.cloudwatch"],
      "detail-type": ["CloudWatch Alarm State Change"],
      detail: { alarmName: [composite], state: { value: ["ALARM"] } },
    }),
    State: "ENABLED",
  });
  await cloud.ask("eventbridge", "PutTargets", standby.region, {
    Rule: "region-lost",
    Targets: [{ Id: "detection", Arn: cloud.functions.functionArn(standby.region, "detection") }],
  });
};
