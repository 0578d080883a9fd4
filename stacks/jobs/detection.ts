import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Watch } from "../observers.ts";
import { call, coordinate, journal, measure, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** Judges whether the other region is lost, and proposes to take over to the failover beside it. */
export const detection = (
  stage: Stage,
  platform: Platform,
  site: Site,
  { watch: { watched, composite, observers }, failover }: { watch: Watch; failover: Job },
): Job =>
  job(stage, site.region, {
    name: "detection",
    // Every source silent, each for as long as it is waited for, one after the other.
    timeoutSeconds: 120,
    // Each minute's own look comes upon whatever an event would have told.
    events: { retries: 2, maximumAgeSeconds: 300 },
    links: {
      ...tableLinks(platform),
      FailoverFunction: functionLink(failover),
      SlackSecret: { arn: site.secrets.slack.arn },
      RegionAlarms: {
        regions: { [watched]: { composite, observers } },
        ownGroup: site.group,
      },
    },
    may: [
      coordinate(platform),
      journal(platform, "ReadHowARunEnded", [site.region.name], ["dynamodb:Query"]),
      call("ProposeARun", failover),
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
      measure("CountPages", stage),
      // Composite alarms are told of only to whom all alarms are: "DescribeAlarms" of CloudWatch.
      { sid: "LookAtAlarms", actions: ["cloudwatch:DescribeAlarms"], resources: ["*"] },
      {
        sid: "SeeDeploysAsRivalExplanations",
        actions: ["autoscaling:DescribeInstanceRefreshes"],
        resources: ["*"],
      },
    ],
  });
