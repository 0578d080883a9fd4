import {
  DBInstanceAutomatedBackupNotFoundFault,
  DescribeDBInstanceAutomatedBackupsCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions, invocation, near, perRegion } from "../../shared/clients.ts";
import { usualReencryption } from "../../shared/config-rotation.ts";
import { invoker } from "../../shared/invoke.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { regionOf } from "../../shared/runtime.ts";
import type { SealedColumn } from "../../shared/sealed.ts";
import type { DatabaseAnswers } from "../database/decide.ts";
import type { Ciphertexts, Kept } from "./ciphertexts.ts";

export interface SealedLink {
  /** The function that asks the database; of the same name in both regions. */
  database: string;
  /** RDS' names of the databases, by region. */
  databases: Record<string, string>;
}

/** Each has 20 to 100 entries. */
const mostPages = 50;

export const ciphertextsOf = (runtime: Runtime, link: SealedLink | undefined): Ciphertexts => {
  const region = regionOf(runtime);
  const { verification, rotation, sizes } = runtime.config;
  const all = verification?.ciphertext ?? [];
  const columns: SealedColumn[] = all
    .filter(({ format }) => format === "keyed-aes-256-gcm")
    .map(({ table, column }) => ({ table, column }));
  const { rows, pauseSeconds } = { ...usualReencryption, ...rotation?.reencryption };
  const functions = invoker(runtime, invocation);
  const ask = <T>(question: object): Promise<T> => {
    if (!link) throw new Error("the database is not linked to this function");
    return functions.ask<T>(region, link.database, question);
  };
  return {
    isKnown: link !== undefined && columns.length > 0,
    unmarked: all
      .filter(({ format }) => format !== "keyed-aes-256-gcm")
      .map(({ table, column }) => `${table}.${column}`),
    retentionDays: sizes.database.backupRetentionDays,
    left: async (key) =>
      (await ask<DatabaseAnswers["sealed"]>({ do: "sealed", key, columns })).left,
    permit: async (seconds) => {
      await ask({ do: "reencrypt", seconds, rows, pauseSeconds });
    },
    backups: async () => {
      const databases = link?.databases ?? {};
      const found = await Promise.all(
        Object.keys(databases).map((where) => keptIn(runtime, where, Object.values(databases))),
      );
      return found.flat();
    },
  };
};

/**
 * A database that was put aside after a failover has the old name with an ending, for which a long name is
 * cut short.
 */
const stemLength = 40;

/** Every instance but the two in use, every automated backup and every snapshot of them. */
const keptIn = async (runtime: Runtime, region: string, ids: string[]): Promise<Kept[]> => {
  const isOurs = (id = "") => ids.some((one) => id.startsWith(one.slice(0, stemLength)));
  const rds = perRegion((each) => new RDSClient(clientOptions(runtime, each, near)))(region);
  const kept: Kept[] = [];
  await paged(region, async (Marker) => {
    const found = await rds.send(new DescribeDBInstancesCommand({ Marker }));
    for (const { DBInstanceIdentifier: id = "" } of found.DBInstances ?? []) {
      // Put aside: what is in it has stood still, and may be looked at by people.
      if (!isOurs(id) || ids.includes(id)) continue;
      kept.push({ what: `the instance ${id} in ${region}`, fromMilliseconds: null });
    }
    return found.Marker;
  });
  await paged(region, async (Marker) => {
    const found = await rds
      .send(new DescribeDBInstanceAutomatedBackupsCommand({ Marker }))
      .catch(noneFound);
    for (const each of found.DBInstanceAutomatedBackups ?? []) {
      if (!isOurs(each.DBInstanceIdentifier)) continue;
      const from = each.RestoreWindow?.EarliestTime?.getTime() ?? null;
      const what = `backups of ${each.DBInstanceIdentifier} in ${region}`;
      kept.push({ what, fromMilliseconds: from });
    }
    return found.Marker;
  });
  for (const type of [undefined, "awsbackup"] as const) {
    await paged(region, async (Marker) => {
      const command = new DescribeDBSnapshotsCommand({
        Marker,
        // Without it those of RDS and of people are listed, and not those of AWS Backup.
        // Source: DescribeDBSnapshots in the API reference of RDS, `SnapshotType`.
        ...(type ? { SnapshotType: type } : {}),
      });
      const found = await rds.send(command);
      for (const each of found.DBSnapshots ?? []) {
        if (!isOurs(each.DBInstanceIdentifier)) continue;
        // A copy keeps the time of its original. (API reference, DBSnapshot.)
        const at = each.OriginalSnapshotCreateTime ?? each.SnapshotCreateTime;
        const what = `the snapshot ${each.DBSnapshotIdentifier} in ${region}`;
        kept.push({ what, fromMilliseconds: at?.getTime() ?? null });
      }
      return found.Marker;
    });
  }
  return kept;
};

const noneFound = (error: unknown): { DBInstanceAutomatedBackups?: never[]; Marker?: string } => {
  if (error instanceof DBInstanceAutomatedBackupNotFoundFault) return {};
  throw error;
};

/** All pages, or an error: what was not looked at may hold what is looked for. */
const paged = async (
  region: string,
  page: (marker: string | undefined) => Promise<string | undefined>,
): Promise<void> => {
  let marker: string | undefined;
  for (let number = 0; number < mostPages; number += 1) {
    marker = await page(marker);
    if (!marker) return;
  }
  throw new Error(`RDS in ${region} lists more than ${mostPages} pages`);
};
