import type {
  DBInstance,
  DBSnapshot,
  RemoveTagsFromResourceCommandInput,
  RestoreDBInstanceToPointInTimeCommandInput,
  Tag,
} from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import { type BackupCopy, type RestoreWindow, windowOf, windowOfCopy } from "./rds-backups.ts";
import { engineId, newPrimary, type RdsInstance } from "./rds-instance.ts";
import { bringUp } from "./rds-lifecycle.ts";
import {
  alreadyExists,
  find,
  inBackground,
  invalidParameter,
  invalidState,
  type RdsState,
} from "./rds-state.ts";
import { AwsError, type Call } from "./service.ts";

type Input = RestoreDBInstanceToPointInTimeCommandInput;

interface Source {
  instance: RdsInstance;
  window: RestoreWindow;
  key: string | undefined;
}

/** One of three ways to name it, and no more. */
const sourceOf = (state: RdsState, region: Place, input: Input): Source => {
  const { SourceDBInstanceAutomatedBackupsArn: arn, SourceDbiResourceId: resource } = input;
  const { SourceDBInstanceIdentifier: id } = input;
  if ([arn, resource, id].filter((name) => name !== undefined).length !== 1) {
    throw invalidParameter("InvalidParameterCombination", "Name one source, in one way.");
  }
  if (arn !== undefined) {
    const copy = state.copies.find((each) => each.arn === arn && each.region === region);
    if (copy) return copied(state, copy);
    throw new AwsError("DBInstanceAutomatedBackupNotFoundFault", `${arn} is not found.`);
  }
  const own = [...state.instances.values()].find(
    (each) => each.region === region && each.details.DbiResourceId === resource,
  );
  const instance = id === undefined && own ? own : find(state, region, id);
  if ((instance.details.BackupRetentionPeriod ?? 0) === 0) {
    throw new AwsError("PointInTimeRestoreNotEnabledFault", `${instance.id} keeps no backups.`);
  }
  return { instance, window: windowOf(state, instance), key: instance.details.KmsKeyId };
};

const copied = (state: RdsState, copy: BackupCopy): Source => {
  const window = windowOfCopy(state, copy);
  if (!window) throw invalidState(`Nothing has arrived in ${copy.arn} yet.`);
  return { instance: copy.source, window, key: copy.key };
};

/** To the second, as the window of AWS is. */
const momentOf = (input: Input, { earliest, latest }: RestoreWindow): number => {
  if ((input.RestoreTime !== undefined) === (input.UseLatestRestorableTime === true)) {
    const why = "Give RestoreTime, or UseLatestRestorableTime.";
    throw invalidParameter("InvalidParameterCombination", why);
  }
  const at = input.RestoreTime?.getTime() ?? latest;
  if (at >= earliest && at <= latest) return at;
  const window = [earliest, latest].map((end) => new Date(end).toISOString()).join(" to ");
  const why = `${new Date(at).toISOString()} is not in the restore window, ${window}.`;
  throw invalidParameter("InvalidParameterValue", why);
};

/**
 * What is asked for, and what RDS gives to whoever leaves it out: one zone, the default security group,
 * subnets and parameter group, the class, storage and retention of the source, no deletion protection, and
 * the source's tags as they are now. (API reference of RestoreDBInstanceToPointInTime, and USER_PIT.) What
 * becomes of them when tags are given is not told: here both are on the copy, which is the harder case.
 */
const newInstance = (state: RdsState, region: Place, input: Input, source: Source) => {
  const { details, tags } = source.instance;
  const least = details.AllocatedStorage ?? 0;
  if ((input.AllocatedStorage ?? least) < least) {
    const why = `The storage of a copy can not be smaller than ${least} GiB.`;
    throw invalidParameter("InvalidParameterCombination", why);
  }
  const given = input.Tags ?? [];
  const kept = tags.filter(({ Key }) => !given.some((tag) => tag.Key === Key));
  const made = newPrimary(state.surroundings, region, {
    DBInstanceIdentifier: input.TargetDBInstanceIdentifier,
    DBInstanceClass: input.DBInstanceClass ?? details.DBInstanceClass,
    EngineVersion: details.EngineVersion,
    AllocatedStorage: input.AllocatedStorage ?? least,
    MasterUsername: details.MasterUsername,
    DBName: details.DBName,
    MultiAZ: input.MultiAZ,
    BackupRetentionPeriod: input.BackupRetentionPeriod ?? details.BackupRetentionPeriod,
    DeletionProtection: input.DeletionProtection,
    CopyTagsToSnapshot: input.CopyTagsToSnapshot,
    StorageEncrypted: details.StorageEncrypted,
    KmsKeyId: source.key,
    PubliclyAccessible: input.PubliclyAccessible,
    AutoMinorVersionUpgrade: input.AutoMinorVersionUpgrade,
    VpcSecurityGroupIds: input.VpcSecurityGroupIds,
    DBParameterGroupName: input.DBParameterGroupName,
    Tags: [...kept, ...given],
  });
  made.details.DBSubnetGroup = { DBSubnetGroupName: input.DBSubnetGroupName ?? "default" };
  return made;
};

interface Restoring {
  described(instance: RdsInstance): DBInstance;
  tagged(region: Place, arn: string | undefined): { tags: Tag[] };
}

export const restoreOperations = (state: RdsState, { described, tagged }: Restoring) => ({
  RestoreDBInstanceToPointInTime: (input: Input, { region }: Call) => {
    const id = input.TargetDBInstanceIdentifier ?? "";
    if (!/^(?=.{1,63}$)[a-z](-?[a-z0-9])*$/i.test(id)) {
      throw invalidParameter("InvalidParameterValue", `"${id}" is no DBInstanceIdentifier.`);
    }
    if (state.instances.has(engineId(region, id))) throw alreadyExists();
    const source = sourceOf(state, region, input);
    const at = momentOf(input, source.window);
    if (source.key !== undefined && !state.isKeyUsable(region, source.key)) {
      throw new AwsError("KMSKeyNotAccessibleFault", `${source.key} can not be used.`);
    }
    const instance = newInstance(state, region, input, source);
    const archive = source.instance.details.DbiResourceId ?? "";
    bringUp(state, instance, "rds.restore", () =>
      state.engine.restoreTo(archive, at, { id: instance.engineId, region }),
    );
    return { DBInstance: described(instance) };
  },
  RemoveTagsFromResource: (input: RemoveTagsFromResourceCommandInput, { region }: Call) => {
    const resource = tagged(region, input.ResourceName);
    const removed = new Set(input.TagKeys);
    resource.tags = resource.tags.filter(({ Key }) => Key === undefined || !removed.has(Key));
    return {};
  },
});

/** Backups of an instance begin, where it keeps any: its log is kept from here on. */
export const archive = async (state: RdsState, instance: RdsInstance): Promise<void> => {
  const { details, source, down } = instance;
  if (source || down || (details.BackupRetentionPeriod ?? 0) === 0) return;
  await state.engine.archive(instance.engineId, details.DbiResourceId ?? "");
};

/** As `archive`, beside whatever goes on. */
export const beginBackups = (state: RdsState, instance: RdsInstance): void =>
  inBackground(state, () => archive(state, instance));

const day = 86_400_000;

/**
 * One when backups begin and one in each day's backup window, as long as the retention lasts. They are
 * `automated` and called `rds:<instance>-<date>`. (USER_WorkingWithAutomatedBackups.)
 */
export const automatedSnapshots = (state: RdsState, instance: RdsInstance): DBSnapshot[] => {
  const { details, id, region } = instance;
  const { timeline, account } = state.surroundings;
  const [now, retention] = [timeline.now(), details.BackupRetentionPeriod ?? 0];
  const began = details.InstanceCreateTime?.getTime();
  if (instance.source || retention === 0 || began === undefined) return [];
  const [hour = 0, minute = 0] = (details.PreferredBackupWindow ?? "").split(/[:-]/).map(Number);
  const first = Math.floor(began / day) * day + (hour * 60 + minute) * 60_000;
  const oldest = Math.max(began, now - retention * day);
  const until = Math.min(now, state.skipping.get(instance) ?? now);
  const times = began >= oldest ? [began] : [];
  for (let at = first; at <= until; at += day) if (at > oldest) times.push(at);
  return times.map((at) => {
    const name = `rds:${id}-${new Date(at).toISOString().slice(0, 16).replace(/[T:]/g, "-")}`;
    return {
      DBSnapshotIdentifier: name,
      DBSnapshotArn: `arn:aws:rds:${region}:${account}:snapshot:${name}`,
      DBInstanceIdentifier: id,
      DbiResourceId: details.DbiResourceId,
      SnapshotType: "automated",
      Status: "available",
      PercentProgress: 100,
      SnapshotCreateTime: new Date(at),
      Engine: details.Engine,
      EngineVersion: details.EngineVersion,
      AllocatedStorage: details.AllocatedStorage,
      KmsKeyId: details.KmsKeyId,
    };
  });
};
