import { join } from "node:path";
import type { NewInstance } from "./engine.ts";
import { linkTo, slotName } from "./following.ts";
import {
  addInstance,
  asAdministrator,
  type Context,
  copyCluster,
  type Instance,
  inOrder,
  instanceOf,
  newName,
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
  const name = newName(context);
  const slot = slotName(name);
  const wanted = { ...replica, name, masterUser, database, source: source.name };
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
    await write("postgresql.auto.conf", replicaSettings(linkTo(context, source, name), slot));
  });
};

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
