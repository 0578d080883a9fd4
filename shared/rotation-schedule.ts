import type { RotationSchedule } from "./config-rotation.ts";

/** Somewhere in these hours Secrets Manager begins; they may not reach into the next day. */
export const rotationWindowHours = 4;

/**
 * A secret without a rotation cannot be rotated by hand either, and a rotation takes some schedule: this is
 * the rarest. Source: RotationRulesType in the API reference of Secrets Manager.
 */
export const longestRotationDays = 1000;

/** In UTC, by months that are named one by one. */
export const rotationCron = ({ everyMonths, day, hour }: RotationSchedule): string => {
  const months = Array.from({ length: 12 / everyMonths }, (_, index) => 1 + index * everyMonths);
  return `cron(0 ${hour} ${day} ${everyMonths === 1 ? "*" : months.join(",")} ? *)`;
};

/** No month is longer; a day more, since a rotation that failed is tried again for a while. */
const monthDays = 31;
const graceHours = 24;

/** For so long after its last rotation a secret is as new as the operator's file wants it; null: for ever. */
export const freshMilliseconds = (schedule: RotationSchedule | undefined): number | null => {
  if (!schedule) return null;
  const hours = schedule.everyMonths * monthDays * 24 + rotationWindowHours + graceHours;
  return hours * 3_600_000;
};
