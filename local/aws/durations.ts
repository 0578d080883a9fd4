import type { Random } from "../../shared/random.ts";

/**
 * How long AWS takes, in seconds, either as AWS documents it or, where it publishes nothing, as a
 * range that the seed draws from. Any figure that rests on an assumption must be called modelled
 * wherever it is quoted.
 */
export type ModelledDuration =
  | { assumption: false; from: number; to: number; source: string }
  | { assumption: true; from: number; to: number; why: string };

const documented = (from: number, to: number, source: string): ModelledDuration => ({
  assumption: false,
  from,
  to,
  source,
});

const assumed = (from: number, to: number, why: string): ModelledDuration => ({
  assumption: true,
  from,
  to,
  why,
});

const table = {
  "rds.create": assumed(300, 600, "AWS publishes no time; several minutes are usual"),
  "rds.restore": assumed(300, 900, "AWS publishes no time; the volume is loaded lazily"),
  "rds.replica": assumed(600, 1800, "a snapshot, a copy to the other region and a restore"),
  "rds.backup": assumed(60, 300, "AWS publishes no time; incremental backups take minutes"),
  "rds.backup-copy": assumed(600, 1800, "a snapshot and a copy of it, as in rds.replica"),
  "rds.snapshot": assumed(60, 300, "as rds.backup"),
  "rds.modify": assumed(15, 60, "changes that need no restart are asynchronous, of unknown time"),
  "rds.convert": assumed(180, 600, "class, Multi-AZ or engine changes rebuild or restart a host"),
  "rds.rename": documented(
    600,
    600,
    "`The new DNS name for the renamed DB instance becomes effective in about 10 minutes` and the " +
      "instance `is not available until` then: https://docs.aws.amazon.com/AmazonRDS/latest/" +
      "UserGuide/USER_RenameInstance.html",
  ),
  "rds.failover": documented(
    60,
    120,
    "`Failover times are typically 60-120 seconds`: https://docs.aws.amazon.com/AmazonRDS/latest/" +
      "UserGuide/Concepts.MultiAZSingleStandby.html",
  ),
  "rds.failover-start": assumed(10, 20, "from the request to a primary that answers nobody"),
  "rds.storage": assumed(60, 300, "from ModifyDBInstance to a larger volume"),
  "rds.storage-optimization": assumed(
    3600,
    6 * 3600,
    "`Storage optimization can take several hours` (USER_PIOPS.ModifyingExisting)",
  ),
  "rds.reboot": assumed(20, 60, "AWS promises nothing; depends on crash recovery"),
  "rds.delete": assumed(120, 400, "AWS publishes no time; does not count in a failover"),
  "rds.start": assumed(60, 180, "an instance whose region returns runs crash recovery first"),
  "rds.promote": assumed(
    60,
    180,
    "AWS says only `several minutes or longer depending on the size of the read replica` " +
      "(USER_ReadRepl.Promote) and publishes no figure; rds.promote-reboot comes on top",
  ),
  "rds.promote-reboot": assumed(
    30,
    60,
    "RDS reboots a promoted replica before it is available; no figure is published",
  ),
  "rds.replica-error": assumed(30, 90, "when a broken link shows in StatusInfos is not documented"),
  "elasticache.token": assumed(60, 300, "a change of the token takes minutes; AWS publishes none"),
  "acm.validation": assumed(
    600,
    3600,
    "`it can take several hours`; how often ACM looks is not told",
  ),
  "autoscaling.launch": assumed(20, 60, "from RunInstances to a running instance"),
  "autoscaling.terminate": assumed(10, 40, "from terminating to terminated"),
  "autoscaling.react": assumed(1, 10, "from a changed desired capacity to the launch"),
  "autoscaling.standby": assumed(1, 10, "from InService to Standby, and back"),
  "application.boot": assumed(20, 45, "image pull and start of the container on a warm AMI"),
  "elbv2.register": assumed(1, 5, "from RegisterTargets to the first health check"),
  "elbv2.rule": assumed(1, 5, "from ModifyRule to every node of the load balancer"),
  "route53.propagation": documented(
    10,
    60,
    "`Changes generally propagate to all Route 53 name servers within 60 seconds`: " +
      "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-editing.html",
  ),
  "dynamodb.replication": documented(
    0.2,
    1,
    "eventual consistency, `typically replicated within a second`: https://docs.aws.amazon.com/" +
      "amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html",
  ),
  "dynamodb.strong-write": assumed(0.05, 0.2, "one round trip to a second region"),
  "secretsmanager.replication": assumed(1, 10, "AWS publishes no time for replica secrets"),
  "secretsmanager.rotation-retry": assumed(30, 300, "AWS says only that it retries multiple times"),
  "cloudwatch.ingestion": assumed(1, 10, "from PutMetricData to a readable data point"),
  "cloudwatch.evaluation": assumed(1, 20, "from the end of a period to its evaluation"),
  "eventbridge.delivery": assumed(0.3, 1.5, "about half a second is usual, none is promised"),
  "scheduler.delay": assumed(0.1, 5, "a schedule fires within its minute, not on its second"),
  "lambda.cold-start": documented(
    0.1,
    1.2,
    "`varies from under 100 ms to over 1 second`: https://docs.aws.amazon.com/lambda/latest/" +
      "operatorguide/execution-environments.html",
  ),
  "lambda.asynchronous-queue": assumed(0.05, 0.5, "from an Event invocation to its start"),
  "lambda.first-retry": documented(
    60,
    60,
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",
  ),
  "lambda.second-retry": documented(
    120,
    120,
    "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html",
  ),
  "ssm.visible": assumed(0.2, 2, "until GetCommandInvocation knows of a command"),
  "ssm.delivery": assumed(1, 5, "until the agent on a machine has fetched a command"),
  "slack.post": assumed(0.2, 1, "one HTTPS request to Slack"),
} satisfies Record<string, ModelledDuration>;

export type DurationName = keyof typeof table;

export const durations: Readonly<Record<DurationName, ModelledDuration>> = table;

/** Chance that gives each name the same share every time: how long each thing takes in one world. */
export interface Shares {
  shareOf(name: DurationName): number;
}

/**
 * Milliseconds of modelled time, drawn evenly from the range of the entry. Two ways of doing one thing
 * can be compared where `random` gives shares: AWS then takes as long for both, in whatever order.
 */
export const duration = (random: Random & Partial<Shares>, name: DurationName): number => {
  const { from, to } = durations[name];
  if (from === to) return from * 1000;
  const share = random.shareOf ? random.shareOf(name) : random.fraction();
  return Math.round((from + share * (to - from)) * 1000);
};
