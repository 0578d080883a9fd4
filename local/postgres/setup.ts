import type { Client } from "pg";
import type { Address } from "./engine.ts";

/** Left out of every copy of a cluster: what belongs to the running server it was taken from. */
export const neverCopied = [
  "postmaster.pid",
  "postmaster.opts",
  "backup_label",
  "standby.signal",
  "recovery.signal",
];

/** Folders whose content means nothing to another server. */
export const emptiedFolders = [
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
];

/**
 * Settings of every server, as arguments so that no copy of a configuration file can bring others.
 * The data of a drill may be lost with the machine, so nothing is synced; what a killed server had
 * committed is in the machine's page cache and stays.
 */
export const settings = (port: number, major: number): string[] => {
  const values: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    password_encryption: "scram-sha-256",
    wal_level: "replica",
    hot_standby: "on",
    max_wal_senders: 10,
    max_replication_slots: 10,
    max_connections: 100,
    wal_retrieve_retry_interval: "100ms",
    wal_receiver_status_interval: "1s",
    fsync: "off",
    full_page_writes: "on",
    shared_buffers: "16MB",
    min_wal_size: "8MB",
    max_wal_size: "64MB",
    // Shared memory in the data folder leaves nothing behind when a server is killed.
    dynamic_shared_memory_type: "mmap",
    // Worker processes for reading would double the number of processes for nothing; 18 brought them.
    ...(major >= 18 && { io_method: "sync" }),
    max_logical_replication_workers: 0,
    jit: "off",
    lc_messages: "C",
    timezone: "UTC",
    log_timezone: "UTC",
    log_checkpoints: "off",
    logging_collector: "off",
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
};

/** Runs `copy` between the start and the stop of a base backup; gives the text of backup_label. */
export const baseBackup = async (client: Client, copy: () => Promise<void>): Promise<string> => {
  await client.query("select pg_backup_start('nightshift', true)");
  await copy();
  const { rows } = await client.query<{ labelfile: string }>(
    "select labelfile from pg_backup_stop(false)",
  );
  const [stopped] = rows;
  if (!stopped) throw new Error("PostgreSQL gave no backup label");
  return stopped.labelfile;
};

export interface ReplicationLink extends Address {
  user: string;
  password: string;
  application: string;
}

/** The value of primary_conninfo. */
export const connectionInfo = (link: ReplicationLink): string =>
  [
    `host=${link.host}`,
    `port=${link.port}`,
    `user=${link.user}`,
    `password=${link.password}`,
    `application_name=${link.application}`,
    "sslmode=disable",
    "gssencmode=disable",
  ].join(" ");

/** The content of postgresql.auto.conf of a streaming replica. */
export const replicaSettings = (link: ReplicationLink, slot: string): string =>
  `primary_conninfo = '${connectionInfo(link)}'\nprimary_slot_name = '${slot}'\n`;
