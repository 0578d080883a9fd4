import type { DBSnapshot, Event, Tag } from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import type { DatabaseEngine } from "../postgres/engine.ts";
import { type DurationName, duration } from "./durations.ts";
import type { BackupCopy } from "./rds-backups.ts";
import { engineId, type RdsInstance } from "./rds-instance.ts";
import { AwsError, type Surroundings } from "./service.ts";

export interface RdsSnapshot {
  region: Place;
  id: string;
  engineId: string;
  arn: string;
  details: DBSnapshot;
  tags: Tag[];
  /** Of a copy: what the engine keeps its content as. */
  heldAs?: string;
  /** The instance as it was, whose settings a restore takes over. */
  of: RdsInstance;
}

export interface RdsEvent extends Event {
  region: Place;
}

export interface RdsState {
  surroundings: Surroundings;
  engine: DatabaseEngine;
  /** By engine id. */
  instances: Map<string, RdsInstance>;
  snapshots: Map<string, RdsSnapshot>;
  /** Of automated backups, in other regions than their source. */
  copies: BackupCopy[];
  /** Instances too busy for their daily snapshot, and since when. */
  skipping: Map<RdsInstance, number>;
  /** Whether KMS would let a key of that region be used. */
  isKeyUsable(region: Place, key: string): boolean;
  /** Oldest first, bounded. */
  events: RdsEvent[];
  /** Work that goes on when its region is back. */
  sleepers: Map<Place, (() => void)[]>;
  /** How late a broken replication link shows. */
  errorNoticedAfterMilliseconds: number;
}

const mostEvents = 1000;

export const record = (
  state: RdsState,
  instance: RdsInstance,
  kind: string,
  text: string,
): void => {
  state.events.push({
    region: instance.region,
    SourceIdentifier: instance.id,
    SourceType: "db-instance",
    SourceArn: instance.arn,
    EventCategories: [kind],
    Message: text,
    Date: new Date(state.surroundings.timeline.now()),
  });
  if (state.events.length > mostEvents) state.events.shift();
};

export const find = (state: RdsState, region: Place, id: string | undefined): RdsInstance => {
  const instance = state.instances.get(engineId(region, id ?? ""));
  if (!instance) throw new AwsError("DBInstanceNotFoundFault", `DBInstance ${id} not found.`);
  return instance;
};

/** Almost every change is refused unless the instance is available. */
export const findAvailable = (
  state: RdsState,
  region: Place,
  id: string | undefined,
): RdsInstance => {
  const instance = find(state, region, id);
  if (instance.details.DBInstanceStatus !== "available") {
    throw invalidState(`Instance ${id} is not in available state.`);
  }
  return instance;
};

/**
 * As `findAvailable`, and with a volume that is being optimized or is full: an instance takes
 * modifications then (USER_PIOPS.ModifyingExisting, "Viewing DB instance status").
 */
export const findModifiable = (
  state: RdsState,
  region: Place,
  id: string | undefined,
): RdsInstance => {
  const instance = find(state, region, id);
  const status = instance.details.DBInstanceStatus ?? "";
  return ["storage-optimization", "storage-full"].includes(status)
    ? instance
    : findAvailable(state, region, id);
};

/** As `findAvailable`, and one that could not be restored. (DeleteDBInstance: without a final snapshot.) */
export const findDeletable = (
  state: RdsState,
  region: Place,
  id: string | undefined,
): RdsInstance => {
  const instance = find(state, region, id);
  const isLost = instance.details.DBInstanceStatus === "incompatible-restore";
  return isLost ? instance : findAvailable(state, region, id);
};

export const invalidState = (message: string): AwsError =>
  new AwsError("InvalidDBInstanceStateFault", message);

export const alreadyExists = (): AwsError =>
  new AwsError("DBInstanceAlreadyExistsFault", "DB instance already exists");

/** RDS answers these without modelling them. */
export const invalidParameter = (
  code: "InvalidParameterValue" | "InvalidParameterCombination",
  message: string,
): AwsError => new AwsError(code, message, { status: 400 });

/** Resolves as soon as the region of the instance lives and the instance has power. */
export const awake = async (state: RdsState, instance: RdsInstance): Promise<void> => {
  const { region } = instance;
  while (state.surroundings.network.state(region) === "dead" || instance.down) {
    await new Promise<void>((resolve) => {
      state.sleepers.set(region, [...(state.sleepers.get(region) ?? []), resolve]);
    });
  }
};

export const wake = (state: RdsState, region: Place): void => {
  const sleepers = state.sleepers.get(region) ?? [];
  state.sleepers.delete(region);
  for (const resume of sleepers) resume();
};

/** Lets the modelled time of `name` pass; a dead region's clock does not count. */
export const pass = async (
  state: RdsState,
  instance: RdsInstance,
  name: DurationName,
): Promise<void> => {
  const { timeline, random } = state.surroundings;
  await timeline.sleep(duration(random, name));
  await awake(state, instance);
};

/** Goes on after the answer has been given; what it throws ends the run, through the timeline. */
export const inBackground = (state: RdsState, act: () => Promise<void>): void => {
  state.surroundings.timeline.after(0, act);
};

export const pageSize = (asked: number | undefined): number => {
  if (asked !== undefined && (asked < 20 || asked > 100)) {
    throw invalidParameter("InvalidParameterValue", "MaxRecords must be between 20 and 100.");
  }
  return asked ?? 100;
};
