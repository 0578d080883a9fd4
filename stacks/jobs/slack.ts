import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Directed } from "../permissions.ts";
import { coordinate, directRuns, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** The front door: one in each region of the pair, which starts and wakes runs in either. */
export const slack = (stage: Stage, platform: Platform, site: Site, directed: Directed): Job => {
  const [failover] = directed.failovers;
  const [verification] = directed.restoreTests;
  const [rotation] = directed.rotations;
  if (!failover || !verification || !rotation) throw new Error("a front door leads to nothing");
  return job(stage, site.region, {
    name: "slack",
    timeoutSeconds: 30,
    url: true,
    // Anybody can send requests to a URL: most are refused, and all of them are run and paid for.
    reservedConcurrency: stage.doorConcurrency,
    links: {
      ...tableLinks(platform),
      FailoverFunction: functionLink(failover),
      VerificationFunction: functionLink(verification),
      RotationFunction: functionLink(rotation),
      SlackSecret: { arn: site.secrets.slack.arn },
    },
    may: [
      coordinate(platform),
      ...directRuns(platform, directed),
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
    ],
  });
};
