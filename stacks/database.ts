import type { Output } from "@pulumi/pulumi";
import { assumedBy } from "./job.ts";
import { keepsake } from "./keepsake.ts";
import type { Network } from "./network.ts";
import type { Keys, Named } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import { named } from "./regions.ts";
import { databaseNames } from "./secrets.ts";
import type { Stage } from "./stage.ts";

/** A region's database, primary or replica. */
export interface Database {
  id: string;
  arn: Output<string>;
  host: Output<string>;
  parameterGroup: Named;
  subnetGroup: Named;
  logGroup: Output<string>;
  /** For what has to wait until it is there. */
  instance: aws.rds.Instance;
}

export interface Databases {
  home: Database;
  standby: Database;
  monitoringRoleArn: Output<string>;
}

interface Place {
  region: Region;
  network: Network;
  keys: Keys;
}

/**
 * The major version only: RDS takes its default minor one, and upgrades it in the maintenance window.
 * A major upgrade changes the parameter group's family with it.
 */
const version = "17";

/** What failover makes of the replica: a primary, with the settings that the other one had. */
const handedOver = [
  "identifier",
  "password",
  "replicateSourceDb",
  "backupRetentionPeriod",
  "copyTagsToSnapshot",
  "deletionProtection",
  "monitoringInterval",
  "monitoringRoleArn",
  "multiAz",
  "parameterGroupName",
];

/**
 * The home region's primary, its replica in the standby region, and copies of the backups there. A
 * master password of our own: RDS makes no replica of an instance whose password it manages itself.
 */
export const databases = (
  stage: Stage,
  regions: Regions,
  home: Omit<Place, "region">,
  standby: Omit<Place, "region">,
  ownerPassword: Output<string>,
): Databases => {
  const { database: size } = stage.config.sizes;
  const monitoringRole = monitoring(stage, regions.primary);
  const primary = instance(
    stage,
    { region: regions.primary, ...home },
    {
      monitoringRole,
      args: {
        dbName: databaseNames.database,
        username: databaseNames.owner,
        password: ownerPassword,
        allocatedStorage: size.storageGigabytes,
        engine: "postgres",
        engineVersion: version,
        multiAz: size.multiAz,
        backupRetentionPeriod: size.backupRetentionDays,
        backupWindow: "02:00-02:45",
        maintenanceWindow: "sun:03:15-sun:04:00",
      },
      ignoreChanges: ["identifier", "password", "replicateSourceDb"],
    },
  );
  const replica = instance(
    stage,
    { region: regions.standby, ...standby },
    {
      monitoringRole,
      args: {
        replicateSourceDb: primary.arn,
        // One zone until it is promoted, and no backups of its own: RDS promotes nothing that is just
        // being backed up. Failover applies what the primary had, see `ignoreChanges`.
        multiAz: false,
        backupRetentionPeriod: 0,
        // An hour before the primary's: what a new minor version breaks is seen on the replica first.
        maintenanceWindow: "sun:02:00-sun:02:45",
      },
      ignoreChanges: handedOver,
    },
  );
  new aws.rds.InstanceAutomatedBackupsReplication(
    "DatabaseBackupsInStandby",
    {
      sourceDbInstanceArn: primary.arn,
      kmsKeyId: standby.keys.data,
      retentionPeriod: size.backupRetentionDays,
    },
    // RDS takes up one change of an instance at a time, and a new replica is one of its source.
    {
      provider: regions.standby.provider,
      dependsOn: [replica.instance],
      // The old primary's ARN changes when a rebuild renames it, and this would be made anew for that.
      ignoreChanges: ["sourceDbInstanceArn"],
      ...keepsake(stage),
    },
  );
  readers(stage, { region: regions.primary, ...home }, primary);
  return { home: primary, standby: replica, monitoringRoleArn: monitoringRole };
};

/**
 * One for both regions, so that a kept setting of one is right in the other: roles belong to the account.
 */
const monitoring = ({ prefix }: Stage, { provider }: Region): Output<string> => {
  const role = new aws.iam.Role(
    "DatabaseMonitoringRole",
    {
      name: `${prefix}-database-monitoring`,
      assumeRolePolicy: assumedBy("monitoring.rds.amazonaws.com"),
    },
    { provider },
  );
  const may = new aws.iam.RolePolicyAttachment(
    "DatabaseMonitoringMay",
    {
      role: role.name,
      policyArn: "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
    },
    { provider },
  );
  // RDS looks into the role when it is told of it, so it has to hold its permissions by then.
  return $resolve([role.arn, may.id]).apply(([arn]) => arn);
};

/** The same name in every region: what a promotion re-applies is a name. */
const parameterGroup = ({ prefix }: Stage, region: Region): aws.rds.ParameterGroup => {
  const parameter = (name: string, value: string, needsRestart = false) => ({
    name,
    value,
    applyMethod: needsRestart ? "pending-reboot" : "immediate",
  });
  return new aws.rds.ParameterGroup(
    named("DatabaseParameters", region),
    {
      name: `${prefix}-postgres${version}`,
      family: `postgres${version}`,
      description: "The platform's database, in whichever region",
      parameters: [
        parameter("rds.force_ssl", "1"),
        // A replica that is gone must not fill the primary's disk: 50 GiB of log, then the slot is lost.
        parameter("max_slot_wal_keep_size", "51200"),
        parameter("idle_in_transaction_session_timeout", "60000"),
        parameter("shared_preload_libraries", "pg_stat_statements", true),
        parameter("log_connections", "1"),
        parameter("log_disconnections", "1"),
        parameter("log_lock_waits", "1"),
        // No statement is logged, since statements hold values: `log_statement` stays at none.
        parameter("password_encryption", "scram-sha-256"),
        // Reading on the replica must not be cancelled, nor promotion wait for it.
        parameter("hot_standby_feedback", "1"),
      ],
    },
    { provider: region.provider },
  );
};

interface Rest {
  monitoringRole: Output<string>;
  args: Partial<aws.rds.InstanceArgs>;
  ignoreChanges: string[];
}

/** What every instance of the pair has, whichever is the primary. */
const usual = (stage: Stage, id: string, keys: Keys): Partial<aws.rds.InstanceArgs> => ({
  storageType: "gp3",
  storageEncrypted: true,
  kmsKeyId: keys.data,
  maxAllocatedStorage: stage.config.sizes.database.maximumStorageGigabytes,
  publiclyAccessible: false,
  port: 5432,
  caCertIdentifier: "rds-ca-rsa2048-g1",
  deletionProtection: stage.isProduction,
  copyTagsToSnapshot: true,
  skipFinalSnapshot: !stage.isProduction,
  ...(stage.isProduction ? { finalSnapshotIdentifier: `${id}-final` } : {}),
  deleteAutomatedBackups: !stage.isProduction,
  autoMinorVersionUpgrade: true,
  applyImmediately: false,
  monitoringInterval: 60,
  ...(stage.isProduction
    ? {
        performanceInsightsEnabled: true,
        performanceInsightsKmsKeyId: keys.data,
        performanceInsightsRetentionPeriod: 7,
      }
    : {}),
  enabledCloudwatchLogsExports: ["postgresql", "upgrade"] satisfies LogKind[],
});

/** What RDS for PostgreSQL exports. */
type LogKind = "postgresql" | "upgrade";

const instance = (
  stage: Stage,
  { region, network, keys }: Place,
  { monitoringRole, args, ignoreChanges }: Rest,
): Database => {
  const { provider } = region;
  const { database: size } = stage.config.sizes;
  const id = `${stage.prefix}-database`;
  const parameters = parameterGroup(stage, region);
  const subnets = new aws.rds.SubnetGroup(
    named("DatabaseSubnets", region),
    { name: id, description: "No way out of here", subnetIds: network.isolatedSubnets },
    { provider },
  );
  // Whatever RDS has to make itself it keeps for ever.
  const log = (title: string, kind: LogKind) =>
    new aws.cloudwatch.LogGroup(
      named(title, region),
      { name: `/aws/rds/instance/${id}/${kind}`, retentionInDays: stage.logRetentionDays },
      { provider },
    );
  const logs = log("DatabaseLog", "postgresql");
  const upgrades = log("DatabaseUpgradeLog", "upgrade");
  const made = new aws.rds.Instance(
    named("Postgres", region),
    {
      identifier: id,
      instanceClass: size.instanceClass,
      ...usual(stage, id, keys),
      dbSubnetGroupName: subnets.name,
      parameterGroupName: parameters.name,
      vpcSecurityGroupIds: [network.groups.database],
      monitoringRoleArn: monitoringRole,
      ...args,
    },
    {
      provider,
      // Failover and rebuild have the last word on these: see the README of this folder.
      ignoreChanges,
      dependsOn: [logs, upgrades],
      ...keepsake(stage),
    },
  );
  return {
    id,
    arn: made.arn,
    host: made.address,
    parameterGroup: { name: `${stage.prefix}-postgres${version}`, arn: parameters.arn },
    subnetGroup: { name: id, arn: subnets.arn },
    logGroup: logs.name,
    instance: made,
  };
};

/** Readers in the home region, for reports: a failover neither needs them nor waits for them. */
const readers = (stage: Stage, place: Place, primary: Database): void => {
  const { database: size } = stage.config.sizes;
  for (let number = 1; number <= (size.readers ?? 0); number += 1) {
    new aws.rds.Instance(
      named(`PostgresReader${number}`, place.region),
      {
        identifier: `${primary.id}-reader-${number}`,
        // By the name that the primary has, whatever is put aside later, and not before it is there.
        replicateSourceDb: primary.arn.apply(() => primary.id),
        instanceClass: size.instanceClass,
        storageType: "gp3",
        storageEncrypted: true,
        parameterGroupName: primary.parameterGroup.name,
        vpcSecurityGroupIds: [place.network.groups.database],
        publiclyAccessible: false,
        caCertIdentifier: "rds-ca-rsa2048-g1",
        skipFinalSnapshot: true,
        backupRetentionPeriod: 0,
      },
      { provider: place.region.provider, ignoreChanges: ["replicateSourceDb"] },
    );
  }
};
