import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import { coordinate, directRuns, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** The front door: one in each region of the pair, which starts and wakes runs in either. */
export const slack = (
  stage: Stage,
  platform: Platform,
  site: Site,
  { failovers, repairs }: { failovers: Job[]; repairs: Job[] },
): Job => {
  const [failover] = failovers;
  if (!failover) throw new Error("the front door leads to no failover function");
  return job(stage, site.region, {
    name: "slack",
    timeoutSeconds: 30,
    url: true,
    // Anybody can send requests to a URL: most are refused, and all of them are run and paid for.
    reservedConcurrency: stage.doorConcurrency,
    links: {
      ...tableLinks(platform),
      FailoverFunction: functionLink(failover),
      SlackSecret: { arn: site.secrets.slack.arn },
    },
    may: [
      coordinate(platform),
      ...directRuns(platform, failovers, repairs),
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
    ],
  });
};
