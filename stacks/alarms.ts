import type { Input } from "@pulumi/pulumi";
import { overdueHoursOf } from "../shared/verification.ts";
import { alarm } from "./alarm.ts";
import { applicationAlarms } from "./alarms/application.ts";
import { automationAlarms, backupsAlarm, readyAlarm } from "./alarms/automation.ts";
import { connectionLimit } from "./alarms/connections.ts";
import { dataAlarms } from "./alarms/data.ts";
import { countRefusals, refusalsOf, tellEvents } from "./alarms/database-log.ts";
import { rotationAlarms } from "./alarms/rotation.ts";
import { verificationAlarms } from "./alarms/verification.ts";
import type { Alerts } from "./alerts.ts";
import { alerts } from "./alerts.ts";
import type { Automation } from "./automation.ts";
import { forwarding } from "./forwarding.ts";
import { observers, pageDue } from "./observers.ts";
import type { Platform, Site } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import type { Stage } from "./stage.ts";

export type Alarm = aws.cloudwatch.MetricAlarm | aws.cloudwatch.CompositeAlarm;

/** A region's alarms, by what they are about: as a dashboard shows them. */
export interface Raised {
  region: Region;
  application: Alarm[];
  data: Alarm[];
  automation: Alarm[];
  /** Whether the other region is lost, and whether this one could take over. */
  takeover: Alarm[];
}

/** Every alarm, in the region that it is about, or that would act upon it. */
export const alarms = (
  stage: Stage,
  regions: Regions,
  platform: Platform,
  nightshift: Automation,
): Raised[] => {
  const automationIn = (told: Alerts) =>
    automationAlarms(
      stage,
      told,
      nightshift.jobs.filter(({ region }) => region === told.region),
    );
  const sites = [platform.home, platform.standby].map((site): Raised => {
    const told = alerts(stage, site.region);
    const watch = nightshift.watches[site.region.name];
    return {
      region: site.region,
      application: applicationAlarms<Input<string>>(site).map((each) => alarm(stage, told, each)),
      data: dataIn(stage, told, site),
      automation: [
        ...automationIn(told),
        ...proofs(stage, told),
        ...(site === platform.home ? [forwarding(stage, told, regions.standby)] : []),
      ],
      takeover: [
        readyAlarm(stage, told),
        backupsAlarm(stage, told),
        ...(watch ? [observers(stage, told, watch), pageDue(stage, told, watch)] : []),
      ],
    };
  });
  const witness = alerts(stage, regions.witness);
  return [
    ...sites,
    {
      region: regions.witness,
      application: [],
      data: [],
      automation: automationIn(witness),
      takeover: [],
    },
  ];
};

/** Whether backups are proven, and secrets young. */
const proofs = (stage: Stage, told: Alerts): Alarm[] => {
  const whose = { namespace: stage.metricNamespace, region: told.region.name };
  return [
    ...verificationAlarms({ ...whose, overdueHours: overdueHoursOf(stage.config) }),
    ...rotationAlarms(whose),
  ].map((each) => alarm(stage, told, each));
};

const dataIn = (stage: Stage, told: Alerts, site: Site): Alarm[] => {
  countRefusals(stage, site);
  tellEvents(stage, told, site);
  const { sizes, failover } = stage.config;
  const { instanceClass, storageGigabytes } = sizes.database;
  return dataAlarms({
    ...site,
    instanceClass,
    storageGigabytes,
    connections: connectionLimit(instanceClass),
    maximumLagSeconds: failover.maximumLagSeconds,
    refusals: refusalsOf(stage),
  }).map((each) => alarm(stage, told, each));
};
