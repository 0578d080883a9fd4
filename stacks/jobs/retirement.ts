import { longestOverlapSeconds } from "../../shared/config-rotation.ts";
import type { Job } from "../job.ts";
import { job, jobName } from "../job.ts";
import { tableLinks } from "../links.ts";
import type { Statement } from "../permissions.ts";
import { accountOf, call, journal, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** Past the deadline people are told, and the last look and the last refresh have to come to an end. */
const afterDeadlineHours = 2;

/** Ends the overlap of a rotation: when every instance of both regions has read the new value. */
export const retirement = (stage: Stage, platform: Platform, site: Site, databases: Job[]): Job => {
  const longestHours = Math.ceil(longestOverlapSeconds(stage.config.rotation) / 3600);
  const [database] = databases;
  if (!database) throw new Error("an overlap ends by what databases say, and there is none");
  return job(stage, site.region, {
    name: "retirement",
    timeoutSeconds: 300,
    durable: { executionTimeoutHours: longestHours + afterDeadlineHours },
    // Rotation tells it again whenever Secrets Manager repeats its last step.
    events: { retries: 2, maximumAgeSeconds: 3600 },
    links: {
      ...tableLinks(platform),
      SlackSecret: { arn: site.secrets.slack.arn },
      Retired: {
        rotation: jobName(stage, "rotation"),
        database: database.invokedAs,
        autoScalingGroup: site.group,
      },
    },
    may: [
      holdRepairs(platform),
      journal(
        platform,
        "KeepTheJournal",
        [site.region.name],
        ["dynamodb:PutItem", "dynamodb:Query"],
      ),
      rotationIn(stage, platform),
      call("CountTheSessionsOfTheOldLogin", ...databases),
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
      {
        sid: "ReplaceInstancesThatReadTheOldValue",
        actions: ["autoscaling:StartInstanceRefresh"],
        resources: [platform.home.groupArn, platform.standby.groupArn],
      },
      {
        sid: "SeeHowFarThatIs",
        actions: ["autoscaling:DescribeInstanceRefreshes"],
        resources: ["*"],
      },
    ],
  });
};

/** It writes what holds repairs back, and reads nothing. */
const holdRepairs = ({ coordination: { arns } }: Platform): Statement => ({
  sid: "AgreeWithTheOtherRegions",
  actions: ["dynamodb:UpdateItem"],
  resources: Object.values(arns),
});

/** By a name that is put together: rotation names this function in turn, and cannot come first as well. */
const rotationIn = (stage: Stage, { home, standby }: Platform): Statement => ({
  sid: "ProveAndRetireInBothRegions",
  actions: ["lambda:InvokeFunction"],
  resources: [home, standby].map(
    ({ region }) =>
      $interpolate`arn:aws:lambda:${region.name}:${accountOf(region)}:function:${jobName(stage, "rotation")}`,
  ),
});
