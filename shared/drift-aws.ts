import { DescribeSecurityGroupsCommand, EC2Client, type IpPermission } from "@aws-sdk/client-ec2";
import {
  type DBInstance,
  DBInstanceNotFoundFault,
  DescribeDBInstancesCommand,
  DescribeDBParametersCommand,
  RDSClient,
} from "@aws-sdk/client-rds";
import { clientOptions, near, perRegion } from "./clients.ts";
import type { DatabaseSeen, Difference } from "./drift.ts";
import { driftOf } from "./drift.ts";
import type { Runtime } from "./runtime.ts";

/** PostgreSQL has some hundred parameters, and a page holds a hundred. */
const mostPages = 20;

/** Looks at both databases; changes nothing. Throws when one that there is cannot be seen. */
export const driftWatch = (runtime: Runtime, databases: Record<string, string>) => {
  const rds = perRegion((each) => new RDSClient(clientOptions(runtime, each, near)));
  const ec2 = perRegion((each) => new EC2Client(clientOptions(runtime, each, near)));
  const seen = async (region: string): Promise<DatabaseSeen | null> => {
    const id = databases[region];
    const instance = id === undefined ? null : await described(rds(region), id);
    if (!instance) return null;
    const group = instance.DBParameterGroups?.[0]?.DBParameterGroupName ?? "";
    const [parameters, ingress] = await Promise.all([
      parametersOf(rds(region), group),
      ingressOf(ec2(region), instance),
    ]);
    return { ...seenOf(region, instance), parameters, ingress };
  };
  return async (activeRegion: string, standbyRegion: string): Promise<Difference[]> => {
    const [active, standby] = await Promise.all([seen(activeRegion), seen(standbyRegion)]);
    if (!active) throw new Error(`RDS in ${activeRegion} tells nothing of the database`);
    return driftOf({ active, standby }, runtime.config.sizes.database);
  };
};

const described = async (client: RDSClient, id: string): Promise<DBInstance | null> => {
  try {
    const command = new DescribeDBInstancesCommand({ DBInstanceIdentifier: id });
    return (await client.send(command)).DBInstances?.[0] ?? null;
  } catch (error) {
    if (error instanceof DBInstanceNotFoundFault) return null;
    throw error;
  }
};

/** What is ordered already counts: RDS is at it. */
const seenOf = (
  region: string,
  instance: DBInstance,
): Omit<DatabaseSeen, "parameters" | "ingress"> => {
  const pending = instance.PendingModifiedValues;
  const storageGigabytes = instance.AllocatedStorage ?? 0;
  return {
    region,
    id: instance.DBInstanceIdentifier ?? "",
    instanceClass: pending?.DBInstanceClass ?? instance.DBInstanceClass ?? "unknown",
    storageGigabytes,
    maximumStorageGigabytes: instance.MaxAllocatedStorage ?? storageGigabytes,
    engineVersion: instance.EngineVersion ?? "unknown",
    isEncrypted: instance.StorageEncrypted ?? false,
    isPublic: instance.PubliclyAccessible ?? false,
    isProtected: instance.DeletionProtection ?? false,
    multiAz: pending?.MultiAZ ?? instance.MultiAZ ?? false,
    retentionDays: pending?.BackupRetentionPeriod ?? instance.BackupRetentionPeriod ?? 0,
    parameterGroup: instance.DBParameterGroups?.[0]?.DBParameterGroupName ?? "none",
  };
};

/** Only what somebody has set: `Source` is `user` for it. (DescribeDBParameters.) */
const parametersOf = async (client: RDSClient, group: string): Promise<Record<string, string>> => {
  const all: Record<string, string> = {};
  if (group === "") return all;
  let marker: string | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const { Parameters, Marker } = await client.send(
      new DescribeDBParametersCommand({
        ...{ DBParameterGroupName: group, Source: "user" },
        ...(marker ? { Marker: marker } : {}),
      }),
    );
    for (const { ParameterName, ParameterValue } of Parameters ?? []) {
      if (ParameterName) all[ParameterName] = ParameterValue ?? "";
    }
    marker = Marker;
    if (!marker) return all;
  }
  throw new Error(`there are more than ${mostPages} pages of parameters in ${group}`);
};

/** Groups have other ids in another region, so a rule that names one says only that it does. */
const ingressOf = async (client: EC2Client, instance: DBInstance): Promise<string[]> => {
  const ids = (instance.VpcSecurityGroups ?? []).flatMap((each) => each.VpcSecurityGroupId ?? []);
  if (ids.length === 0) return [];
  const { SecurityGroups } = await client.send(
    new DescribeSecurityGroupsCommand({ GroupIds: ids }),
  );
  const rules = (SecurityGroups ?? []).flatMap(({ IpPermissions }) =>
    (IpPermissions ?? []).flatMap(rulesOf),
  );
  return [...new Set(rules)].sort();
};

const rulesOf = (permission: IpPermission): string[] => {
  const { IpProtocol, FromPort, ToPort, UserIdGroupPairs, IpRanges, Ipv6Ranges } = permission;
  const what = `${IpProtocol === "-1" ? "all" : IpProtocol} ${FromPort ?? "*"}-${ToPort ?? "*"}`;
  return [
    ...(UserIdGroupPairs ?? []).map(() => `${what} from a group`),
    ...(IpRanges ?? []).map(({ CidrIp }) => `${what} from ${CidrIp}`),
    ...(Ipv6Ranges ?? []).map(({ CidrIpv6 }) => `${what} from ${CidrIpv6}`),
  ];
};
