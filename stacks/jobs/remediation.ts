import { refusalsOf } from "../alarms/database-log.ts";
import { commands } from "../commands.ts";
import { cachePort } from "../groups.ts";
import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Platform, Site } from "../platform.ts";
import { hasProxy } from "../proxy.ts";
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
        path: pathOf(stage, site),
      },
    },
    may: [...repair(stage, platform, site, database), ...tellInstances(site, told)],
  });
};

/**
 * The way of a request as stacks/groups.ts opens it, in the words that functions/remediation/path.ts goes
 * by. A proxy wears the application's group: the way to it is one more step, and not the one that a fence
 * closes.
 */
const pathOf = (stage: Stage, site: Site) => {
  const { applicationSecurityGroup, functionSecurityGroup, databasePort } = site;
  const application = { from: "the application", fromGroup: applicationSecurityGroup };
  const functions = { from: "functions", fromGroup: functionSecurityGroup };
  const database = {
    to: "the database",
    toGroup: site.databaseSecurityGroup,
    port: databasePort,
  };
  const cache = { to: "the cache", toGroup: site.cacheSecurityGroup, port: cachePort };
  const proxy = { ...database, toGroup: applicationSecurityGroup };
  return [
    {
      ...{ from: "the load balancer", fromGroup: site.balancerSecurityGroup },
      ...{ to: "the application", toGroup: applicationSecurityGroup },
      port: stage.config.application.port,
    },
    ...(hasProxy(stage, site.region)
      ? [{ ...application, from: "the application, by its proxy,", ...proxy }]
      : []),
    { ...application, ...database },
    { ...functions, ...database },
    { ...application, ...cache },
    { ...functions, ...cache },
  ];
};
