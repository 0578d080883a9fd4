import type { Output } from "@pulumi/pulumi";
import type { Statement } from "../permissions.ts";
import {
  accountOf,
  call,
  coordinate,
  journal,
  readSecrets,
  throughSecretsManager,
} from "../permissions.ts";
import type { Named, Platform, Site } from "../platform.ts";
import type { Stage } from "../stage.ts";
import type { Helpers } from "./failover.ts";
import { rotatedNames } from "./rotation.ts";

export const zoneArn = ({ zoneId }: Platform): Output<string> =>
  $interpolate`arn:aws:route53:::hostedzone/${zoneId}`;

/** What a move to this region takes. All of it is in this region, or in none. */
export const moveHere = (
  { config }: Stage,
  platform: Platform,
  here: Site,
  { database, guards }: Helpers,
): Statement[] => {
  const { region, secrets } = here;
  const moved = [secrets.database, secrets.nightshift];
  return [
    coordinate(platform),
    journal(platform, "KeepTheJournal", [region.name], ["dynamodb:PutItem", "dynamodb:Query"]),
    call("AskTheDatabase", database),
    call("AskGuardsToObey", ...guards),
    ...readSecrets("ReadSecretsAndSlack", here, [...moved, secrets.slack]),
    {
      sid: "LetSecretsStandAlone",
      actions: ["secretsmanager:DescribeSecret", "secretsmanager:StopReplicationToReplica"],
      resources: moved.map(({ arn }) => arn),
    },
    {
      // Of the two it alone names the database's host.
      sid: "PointSecretsHere",
      actions: ["secretsmanager:PutSecretValue"],
      resources: [secrets.database.arn],
    },
    throughSecretsManager("PointSecretsHereEncrypted", here, ["kms:GenerateDataKey"]),
    ...promote(here),
    {
      sid: "SeeTheGroups",
      actions: ["autoscaling:DescribeAutoScalingGroups"],
      resources: ["*"],
    },
    {
      sid: "WarmTheGroup",
      actions: ["autoscaling:SetDesiredCapacity", "autoscaling:UpdateAutoScalingGroup"],
      resources: [here.groupArn],
    },
    ...traffic(platform, config.domain.name),
  ];
};

/** Promotes the replica, and gives it the settings that the primary had. */
const promote = (here: Site): Statement[] => [
  {
    sid: "PromoteTheReplica",
    actions: ["rds:DescribeDBInstances", "rds:ModifyDBInstance", "rds:PromoteReadReplica"],
    resources: [here.databaseArn],
  },
  {
    sid: "GiveItTheParameterGroup",
    actions: ["rds:ModifyDBInstance"],
    resources: [here.databaseParameterGroup.arn],
  },
  {
    sid: "GiveItTheMonitoringRole",
    actions: ["iam:PassRole"],
    // No page of AWS says which service RDS passes it to, and a wrong guess would stop a failover. It is
    // one role by its name, which trusts nobody but RDS's monitoring.
    resources: [here.monitoringRoleArn],
  },
];

/** The second way to send users here, by changing the two records and nothing else of the zone. */
const traffic = (platform: Platform, name: string): Statement[] => {
  const { moved, ...below } = platform.healthChecks;
  const arn = (id: Output<string>) => $interpolate`arn:aws:route53:::healthcheck/${id}`;
  return [
    {
      sid: "SeeTheRecords",
      actions: ["route53:ListResourceRecordSets"],
      resources: [zoneArn(platform)],
    },
    {
      sid: "ChangeThePublicRecords",
      actions: ["route53:ChangeResourceRecordSets"],
      resources: [zoneArn(platform)],
      conditions: {
        "ForAllValues:StringEquals": {
          "route53:ChangeResourceRecordSetsNormalizedRecordNames": [name],
          "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
          "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
        },
      },
    },
    {
      sid: "SeeTheHealthChecks",
      actions: ["route53:GetHealthCheck"],
      resources: [moved, ...Object.values(below)].map(arn),
    },
    // Of a calculated check there is no such status to be asked for.
    {
      sid: "SeeWhatCheckersSee",
      actions: ["route53:GetHealthCheckStatus"],
      resources: Object.values(below).map(arn),
    },
  ];
};

/** What the way home takes once the other region is back: the only rights that reach into it. */
export const rebuildThere = (here: Site, there: Site, { databaseThere }: Helpers): Statement[] => {
  const { region, databaseId } = there;
  const rds = rdsIn(there);
  // Renamed, it keeps its data under this name (functions/failover/rebuild-parts.ts).
  const both = [there.databaseArn, rds(`db:${databaseId}-quarantine-*`)];
  return [
    call("AskTheDatabaseThere", databaseThere),
    {
      sid: "PutTheOldPrimaryAside",
      actions: ["rds:DescribeDBInstances", "rds:ModifyDBInstance", "rds:AddTagsToResource"],
      resources: both,
    },
    {
      sid: "MakeAReplicaThere",
      actions: ["rds:CreateDBInstanceReadReplica"],
      resources: [
        // The source is asked for it as well, by a second signature for its own region.
        here.databaseArn,
        there.databaseArn,
        there.databaseSubnetGroup.arn,
        // The replica begins with the engine's own groups: RDS takes no others across regions.
        rds("og:default:postgres-*"),
        rds("pg:default.postgres*"),
      ],
    },
    {
      // Source: "Authorizing use of a customer managed key" in the RDS user guide.
      sid: "EncryptTheReplicaAndBackupsThere",
      actions: ["kms:CreateGrant", "kms:DescribeKey"],
      resources: [there.keys.data],
      conditions: { StringEquals: { "kms:ViaService": `rds.${region.name}.amazonaws.com` } },
    },
    ...finishTheReplica(here, there),
    {
      sid: "WarmTheGroupThere",
      actions: ["autoscaling:UpdateAutoScalingGroup"],
      resources: [there.groupArn],
    },
    ...secretsThere(here, there),
  ];
};

/** ARNs of what RDS keeps in a site's region. */
const rdsIn = ({ region }: Site) => {
  const account = accountOf(region);
  return (resource: string) => $interpolate`arn:aws:rds:${region.name}:${account}:${resource}`;
};

/** What the replica lacks that RDS gives no replica from another region, and copies of the backups. */
const finishTheReplica = (here: Site, there: Site): Statement[] => {
  const rds = rdsIn(there);
  return [
    {
      // After it was made, and in force after a restart of the replica only.
      sid: "GiveTheReplicaItsParameters",
      actions: ["rds:ModifyDBInstance"],
      resources: [there.databaseParameterGroup.arn],
    },
    {
      sid: "RestartTheReplica",
      actions: ["rds:RebootDBInstance"],
      resources: [there.databaseArn],
    },
    {
      // Of this region's database, whose copies there are named by ids that RDS makes up.
      sid: "SeeTheBackupsThere",
      actions: ["rds:DescribeDBInstanceAutomatedBackups"],
      resources: [rds("auto-backup:*"), rds("db:*")],
    },
    {
      sid: "CopyTheBackupsThere",
      actions: ["rds:StartDBInstanceAutomatedBackupsReplication"],
      resources: [here.databaseArn, rds("auto-backup:*")],
    },
  ];
};

/** What is rotated besides the login that a move changes itself: a rebuild has these follow again, too. */
export const alsoRotated = ({ secrets }: Site): Named[] =>
  rotatedNames.filter((name) => name !== "database").map((name) => secrets[name]);

const secretsThere = (here: Site, there: Site): Statement[] => {
  const all = (site: Site): Named[] => [
    site.secrets.database,
    site.secrets.nightshift,
    ...alsoRotated(site),
  ];
  return [
    {
      // A replica of the region that was lost, where no rotation has come by since.
      sid: "LetTheOtherSecretsStandAlone",
      actions: ["secretsmanager:DescribeSecret", "secretsmanager:StopReplicationToReplica"],
      resources: alsoRotated(here).map(({ arn }) => arn),
    },
    {
      sid: "ReplicateSecretsThere",
      actions: ["secretsmanager:ReplicateSecretToRegions"],
      resources: all(here).map(({ arn }) => arn),
    },
    {
      // Source: ReplicateSecretToRegions in the API reference, "Required permissions". In whose name the
      // key is asked for it does not say, so both regions' service may.
      sid: "EncryptSecretsThere",
      actions: ["kms:Encrypt", "kms:GenerateDataKey"],
      resources: [there.keys.secrets],
      conditions: {
        StringEquals: {
          "kms:ViaService": [here, there].map(
            (site) => `secretsmanager.${site.region.name}.amazonaws.com`,
          ),
        },
      },
    },
    {
      sid: "CompareSecretsThere",
      actions: ["secretsmanager:DescribeSecret"],
      resources: all(there).map(({ arn }) => arn),
    },
  ];
};
