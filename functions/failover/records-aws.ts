import {
  ChangeResourceRecordSetsCommand,
  GetHealthCheckCommand,
  GetHealthCheckStatusCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { clientOptions } from "../../shared/clients.ts";
import type { Coordination } from "../../shared/coordination.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RecordsSeen } from "./rebuild-records.ts";

/** The public name's records, by zone, and where this region is reached without that name. */
export interface RecordsLink {
  zoneId: string;
  recordSets: string[];
  regionalName: string;
}

/** As much of a record set as this platform's records have, and nothing else is ever written. */
interface Kept {
  identifier: string;
  failover: "PRIMARY" | "SECONDARY";
  ttlSeconds: number;
  value: string;
  healthCheck: string | null;
}

const keptId = "records";

/**
 * The pair of records that the platform was deployed with, kept before a run changes it: the health
 * check's id stands nowhere else in the reach of a function.
 */
export const publicRecords = (
  runtime: Runtime,
  table: Coordination,
  { zoneId, recordSets, regionalName }: RecordsLink,
) => {
  const { name } = runtime.config.domain;
  const client = new Route53Client(clientOptions(runtime, "us-east-1"));

  const present = async (): Promise<Kept[]> => {
    const { ResourceRecordSets = [] } = await client.send(
      new ListResourceRecordSetsCommand({
        HostedZoneId: zoneId,
        StartRecordName: name,
        StartRecordType: "CNAME",
        MaxItems: 10,
      }),
    );
    return ResourceRecordSets.filter(
      (set) =>
        set.Name?.replace(/\.$/, "") === name && recordSets.includes(set.SetIdentifier ?? ""),
    ).map(keptOf);
  };
  const kept = async (): Promise<Kept[] | null> =>
    ((await table.read(keptId))?.sets as Kept[] | undefined) ?? null;

  return {
    /** Keeps the pair as it is, if it still is the one that was deployed. */
    keepRecords: async (): Promise<void> => {
      const sets = await present();
      const whole = sets.length === recordSets.length && isFollowing(sets);
      if (whole) await table.write(keptId, { set: { sets } });
    },
    records: async (): Promise<RecordsSeen> => {
      const [sets, before] = await Promise.all([present(), kept()]);
      if (isFollowing(sets)) return { is: "following", sendsHere: true, why: "" };
      if (!before) return { is: "lost", sendsHere: false, why: "nobody has kept the pair" };
      const primary = before.find(({ failover }) => failover === "PRIMARY");
      const healthy = await isHealthy(client, primary?.healthCheck ?? "");
      const answered = before.find(({ failover }) => (failover === "PRIMARY") === healthy);
      const why =
        `the health check is ${healthy ? "healthy" : "unhealthy"} and ` +
        `would send users to ${answered?.value ?? "nobody"}`;
      return { is: "kept", sendsHere: answered?.value === regionalName, why };
    },
    restoreRecords: async (): Promise<void> => {
      const before = await kept();
      if (!before) throw new Error("the pair of records was not kept");
      const changes = before.map((set) => ({
        Action: "UPSERT" as const,
        ResourceRecordSet: recordOf(name, set),
      }));
      const input = { HostedZoneId: zoneId, ChangeBatch: { Changes: changes } };
      await client.send(new ChangeResourceRecordSetsCommand(input));
    },
  };
};

/** A set with a health check is what a run's own records never have. */
const isFollowing = (sets: readonly Kept[]): boolean =>
  sets.some(({ failover, healthCheck }) => failover === "PRIMARY" && healthCheck !== null);

const keptOf = (set: ResourceRecordSet): Kept => ({
  identifier: set.SetIdentifier ?? "",
  failover: set.Failover === "PRIMARY" ? "PRIMARY" : "SECONDARY",
  ttlSeconds: set.TTL ?? 60,
  value: set.ResourceRecords?.[0]?.Value ?? "",
  healthCheck: set.HealthCheckId ?? null,
});

const recordOf = (name: string, set: Kept): ResourceRecordSet => ({
  Name: name,
  Type: "CNAME",
  TTL: set.ttlSeconds,
  SetIdentifier: set.identifier,
  Failover: set.failover,
  ResourceRecords: [{ Value: set.value }],
  ...(set.healthCheck ? { HealthCheckId: set.healthCheck } : {}),
});

/**
 * Whether a calculated check is healthy. Route 53 tells that of no calculated check, so it is worked
 * out from its children. Source: GetHealthCheckStatus and HealthCheckConfig in the Route 53 API
 * reference.
 */
const isHealthy = async (client: Route53Client, id: string): Promise<boolean> => {
  const { HealthCheck } = await client.send(new GetHealthCheckCommand({ HealthCheckId: id }));
  const config = HealthCheck?.HealthCheckConfig;
  if (config?.Type !== "CALCULATED") throw new Error(`${id} is no calculated health check`);
  const children = await Promise.all(
    (config.ChildHealthChecks ?? []).map((child) => isSeenHealthy(client, child)),
  );
  const healthy = children.filter((child) => child).length >= (config.HealthThreshold ?? 0);
  return healthy !== (config.Inverted ?? false);
};

/**
 * More than 18 % of the checkers have to see it well. Source: "How Amazon Route 53 determines whether
 * a health check is healthy" in the Route 53 developer guide.
 */
const enoughCheckers = 0.18;

const isSeenHealthy = async (client: Route53Client, id: string): Promise<boolean> => {
  const { HealthCheckObservations = [] } = await client.send(
    new GetHealthCheckStatusCommand({ HealthCheckId: id }),
  );
  if (HealthCheckObservations.length === 0) throw new Error(`no checker reports about ${id}`);
  const well = HealthCheckObservations.filter(({ StatusReport }) =>
    StatusReport?.Status?.startsWith("Success"),
  );
  return well.length / HealthCheckObservations.length > enoughCheckers;
};
