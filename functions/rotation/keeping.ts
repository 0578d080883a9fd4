import { isoSeconds } from "../../shared/clock.ts";
import type { RotationSchedule } from "../../shared/config-rotation.ts";
import type { Refusal } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";
import type { Flight } from "../../shared/rotation.ts";
import type { Ordered } from "../../shared/rotation-order.ts";
import { freshMilliseconds } from "../../shared/rotation-schedule.ts";

/** A secret as DescribeSecret tells of it, and what is in its versions. */
export interface SecretStanding {
  /** Of a replica, where it is made; null of a secret that stands alone. */
  replicaOf: string | null;
  isRotated: boolean;
  lastRotatedAtMilliseconds: number | null;
  createdAtMilliseconds: number;
  /** The version that has AWSPENDING, where AWSCURRENT is on another one. */
  pending: { version: string; isEmpty: boolean } | null;
  /** Whether it has a value at all. */
  hasValue: boolean;
}

/** What is rotated here, as people name it. */
export interface KeptSecret {
  name: string;
  ordered: Ordered;
  scope: string;
}

/** The world as the hourly look needs it. Every change may be repeated. */
export interface KeepPorts {
  region: string;
  now(): number;
  secrets: readonly KeptSecret[];
  schedules: Partial<Record<Ordered, RotationSchedule>>;
  /** The longest that an overlap may last. */
  overlapSeconds: number;
  activeRegion(): Promise<string>;
  /** Why nothing may be changed now: a failover, a pause; null when nothing forbids it. */
  forbidden(): Promise<Refusal | null>;
  standing(name: string): Promise<SecretStanding>;
  readFlight(scope: string): Promise<Flight | undefined>;
  /** Makes a replica a secret of its own, for which where it was made from is not needed. */
  standAlone(name: string): Promise<void>;
  /** Switches rotation on, by the operator's schedule, with nothing rotated at once. */
  switchOn(name: string, schedule: RotationSchedule | undefined, token: string): Promise<void>;
  /** When the secret was rotated last, wherever that was. */
  rotatedAt(name: string): Promise<number | null>;
  /** Since when that version has been seen waiting; keeps it. */
  waitingSince(name: string, version: string): Promise<number>;
  /** 32 characters that no version has. */
  newToken(): string;
}

/** Each is told of as a sentence. */
export interface Kept {
  /** Rotated last longer ago than the operator's schedule allows. */
  stale: string[];
  /** A rotation that is in the middle of something for too long. */
  stuck: string[];
  /** Has no rotation here, and why it could not be given one. */
  unrotated: string[];
  /** Given a rotation just now. */
  mended: string[];
}

/** A rotation that waits has been waiting for long then; Secrets Manager tries it again meanwhile. */
const stuckMilliseconds = 3_600_000;
/** Two looks of an hourly schedule are not just an hour apart. */
const jitterMilliseconds = 300_000;

/**
 * Looks after the rotations themselves, where the lease is: gives those secrets one that a failover has
 * left without, and says which are older than they should be, or stuck. Another region's are nobody's.
 */
export const keep = async (ports: KeepPorts): Promise<Kept> => {
  const kept: Kept = { stale: [], stuck: [], unrotated: [], mended: [] };
  if ((await ports.activeRegion()) !== ports.region) return kept;
  for (const secret of ports.secrets) {
    const fact = await observed(secret.name, ports.now, () => lookAt(ports, secret, kept));
    // Each by itself: one that cannot be looked at is not taken for well, and hides no other.
    if (!fact.known) kept.unrotated.push(`${secret.name} could not be looked at: ${fact.why}.`);
  }
  return kept;
};

const lookAt = async (ports: KeepPorts, secret: KeptSecret, kept: Kept): Promise<void> => {
  const seen = await ports.standing(secret.name);
  // Slack's has none before a person has put it in.
  if (!seen.hasValue && secret.ordered === "slack") return;
  if (!seen.isRotated || seen.replicaOf !== null) {
    const why = await mended(ports, secret, seen);
    if (why === null) kept.mended.push(`${secret.name} is rotated in ${ports.region} from now on.`);
    else kept.unrotated.push(`${secret.name} has no rotation in ${ports.region}: ${why}`);
  }
  const flight = await ports.readFlight(secret.scope);
  const stuck = await stuckIn(ports, secret, seen, flight);
  if (stuck !== null) kept.stuck.push(stuck);
  const stale = await staleIn(ports, secret, seen);
  if (stale !== null) kept.stale.push(stale);
};

/** Null when it has a rotation now; otherwise why not. */
const mended = async (
  ports: KeepPorts,
  { name, ordered }: KeptSecret,
  { replicaOf, hasValue }: SecretStanding,
): Promise<string | null> => {
  const refused = await ports.forbidden();
  if (refused) return refused.reason;
  if (!hasValue) return "it has no value.";
  if (replicaOf !== null) await ports.standAlone(name);
  await ports.switchOn(name, ports.schedules[ordered], ports.newToken());
  return null;
};

const stuckIn = async (
  ports: KeepPorts,
  { name, ordered }: KeptSecret,
  { pending }: SecretStanding,
  flight: Flight | undefined,
): Promise<string | null> => {
  const now = ports.now();
  if (pending && !(pending.isEmpty && ordered === "slack")) {
    const isKnown = flight?.token === pending.version;
    const seen = await ports.waitingSince(name, pending.version);
    const since = isKnown ? Math.min(seen, flight.sinceMilliseconds) : seen;
    if (now - since >= stuckMilliseconds - jitterMilliseconds) {
      return `${name}: version ${pending.version} has AWSPENDING since ${isoSeconds(since)}.`;
    }
  }
  // What has begun in a region that was lost is ended by nobody until somebody asks.
  const isLong =
    flight?.phase === "overlap" &&
    flight.secret === name &&
    now - flight.sinceMilliseconds > ports.overlapSeconds * 1000 + stuckMilliseconds;
  if (!isLong) return null;
  return `${name}: old and new are both valid since ${isoSeconds(flight.sinceMilliseconds)}.`;
};

const staleIn = async (
  ports: KeepPorts,
  { name, ordered }: KeptSecret,
  { lastRotatedAtMilliseconds, createdAtMilliseconds }: SecretStanding,
): Promise<string | null> => {
  const fresh = freshMilliseconds(ports.schedules[ordered]);
  if (fresh === null) return null;
  const known = (await ports.rotatedAt(name)) ?? 0;
  const last = Math.max(lastRotatedAtMilliseconds ?? 0, known, createdAtMilliseconds);
  if (ports.now() - last <= fresh) return null;
  return `${name} was rotated last at ${isoSeconds(last)}, or made then.`;
};
