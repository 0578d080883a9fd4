import { join } from "node:path";
import { asAdministrator, type Context, type Instance, named, replicator } from "./instances.ts";
import { connectionInfo, replicaSettings } from "./setup.ts";

/** How the instance `name` reaches its source. */
export const linkTo = (context: Context, source: Instance, name: string) => {
  const who = { user: replicator, password: context.password, application: name };
  return { ...source.proxy.address, ...who };
};

export const followersOf = ({ instances }: Context, { name }: Instance): Instance[] =>
  [...instances.values()].filter(({ source }) => source === name);

/** Tells a replica where its source is now. */
export const follow = async (
  context: Context,
  replica: Instance,
  source: Instance,
): Promise<void> => {
  const link = linkTo(context, source, replica.name);
  if (replica.port === undefined) {
    const path = join(replica.folder, "postgresql.auto.conf");
    const text = replicaSettings(link, slotName(replica.name));
    return context.keeper.ask({ act: "write", path, text });
  }
  await asAdministrator(context, replica, async (client) => {
    await client.query(`alter system set primary_conninfo = '${connectionInfo(link)}'`);
    await client.query("select pg_reload_conf()");
  });
};

/** Keeps the log of an instance whose backups can be restored to any moment: see archive.ts. */
export const archiveSlot = "rds_archive";

/** A slot that nobody reads any more would keep WAL for ever. */
export const dropForgottenSlots = async (context: Context, instance: Instance): Promise<void> => {
  const followers = followersOf(context, instance);
  await asAdministrator(context, instance, (client) =>
    client.query(
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots " +
        "where not active and not temporary and slot_name <> all ($1)",
      [[archiveSlot, ...followers.map(({ name }) => slotName(name))]],
    ),
  );
};

/** From now on the instance stands alone. Its slot goes now, or when its source runs again. */
export const unfollow = async (context: Context, instance: Instance): Promise<void> => {
  const source = named(context, instance.source);
  instance.source = undefined;
  if (source?.port !== undefined) await dropForgottenSlots(context, source);
};

/** Slot names allow fewer characters, and fewer of them, than names of instances. */
export const slotName = (name: string): string =>
  `rds_${name
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, "_")
    .slice(-59)}`;
