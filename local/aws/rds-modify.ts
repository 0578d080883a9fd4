import type { DBInstance, ModifyDBInstanceCommandInput } from "@aws-sdk/client-rds";
import { active, parameterGroup, type RdsInstance } from "./rds-instance.ts";
import { inBackground, pass, type RdsState, record } from "./rds-state.ts";

type Input = ModifyDBInstanceCommandInput;

/** Names of one input that are also names of the instance's description. */
const atOnce = [
  "DeletionProtection",
  "CopyTagsToSnapshot",
  "PreferredBackupWindow",
  "PreferredMaintenanceWindow",
  "AutoMinorVersionUpgrade",
] as const;
const inWindow = [
  "MultiAZ",
  "DBInstanceClass",
  "AllocatedStorage",
  "EngineVersion",
  "Iops",
  "StorageType",
] as const;

interface Change {
  /** Shown in PendingModifiedValues until applied. */
  pending: NonNullable<DBInstance["PendingModifiedValues"]>;
  /** Applied together with `pending`. */
  apply: Partial<DBInstance>;
  masterPassword?: string;
}

const chosen = <Name extends keyof Input & keyof DBInstance>(
  input: Input,
  details: DBInstance,
  names: readonly Name[],
): Partial<DBInstance> => {
  const changed = names.filter(
    (name) => input[name] !== undefined && Object.is(input[name], details[name]) === false,
  );
  return Object.fromEntries(changed.map((name) => [name, input[name]]));
};

/** Applied as soon as possible, whatever ApplyImmediately says (API reference, per parameter). */
const soon = (input: Input, details: DBInstance): Change => {
  const change: Change = { pending: {}, apply: {} };
  if (input.VpcSecurityGroupIds) change.apply.VpcSecurityGroups = active(input.VpcSecurityGroupIds);
  if (input.MonitoringInterval !== undefined) {
    change.apply.MonitoringInterval = input.MonitoringInterval;
  }
  if (input.DBParameterGroupName !== undefined) {
    // The name changes without a reboot, the parameters in it only with one.
    change.apply.DBParameterGroups = parameterGroup(input.DBParameterGroupName, "pending-reboot");
  }
  if (input.MasterUserPassword !== undefined) {
    change.masterPassword = input.MasterUserPassword;
    change.pending.MasterUserPassword = "****";
  }
  const retention = input.BackupRetentionPeriod;
  if (retention !== undefined && !switchesBackups(input, details)) {
    change.pending.BackupRetentionPeriod = retention;
    change.apply.BackupRetentionPeriod = retention;
  }
  return change;
};

/** Between none and some retained backups lies a change that waits for the window. */
const switchesBackups = (input: Input, details: DBInstance): boolean =>
  input.BackupRetentionPeriod !== undefined &&
  (input.BackupRetentionPeriod === 0) !== ((details.BackupRetentionPeriod ?? 0) === 0);

const later = (input: Input, details: DBInstance): Change => {
  const apply = chosen(input, details, inWindow);
  if (switchesBackups(input, details)) apply.BackupRetentionPeriod = input.BackupRetentionPeriod;
  return { pending: apply as Change["pending"], apply };
};

const isEmpty = (change: Change): boolean =>
  Object.keys(change.pending).length + Object.keys(change.apply).length === 0;

/** Takes a modification of an available instance in, and applies it in the background. */
export const modify = (state: RdsState, instance: RdsInstance, input: Input): void => {
  const { details } = instance;
  Object.assign(details, chosen(input, details, atOnce));
  const [first, second] = [soon(input, details), later(input, details)];
  details.PendingModifiedValues = {
    ...details.PendingModifiedValues,
    ...first.pending,
    ...second.pending,
  };
  // There is no maintenance window here: what waits for it stays pending.
  const restarting = !isEmpty(second) && input.ApplyImmediately === true;
  if (isEmpty(first) && !restarting) return;
  details.DBInstanceStatus = "modifying";
  inBackground(state, async () => {
    if (!isEmpty(first)) {
      await pass(state, instance, "rds.modify");
      await finish(state, instance, first);
    }
    if (restarting) {
      await pass(state, instance, "rds.convert");
      const restarts = ["DBInstanceClass", "EngineVersion"].some((name) => name in second.apply);
      if (restarts) await state.engine.restart(instance.engineId);
      await finish(state, instance, second);
    }
    details.DBInstanceStatus = "available";
    record(state, instance, "configuration change", "Finished applying the modification.");
  });
};

const finish = async (state: RdsState, instance: RdsInstance, change: Change): Promise<void> => {
  const { details } = instance;
  if (change.masterPassword !== undefined) {
    await state.engine.setMasterPassword(instance.engineId, change.masterPassword);
  }
  Object.assign(details, change.apply);
  const pending = Object.entries(details.PendingModifiedValues ?? {});
  details.PendingModifiedValues = Object.fromEntries(
    pending.filter(([name]) => !(name in change.pending)),
  );
};
