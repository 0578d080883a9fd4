import type {
  DescribeDBParameterGroupsCommandInput,
  DescribePendingMaintenanceActionsCommandInput,
  PendingMaintenanceAction,
} from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import { pageOf } from "./paging.ts";
import { AwsError, type Call } from "./service.ts";

/** What RDS has in store for its instances: parameter groups, and maintenance that is due. */
export const upkeep = () => {
  const groups = new Map<Place, Set<string>>();
  const actions = new Map<string, PendingMaintenanceAction[]>();
  return {
    operations: {
      /** A group by name only; every region has a `default.` group of each family. */
      DescribeDBParameterGroups: (
        input: DescribeDBParameterGroupsCommandInput,
        { region, account }: Call,
      ) => {
        const name = input.DBParameterGroupName ?? "";
        const shown = (DBParameterGroupName: string) => ({
          DBParameterGroupName,
          DBParameterGroupArn: `arn:aws:rds:${region}:${account}:pg:${DBParameterGroupName}`,
        });
        if (name === "") {
          const page = pageOf(
            [...(groups.get(region) ?? [])],
            input.Marker,
            input.MaxRecords ?? 100,
          );
          return { DBParameterGroups: page.items.map(shown), Marker: page.next };
        }
        if (!name.startsWith("default.") && !groups.get(region)?.has(name)) {
          throw new AwsError(
            "DBParameterGroupNotFoundFault",
            `DBParameterGroup not found: ${name}`,
          );
        }
        return { DBParameterGroups: [shown(name)] };
      },
      DescribePendingMaintenanceActions: (
        input: DescribePendingMaintenanceActionsCommandInput,
        { region }: Call,
      ) => {
        const found = [...actions]
          .filter(([arn]) => arn.split(":")[3] === region)
          .filter(([arn]) => [undefined, arn].includes(input.ResourceIdentifier))
          .map(([ResourceIdentifier, details]) => ({
            ResourceIdentifier,
            PendingMaintenanceActionDetails: [...details],
          }));
        const page = pageOf(found, input.Marker, input.MaxRecords ?? 100);
        return { PendingMaintenanceActions: page.items, Marker: page.next };
      },
    },
    /** A parameter group that is there when a run begins. */
    establishParameterGroup: (region: Place, name: string): void => {
      groups.set(region, (groups.get(region) ?? new Set()).add(name));
    },
    /** What AWS has announced for an instance, by its ARN. */
    planMaintenance: (arn: string, action: PendingMaintenanceAction): void => {
      actions.set(arn, [...(actions.get(arn) ?? []), action]);
    },
  };
};
