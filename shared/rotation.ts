import { sha256 } from "./canonical.ts";
import { isoSeconds } from "./clock.ts";
import type { Coordination, Item } from "./coordination.ts";
import type { Refusal } from "./outcome.ts";

/**
 * The rotation that something rotatable is in the middle of. `scope` is what has two valid secrets at the
 * most: the database, the cache, a ring.
 */
export interface Flight {
  scope: string;
  run: string;
  /** The secret's name. */
  secret: string;
  /** The id of the version that it makes. */
  token: string;
  /** `exchange` until AWSCURRENT has moved, `overlap` while old and new are both good. */
  phase: "exchange" | "overlap" | "ended";
  sinceMilliseconds: number;
  /** An exchange that has not been heard of since then may be taken over. An overlap never is. */
  untilMilliseconds: number;
}

export const flightId = (scope: string): string => `rotation#${scope}`;

/** `rotation-platform-database-1f0c9a2b`: the same for every call with the same token. */
export const rotationRun = (secret: string, token: string): string =>
  `rotation-${secret.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${sha256(token).slice(0, 8)}`;

const flightOf = (item: Item): Flight => ({
  scope: item.id.slice(flightId("").length),
  run: String(item.run),
  secret: String(item.secret),
  token: String(item.token),
  phase: item.phase as Flight["phase"],
  sinceMilliseconds: Number(item.sinceMilliseconds),
  untilMilliseconds: Number(item.untilMilliseconds),
});

/** Throws when the table is silent: nobody knows then whether something is under way. */
export const readFlight = async (
  table: Coordination,
  scope: string,
): Promise<Flight | undefined> => {
  const item = await table.read(flightId(scope));
  return item && flightOf(item);
};

export type Taken = { flight: Flight } | { refused: Refusal };

/** Takes the one place of the scope, or keeps it: safe to repeat. */
export const takeFlight = async (
  table: Coordination,
  wanted: Pick<Flight, "scope" | "run" | "secret" | "token" | "untilMilliseconds">,
  now: number,
): Promise<Taken> => {
  const { scope, ...rest } = wanted;
  const known = await readFlight(table, scope);
  if (known?.run === wanted.run && known.phase !== "exchange") return { flight: known };
  const { written, item } = await table.write(flightId(scope), {
    set: {
      ...rest,
      phase: "exchange",
      sinceMilliseconds: known?.run === wanted.run ? known.sinceMilliseconds : now,
    },
    onlyIf:
      "attribute_not_exists(#run) OR (#run = :run AND #phase = :exchange) OR #phase = :ended OR " +
      "(#phase = :exchange AND #untilMilliseconds <= :now)",
    values: { run: wanted.run, exchange: "exchange", ended: "ended", now },
  });
  if (!item) throw new Error(`the rotation of ${scope} has vanished from the table`);
  const flight = flightOf(item);
  if (written) return { flight };
  const { run, phase, sinceMilliseconds: since } = flight;
  const reason =
    `${run} is in its ${phase} since ${isoSeconds(since)}: ` +
    `one rotation of the ${scope} at a time.`;
  return { refused: { code: `in-${phase}`, reason } };
};

/** Moves a flight of one's own on. False when it is not ours any more. */
export const advanceFlight = async (
  table: Coordination,
  { scope, run }: Pick<Flight, "scope" | "run">,
  phase: "overlap" | "ended",
): Promise<boolean> => {
  const known = phase === "ended" ? await table.read(flightId(scope)) : undefined;
  const marks = Object.keys(known ?? {}).filter((name) => name.startsWith("sent"));
  const settles = marks.length > 0 ? { remove: marks } : {};
  const { written } = await table.write(flightId(scope), {
    set: { phase },
    ...settles,
    onlyIf: "#run = :run",
    values: { run },
  });
  return written;
};

export type Marked = { isFirst: boolean; sentAtMilliseconds: number } | { refused: Refusal };

/**
 * Keeps that something is about to be sent to `region` for `token` that must not follow there on one for
 * another token.
 */
export const markSent = async (
  table: Coordination,
  { scope, run, token }: Pick<Flight, "scope" | "run" | "token">,
  region: string,
  now: number,
): Promise<Marked> => {
  const place = region.replaceAll("-", "_");
  const [version, at] = [`sentFor_${place}`, `sentAtMilliseconds_${place}`];
  const { written, item } = await table.write(flightId(scope), {
    set: { [version]: token, [at]: now },
    onlyIf: `#run = :run AND attribute_not_exists(#${version})`,
    values: { run },
  });
  if (written) return { isFirst: true, sentAtMilliseconds: now };
  const sentFor = item?.[version];
  if (item?.run === run && sentFor === token) {
    return { isFirst: false, sentAtMilliseconds: Number(item[at]) };
  }
  const reason =
    sentFor === undefined
      ? `${run} is not the rotation of the ${scope} any more.`
      : `A change for version ${sentFor} was sent and never settled: another one could push out the ` +
        "value in use. Let that rotation go on.";
  return { refused: { code: "unsettled", reason } };
};

const rotatedId = (secret: string): string => `rotated#${secret}`;

/** Keeps when a secret was rotated last: what Secrets Manager knows of it stays in the region it was in. */
export const keepRotated = async (
  table: Coordination,
  secret: string,
  atMilliseconds: number,
): Promise<void> => {
  await table.write(rotatedId(secret), { set: { atMilliseconds } });
};

/** Throws when the table is silent. Null when it never was. */
export const whenRotated = async (table: Coordination, secret: string): Promise<number | null> => {
  const item = await table.read(rotatedId(secret));
  return item?.atMilliseconds === undefined ? null : Number(item.atMilliseconds);
};

/** Since when `version` of a secret was seen waiting: from now on, when another one was seen last. */
export const waitingSince = async (
  table: Coordination,
  secret: string,
  version: string,
  now: number,
): Promise<number> => {
  const { item } = await table.write(`waiting#${secret}`, {
    set: { version, sinceMilliseconds: now },
    onlyIf: "attribute_not_exists(#version) OR #version <> :version",
    values: { version },
  });
  return Number(item?.sinceMilliseconds ?? now);
};
