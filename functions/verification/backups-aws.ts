import { DescribeKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  type DBInstanceAutomatedBackup,
  DBInstanceAutomatedBackupNotFoundFault,
  type DBSnapshot,
  DescribeDBInstanceAutomatedBackupsCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions, near, perRegion } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { BackupSeen, SnapshotSeen } from "./decide.ts";
import type { BackupPorts } from "./ports.ts";

/** Of one source there are one that follows, retained ones, and no more than a region takes. */
const mostPages = 10;

/** Backups and keys, seen only. */
export const backupsOf = (runtime: Runtime, region: string): BackupPorts => {
  const rds = perRegion((each) => new RDSClient(clientOptions(runtime, each, near)));
  const kms = perRegion((each) => new KMSClient(clientOptions(runtime, each, near)));
  const automated = automatedOf(rds);
  return {
    here: async (id) =>
      (await automated(region, id))
        // This region's own are those of an instance that may be lost with it.
        .filter((each) => each.Region !== region && each.DBInstanceAutomatedBackupsArn)
        .map((each) => seenOf(each, id)),
    source: async (where, id) => {
      const [{ DBInstances }, own] = await Promise.all([
        rds(where).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id })),
        automated(where, id),
      ]);
      const [instance] = DBInstances ?? [];
      if (!instance) throw new Error(`RDS in ${where} tells nothing of ${id}`);
      const latest = own
        .filter(({ Region }) => Region === where)
        .flatMap(({ RestoreWindow }) => RestoreWindow?.LatestTime?.getTime() ?? []);
      return {
        status: instance.DBInstanceStatus ?? "unknown",
        retentionDays: instance.BackupRetentionPeriod ?? 0,
        key: instance.KmsKeyId ?? null,
        encrypted: instance.StorageEncrypted ?? false,
        latestMilliseconds: latest.length > 0 ? Math.max(...latest) : null,
      };
    },
    snapshots: async (where, id) =>
      (await snapshotsOf(rds)(where, id, "automated")).flatMap(({ SnapshotCreateTime: at }) =>
        at ? [at.getTime()] : [],
      ),
    snapshotsHere: async (id) =>
      (await snapshotsOf(rds)(region, id)).flatMap((each) => snapshotSeen(each, id) ?? []),
    keyState: async (where, key) => {
      const { KeyMetadata } = await kms(where).send(new DescribeKeyCommand({ KeyId: key }));
      return KeyMetadata?.KeyState ?? "unknown";
    },
  };
};

const seenOf = (each: DBInstanceAutomatedBackup, id: string): BackupSeen => ({
  arn: each.DBInstanceAutomatedBackupsArn ?? "",
  sourceId: each.DBInstanceIdentifier ?? id,
  sourceRegion: each.Region ?? "unknown",
  status: each.Status ?? "unknown",
  key: each.KmsKeyId ?? null,
  retentionDays: each.BackupRetentionPeriod ?? 0,
  earliestMilliseconds: each.RestoreWindow?.EarliestTime?.getTime() ?? null,
  latestMilliseconds: each.RestoreWindow?.LatestTime?.getTime() ?? null,
  engineVersion: each.EngineVersion ?? null,
  storageGigabytes: each.AllocatedStorage ?? 0,
});

const automatedOf =
  (rds: (region: string) => RDSClient) =>
  async (where: string, id: string): Promise<DBInstanceAutomatedBackup[]> => {
    const all: DBInstanceAutomatedBackup[] = [];
    let marker: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      try {
        const { DBInstanceAutomatedBackups, Marker } = await rds(where).send(
          new DescribeDBInstanceAutomatedBackupsCommand({
            DBInstanceIdentifier: id,
            ...(marker ? { Marker: marker } : {}),
          }),
        );
        all.push(...(DBInstanceAutomatedBackups ?? []));
        marker = Marker;
      } catch (error) {
        if (error instanceof DBInstanceAutomatedBackupNotFoundFault) return all;
        throw error;
      }
      if (!marker) return all;
    }
    throw new Error(`there are more than ${mostPages} pages of backups of ${id}`);
  };

/** Those that are available; of every kind when none is named. */
const snapshotsOf =
  (rds: (region: string) => RDSClient) =>
  async (where: string, id: string, kind?: "automated"): Promise<DBSnapshot[]> => {
    const all: DBSnapshot[] = [];
    let marker: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const { DBSnapshots, Marker } = await rds(where).send(
        new DescribeDBSnapshotsCommand({
          DBInstanceIdentifier: id,
          ...(kind ? { SnapshotType: kind } : {}),
          ...(marker ? { Marker: marker } : {}),
        }),
      );
      all.push(...(DBSnapshots ?? []).filter(({ Status }) => Status === "available"));
      marker = Marker;
      if (!marker) return all;
    }
    throw new Error(`there are more than ${mostPages} pages of snapshots of ${id}`);
  };

/** A copy keeps the time of its original as `OriginalSnapshotCreateTime`. (API reference, DBSnapshot.) */
const snapshotSeen = (each: DBSnapshot, id: string): SnapshotSeen | null => {
  const { DBSnapshotArn: arn, SnapshotCreateTime, OriginalSnapshotCreateTime } = each;
  const at = OriginalSnapshotCreateTime ?? SnapshotCreateTime;
  if (!arn || !at) return null;
  return {
    arn,
    sourceId: each.DBInstanceIdentifier ?? id,
    sourceRegion: each.SourceRegion ?? arn.split(":")[3] ?? "unknown",
    key: each.KmsKeyId ?? null,
    takenAtMilliseconds: at.getTime(),
    engineVersion: each.EngineVersion ?? null,
    storageGigabytes: each.AllocatedStorage ?? 0,
  };
};
