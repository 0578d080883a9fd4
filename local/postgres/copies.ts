import { join } from "node:path";
import type { NewInstance } from "./engine.ts";
import {
  addInstance,
  asAdministrator,
  type Context,
  copyCluster,
  type Instance,
  inOrder,
  instanceOf,
  replicator,
} from "./instances.ts";
import { baseBackup, replicaSettings } from "./setup.ts";

/** Adds an instance that streams from `sourceId`, from a base backup of it. */
export const addReplica = async (
  context: Context,
  sourceId: string,
  replica: Pick<NewInstance, "id" | "region">,
): Promise<Instance> => {
  const source = instanceOf(context, sourceId);
  const { masterUser, database } = source;
  const slot = slotName(replica.id);
  const wanted = { ...replica, masterUser, database, source: sourceId };
  return addInstance(context, wanted, async (target) => {
    const label = await asAdministrator(context, source, async (client) => {
      await client.query("select pg_create_physical_replication_slot($1, true)", [slot]);
      // The slot keeps the WAL since the start of the backup, so the replica streams all of it.
      return baseBackup(client, () => copyCluster(context, source.folder, target, ["pg_wal"]));
    });
    const write = (name: string, text: string) =>
      context.keeper.ask({ act: "write", path: join(target, name), text });
    await write("backup_label", label);
    await write("standby.signal", "");
    const who = { user: replicator, password: context.password, application: replica.id };
    const link = { ...source.proxy.address, ...who, slot };
    await write("postgresql.auto.conf", replicaSettings(link));
  });
};

/** A slot that nobody reads any more would keep WAL for ever. */
export const dropForgottenSlots = async (context: Context, instance: Instance): Promise<void> => {
  const followers = [...context.instances.values()].filter(({ source }) => source === instance.id);
  await asAdministrator(context, instance, (client) =>
    client.query(
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots " +
        "where not active and not temporary and slot_name <> all ($1)",
      [followers.map(({ id }) => slotName(id))],
    ),
  );
};

/** From now on the instance stands alone. Its slot goes now, or when its source runs again. */
export const unfollow = async (context: Context, instance: Instance): Promise<void> => {
  const source = instance.source === undefined ? undefined : context.instances.get(instance.source);
  instance.source = undefined;
  if (source?.port !== undefined) await dropForgottenSlots(context, source);
};

/** Slot names allow fewer characters, and fewer of them, than identifiers of instances. */
const slotName = (id: string): string =>
  `rds_${id
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, "_")
    .slice(-59)}`;

export const takeSnapshot = (context: Context, id: string, snapshotId: string): Promise<void> =>
  inOrder(context, id, async (instance) => {
    const folder = join(context.folder, `snapshot-${context.options.random.id()}`);
    const { masterUser, database } = instance;
    if (instance.port === undefined) await copyCluster(context, instance.folder, folder);
    else await copyRunning(context, instance, folder);
    context.snapshots.set(snapshotId, { folder, masterUser, database });
  });

/** The WAL goes last: only then does it hold what makes the copied files agree with each other. */
const copyRunning = async (context: Context, instance: Instance, target: string) => {
  const label = await asAdministrator(context, instance, async (client) => {
    // A temporary slot keeps the WAL of the backup until this session ends.
    await client.query("select pg_create_physical_replication_slot('snapshot', true, true)");
    const text = await baseBackup(client, () =>
      copyCluster(context, instance.folder, target, ["pg_wal"]),
    );
    await copyCluster(context, join(instance.folder, "pg_wal"), join(target, "pg_wal"));
    return text;
  });
  await context.keeper.ask({ act: "write", path: join(target, "backup_label"), text: label });
};
