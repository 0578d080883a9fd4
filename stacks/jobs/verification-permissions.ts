import type { Output } from "@pulumi/pulumi";
import type { Statement } from "../permissions.ts";
import { accountOf, coordinate, journal, measure, readSecrets } from "../permissions.ts";
import type { Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** ARN of what RDS keeps in a site's region: `db:…`, `pg:…`. */
export const rdsOf =
  ({ region }: Site) =>
  (resource: string): Output<string> =>
    $interpolate`arn:aws:rds:${region.name}:${accountOf(region)}:${resource}`;

/** By region: the lease says whose backups they are. */
export const databaseIds = ({ home, standby }: Platform): Record<string, string> =>
  Object.fromEntries([home, standby].map(({ region, databaseId }) => [region.name, databaseId]));

/** Copies by the form of their names, which no database of production has: shared/copy.ts. */
export const copies = ({ prefix }: Stage, site: Site): Output<string> =>
  rdsOf(site)(`db:${prefix}-verify-*`);

/** What a restore test takes. Production is looked at, and nothing of it is changed. */
export const restoreTest = (stage: Stage, platform: Platform, site: Site): Statement[] => [
  coordinate(platform),
  journal(platform, "KeepTheJournal", [site.region.name], ["dynamodb:PutItem", "dynamodb:Query"]),
  measure("TellWhatARestoreTakes", stage),
  ...readSecrets("OpenWhatIsEncryptedAndKnowSlack", site, [
    site.secrets["encryption-keys"],
    site.secrets.slack,
  ]),
  ...looks(platform),
  ...restore(stage, site),
  ...evidence(site),
];

const looks = (platform: Platform): Statement[] => {
  const both = [platform.home, platform.standby];
  return [
    {
      // Of the database wherever it is active; a copy's backups are named by ids that RDS makes up.
      sid: "SeeBackupsInBothRegions",
      actions: ["rds:DescribeDBInstanceAutomatedBackups"],
      resources: both.flatMap((site) => [rdsOf(site)("auto-backup:*"), rdsOf(site)("db:*")]),
    },
    {
      // People and AWS Backup name snapshots as they like.
      sid: "SeeSnapshotsInBothRegions",
      actions: ["rds:DescribeDBSnapshots"],
      resources: both.flatMap((site) => [site.databaseArn, rdsOf(site)("snapshot:*")]),
    },
    ...compareDatabases(platform),
    {
      // Data without the image that reads it is no platform.
      sid: "SeeTheImageInBothRegions",
      actions: ["ecr:DescribeImages"],
      resources: both.map(({ repository }) => repository.arn),
    },
    {
      sid: "SeeWhetherTheKeysAreThere",
      actions: ["kms:DescribeKey"],
      resources: both.map(({ keys }) => keys.data),
    },
  ];
};

/** The settings of both regions' databases, side by side: functions/verification/drift-aws.ts. */
export const compareDatabases = ({ home, standby }: Platform): Statement[] => [
  {
    sid: "CompareTheDatabasesOfBothRegions",
    actions: ["rds:DescribeDBInstances"],
    resources: [home, standby].map(({ databaseArn }) => databaseArn),
  },
  {
    // Whichever group each of them has: another one than the other's is what is looked for.
    sid: "CompareTheirParameters",
    actions: ["rds:DescribeDBParameters"],
    resources: [home, standby].map((site) => rdsOf(site)("pg:*")),
  },
  { sid: "CompareWhoIsLetIn", actions: ["ec2:DescribeSecurityGroups"], resources: ["*"] },
];

/**
 * What IAM asks for besides the copy: its groups, which have to be named, and the backup. Source: "Actions,
 * resources, and condition keys for Amazon RDS", RestoreDBInstanceToPointInTime and …FromDBSnapshot: `db`,
 * `og`, `pg` and `subgrp` are required; `auto-backup` and `snapshot` are not marked so, and named all the
 * same, since they are the source.
 */
const restore = (stage: Stage, site: Site): Statement[] => {
  const rds = rdsOf(site);
  const into = [
    copies(stage, site),
    site.quarantine.subnetGroup.arn,
    site.databaseParameterGroup.arn,
    // PostgreSQL has no option group of its own to be given.
    rds("og:default:postgres-*"),
  ];
  return [
    {
      sid: "RestoreACopy",
      actions: ["rds:RestoreDBInstanceToPointInTime"],
      resources: [...into, rds("auto-backup:*")],
    },
    {
      sid: "RestoreACopyFromASnapshot",
      actions: ["rds:RestoreDBInstanceFromDBSnapshot"],
      resources: [...into, rds("snapshot:*")],
    },
    {
      sid: "IsolateItAndTakeItAway",
      actions: [
        "rds:AddTagsToResource",
        "rds:DeleteDBInstance",
        "rds:DescribeDBInstances",
        "rds:ModifyDBInstance",
        "rds:RemoveTagsFromResource",
      ],
      resources: [copies(stage, site)],
    },
    {
      // Source: "Authorizing use of a customer managed key" in the RDS user guide.
      sid: "LetRdsEncryptIt",
      actions: ["kms:CreateGrant"],
      resources: [site.keys.data],
      conditions: { StringEquals: { "kms:ViaService": `rds.${site.region.name}.amazonaws.com` } },
    },
  ];
};

/** Records are written once and never again: the bucket's lock keeps each version of an object. */
const evidence = ({ evidenceBucket: { arn }, evidenceKey }: Site): Statement[] => [
  {
    sid: "KeepEvidenceAndItsPage",
    actions: ["s3:PutObject"],
    resources: [$interpolate`${arn}/records/*`, $interpolate`${arn}/reports/*`],
  },
  {
    sid: "ReadEarlierEvidence",
    actions: ["s3:GetObject"],
    resources: [$interpolate`${arn}/records/*`],
  },
  {
    sid: "FindEarlierEvidence",
    actions: ["s3:ListBucket"],
    resources: [arn],
    conditions: { StringEquals: { "s3:prefix": "records/" } },
  },
  {
    sid: "SignEvidence",
    actions: ["kms:Sign"],
    resources: [evidenceKey],
    conditions: { StringEquals: { "kms:SigningAlgorithm": "ECDSA_SHA_256" } },
  },
];
