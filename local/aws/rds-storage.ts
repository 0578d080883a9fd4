import type { ModifyDBInstanceCommandInput } from "@aws-sdk/client-rds";
import { duration } from "./durations.ts";
import type { RdsInstance } from "./rds-instance.ts";
import { invalidParameter, type RdsState, record } from "./rds-state.ts";

const gigabyte = 1024 ** 3;
const hourMilliseconds = 3_600_000;
const restMilliseconds = 6 * hourMilliseconds;

/** How full a new instance is, of what it was given. */
const usualShare = 0.3;

/** What is on the volume of an instance, and what its growth does not allow yet. */
export interface Disk {
  usedBytes: number;
  growsBytesPerHour: number;
  /** When `usedBytes` was so many. */
  asOf: number;
  /** Modelled milliseconds since 1970; no further change of the storage before then. */
  restsUntil: number;
  optimizesUntil: number;
}

export const newDisk = (allocatedGigabytes: number, now: number): Disk => ({
  usedBytes: usualShare * allocatedGigabytes * gigabyte,
  growsBytesPerHour: 0,
  asOf: now,
  restsUntil: 0,
  optimizesUntil: 0,
});

const allocatedBytes = ({ details }: RdsInstance): number =>
  (details.AllocatedStorage ?? 0) * gigabyte;

const usedBytes = ({ usedBytes: used, growsBytesPerHour: grows, asOf }: Disk, now: number) =>
  used + (grows * (now - asOf)) / hourMilliseconds;

export const freeBytes = (instance: RdsInstance, now: number): number =>
  Math.max(0, allocatedBytes(instance) - usedBytes(instance.disk, now));

export interface Filling {
  /** From now on, of the allocated storage. */
  usedPercent?: number;
  growsGigabytesPerHour?: number;
}

/** For drills: somebody writes a lot, or has written it. */
export const fill = (state: RdsState, instance: RdsInstance, filling: Filling): void => {
  const now = state.surroundings.timeline.now();
  const { usedPercent, growsGigabytesPerHour: grows } = filling;
  const { disk } = instance;
  disk.usedBytes =
    usedPercent === undefined
      ? Math.min(usedBytes(disk, now), allocatedBytes(instance))
      : (allocatedBytes(instance) * usedPercent) / 100;
  disk.asOf = now;
  if (grows !== undefined) disk.growsBytesPerHour = grows * gigabyte;
  settle(state, instance);
};

/** What an instance is when nothing is done to it. Writes on a full volume are not stopped here. */
const settledStatus = (instance: RdsInstance, now: number): string => {
  const isFull = allocatedBytes(instance) > 0 && freeBytes(instance, now) === 0;
  if (isFull) return "storage-full";
  return now < instance.disk.optimizesUntil ? "storage-optimization" : "available";
};

const settled = ["available", "storage-optimization", "storage-full"];

/** Brings the status up to date with the volume, and tells of a full one. */
export const settle = (state: RdsState, instance: RdsInstance): void => {
  const { details } = instance;
  if (settled.includes(details.DBInstanceStatus ?? "")) rest(state, instance);
};

/** As `settle`, at the end of something that was done to it. */
export const rest = (state: RdsState, instance: RdsInstance): void => {
  const { details } = instance;
  const before = details.DBInstanceStatus;
  details.DBInstanceStatus = settledStatus(instance, state.surroundings.timeline.now());
  if (before === details.DBInstanceStatus || details.DBInstanceStatus !== "storage-full") return;
  const text = "Allocated storage has been exhausted. Allocate additional storage to resolve.";
  record(state, instance, "low storage", text);
};

/**
 * Storage can not shrink, grows by a tenth at least, and rests for six hours or until it is optimized,
 * whichever is longer (USER_PIOPS.ModifyingExisting). Less than a tenth: the user guide says that it is
 * an error, the API reference that it is rounded up. Here it is an error, which is the harder case.
 */
export const refuseStorage = (
  state: RdsState,
  { details, disk }: RdsInstance,
  { AllocatedStorage: wanted }: ModifyDBInstanceCommandInput,
): void => {
  const current = details.AllocatedStorage ?? 0;
  if (wanted === undefined || wanted === current) return;
  const refuse = (why: string) => invalidParameter("InvalidParameterCombination", why);
  if (wanted < current) {
    throw refuse(`Requested storage size (${wanted}) cannot be smaller than ${current}.`);
  }
  if (wanted * 10 < current * 11) {
    throw refuse("The allocated storage must be increased by at least 10 percent.");
  }
  const now = state.surroundings.timeline.now();
  if (now < Math.max(disk.restsUntil, disk.optimizesUntil)) {
    throw refuse(
      "You can't currently modify the storage of this DB instance because the previous storage " +
        "change is being optimized.",
    );
  }
};

/** The volume has grown: it is used as before while it is optimized for hours. */
export const beginOptimization = (state: RdsState, instance: RdsInstance): void => {
  const { timeline, random } = state.surroundings;
  const takes = duration(random, "rds.storage-optimization");
  instance.disk.restsUntil = timeline.now() + restMilliseconds;
  instance.disk.optimizesUntil = timeline.now() + takes;
  record(
    state,
    instance,
    "configuration change",
    "Finished applying modification to allocated storage.",
  );
  timeline.after(takes, () => settle(state, instance));
};
