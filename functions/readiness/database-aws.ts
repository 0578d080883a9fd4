import {
  DBInstanceAutomatedBackupNotFoundFault,
  DescribeDBInstanceAutomatedBackupsCommand,
  DescribeDBInstancesCommand,
  DescribeDBParameterGroupsCommand,
  DescribePendingMaintenanceActionsCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions, farInvocation } from "../../shared/clients.ts";
import { invoker } from "../../shared/invoke.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked } from "../../shared/runtime.ts";
import { settingsOf } from "../../shared/settings.ts";
import { given, isNamed } from "./answers.ts";
import type { BackupsSeen } from "./facts.ts";

/** What RDS tells of this region's database, and the database itself. */
export const database = (runtime: Runtime, region: string, id: string) => {
  const client = new RDSClient(clientOptions(runtime, region));
  const { name } = linked<{ name: string }>(runtime, "DatabaseFunction");
  const functions = invoker(runtime, farInvocation);
  return {
    position: () => functions.ask<never>(region, name, { do: "position" }),
    database: async () => {
      const { DBInstances } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
      );
      const instance = given(DBInstances?.[0], `of ${id}`);
      return {
        arn: given(instance.DBInstanceArn, `the ARN of ${id}`),
        resourceId: given(instance.DbiResourceId, `the resource id of ${id}`),
        settings: settingsOf(instance),
        replica: {
          id,
          status: instance.DBInstanceStatus ?? "unknown",
          isReplica: instance.ReadReplicaSourceDBInstanceIdentifier !== undefined,
          replicating: (instance.StatusInfos ?? []).some(({ Status }) => Status === "replicating"),
          pending: Object.entries(instance.PendingModifiedValues ?? {})
            .filter(([, value]) => value !== undefined)
            .map(([field]) => field),
          maintenanceWindow: instance.PreferredMaintenanceWindow ?? "",
          instanceClass: given(instance.DBInstanceClass, `the class of ${id}`),
          storageGigabytes: given(instance.AllocatedStorage, `the storage of ${id}`),
        },
      };
    },
    /** Dates as "PendingMaintenanceAction" in the API reference of RDS explains them. */
    maintenance: async (arn: string) => {
      const { PendingMaintenanceActions } = await client.send(
        new DescribePendingMaintenanceActionsCommand({ ResourceIdentifier: arn }),
      );
      return (PendingMaintenanceActions ?? [])
        .flatMap((each) => each.PendingMaintenanceActionDetails ?? [])
        .map((each) => ({
          action: each.Action ?? "maintenance",
          applyAtMilliseconds: (each.CurrentApplyDate ?? each.ForcedApplyDate)?.getTime() ?? null,
          inWindowAfterMilliseconds: each.AutoAppliedAfterDate?.getTime() ?? null,
        }));
    },
    /** One page: of one database there is one that follows, and what an earlier one has left. */
    backups: async (DbiResourceId: string): Promise<BackupsSeen[]> => {
      try {
        const { DBInstanceAutomatedBackups } = await client.send(
          new DescribeDBInstanceAutomatedBackupsCommand({ DbiResourceId }),
        );
        return (DBInstanceAutomatedBackups ?? []).map(({ Status, RestoreWindow }) => ({
          status: Status ?? "unknown",
          restorableAtMilliseconds: RestoreWindow?.LatestTime?.getTime() ?? null,
        }));
      } catch (error) {
        if (error instanceof DBInstanceAutomatedBackupNotFoundFault) return [];
        throw error;
      }
    },
    hasParameterGroup: async (group: string) => {
      try {
        await client.send(new DescribeDBParameterGroupsCommand({ DBParameterGroupName: group }));
        return true;
      } catch (error) {
        if (isNamed(error, "DBParameterGroupNotFoundFault")) return false;
        throw error;
      }
    },
  };
};
