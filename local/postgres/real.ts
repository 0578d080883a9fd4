import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, escapeIdentifier, escapeLiteral } from "pg";
import { beginArchive, fetchLog, loseSegment, restoreTo } from "./archive.ts";
import { binaries, majorVersion, unprivilegedAccount } from "./binaries.ts";
import { addReplica, takeSnapshot } from "./copies.ts";
import type { Address, DatabaseEngine, NewInstance, ReplicaPosition } from "./engine.ts";
import { dropForgottenSlots, follow, followersOf, unfollow } from "./following.ts";
import {
  type Administration,
  addInstance,
  administration,
  administrator,
  asAdministrator,
  type Context,
  copyCluster,
  endpointOf,
  type Instance,
  inOrder,
  instanceOf,
  newName,
  type RealEngineOptions,
  replicator,
  startServer,
} from "./instances.ts";
import { processes } from "./processes.ts";

export interface RealEngine extends DatabaseEngine {
  administration(id: string): Administration;
  positions(id: string): Promise<ReplicaPosition>;
  /** A segment of an archive's log is lost, so that it cannot be restored beyond it. */
  loseSegment(archiveId: string): void;
  /** Holds the replay of a replica back by real, not modelled, `milliseconds`; 0 ends it. */
  delayReplay(id: string, milliseconds: number): Promise<void>;
  /** The folder that holds everything; gone after `close`. */
  folder: string;
}

/** RDS instances as real PostgreSQL processes, streaming replication and all. */
export const realEngine = async (options: RealEngineOptions): Promise<RealEngine> => {
  const context = await prepare(options);
  const { instances, keeper } = context;
  const ordered = <T>(id: string, act: (instance: Instance) => Promise<T>) =>
    inOrder(context, id, act);
  let template: Promise<string> | undefined;
  const madeTemplate = () => (template ??= makeTemplate(context));
  return {
    folder: context.folder,
    create: async (wanted) => create(context, wanted, await madeTemplate()),
    replicate: async (source, replica) =>
      (await addReplica(context, source, replica)).proxy.address,
    promote: (id) => ordered(id, (instance) => promote(context, instance)),
    restart: (id) => ordered(id, (instance) => restart(context, instance)),
    kill: (id) => {
      // Nobody may learn from a closed connection what a region without power could not tell.
      const instance = instanceOf(context, id);
      instance.dark = true;
      instance.proxy.silence();
      return ordered(id, (instance) => stop(context, instance));
    },
    start: (id) => ordered(id, (instance) => start(context, instance)),
    remove: (id) => ordered(id, (instance) => remove(context, instance)),
    rename: async (id, to) => rename(context, id, to),
    snapshot: (id, snapshotId) => takeSnapshot(context, id, snapshotId),
    removeSnapshot: (snapshotId) => removeSnapshot(context, snapshotId),
    restore: (snapshotId, wanted) => restore(context, snapshotId, wanted),
    archive: (id, archiveId) => beginArchive(context, id, archiveId),
    loseSegment: (archiveId) => loseSegment(context, archiveId),
    restoreTo: async (archiveId, at, wanted) =>
      (await restoreTo(context, archiveId, at, wanted)).proxy.address,
    setMasterPassword: (id, password) =>
      ordered(id, (instance) => setMasterPassword(context, instance, password)),
    reconsider: () => {
      for (const instance of instances.values()) instance.proxy.reconsider();
    },
    vitals: (id) =>
      asAdministrator(context, instanceOf(context, id), async (client) => {
        const { rows } = await client.query<{ connections: number }>(
          "select count(*)::int as connections from pg_stat_activity " +
            "where backend_type = 'client backend' and pid <> pg_backend_pid()",
        );
        return { connections: rows[0]?.connections ?? 0 };
      }),
    administration: (id) => administration(context, instanceOf(context, id)),
    positions: (id) => asAdministrator(context, instanceOf(context, id), readPosition),
    delayReplay: (id, milliseconds) =>
      asAdministrator(context, instanceOf(context, id), async (client) => {
        await client.query(`alter system set recovery_min_apply_delay = '${milliseconds}ms'`);
        await client.query("select pg_reload_conf()");
      }),
    close: async () => {
      await Promise.all([...context.endpoints.values()].map((endpoint) => endpoint.close()));
      await keeper.close();
      // The keeper empties it, but its account may not be allowed to take the folder itself away.
      await rm(context.folder, { recursive: true, force: true });
    },
  };
};

const prepare = async (options: RealEngineOptions): Promise<Context> => {
  const folder = await mkdtemp(join(tmpdir(), "nightshift-postgres-"));
  const account = await unprivilegedAccount();
  if (account) await chown(folder, account.uid, account.gid);
  // The keeper comes first: from here on it removes the folder however this process ends.
  const keeper = processes(folder, account);
  try {
    const native = await binaries(folder, account, options.installation);
    const major = await majorVersion(native);
    const password = options.random.id();
    const kept = { instances: new Map(), endpoints: new Map(), snapshots: new Map() };
    const archives = new Map();
    return { options, keeper, native, major, folder, password, ...kept, archives };
  } catch (error) {
    await keeper.close();
    throw error;
  }
};

const makeTemplate = async (context: Context): Promise<string> => {
  const folder = join(context.folder, "template");
  const { keeper, native, password } = context;
  await keeper.ask({ act: "initialise", native, folder, user: administrator, password });
  return folder;
};

const create = async (
  context: Context,
  wanted: NewInstance,
  template: string,
): Promise<Address> => {
  const made = await addInstance(context, { ...wanted, name: newName(context) }, (folder) =>
    copyCluster(context, template, folder),
  );
  await asAdministrator(context, made, (client) => prepareRoles(client, wanted, context.password));
  return made.proxy.address;
};

const promote = async (context: Context, instance: Instance): Promise<void> => {
  await asAdministrator(context, instance, (client) => client.query("select pg_promote(true, 60)"));
  await unfollow(context, instance);
};

/**
 * Moves the instance to another id at once, and to that id's address as soon as it is its turn. The
 * old address stays empty until somebody takes it.
 */
const rename = (context: Context, id: string, to: string): Promise<Address> => {
  const { instances } = context;
  if (instances.has(to)) throw new Error(`there is a database instance ${to} already`);
  const moved = instanceOf(context, id);
  instances.delete(id);
  instances.set(to, moved);
  moved.id = to;
  return inOrder(context, to, async (instance) => {
    const old = instance.proxy;
    instance.proxy = await endpointOf(context, to, instance.region);
    old.sever();
    // Its region may have lost its power meanwhile; then it starts at the new address.
    if (instance.dark) instance.proxy.silence();
    else await restart(context, instance);
    for (const follower of followersOf(context, instance)) {
      await follow(context, follower, instance);
    }
    return instance.proxy.address;
  });
};

const restart = async (context: Context, instance: Instance): Promise<void> => {
  instance.port = undefined;
  await context.keeper.ask({ act: "stop", id: instance.name });
  await startServer(context, instance);
};

const stop = async (context: Context, instance: Instance): Promise<void> => {
  instance.port = undefined;
  await context.keeper.ask({ act: "kill", id: instance.name });
};

const start = async (context: Context, instance: Instance): Promise<void> => {
  if (instance.port === undefined) await startServer(context, instance);
  await dropForgottenSlots(context, instance);
  instance.dark = false;
  instance.proxy.open();
};

const remove = async (context: Context, instance: Instance): Promise<void> => {
  await stop(context, instance);
  context.instances.delete(instance.id);
  instance.proxy.sever();
  await fetchLog(context, instance);
  await unfollow(context, instance);
  await context.keeper.ask({ act: "remove", path: instance.folder });
};

const removeSnapshot = async (context: Context, snapshotId: string): Promise<void> => {
  const snapshot = context.snapshots.get(snapshotId);
  context.snapshots.delete(snapshotId);
  if (snapshot) await context.keeper.ask({ act: "remove", path: snapshot.folder });
};

const restore = async (
  context: Context,
  snapshotId: string,
  wanted: Pick<NewInstance, "id" | "region">,
): Promise<Address> => {
  const snapshot = context.snapshots.get(snapshotId);
  if (!snapshot) throw new Error(`no database snapshot ${snapshotId}`);
  const { masterUser, database, folder } = snapshot;
  const named = { ...wanted, name: newName(context), masterUser, database };
  const made = await addInstance(context, named, (target) => copyCluster(context, folder, target));
  return made.proxy.address;
};

const setMasterPassword = (context: Context, instance: Instance, password: string) =>
  asAdministrator(context, instance, async (client) => {
    const role = escapeIdentifier(instance.masterUser);
    await client.query(`alter role ${role} password ${escapeLiteral(password)}`);
  });

/** The master user of RDS is no superuser; it may do what `rds_superuser` may. */
const prepareRoles = async (client: Client, wanted: NewInstance, password: string) => {
  const master = escapeIdentifier(wanted.masterUser);
  const secret = escapeLiteral(wanted.masterPassword);
  const statements = [
    `create role ${replicator} login replication password ${escapeLiteral(password)}`,
    "create role rds_superuser nologin",
    "grant pg_monitor, pg_signal_backend, pg_checkpoint to rds_superuser with admin option",
    `create role ${master} login createrole createdb password ${secret} in role rds_superuser`,
    `create database ${escapeIdentifier(wanted.database)} owner ${master}`,
  ];
  for (const statement of statements) await client.query(statement);
};

const readPosition = async (client: Client): Promise<ReplicaPosition> => {
  const { rows } = await client.query<ReplicaPosition>(
    "select coalesce(pg_last_wal_receive_lsn(), '0/0')::text as received, " +
      "coalesce(pg_last_wal_replay_lsn(), '0/0')::text as replayed",
  );
  const [position] = rows;
  if (!position) throw new Error("PostgreSQL gave no position");
  return position;
};
