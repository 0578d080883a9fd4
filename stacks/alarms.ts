import { applicationAlarms } from "./alarms/application.ts";
import { automationAlarms, backupsAlarm, readyAlarm } from "./alarms/automation.ts";
import { dataAlarms } from "./alarms/data.ts";
import type { Alerts } from "./alerts.ts";
import { alerts } from "./alerts.ts";
import type { Automation } from "./automation.ts";
import { observers, pageDue } from "./observers.ts";
import type { Platform } from "./platform.ts";
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
      application: applicationAlarms(stage, told, site),
      data: dataAlarms(stage, told, site),
      automation: automationIn(told),
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
