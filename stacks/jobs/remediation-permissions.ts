import { cacheParameters } from "../cache.ts";
import type { Commands } from "../commands.ts";
import type { Job } from "../job.ts";
import type { Statement } from "../permissions.ts";
import { accountOf, call, coordinate, journal, readSecrets, seeMuted } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import { zoneArn } from "./failover-permissions.ts";

/** What repairs take. All of it is in the region of the alarm. */
export const repair = (
  stage: Stage,
  platform: Platform,
  site: Site,
  database: Job,
): Statement[] => [
  coordinate(platform),
  journal(
    platform,
    "KeepTheJournalAndSeeMoves",
    [site.region.name],
    ["dynamodb:PutItem", "dynamodb:Query"],
  ),
  call("AskTheDatabase", database),
  ...readSecrets("KnowSlack", site, [site.secrets.slack]),
  ...looks(site),
  ...looksAtTheEdge(platform, site),
  ...deeds(site),
  restoreValidation(stage, platform),
  seeMuted(site.region),
];

/** Evidence and proof. Nothing of it changes anything. */
const looks = (site: Site): Statement[] => [
  {
    sid: "LookAtAlarmsInstancesAndMetrics",
    actions: [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeInstanceRefreshes",
      "autoscaling:DescribeScalingActivities",
      "cloudwatch:DescribeAlarmHistory",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "ec2:DescribeSecurityGroups",
      "elasticloadbalancing:DescribeTargetHealth",
      "rds:DescribeEvents",
    ],
    resources: ["*"],
  },
  {
    sid: "LookAtTheDatabase",
    actions: ["rds:DescribeDBInstances"],
    resources: [site.databaseArn],
  },
  {
    sid: "SeeWhenTheLoginChanged",
    actions: ["secretsmanager:DescribeSecret"],
    resources: [site.secrets.database.arn],
  },
];

/** The cache, the certificate, and the records that prove its names. */
const looksAtTheEdge = (platform: Platform, site: Site): Statement[] => {
  const { region } = site;
  const account = accountOf(region);
  const cache = (rest: string) =>
    $interpolate`arn:aws:elasticache:${region.name}:${account}:${rest}`;
  return [
    {
      sid: "LookAtTheCache",
      actions: ["elasticache:DescribeReplicationGroups"],
      resources: [cache(`replicationgroup:${site.cacheId}`)],
    },
    {
      sid: "LookAtItsNodes",
      actions: ["elasticache:DescribeCacheClusters"],
      resources: site.cacheNodes.map((node) => cache(`cluster:${node}`)),
    },
    {
      sid: "LookAtItsParameters",
      actions: ["elasticache:DescribeCacheParameters"],
      resources: [cache(`parametergroup:${cacheParameters}`)],
    },
    {
      sid: "LookAtTheCertificate",
      actions: ["acm:DescribeCertificate"],
      resources: [site.certificateArn],
    },
    {
      sid: "LookForTheRecordsThatProveIt",
      actions: ["route53:ListResourceRecordSets"],
      resources: [zoneArn(platform)],
    },
  ];
};

/**
 * Two documents with fixed commands, to instances of the application's group and to no others. Of answers
 * IAM knows no resource. Source: "Actions, resources, and condition keys for AWS Systems Manager".
 */
export const tellInstances = (
  { region, group }: Site,
  { inspect, restart }: Commands,
): Statement[] => [
  {
    sid: "InspectAndRestartTheContainer",
    actions: ["ssm:SendCommand"],
    resources: [inspect.arn, restart.arn],
  },
  {
    sid: "OfInstancesOfTheApplication",
    actions: ["ssm:SendCommand"],
    resources: [$interpolate`arn:aws:ec2:${region.name}:${accountOf(region)}:instance/*`],
    // The tag that the group gives them (stacks/application.ts). A key of IAM's own, `aws:ResourceTag`, is
    // not what Run Command is checked by. Source: "Setting up Run Command" of Systems Manager.
    conditions: { StringEquals: { "ssm:resourceTag/Name": group } },
  },
  { sid: "ReadWhatTheySay", actions: ["ssm:GetCommandInvocation"], resources: ["*"] },
];

/** Records by which ACM knows that a name is ours begin with an underscore, and are of no other type. */
const restoreValidation = ({ config }: Stage, platform: Platform): Statement => ({
  sid: "RestoreTheRecordsThatProveTheCertificate",
  actions: ["route53:ChangeResourceRecordSets"],
  resources: [zoneArn(platform)],
  conditions: {
    "ForAllValues:StringLike": {
      "route53:ChangeResourceRecordSetsNormalizedRecordNames": [`_*.${config.domain.name}`],
    },
    "ForAllValues:StringEquals": {
      "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
      "route53:ChangeResourceRecordSetsActions": ["CREATE", "UPSERT", "DELETE"],
    },
  },
});

/** The menu of functions/remediation/actions.ts: nothing else is ever changed by a playbook. */
const deeds = (site: Site): Statement[] => [
  {
    sid: "ExchangeAndAddInstances",
    actions: ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
    resources: [site.groupArn],
  },
  {
    sid: "RollADeployBack",
    actions: ["autoscaling:RollbackInstanceRefresh"],
    resources: [site.groupArn],
  },
  {
    // IAM knows no key for what of an instance is modified: that it is the storage and nothing else, the
    // menu's code keeps. Groups of parameters and roles are not granted with it.
    sid: "GrowTheDatabasesStorage",
    actions: ["rds:ModifyDBInstance"],
    resources: [site.databaseArn],
  },
  {
    sid: "LetTheDatabasesOtherHalfTakeOver",
    actions: ["rds:RebootDBInstance"],
    resources: [site.databaseArn],
  },
];
