import type {
  CreateDBInstanceCommandInput,
  CreateDBInstanceReadReplicaCommandInput,
  DBInstance,
  Tag,
} from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import { type Disk, newDisk } from "./rds-storage.ts";
import type { Surroundings } from "./service.ts";

/** One instance as RDS keeps it. */
export interface RdsInstance {
  region: Place;
  id: string;
  /** Its name in the DatabaseEngine, see `engineId`. */
  engineId: string;
  arn: string;
  details: DBInstance;
  tags: Tag[];
  /** Set while the instance is a replica. */
  source: RdsInstance | undefined;
  /** The source was deleted: a cross-region replica then stays a read-only orphan. */
  orphaned: boolean;
  /** Modelled milliseconds since 1970; undefined while the source can be reached. */
  unlinkedSince: number | undefined;
  /** Whether the engine has it. */
  built: boolean;
  /** Whether its region's death has stopped it. */
  down: boolean;
  /** How often a promotion has taken effect. */
  promotions: number;
  disk: Disk;
  /** As busy as it is to look. */
  cpuPercent: number;
  /** Where it runs, and where its standby does if it has one. */
  zones: string[];
}

const usualCpuPercent = 15;

/** Identifiers are unique in a region only, the engine's in the whole cloud. */
export const engineId = (region: Place, identifier: string): string =>
  `${region}.${identifier.toLowerCase()}`;

export const instanceArn = (region: Place, account: string, id: string): string =>
  `arn:aws:rds:${region}:${account}:db:${id}`;

interface Described {
  region: Place;
  id: string;
  details: DBInstance;
  tags: Tag[];
  source?: RdsInstance;
}

const recordOf = (surroundings: Surroundings, described: Described): RdsInstance => {
  const { region, id, details, tags, source } = described;
  const arn = instanceArn(region, surroundings.account, id);
  return {
    region,
    id,
    engineId: engineId(region, id),
    arn,
    details: {
      ...details,
      DBInstanceIdentifier: id,
      DBInstanceArn: arn,
      DbiResourceId: `db-${surroundings.random.id().toUpperCase()}`,
      DBInstanceStatus: "creating",
      PendingModifiedValues: {},
      Engine: "postgres",
      LicenseModel: "postgresql-license",
      StorageEncrypted: details.StorageEncrypted ?? false,
      PubliclyAccessible: details.PubliclyAccessible ?? false,
      AutoMinorVersionUpgrade: details.AutoMinorVersionUpgrade ?? true,
    },
    tags,
    source,
    orphaned: false,
    unlinkedSince: undefined,
    built: false,
    down: false,
    promotions: 0,
    disk: newDisk(details.AllocatedStorage ?? 0, surroundings.timeline.now()),
    cpuPercent: usualCpuPercent,
    zones: [`${region}a`, `${region}b`],
  };
};

export const active = (ids: string[]): DBInstance["VpcSecurityGroups"] =>
  ids.map((VpcSecurityGroupId) => ({ VpcSecurityGroupId, Status: "active" }));

const defaultParameterGroup = (version: string): string =>
  `default.postgres${version.split(".")[0]}`;

export const parameterGroup = (name: string, status: string): DBInstance["DBParameterGroups"] => [
  { DBParameterGroupName: name, ParameterApplyStatus: status },
];

const currentVersion = "18.4";
const defaultGroup = "sg-default";

export const newPrimary = (
  surroundings: Surroundings,
  region: Place,
  input: Omit<CreateDBInstanceCommandInput, "Engine">,
): RdsInstance => {
  const version = input.EngineVersion ?? currentVersion;
  const details: DBInstance = {
    DBInstanceClass: input.DBInstanceClass,
    AllocatedStorage: input.AllocatedStorage ?? 20,
    EngineVersion: version,
    MasterUsername: input.MasterUsername ?? "postgres",
    DBName: input.DBName ?? "postgres",
    MultiAZ: input.MultiAZ ?? false,
    BackupRetentionPeriod: input.BackupRetentionPeriod ?? 1,
    PreferredBackupWindow: input.PreferredBackupWindow ?? "03:00-03:30",
    PreferredMaintenanceWindow: input.PreferredMaintenanceWindow ?? "sun:04:00-sun:04:30",
    DeletionProtection: input.DeletionProtection ?? false,
    MonitoringInterval: input.MonitoringInterval ?? 0,
    CopyTagsToSnapshot: input.CopyTagsToSnapshot ?? false,
    StorageEncrypted: input.StorageEncrypted,
    KmsKeyId: input.KmsKeyId,
    PubliclyAccessible: input.PubliclyAccessible,
    AutoMinorVersionUpgrade: input.AutoMinorVersionUpgrade,
    VpcSecurityGroups: active(input.VpcSecurityGroupIds ?? [defaultGroup]),
    DBParameterGroups: parameterGroup(
      input.DBParameterGroupName ?? defaultParameterGroup(version),
      "in-sync",
    ),
  };
  const id = input.DBInstanceIdentifier?.toLowerCase() ?? "";
  return recordOf(surroundings, { region, id, details, tags: input.Tags ?? [] });
};

/**
 * A cross-region replica starts from the service's defaults and not from its source's settings:
 * default parameter group, no backups, no deletion protection, no enhanced monitoring. (API
 * reference of CreateDBInstanceReadReplica; protection asked for on creation is ignored, see
 * https://github.com/hashicorp/terraform-provider-aws/pull/46542.)
 */
export const newReplica = (
  surroundings: Surroundings,
  region: Place,
  source: RdsInstance,
  input: CreateDBInstanceReadReplicaCommandInput,
): RdsInstance => {
  const of = source.details;
  const details: DBInstance = {
    DBInstanceClass: input.DBInstanceClass ?? of.DBInstanceClass,
    AllocatedStorage: input.AllocatedStorage ?? of.AllocatedStorage,
    EngineVersion: of.EngineVersion,
    MasterUsername: of.MasterUsername,
    DBName: of.DBName,
    MultiAZ: input.MultiAZ ?? false,
    BackupRetentionPeriod: 0,
    PreferredBackupWindow: of.PreferredBackupWindow,
    PreferredMaintenanceWindow: of.PreferredMaintenanceWindow,
    DeletionProtection: false,
    MonitoringInterval: input.MonitoringInterval ?? 0,
    CopyTagsToSnapshot: input.CopyTagsToSnapshot ?? false,
    StorageEncrypted: of.StorageEncrypted,
    KmsKeyId: input.KmsKeyId,
    PubliclyAccessible: input.PubliclyAccessible,
    AutoMinorVersionUpgrade: input.AutoMinorVersionUpgrade,
    VpcSecurityGroups: active(input.VpcSecurityGroupIds ?? [defaultGroup]),
    DBParameterGroups: parameterGroup(
      input.DBParameterGroupName ?? defaultParameterGroup(of.EngineVersion ?? currentVersion),
      "in-sync",
    ),
  };
  const id = input.DBInstanceIdentifier?.toLowerCase() ?? "";
  return recordOf(surroundings, { region, id, details, tags: input.Tags ?? [], source });
};

/** How an instance is named from another's region: by ARN when that is a different one. */
const nameFrom = (region: Place, other: RdsInstance): string =>
  other.region === region ? other.id : other.arn;

/** `read replication` as in USER_ReadRepl.Monitoring: replicating, error, terminated. */
const replicationStatus = (instance: RdsInstance, now: number, noticedAfter: number) => {
  if (instance.orphaned) return { Status: "terminated", Normal: false };
  const { unlinkedSince } = instance;
  if (unlinkedSince === undefined || now - unlinkedSince < noticedAfter) {
    return { Status: "replicating", Normal: true };
  }
  return { Status: "error", Normal: false, Message: "could not connect to the primary server" };
};

/** What DescribeDBInstances answers now. */
export const describeInstance = (
  instance: RdsInstance,
  all: Iterable<RdsInstance>,
  now: number,
  errorNoticedAfterMilliseconds: number,
): DBInstance => {
  const { source, region, details } = instance;
  const replicas: string[] = [];
  for (const other of all) {
    if (other.source === instance && !other.orphaned) replicas.push(nameFrom(region, other));
  }
  const described: DBInstance = {
    ...details,
    PendingModifiedValues: { ...details.PendingModifiedValues },
    AvailabilityZone: instance.zones[0],
    ...(details.MultiAZ ? { SecondaryAvailabilityZone: instance.zones[1] } : {}),
    ReadReplicaDBInstanceIdentifiers: replicas,
    TagList: [...instance.tags],
  };
  if (source) {
    described.ReadReplicaSourceDBInstanceIdentifier = nameFrom(region, source);
    const status = replicationStatus(instance, now, errorNoticedAfterMilliseconds);
    described.StatusInfos = [{ StatusType: "read replication", ...status }];
  }
  return described;
};
