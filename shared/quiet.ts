import type { Config } from "./config.ts";

const minutesOf = (timeOfDay: string): number => {
  const [hours, minutes] = timeOfDay.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
};

type Quiet = NonNullable<Config["sizes"]["application"]["quiet"]>;

/** Hours may go over midnight; the first minute is in them and the last one is not. */
export const isQuiet = ({ from, until }: Pick<Quiet, "from" | "until">, now: number): boolean => {
  const minute = Math.floor(now / 60_000) % 1440;
  const [start, end] = [minutesOf(from), minutesOf(until)];
  return start <= end ? minute >= start && minute < end : minute >= start || minute < end;
};

/**
 * What the Auto Scaling group of the active region keeps at this time of day, and at the others; null for
 * the same all day. Smaller only where users are while nothing is wrong: a region that serves after a
 * failover keeps what it serves with, night or day.
 */
export const minimumsAt = (
  { regions, sizes }: Config,
  region: string,
  now: number,
): { now: number; otherwise: number } | null => {
  const { minimum, quiet } = sizes.application;
  if (!quiet || region !== regions.primary) return null;
  return isQuiet(quiet, now)
    ? { now: quiet.minimum, otherwise: minimum }
    : { now: minimum, otherwise: quiet.minimum };
};
