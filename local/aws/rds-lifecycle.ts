import type { PromoteReadReplicaCommandInput } from "@aws-sdk/client-rds";
import { type Address, Unrestorable } from "../postgres/engine.ts";
import { type DurationName, duration } from "./durations.ts";
import { relinkCopies } from "./rds-backups.ts";
import { parameterGroup, type RdsInstance } from "./rds-instance.ts";
import { beginBackups } from "./rds-restore.ts";
import {
  awake,
  inBackground,
  invalidState,
  pass,
  type RdsSnapshot,
  type RdsState,
  record,
  wake,
} from "./rds-state.ts";
import { rest } from "./rds-storage.ts";

/** Adds an instance and lets the engine build it; resolves when the engine has. */
export const build = async (
  state: RdsState,
  instance: RdsInstance,
  make: () => Promise<Address>,
): Promise<void> => {
  const { host, port } = await make();
  instance.built = true;
  instance.details.Endpoint = { Address: host, Port: port, HostedZoneId: "ZLOCAL" };
  instance.details.InstanceCreateTime = new Date(state.surroundings.timeline.now());
  relink(state, instance);
  // The region may have died meanwhile, before there was anything of the engine's to stop.
  if (state.surroundings.network.state(instance.region) === "dead") await cutPower(state, instance);
};

/** `creating`, the first backup where there is retention, `available`. */
export const bringUp = (
  state: RdsState,
  instance: RdsInstance,
  takes: DurationName,
  make: () => Promise<Address>,
): void => {
  state.instances.set(instance.engineId, instance);
  inBackground(state, async () => {
    const made = build(state, instance, make).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Unrestorable) return false;
        throw error;
      },
    );
    const [isMade] = await Promise.all([made, pass(state, instance, takes)]);
    if (!isMade) {
      // Viewing DB instance status: RDS can not do a point-in-time restore.
      instance.details.DBInstanceStatus = "incompatible-restore";
      return;
    }
    await awake(state, instance);
    record(state, instance, "creation", "DB instance created");
    beginBackups(state, instance);
    if ((instance.details.BackupRetentionPeriod ?? 0) > 0) await backUp(state, instance);
    instance.details.DBInstanceStatus = "available";
  });
};

const backUp = async (state: RdsState, instance: RdsInstance): Promise<void> => {
  instance.details.DBInstanceStatus = "backing-up";
  record(state, instance, "backup", "Backing up DB instance");
  await pass(state, instance, "rds.backup");
  record(state, instance, "backup", "Finished DB Instance backup");
};

/** The nightly backup, now. */
export const startBackup = (state: RdsState, instance: RdsInstance): void => {
  instance.details.DBInstanceStatus = "backing-up";
  inBackground(state, async () => {
    await backUp(state, instance);
    instance.details.DBInstanceStatus = "available";
  });
};

/**
 * RDS documents that replication stops and that the instance reboots, and not the order of the
 * statuses; `modifying`, `rebooting`, `available` is the assumption here.
 */
export const promote = (
  state: RdsState,
  instance: RdsInstance,
  input: PromoteReadReplicaCommandInput,
): void => {
  if (!instance.source) {
    throw invalidState(`DB Instance ${instance.id} is not a read replica.`);
  }
  const { details } = instance;
  details.DBInstanceStatus = "modifying";
  details.BackupRetentionPeriod = input.BackupRetentionPeriod ?? 1;
  details.PreferredBackupWindow = input.PreferredBackupWindow ?? details.PreferredBackupWindow;
  inBackground(state, async () => {
    await pass(state, instance, "rds.promote");
    await state.engine.promote(instance.engineId);
    instance.promotions += 1;
    instance.source = undefined;
    instance.orphaned = false;
    instance.unlinkedSince = undefined;
    record(state, instance, "read replica", "Replication for the Read Replica was terminated");
    await restart(state, instance, "rds.promote-reboot");
    beginBackups(state, instance);
    details.DBInstanceStatus = "available";
  });
};

export const reboot = (state: RdsState, instance: RdsInstance): void => {
  instance.details.DBInstanceStatus = "rebooting";
  inBackground(state, async () => {
    await restart(state, instance, "rds.reboot");
    rest(state, instance);
  });
};

const restart = async (state: RdsState, instance: RdsInstance, takes: DurationName) => {
  const { details } = instance;
  details.DBInstanceStatus = "rebooting";
  await awake(state, instance);
  await state.engine.restart(instance.engineId);
  await pass(state, instance, takes);
  const [group] = details.DBParameterGroups ?? [];
  details.DBParameterGroups = parameterGroup(group?.DBParameterGroupName ?? "", "in-sync");
  record(state, instance, "availability", "DB instance restarted");
};

export const takeSnapshot = (
  state: RdsState,
  instance: RdsInstance,
  snapshot: RdsSnapshot,
): Promise<void> => {
  state.snapshots.set(snapshot.engineId, snapshot);
  return (async () => {
    await awake(state, instance);
    await state.engine.snapshot(instance.engineId, snapshot.engineId);
    await pass(state, instance, "rds.snapshot");
    Object.assign(snapshot.details, { Status: "available", PercentProgress: 100 });
  })();
};

export const destroy = (
  state: RdsState,
  instance: RdsInstance,
  finalSnapshot: RdsSnapshot | undefined,
): void => {
  instance.details.DBInstanceStatus = "deleting";
  inBackground(state, async () => {
    if (finalSnapshot) await takeSnapshot(state, instance, finalSnapshot);
    await pass(state, instance, "rds.delete");
    if (instance.built) await state.engine.remove(instance.engineId);
    state.instances.delete(instance.engineId);
    record(state, instance, "deletion", "DB instance deleted");
    for (const other of state.instances.values()) {
      if (other.source === instance) other.orphaned = true;
    }
  });
};

export const cutPower = async (state: RdsState, instance: RdsInstance): Promise<void> => {
  if (!instance.built || instance.down) return;
  instance.down = true;
  await state.engine.kill(instance.engineId);
};

/** An instance whose region has come back starts by itself, after crash recovery. */
export const restorePower = (state: RdsState, instance: RdsInstance): void => {
  const { timeline, network, random } = state.surroundings;
  inBackground(state, async () => {
    // Not `pass`, which would wait for this very start.
    await timeline.sleep(duration(random, "rds.start"));
    if (!instance.down || network.state(instance.region) === "dead") return;
    await state.engine.start(instance.engineId);
    instance.down = false;
    wake(state, instance.region);
    for (const other of state.instances.values()) relink(state, other);
  });
};

/** Keeps since when a replica has been without its source, and a copy of its backups without it. */
export const relink = (state: RdsState, instance: RdsInstance): void => {
  relinkCopies(state, instance);
  const { source } = instance;
  if (!source) return;
  const { network, timeline } = state.surroundings;
  const linked =
    !source.down && !instance.down && network.reachable(instance.region, source.region);
  if (linked) instance.unlinkedSince = undefined;
  else instance.unlinkedSince ??= timeline.now();
};
