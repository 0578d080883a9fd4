import type { Output } from "@pulumi/pulumi";
import type { KindName } from "../../functions/rotation/kinds.ts";
import { cachePort } from "../groups.ts";
import type { Job } from "../job.ts";
import { job, jobName } from "../job.ts";
import { tableLinks } from "../links.ts";
import type { Statement } from "../permissions.ts";
import {
  accountOf,
  call,
  coordinate,
  journal,
  readSecrets,
  throughSecretsManager,
} from "../permissions.ts";
import type { Platform, SecretName, Site } from "../platform.ts";
import { databaseNames } from "../secrets.ts";
import type { Stage } from "../stage.ts";
import { databaseIds, rdsOf } from "./verification-permissions.ts";

/** `scope`: what has at most two valid secrets at a time. Nightshift's own login changes by hand so far. */
export const rotatedSecrets = {
  database: { kind: "database-login", scope: "database" },
  owner: { kind: "database-master", scope: "database" },
  cache: { kind: "redis-auth", scope: "cache" },
  "signing-keys": { kind: "signing-ring", scope: "signing-keys" },
  "encryption-keys": { kind: "encryption-ring", scope: "encryption-keys" },
  // Slack makes it: a person brings the value, and nothing begins by the clock.
  slack: { kind: "slack-signing", scope: "slack" },
} as const satisfies Partial<Record<SecretName, { kind: KindName; scope: string }>>;

export const rotatedNames = Object.keys(rotatedSecrets) as (keyof typeof rotatedSecrets)[];

/** The function, and the permission by which Secrets Manager calls it. */
export interface Rotation {
  rotation: Job;
  mayCall: aws.lambda.Permission;
}

/**
 * The four steps of Secrets Manager, and the questions of whoever ends an overlap. Secrets Manager waits
 * for it and tries again by itself, so there are no dead letters. Source: "Invoking Lambda with events
 * from other AWS services", AWS Secrets Manager.
 */
export const rotation = (
  stage: Stage,
  platform: Platform,
  site: Site,
  { database, retirement }: { database: Job; retirement: Job },
): Rotation => {
  const made = job(stage, site.region, {
    name: "rotation",
    // A cache takes minutes to change its token; a function has no longer than this.
    timeoutSeconds: 900,
    links: {
      ...tableLinks(platform),
      Rotated: {
        secrets: rotatedNames.map((name) => ({
          name: site.secrets[name].name,
          ...rotatedSecrets[name],
        })),
        database: {
          host: site.databaseHost,
          port: site.databasePort,
          database: platform.database.name,
          tls: "verify-full",
          logins: [...databaseNames.logins],
          ownerSecret: site.secrets.owner.name,
        },
        cache: { group: site.cacheId, host: site.cacheHost, port: cachePort },
        sealed: { database: database.invokedAs, databases: databaseIds(platform) },
        retirement: retirement.invokedAs,
        self: ownArn(stage, site),
      },
    },
    may: [
      coordinate(platform),
      journal(
        platform,
        "KeepTheJournal",
        [site.region.name],
        ["dynamodb:PutItem", "dynamodb:Query"],
      ),
      call("EndTheOverlap", retirement),
      call("HaveRowsSealedAgain", database),
      ...whatRowsComeBackFrom(platform),
      ...ofSecrets(stage, site),
      ...ofTheCaches(platform),
      ...inTheOtherRegion(stage, site === platform.home ? platform.standby : platform.home),
    ],
    vpc: { subnets: site.functionSubnets, securityGroups: [site.functionSecurityGroup] },
  });
  const mayCall = new aws.lambda.Permission(
    `RotationIn${site === platform.home ? "Primary" : "Standby"}BySecretsManager`,
    {
      action: "lambda:InvokeFunction",
      function: made.target,
      principal: "secretsmanager.amazonaws.com",
      // Without it another account's secrets could ask as well: "Permissions for rotation" there.
      sourceAccount: accountOf(site.region),
    },
    { provider: site.region.provider },
  );
  return { rotation: made, mayCall };
};

/** Versions of the rotated secrets, each by its name. */
const ofSecrets = (stage: Stage, site: Site): Statement[] => [
  {
    sid: "ChangeTheVersionsOfSecrets",
    actions: [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
      "secretsmanager:RotateSecret",
    ],
    resources: rotatedNames
      .filter((name) => name !== "slack")
      .map((name) => site.secrets[name].arn),
  },
  {
    sid: "MoveSlacksLabelWhenAPersonHasBroughtTheValue",
    actions: [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
      "secretsmanager:RotateSecret",
    ],
    resources: [site.secrets.slack.arn],
  },
  {
    // After a failover: what a replica was made from may be lost, and a replica takes no rotation.
    sid: "LetReplicasStandAlone",
    actions: ["secretsmanager:StopReplicationToReplica"],
    resources: rotatedNames.map((name) => site.secrets[name].arn),
  },
  throughSecretsManager("EncryptAndDecryptThem", site, ["kms:Decrypt", "kms:GenerateDataKey"]),
  {
    // Whoever asks Secrets Manager for a rotation has to be allowed to call the function himself.
    // Source: RotateSecret in the API reference, "Required permissions".
    sid: "AskForARotation",
    actions: ["lambda:InvokeFunction"],
    resources: [ownArn(stage, site)],
  },
];

const ownArn = (stage: Stage, { region }: Site): Output<string> =>
  $interpolate`arn:aws:lambda:${region.name}:${accountOf(region)}:function:${jobName(stage, "rotation")}`;

/** Of both regions: the token is one secret and its replica, and the caches are two. */
const ofTheCaches = ({ home, standby }: Platform): Statement[] => [
  {
    sid: "SeeAndChangeTheCachesTokens",
    actions: ["elasticache:DescribeReplicationGroups", "elasticache:ModifyReplicationGroup"],
    resources: [home, standby].map(
      ({ region, cacheId }) =>
        $interpolate`arn:aws:elasticache:${region.name}:${accountOf(region)}:replicationgroup:${cacheId}`,
    ),
  },
];

/**
 * A key of the encryption ring goes when nothing that can be restored was made while it was in use: the
 * databases that were put aside, backups and snapshots, in both regions.
 */
const whatRowsComeBackFrom = ({ home, standby }: Platform): Statement[] => {
  const of = (...kinds: string[]) =>
    [home, standby].flatMap((site) => kinds.map((kind) => rdsOf(site)(`${kind}:*`)));
  return [
    {
      sid: "LookForDatabasesPutAside",
      actions: ["rds:DescribeDBInstances"],
      resources: of("db"),
    },
    {
      sid: "LookForBackups",
      actions: ["rds:DescribeDBInstanceAutomatedBackups"],
      resources: of("auto-backup", "db"),
    },
    {
      sid: "LookForSnapshots",
      actions: ["rds:DescribeDBSnapshots"],
      resources: of("db", "snapshot"),
    },
  ];
};

/** Its own other half, which is in that region's network, and what a replica of a secret was made from. */
const inTheOtherRegion = (stage: Stage, there: Site): Statement[] => [
  {
    sid: "TryTheOtherRegionsCache",
    actions: ["lambda:InvokeFunction"],
    resources: [ownArn(stage, there)],
  },
  ...readSecrets(
    "ReadVersionsWhereTheyWereMade",
    there,
    rotatedNames.filter((name) => name !== "slack").map((name) => there.secrets[name]),
  ),
];
