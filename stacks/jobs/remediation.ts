import { refusalsOf } from "../alarms/database-log.ts";
import { commands } from "../commands.ts";
import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { repair, tellInstances } from "./remediation-permissions.ts";

/** Repairs what an alarm of its region shows: one attempt of one playbook, which triage has started. */
export const remediation = (stage: Stage, platform: Platform, site: Site, database: Job): Job => {
  const { namespace, name } = refusalsOf(stage);
  const told = commands(stage, site.region);
  return job(stage, site.region, {
    name: "remediation",
    timeoutSeconds: 300,
    memoryMegabytes: 1024,
    // An approval, a deed and its proof.
    durable: { executionTimeoutHours: 6 },
    // Triage tells it again each minute until it has begun.
    events: { retries: 2, maximumAgeSeconds: 300 },
    links: {
      ...tableLinks(platform),
      DatabaseFunction: functionLink(database),
      SlackSecret: { arn: site.secrets.slack.arn },
      Remediated: {
        autoScalingGroup: site.group,
        targetGroup: site.targetGroupArn,
        loadBalancerSuffix: site.balancerSuffix,
        databaseId: site.databaseId,
        secret: site.secrets.database.name,
        certificate: site.certificateArn,
        zone: platform.zoneId,
        cache: { group: site.cacheId },
        refusals: { namespace, name },
        commands: { inspect: told.inspect.name, restart: told.restart.name },
      },
    },
    may: [...repair(stage, platform, site, database), ...tellInstances(site, told)],
  });
};
