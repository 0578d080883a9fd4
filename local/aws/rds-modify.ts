import type { DBInstance, ModifyDBInstanceCommandInput } from "@aws-sdk/client-rds";
import { duration } from "./durations.ts";
import { active, engineId, instanceArn, parameterGroup, type RdsInstance } from "./rds-instance.ts";
import {
  alreadyExists,
  awake,
  inBackground,
  invalidParameter,
  pass,
  type RdsState,
  record,
} from "./rds-state.ts";
import { beginOptimization, refuseStorage, rest } from "./rds-storage.ts";

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
  refuseStorage(state, instance, input);
  const newId = newIdentifier(state, instance, input);
  Object.assign(details, chosen(input, details, atOnce));
  const [first, second] = [soon(input, details), later(input, details)];
  details.PendingModifiedValues = {
    ...details.PendingModifiedValues,
    ...first.pending,
    ...second.pending,
    ...(newId === undefined ? {} : { DBInstanceIdentifier: newId }),
  };
  // There is no maintenance window here: what waits for it stays pending.
  const restarting = !isEmpty(second) && input.ApplyImmediately === true;
  const renaming = input.ApplyImmediately === true ? newId : undefined;
  if (isEmpty(first) && !restarting && renaming === undefined) return;
  details.DBInstanceStatus = renaming === undefined ? "modifying" : "renaming";
  inBackground(state, async () => {
    if (!isEmpty(first)) {
      await pass(state, instance, "rds.modify");
      await finish(state, instance, first);
    }
    if (restarting) {
      const grows = "AllocatedStorage" in second.apply;
      const isAll = grows && Object.keys(second.apply).length === 1;
      await pass(state, instance, isAll ? "rds.storage" : "rds.convert");
      const restarts = ["DBInstanceClass", "EngineVersion"].some((name) => name in second.apply);
      if (restarts) await state.engine.restart(instance.engineId);
      await finish(state, instance, second);
      if (grows) beginOptimization(state, instance);
    }
    if (renaming !== undefined) await rename(state, instance, renaming);
    rest(state, instance);
    record(state, instance, "configuration change", "Finished applying the modification.");
  });
};

/** One to 63 letters, digits and single hyphens, a letter first. (API reference of ModifyDBInstance.) */
const identifierPattern = /^(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

const newIdentifier = (
  state: RdsState,
  { id, region }: RdsInstance,
  { NewDBInstanceIdentifier: wanted }: Input,
): string | undefined => {
  const next = wanted?.toLowerCase();
  if (next === undefined || next === id) return undefined;
  if (!identifierPattern.test(next)) {
    throw invalidParameter("InvalidParameterValue", `${next} is not a valid DBInstanceIdentifier.`);
  }
  if (state.instances.has(engineId(region, next))) throw alreadyExists();
  return next;
};

/**
 * The endpoint's name follows the identifier, the instance restarts, and it is not available before the
 * new name is effective; replicas, tags and snapshots stay with it (USER_RenameInstance). For how long the
 * old identifier is still answered for is not documented. Half of the time is the assumption here, so
 * that a caller meets both: `renaming` under the old name, then the old name not found.
 */
const rename = async (state: RdsState, instance: RdsInstance, id: string): Promise<void> => {
  const { region, details } = instance;
  const takes = duration(state.surroundings.random, "rds.rename");
  const half = async () => {
    await state.surroundings.timeline.sleep(takes / 2);
    await awake(state, instance);
  };
  await half();
  const [before, after] = [instance.engineId, engineId(region, id)];
  // Somebody may have taken the identifier meanwhile; AWS does not say who wins, so nobody is replaced.
  if (state.instances.has(after)) return void giveUp(instance);
  // All names change at once, so that a region that dies now finds the instance under the new one.
  const renamed = state.engine.rename(before, after);
  state.instances.delete(before);
  Object.assign(instance, { id, engineId: after });
  instance.arn = instanceArn(region, state.surroundings.account, id);
  state.instances.set(after, instance);
  const { DBInstanceIdentifier: _, ...pending } = details.PendingModifiedValues ?? {};
  Object.assign(details, { DBInstanceIdentifier: id, DBInstanceArn: instance.arn });
  details.PendingModifiedValues = pending;
  const { host, port } = await renamed;
  details.Endpoint = { ...details.Endpoint, Address: host, Port: port };
  record(state, instance, "availability", "DB instance restarted");
  await half();
  record(state, instance, "notification", `Renamed to ${id}`);
};

const giveUp = ({ details }: RdsInstance): void => {
  const { DBInstanceIdentifier: _, ...pending } = details.PendingModifiedValues ?? {};
  details.PendingModifiedValues = pending;
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
