import type {
  DescribeDBParameterGroupsCommandInput,
  DescribeDBParametersCommandInput,
  DescribePendingMaintenanceActionsCommandInput,
  PendingMaintenanceAction,
} from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import { pageOf } from "./paging.ts";
import { AwsError, type Call } from "./service.ts";

/** What RDS has in store for its instances: parameter groups, and maintenance that is due. */
export const upkeep = () => {
  const groups = new Map<Place, Map<string, Record<string, string>>>();
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
            [...(groups.get(region)?.keys() ?? [])],
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
      DescribeDBParameters: (input: DescribeDBParametersCommandInput, { region }: Call) =>
        parametersOf(groups.get(region), input),
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
    establishParameterGroup: (
      region: Place,
      name: string,
      parameters: Record<string, string> = {},
    ): void => {
      groups.set(region, (groups.get(region) ?? new Map()).set(name, parameters));
    },
    /** What AWS has announced for an instance, by its ARN. */
    planMaintenance: (arn: string, action: PendingMaintenanceAction): void => {
      actions.set(arn, [...(actions.get(arn) ?? []), action]);
    },
  };
};

/** What somebody has set; RDS's own values are not modelled, and whoever wants them is refused. */
const parametersOf = (
  groups: ReadonlyMap<string, Record<string, string>> | undefined,
  { DBParameterGroupName: name = "", Source }: DescribeDBParametersCommandInput,
) => {
  if (Source !== "user") {
    throw new AwsError("NotImplemented", "Only parameters of Source user.", { status: 501 });
  }
  const group = groups?.get(name);
  if (!group && !name.startsWith("default.")) {
    throw new AwsError("DBParameterGroupNotFoundFault", `There is no group ${name}.`);
  }
  const Parameters = Object.entries(group ?? {}).map(([ParameterName, ParameterValue]) => ({
    ...{ ParameterName, ParameterValue, Source: "user" },
  }));
  return { Parameters };
};
