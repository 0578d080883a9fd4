import type { Cloud } from "../local/cloud.ts";
import type { FunctionDefinition } from "../local/lambda/host.ts";
import { backupBoundSeconds, lookEverySeconds } from "../shared/readiness.ts";
import { keyIn, names } from "./names.ts";
import type { Platform, Site } from "./platform.ts";
import { deployRemediation, repairsOf } from "./remediation.ts";
import { rotationsOf } from "./rotation-functions.ts";
import { restoreTestsOf } from "./verification-functions.ts";

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
    canary(platform, home.region, common),
    canary(platform, standby.region, common),
    canary(platform, witness, common),
    detection(platform, home, common),
    detection(platform, standby, common),
    failover(platform, standby, common),
    failover(platform, home, common),
    readiness(platform, home, common),
    readiness(platform, standby, common),
    slack(standby.region, common),
    slack(home.region, common),
    ...repairsOf(platform, common),
    ...rotationsOf(platform, common),
    ...restoreTestsOf(platform, common),
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
      CoordinationTable: tables.CoordinationTable,
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
  timeoutSeconds: 60,
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
  const { home, standby, publicUrl, config } = platform;
  const { port } = new URL(publicUrl);
  const pair = [home.region, standby.region];
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
          // The witness is heard by both; of the other two nobody but their own region needs them.
          reportTo: region === config.regions.witness ? pair : [region],
        },
      }),
    },
  };
};

const otherThan = ({ home, standby }: Platform, site: Site): Site =>
  site === home ? standby : home;

/**
 * What is seen of one region of the pair from the other one, which would take over, and from the
 * witness: never by itself. The composite alarm needs both of them. All of it is in the region that
 * would take over, since the other one may be gone.
 */
const regionAlarms = (platform: Platform, watched: Site) => {
  const observers = [otherThan(platform, watched).region, platform.config.regions.witness];
  const lost = (observer: string) => `nightshift-${watched.region}-lost-from-${observer}`;
  const idle = (observer: string) => `nightshift-nobody-active-from-${observer}`;
  return {
    composite: `nightshift-region-lost-${watched.region}`,
    observers: Object.fromEntries(
      observers.map((name) => [name, { unreachable: lost(name), idle: idle(name) }]),
    ),
    metricAlarms: observers.flatMap((observer) => [
      { name: lost(observer), metric: "RegionReachable", region: watched.region, observer },
      { name: idle(observer), metric: "SomebodyActive", region: undefined, observer },
    ]),
    rule: [lost, idle]
      .map((name) => `(${observers.map((each) => `ALARM("${name(each)}")`).join(" AND ")})`)
      .join(" OR "),
  };
};

const alarmLink = (platform: Platform, watched: Site) => {
  const { composite, observers } = regionAlarms(platform, watched);
  return { [watched.region]: { composite, observers } };
};

/** In each region of the pair, about the other one. */
const detection = (platform: Platform, site: Site, common: Common): FunctionDefinition => ({
  name: "detection",
  region: site.region,
  entry: "functions/detection/handler.ts",
  // Every source silent, each for as long as it is waited for, one after the other.
  timeoutSeconds: 120,
  environment: {
    ...common,
    ...links({
      ...tables,
      FailoverFunction: { name: "failover" },
      SlackSecret: { arn: names.secrets.slack },
      RegionAlarms: {
        regions: alarmLink(platform, otherThan(platform, site)),
        ownGroup: names.group,
      },
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
        database: otherThan(platform, site).databaseId,
        autoScalingGroup: names.group,
        parameterGroup: names.parameterGroup,
        dataKey: keyIn(otherThan(platform, site).region, "data"),
        secretsKey: keyIn(otherThan(platform, site).region, "secrets"),
      },
      Standby: {
        replica: site.databaseId,
        databaseHost: site.host,
        databasePort: site.port,
        autoScalingGroup: names.group,
        secrets: [names.secrets.application, names.secrets.nightshift],
        rotatedSecrets: [names.secrets.slack],
        regionalName: site.loadBalancerName,
        publicUrl: platform.publicUrl,
        zoneId: platform.zoneId,
        recordSets: [platform.home.region, platform.standby.region],
      },
    }),
  },
});

/** Each region looks at itself only: what it compares itself with, the other one has kept. */
const readiness = (platform: Platform, site: Site, common: Common): FunctionDefinition => ({
  name: "readiness",
  region: site.region,
  entry: "functions/readiness/handler.ts",
  timeoutSeconds: 60,
  environment: {
    ...common,
    ...links({
      ...tables,
      DatabaseFunction: { name: "database" },
      Readiness: {
        databaseId: site.databaseId,
        autoScalingGroup: names.group,
        loadBalancer: site.loadBalancer,
        roleRule: site.roleRule,
        loadBalancers: Object.fromEntries(
          [platform.home, platform.standby].map((each) => [each.region, each.loadBalancerName]),
        ),
        secrets: Object.values(names.secrets),
        zoneId: platform.zoneId,
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
      VerificationFunction: { name: "verification" },
      RotationFunction: { name: "rotation" },
      SlackSecret: { arn: names.secrets.slack },
    }),
  },
});

export interface Deployment {
  /** Whether there are alarms on the platform, which set repairs off: it has to publish metrics. */
  repairs: boolean;
  /** Whether readiness is looked at on its schedule; it always can be by hand. */
  looks: boolean;
}

/** Defines the functions, and what sets them off. */
export const deployAutomation = async (
  cloud: Cloud,
  platform: Platform,
  common: Record<string, string>,
  { looks, repairs }: Deployment = { looks: true, repairs: true },
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
  for (const region of [home.region, standby.region, config.regions.witness]) {
    await eachMinute(region, "canary", {});
  }
  for (const site of [home, standby]) {
    await eachMinute(site.region, "detection", { do: "recheck" });
    await putRegionAlarms(cloud, platform, site);
  }
  if (repairs) await deployRemediation(cloud, platform, common);
  if (looks) {
    await scheduleLooks(cloud, platform);
    for (const { region } of [home, standby]) await putReadinessAlarms(cloud, region);
  }
  return functions;
};

/** The guards have beaten once by then. The active region first: the other one reads what it keeps. */
const firstLookSeconds = { home: 70, standby: 80 };

const scheduleLooks = async (cloud: Cloud, { home, standby }: Platform) => {
  for (const [{ region }, seconds] of [
    [home, firstLookSeconds.home],
    [standby, firstLookSeconds.standby],
  ] as const) {
    await cloud.ask("scheduler", "CreateSchedule", region, {
      Name: "readiness",
      ScheduleExpression: `rate(${lookEverySeconds / 60} minutes)`,
      StartDate: new Date(cloud.surroundings.timeline.now() + seconds * 1000),
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: {
        Arn: cloud.functions.functionArn(region, "readiness"),
        RoleArn: `arn:aws:iam::${names.account}:role/schedules`,
        Input: "{}",
      },
    });
  }
};

/**
 * Ready no more, or nobody looks any more: three looks in a row, in the region that would be asked. And
 * backups that do not come there any more; their silence is the active region's.
 */
const putReadinessAlarms = async (cloud: Cloud, region: string) => {
  const common = {
    Namespace: "Nightshift",
    Dimensions: [{ Name: "Observer", Value: region }],
    Period: lookEverySeconds,
    EvaluationPeriods: 3,
    DatapointsToAlarm: 3,
  };
  await cloud.ask("cloudwatch", "PutMetricAlarm", region, {
    ...common,
    AlarmName: "nightshift-not-ready",
    MetricName: "Readiness",
    Statistic: "Minimum",
    Threshold: 1,
    ComparisonOperator: "LessThanThreshold",
    TreatMissingData: "breaching",
  });
  await cloud.ask("cloudwatch", "PutMetricAlarm", region, {
    ...common,
    AlarmName: "nightshift-backup-replication",
    MetricName: "BackupReplicationAgeSeconds",
    Statistic: "Maximum",
    Threshold: backupBoundSeconds,
    ComparisonOperator: "GreaterThanThreshold",
    TreatMissingData: "notBreaching",
  });
};

/** Each observer has alarms of its own; the composite one needs both of them to say the same. */
const putRegionAlarms = async (cloud: Cloud, platform: Platform, site: Site) => {
  const { region: taker } = site;
  const { composite, metricAlarms, rule } = regionAlarms(platform, otherThan(platform, site));
  for (const { name, metric, region, observer } of metricAlarms) {
    await cloud.ask("cloudwatch", "PutMetricAlarm", taker, {
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
  await cloud.ask("cloudwatch", "PutCompositeAlarm", taker, {
    AlarmName: composite,
    AlarmRule: rule,
  });
  await cloud.ask("eventbridge", "PutRule", taker, {
    Name: "region-lost",
    EventPattern: JSON.stringify({
      source: ["aws.cloudwatch"],
      "detail-type": ["CloudWatch Alarm State Change"],
      region: [taker],
      detail: { alarmName: [composite], state: { value: ["ALARM"] } },
    }),
    State: "ENABLED",
  });
  await cloud.ask("eventbridge", "PutTargets", taker, {
    Rule: "region-lost",
    Targets: [{ Id: "detection", Arn: cloud.functions.functionArn(taker, "detection") }],
  });
};
