import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { coordinationLink, functionLink } from "../links.ts";
import { call, coordinate, readSecrets, seeMuted } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** Looks at the alarms of its region, and starts at most one attempt to repair at a time. */
export const triage = (stage: Stage, platform: Platform, site: Site, remediation: Job): Job =>
  job(stage, site.region, {
    name: "triage",
    // An event waits for its turn to look, and every source may be silent for as long as it is waited for.
    timeoutSeconds: 120,
    // An event only says that somebody should look, and each minute somebody does.
    events: { retries: 2, maximumAgeSeconds: 900 },
    // A storm of alarms must not take the concurrency that guard and failover live on. What is over it
    // waits in Lambda's queue, and is nearly always covered by a look that has been by then.
    reservedConcurrency: stage.triageConcurrency,
    links: {
      ...coordinationLink(platform),
      Alarms: { prefix: stage.prefix },
      RemediationFunction: functionLink(remediation),
      SlackSecret: { arn: site.secrets.slack.arn },
    },
    may: [
      coordinate(platform),
      call("BeginRepairs", remediation),
      {
        sid: "SeeWhetherARepairHasDied",
        actions: ["lambda:ListDurableExecutionsByFunction"],
        resources: [remediation.unqualified],
      },
      ...readSecrets("KnowSlack", site, [site.secrets.slack]),
      // Composite alarms are told of only to whom all alarms are: "DescribeAlarms" of CloudWatch.
      { sid: "LookAtAlarms", actions: ["cloudwatch:DescribeAlarms"], resources: ["*"] },
      seeMuted(site.region),
    ],
  });
