import type { Coordination, Item } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";

/** One deed that somebody is allowed to do. Kept even when nobody knows whether it was done. */
export interface Reservation {
  /** Names the deed: reserved twice under one name it is one reservation. */
  id: string;
  /** The playbook, or `operator` for a person's own order. */
  by: string;
  /** The deed by its name in the menu; left out for what somebody did by another door. */
  deed?: string;
  /** `<type>:<id>`, the same for whatever is done to it: `instance:i-0abc`, `database:platform`. */
  resource: string;
  /** What the resource is a member of, when it is taken out of it. */
  fleet: string | null;
  atMilliseconds: number;
}

export interface Limits {
  /** Deeds by anybody in the region, and by this playbook, in any hour. */
  regionPerHour: number;
  perHour: number;
  /** Between two deeds of one name on one resource, whoever did the first. */
  cooldownSeconds: number;
  /** Of so many members no more than this share is taken in any hour, and one at least. */
  fleet: { size: number; share: number } | null;
}

/** Longer than any cooldown: what is older holds nobody back and is forgotten. */
export const rememberedSeconds = 24 * 3600;
const hourSeconds = 3600;
/** Between any two deeds on one resource: alarms still show what the first has done. */
export const restSeconds = 420;

/**
 * Whether `wanted` fits in with what was reserved before, and with what others were `seen` to have changed:
 * that counts for the rest of a resource and not for the hour. Pure.
 */
export const judgeReservation = (
  before: readonly Reservation[],
  wanted: Reservation,
  limits: Limits,
  seen: readonly Reservation[] = [],
): Refusal | undefined => {
  const within = (seconds: number) =>
    before.filter((each) => wanted.atMilliseconds - each.atMilliseconds < seconds * 1000);
  const hour = within(hourSeconds);
  if (hour.length >= limits.regionPerHour) {
    return spent(`${hour.length} deeds in the last hour are all that this region is given.`);
  }
  const own = hour.filter(({ by }) => by === wanted.by);
  if (own.length >= limits.perHour) {
    return spent(`${wanted.by} has done ${own.length} deeds in the last hour, which is its share.`);
  }
  const same = [...before, ...seen].find((each) => isTooSoon(each, wanted, limits));
  if (same) {
    const ago = Math.round((wanted.atMilliseconds - same.atMilliseconds) / 60_000);
    const reason = `${wanted.resource} was changed ${ago} minutes ago by ${same.by} (${same.id}).`;
    return { code: "cooldown", reason };
  }
  if (!limits.fleet) return undefined;
  const taken = new Set(
    hour.filter(({ fleet }) => fleet === wanted.fleet).map(({ resource }) => resource),
  );
  const most = Math.max(1, Math.floor(limits.fleet.size * limits.fleet.share));
  if (taken.size < most) return undefined;
  const reason =
    `${taken.size} of ${limits.fleet.size} members of ${wanted.fleet} were taken in the last hour; ` +
    `more than ${most} are not.`;
  return { code: "fleet-share", reason };
};

/** What another deed has done to a resource has to settle; the same one waits for its whole cooldown. */
const isTooSoon = (each: Reservation, wanted: Reservation, limits: Limits): boolean => {
  if (each.resource !== wanted.resource) return false;
  const isOther = each.deed !== undefined && each.deed !== wanted.deed;
  const seconds = isOther ? Math.min(restSeconds, limits.cooldownSeconds) : limits.cooldownSeconds;
  return wanted.atMilliseconds - each.atMilliseconds < seconds * 1000;
};

const spent = (reason: string): Refusal => ({ code: "budget", reason });

const budgetId = (region: string) => `budget#${region}`;

/** Writers are few; more at once than this is no night but a fault. */
const attempts = 8;

/** What was reserved in a region in the last day, by anybody. */
export const readReservations = async (
  table: Coordination,
  region: string,
): Promise<Reservation[]> => reservationsOf(await table.read(budgetId(region)));

const reservationsOf = (item: Item | undefined): Reservation[] =>
  (item?.reservations as Reservation[] | undefined) ?? [];

export type Reserved = { reserved: Reservation } | { refused: Refusal };

/**
 * Takes a deed out of the region's budget, across playbooks and people, by one conditional write of one
 * item. The hour slides with the deed, so that nobody gets two budgets around the turn of a clock hour.
 * Nothing is ever given back: a deed in doubt counts. Throws when the table is silent.
 */
export const reserve = async (
  table: Coordination,
  region: string,
  wanted: Reservation,
  limits: Limits,
  byOthers: readonly Reservation[] = [],
): Promise<Reserved> => {
  let item = await table.read(budgetId(region));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = reservationsOf(item).filter(
      (each) => wanted.atMilliseconds - each.atMilliseconds < rememberedSeconds * 1000,
    );
    const same = before.find(({ id }) => id === wanted.id);
    if (same) return { reserved: same };
    const refused = judgeReservation(before, wanted, limits, byOthers);
    if (refused) return { refused };
    const seen = item?.version;
    const written = await table.write(budgetId(region), {
      set: { reservations: [...before, wanted], version: Number(seen ?? 0) + 1 },
      onlyIf: seen === undefined ? "attribute_not_exists(#version)" : "#version = :seen",
      ...(seen === undefined ? {} : { values: { seen } }),
    });
    if (written.written) return { reserved: wanted };
    item = written.item;
  }
  return { refused: { code: "contended", reason: "Too many ask for the budget at once." } };
};
