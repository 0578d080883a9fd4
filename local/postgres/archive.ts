import { join } from "node:path";
import { Unrestorable } from "./engine.ts";
import { archiveSlot } from "./following.ts";
import {
  addInstance,
  asAdministrator,
  type Context,
  copyCluster,
  type Instance,
  inOrder,
  named,
  newName,
} from "./instances.ts";
import { baseBackup } from "./setup.ts";

/** A base backup, and all that was logged since. */
export interface Archive {
  /** Of the instance that it is of, by `name`. */
  source: string;
  folder: string;
  /** What backup_label has to say, for the copy only. */
  label: string;
  /** Where what was logged since is kept. */
  log: string;
  /** Name of the segment of it that is gone for good. */
  lostSegment?: string;
  masterUser: string;
  database: string;
}

/**
 * Takes the base backup. A slot keeps the log in the instance's own folder from here on, and it is
 * fetched from there when somebody wants it.
 */
export const beginArchive = (context: Context, id: string, archiveId: string): Promise<void> =>
  inOrder(context, id, async (instance) => {
    if (context.archives.has(archiveId)) return;
    const at = join(context.folder, newName(context).replace("instance", "archive"));
    const { name: source, masterUser, database } = instance;
    const folder = join(at, "base");
    const label = await asAdministrator(context, instance, async (client) => {
      // One slot keeps the log for all archives of an instance: backups may be switched off and on.
      await client.query(
        "select pg_create_physical_replication_slot($1, true) where not exists " +
          "(select from pg_replication_slots where slot_name = $1)",
        [archiveSlot],
      );
      return baseBackup(client, () => copyCluster(context, instance.folder, folder, ["pg_wal"]));
    });
    const log = join(at, "log");
    context.archives.set(archiveId, { source, masterUser, database, folder, label, log });
  });

/** Loses the segment after the one in which the base backup was taken, wherever it is kept. */
export const loseSegment = ({ archives }: Context, archiveId: string): void => {
  const archive = archives.get(archiveId);
  // START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
  const [, timeline = "", number = ""] =
    /\(file ([0-9A-F]{8})([0-9A-F]{16})\)/.exec(archive?.label ?? "") ?? [];
  if (!archive || number === "") throw new Error(`no log of ${archiveId} to lose something of`);
  const next = (Number.parseInt(number, 16) + 1).toString(16).toUpperCase().padStart(16, "0");
  archive.lostSegment = `${timeline}${next}`;
};

const write = (context: Context, folder: string, name: string, text: string) =>
  context.keeper.ask({ act: "write", path: join(folder, name), text });

/** Brings what was logged by now into every archive of the instance. */
export const fetchLog = async (context: Context, instance: Instance): Promise<void> => {
  for (const archive of context.archives.values()) {
    if (archive.source !== instance.name) continue;
    await copyCluster(context, join(instance.folder, "pg_wal"), archive.log);
  }
};

/**
 * A new instance with every commit of the archived one until `at`. PostgreSQL refuses to end before a
 * target that it has not met, so a running source commits once more, without a change, to be past it, and
 * switches its log, which brings that to the disk.
 */
export const restoreTo = async (
  context: Context,
  archiveId: string,
  at: number,
  wanted: Pick<Instance, "id" | "region">,
): Promise<Instance> => {
  try {
    return await restoredTo(context, archiveId, at, wanted);
  } catch (cause) {
    // PostgreSQL ends when its log ends before the target: there is no server to stop.
    if (!context.archives.get(archiveId)?.lostSegment) throw cause;
    context.instances.delete(wanted.id);
    throw new Unrestorable(archiveId, cause);
  }
};

const restoredTo = async (
  context: Context,
  archiveId: string,
  at: number,
  wanted: Pick<Instance, "id" | "region">,
): Promise<Instance> => {
  const archive = context.archives.get(archiveId);
  if (!archive) throw new Error(`no database archive ${archiveId}`);
  const source = named(context, archive.source);
  if (source?.port !== undefined) {
    await asAdministrator(context, source, async (client) => {
      await client.query("select pg_current_xact_id()");
      await client.query("select pg_switch_wal()");
    });
  }
  if (source) await fetchLog(context, source);
  // In a setting PostgreSQL knows no zones by name, and Z is one.
  const target = new Date(context.options.timeline.machineAt(at)).toISOString().replace("Z", "+00");
  const { masterUser, database } = archive;
  const fields = { ...wanted, name: newName(context), masterUser, database };
  const made = await addInstance(context, fields, async (folder) => {
    await copyCluster(context, archive.folder, folder);
    await write(context, folder, "backup_label", archive.label);
    await write(context, folder, "recovery.signal", "");
    await write(context, folder, "postgresql.auto.conf", recoverySettings(archive, target));
  });
  await recovered(context, made);
  return made;
};

const recoverySettings = ({ log, lostSegment = "none" }: Archive, target: string): string =>
  [
    `restore_command = 'test "%f" != "${lostSegment}" && cp "${log}/%f" "%p"'`,
    `recovery_target_time = '${target}'`,
    "recovery_target_action = 'promote'",
    "",
  ].join("\n");

const mostLooks = 1200;

/** It takes connections as soon as it is consistent, which is before the target. */
const recovered = async (context: Context, instance: Instance): Promise<void> => {
  const { timeline } = context.options;
  for (let look = 0; look < mostLooks; look += 1) {
    const { rows } = await asAdministrator(context, instance, (client) =>
      client.query<{ recovering: boolean }>("select pg_is_in_recovery() as recovering"),
    );
    if (rows[0]?.recovering === false) return;
    await timeline.sleep(500);
  }
  throw new Error(`${instance.id} has not come to the end of its recovery`);
};
