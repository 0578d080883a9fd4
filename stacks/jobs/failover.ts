import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { alsoRotated, moveHere, rebuildThere } from "./failover-permissions.ts";

/** What the run calls for its work in both regions: by name there, so that nothing there need exist. */
export interface Helpers {
  database: Job;
  databaseThere: Job;
  guards: Job[];
}

/** Moves the platform to the region that it is in; once it is active, rebuilds the other one. */
export const failover = (stage: Stage, platform: Platform, site: Site, helpers: Helpers): Job => {
  const there = site === platform.home ? platform.standby : platform.home;
  return job(stage, site.region, {
    name: "failover",
    timeoutSeconds: 300,
    memoryMegabytes: 1024,
    // A rebuild waits for a replica that AWS may take hours to make.
    durable: { executionTimeoutHours: 6 },
    // Older than that, people have been told that nothing began and have asked anew.
    events: { retries: 2, maximumAgeSeconds: 600 },
    links: {
      ...tableLinks(platform),
      DatabaseFunction: functionLink(helpers.database),
      GuardFunctions: Object.fromEntries(
        helpers.guards.map(({ region, invokedAs }) => [region.name, invokedAs]),
      ),
      SlackSecret: { arn: site.secrets.slack.arn },
      OtherRegion: {
        database: there.databaseId,
        autoScalingGroup: there.group,
        parameterGroup: there.databaseParameterGroup.name,
        dataKey: there.keys.data,
        secretsKey: there.keys.secrets,
      },
      Standby: {
        replica: site.databaseId,
        databaseHost: site.databaseHost,
        databasePort: site.databasePort,
        autoScalingGroup: site.group,
        secrets: [site.secrets.database.name, site.secrets.nightshift.name],
        rotatedSecrets: alsoRotated(site).map(({ name }) => name),
        regionalName: site.regionalName,
        publicUrl: platform.publicUrl,
        zoneId: platform.zoneId,
        recordSets: platform.recordSets,
      },
    },
    may: [...moveHere(stage, platform, site, helpers), ...rebuildThere(site, there, helpers)],
  });
};
