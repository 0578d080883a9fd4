import type { Coordination } from "./coordination.ts";

/**
 * What makes a primary of a database, and what a promotion does not bring along: a replica has no
 * backups, no deletion protection and one zone. Kept outside the region while it is well, since
 * nobody can ask a lost region how it was.
 */
export interface DatabaseSettings {
  backupRetentionDays: number;
  multiAz: boolean;
  deletionProtection: boolean;
  copyTagsToSnapshot: boolean;
  monitoringIntervalSeconds: number;
  monitoringRole: string | null;
  parameterGroup: string | null;
}

const settingsId = (region: string) => `settings#${region}`;

export const readSettings = async (
  table: Coordination,
  region: string,
): Promise<DatabaseSettings | null> => {
  const item = await table.read(settingsId(region));
  return (item?.settings as DatabaseSettings | undefined) ?? null;
};

export const keepSettings = async (
  table: Coordination,
  region: string,
  settings: DatabaseSettings,
  atMilliseconds: number,
): Promise<void> => {
  await table.write(settingsId(region), { set: { settings, atMilliseconds } });
};

/** The settings as RDS describes them; what is already ordered counts, since RDS is at it. */
export const settingsOf = (instance: {
  BackupRetentionPeriod?: number | undefined;
  MultiAZ?: boolean | undefined;
  DeletionProtection?: boolean | undefined;
  CopyTagsToSnapshot?: boolean | undefined;
  MonitoringInterval?: number | undefined;
  MonitoringRoleArn?: string | undefined;
  DBParameterGroups?: { DBParameterGroupName?: string | undefined }[] | undefined;
  PendingModifiedValues?:
    | { BackupRetentionPeriod?: number | undefined; MultiAZ?: boolean | undefined }
    | undefined;
}): DatabaseSettings => {
  const pending = instance.PendingModifiedValues;
  return {
    backupRetentionDays: pending?.BackupRetentionPeriod ?? instance.BackupRetentionPeriod ?? 0,
    multiAz: pending?.MultiAZ ?? instance.MultiAZ ?? false,
    deletionProtection: instance.DeletionProtection ?? false,
    copyTagsToSnapshot: instance.CopyTagsToSnapshot ?? false,
    monitoringIntervalSeconds: instance.MonitoringInterval ?? 0,
    monitoringRole: instance.MonitoringRoleArn ?? null,
    parameterGroup: instance.DBParameterGroups?.[0]?.DBParameterGroupName ?? null,
  };
};

/** Names of the settings in which `is` falls short of `wanted`. */
export const differing = (is: DatabaseSettings, wanted: DatabaseSettings): string[] =>
  (Object.keys(wanted) as (keyof DatabaseSettings)[]).filter((name) => is[name] !== wanted[name]);
