import type { Job } from "../job.ts";
import { job } from "../job.ts";
import { functionLink, tableLinks } from "../links.ts";
import type { Statement } from "../permissions.ts";
import { accountOf, call, coordinate, journal, measure } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { zoneArn } from "./failover-permissions.ts";

/** Looks every five minutes whether this region could take over now, and changes nothing. */
export const readiness = (stage: Stage, platform: Platform, site: Site, database: Job): Job => {
  const { home, standby, zoneId } = platform;
  return job(stage, site.region, {
    name: "readiness",
    timeoutSeconds: 60,
    events: { retries: 0, maximumAgeSeconds: 240 },
    links: {
      ...tableLinks(platform),
      DatabaseFunction: functionLink(database),
      Readiness: {
        databaseId: site.databaseId,
        autoScalingGroup: site.group,
        loadBalancer: site.balancerArn,
        roleRule: site.roleRuleArn,
        loadBalancers: Object.fromEntries(
          [home, standby].map(({ region, regionalName }) => [region.name, regionalName]),
        ),
        secrets: secretsOf(site).map(({ name }) => name),
        zoneId,
      },
    },
    may: looks(stage, platform, site, database),
  });
};

/** Everything is looked at, and nothing but Nightshift's own table and metrics is written. */
const looks = (stage: Stage, platform: Platform, site: Site, database: Job): Statement[] => [
  coordinate(platform),
  journal(platform, "TryTheJournal", [site.region.name], ["dynamodb:PutItem"]),
  call("AskWhereTheReplicaIs", database),
  measure("TellTheScore", stage),
  {
    sid: "LookAtTheDatabase",
    actions: ["rds:DescribeDBInstances", "rds:DescribePendingMaintenanceActions"],
    resources: [site.databaseArn],
  },
  {
    sid: "LookForTheParameterGroup",
    actions: ["rds:DescribeDBParameterGroups"],
    // Whichever the active database has: it has to be found missing here, not forbidden.
    resources: [$interpolate`arn:aws:rds:${site.region.name}:${accountOf(site.region)}:pg:*`],
  },
  {
    // Of whichever database is active: its copy here is named by an id that RDS makes up.
    sid: "LookForTheBackups",
    actions: ["rds:DescribeDBInstanceAutomatedBackups"],
    resources: ["db", "auto-backup"].map(
      (kind) => $interpolate`arn:aws:rds:${site.region.name}:${accountOf(site.region)}:${kind}:*`,
    ),
  },
  {
    sid: "LookAtInstancesAndMetrics",
    actions: [
      "autoscaling:DescribeAutoScalingGroups",
      "cloudwatch:GetMetricStatistics",
      "ec2:DescribeImages",
      "ec2:DescribeLaunchTemplateVersions",
      "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeRules",
    ],
    resources: ["*"],
  },
  {
    sid: "LookForTheImage",
    actions: ["ecr:DescribeImages"],
    resources: [site.repository.arn],
  },
  {
    sid: "LookAtTheCertificate",
    actions: ["acm:DescribeCertificate"],
    resources: [site.certificateArn],
  },
  {
    sid: "CompareVersionsOfSecrets",
    actions: ["secretsmanager:DescribeSecret"],
    resources: secretsOf(site).map(({ arn }) => arn),
  },
  {
    sid: "LookAtTheRecords",
    actions: ["route53:ListResourceRecordSets"],
    resources: [zoneArn(platform)],
  },
  {
    sid: "LookAtTheHealthChecks",
    actions: ["route53:GetHealthCheck"],
    resources: Object.values(platform.healthChecks).map(
      (id) => $interpolate`arn:aws:route53:::healthcheck/${id}`,
    ),
  },
];

const secretsOf = ({ secrets }: Site) => Object.values(secrets);
