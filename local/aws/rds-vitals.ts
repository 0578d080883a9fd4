import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { Place } from "../network.ts";
import type { RdsInstance } from "./rds-instance.ts";
import type { RdsState } from "./rds-state.ts";
import { type Filling, fill, freeBytes, settle } from "./rds-storage.ts";

/** What a drill does to an instance, besides taking its region away. */
export interface Strain extends Filling {
  cpuPercent?: number;
}

export const strain = (state: RdsState, instance: RdsInstance, what: Strain): void => {
  if (what.cpuPercent !== undefined) instance.cpuPercent = what.cpuPercent;
  fill(state, instance, what);
};

/**
 * The metrics of namespace AWS/RDS that are modelled, of all instances of a region that run. Connections
 * are those that the engine counts, the processor is as busy as a drill says. Source: "Amazon CloudWatch
 * instance-level metrics for Amazon RDS".
 */
export const databaseData = async (state: RdsState, region: Place): Promise<MetricDatum[]> => {
  const there = [...state.instances.values()].filter(
    (instance) => instance.region === region && instance.built && !instance.down,
  );
  return (await Promise.all(there.map((instance) => dataOf(state, instance)))).flat();
};

const dataOf = async (state: RdsState, instance: RdsInstance): Promise<MetricDatum[]> => {
  const now = state.surroundings.timeline.now();
  settle(state, instance);
  // One that restarts or dies while it is asked answers nobody: then there is nothing to publish.
  const vitals = await state.engine.vitals?.(instance.engineId).catch(() => undefined);
  const values: Record<string, number | undefined> = {
    CPUUtilization: instance.cpuPercent,
    FreeStorageSpace: freeBytes(instance, now),
    DatabaseConnections: vitals?.connections,
    ReplicaLag: instance.source && lagOf(instance, vitals?.lagSeconds, now),
  };
  return Object.entries(values).flatMap(([MetricName, Value]) =>
    Value === undefined ? [] : [{ MetricName, Value, Dimensions: dimensionsOf(instance) }],
  );
};

const dimensionsOf = ({ id }: RdsInstance) => [{ Name: "DBInstanceIdentifier", Value: id }];

/** An engine that can not say how far its replica is behind still knows since when it is cut off. */
const lagOf = ({ unlinkedSince }: RdsInstance, known: number | undefined, now: number): number =>
  known ?? (unlinkedSince === undefined ? 0 : (now - unlinkedSince) / 1000);
