import type { Coordination, Item } from "./coordination.ts";

/**
 * Which region may write. Only failover moves it, by one conditional write that raises the epoch,
 * so two runs can never both have moved it and an old run can be told from a new one.
 */
export interface Lease {
  epoch: number;
  region: string;
  /** `moving` between the claim and the moment the new region may serve users. */
  state: "held" | "moving";
  /** The run that moved it here, or `deploy` for the first. */
  holder: string;
  /** Modelled or real milliseconds since 1970 of the last change of region. */
  movedAtMilliseconds: number;
  /**
   * The epoch that the last move brought. Absent before the first: an epoch above 1 alone says little,
   * since a lease that was claimed and given back is two epochs further and nothing has moved.
   */
  lastMovedEpoch?: number;
  /**
   * When it came to rest, moved or given back. Until a little later what the fence has done can still
   * be seen from outside. Absent before the first move.
   */
  settledAtMilliseconds?: number;
  /** While `moving`: the old region is well and gives the lease away by agreement. */
  planned?: boolean;
  /** How many runs towards the next epoch have ended without moving it. Names the next run. */
  attempt: number;
  /** An operator has seen the last move and says that the block period need not hold the next one. */
  acknowledged?: boolean;
  /** Which execution of the holder drives it; absent for the first. A later one replaces an earlier. */
  driver?: number;
  /** What a claim that is given back has to put back. Absent before the first claim. */
  before?: Before;
}

/** The last move before the one that has claimed the lease. */
export type Before = Pick<Lease, "movedAtMilliseconds" | "lastMovedEpoch" | "acknowledged">;

/** The run, and the execution of it, that acts under a claim. */
export interface Holder {
  epoch: number;
  holder: string;
  /** 0 when left out: the first. */
  driver?: number;
}

/** The one item of the lease in the coordination table. */
export const leaseId = "lease";

/** Throws when no replica of the table answers, and when there is no lease at all. */
export const readLease = async (table: Coordination): Promise<Lease> => {
  const item = await table.read(leaseId);
  if (!item) throw new Error("there is no lease in the coordination table: deploy makes the first");
  return leaseOf(item);
};

const leaseOf = (item: Item): Lease => ({
  epoch: Number(item.epoch),
  region: String(item.region),
  state: item.state === "held" ? "held" : "moving",
  holder: String(item.holder),
  movedAtMilliseconds: Number(item.movedAtMilliseconds),
  ...(item.planned === true ? { planned: true } : {}),
  attempt: Number(item.attempt ?? 1),
  ...lastMoveOf(item),
  ...(item.settledAtMilliseconds === undefined
    ? {}
    : { settledAtMilliseconds: Number(item.settledAtMilliseconds) }),
  // Of this very epoch: a later move has to be acknowledged anew.
  ...(item.acknowledgedEpoch === Number(item.epoch) ? { acknowledged: true } : {}),
  ...(Number(item.driver ?? 0) > 0 ? { driver: Number(item.driver) } : {}),
  ...(item.before ? { before: item.before as Before } : {}),
});

/** An item from before this was kept counts as moved at its own epoch, which is the careful side. */
const lastMoveOf = (item: Item): Pick<Lease, "lastMovedEpoch"> => {
  const epoch = Number(item.epoch);
  const lastMovedEpoch = Number(item.lastMovedEpoch ?? (epoch > 1 ? epoch : 0));
  return lastMovedEpoch > 0 ? { lastMovedEpoch } : {};
};

/** The first lease, made when the platform is deployed. Never replaces one. */
export const grantFirst = async (
  table: Coordination,
  region: string,
  nowMilliseconds: number,
): Promise<Lease> => {
  const first = {
    epoch: 1,
    region,
    state: "held",
    holder: "deploy",
    attempt: 1,
    lastMovedEpoch: 0,
  };
  const result = await table.write(leaseId, {
    set: { ...first, movedAtMilliseconds: nowMilliseconds },
    onlyIf: "attribute_not_exists(#epoch)",
  });
  return result.item ? leaseOf(result.item) : readLease(table);
};

export type Claim = { held: Lease } | { lost: Lease };

/**
 * Moves the lease from `seen` to `region`. Safe to repeat: a claim whose answer was lost is found
 * to be ours by its holder. `lost` when anybody else has moved it since `seen` was read.
 */
export const claimLease = async (
  table: Coordination,
  seen: Lease,
  to: { region: string; holder: string; nowMilliseconds: number; planned?: boolean },
): Promise<Claim> => {
  const result = await table.write(leaseId, {
    set: {
      epoch: seen.epoch + 1,
      region: to.region,
      state: "moving",
      holder: to.holder,
      movedAtMilliseconds: to.nowMilliseconds,
      planned: to.planned ?? false,
      lastMovedEpoch: seen.epoch + 1,
      attempt: 1,
      driver: 0,
      before: beforeOf(seen),
    },
    onlyIf: "#epoch = :seen AND #region = :from AND #state = :held",
    values: { seen: seen.epoch, from: seen.region, held: "held" },
  });
  if (!result.item) throw new Error("the lease has vanished from the coordination table");
  const lease = leaseOf(result.item);
  const ours = lease.holder === to.holder && lease.epoch === seen.epoch + 1;
  return ours ? { held: lease } : { lost: lease };
};

/** With the lease and not with the run, so that whoever carries the run on finds it. */
const beforeOf = ({ movedAtMilliseconds, lastMovedEpoch, acknowledged }: Lease): Before => ({
  movedAtMilliseconds,
  lastMovedEpoch: lastMovedEpoch ?? 0,
  ...(acknowledged ? { acknowledged } : {}),
});

/**
 * The lease as it was before `lease` was claimed, for whoever gives it back. An item that does not tell
 * counts as a move that was carried through, which is the careful side.
 */
export const leaseBefore = (
  { before, movedAtMilliseconds, lastMovedEpoch }: Lease,
  was: { epoch: number; region: string },
): Lease => {
  const moved = before ?? { movedAtMilliseconds, lastMovedEpoch: lastMovedEpoch ?? was.epoch };
  const { lastMovedEpoch: last, ...rest } = moved;
  const at = { ...was, state: "held" as const, holder: "", attempt: 1 };
  return { ...at, ...rest, ...(last ? { lastMovedEpoch: last } : {}) };
};

/** Older executions of the holder are told from the newest, and stop at their next change. */
const isDriver = "(attribute_not_exists(#driver) OR #driver = :driver)";

/**
 * Makes an execution of the run that holds the lease the one that drives it. Safe to repeat; `lost` when
 * the lease is another run's by now, or a later execution of this one drives it already.
 */
export const driveLease = async (
  table: Coordination,
  run: string,
  driver: number,
): Promise<Claim> => {
  const seen = await readLease(table);
  if (seen.holder !== run) return { lost: seen };
  const result = await table.write(leaseId, {
    set: { driver },
    onlyIf:
      "#epoch = :epoch AND #holder = :holder AND (attribute_not_exists(#driver) OR #driver <= :driver)",
    values: { epoch: seen.epoch, holder: run, driver },
  });
  if (!result.item) throw new Error("the lease has vanished from the coordination table");
  return result.written ? { held: leaseOf(result.item) } : { lost: leaseOf(result.item) };
};

const restingSince = (nowMilliseconds: number | undefined) =>
  nowMilliseconds === undefined ? {} : { settledAtMilliseconds: nowMilliseconds };

/** Marks the lease as held: the region now serves users. Refused when the epoch has moved on. */
export const settleLease = async (
  table: Coordination,
  epoch: number,
  holder: string,
  nowMilliseconds?: number,
  driver = 0,
): Promise<Claim> => {
  const result = await table.write(leaseId, {
    set: { state: "held", ...restingSince(nowMilliseconds) },
    onlyIf: `#epoch = :epoch AND #holder = :holder AND ${isDriver}`,
    values: { epoch, holder, driver },
  });
  if (!result.item) throw new Error("the lease has vanished from the coordination table");
  return result.written ? { held: leaseOf(result.item) } : { lost: leaseOf(result.item) };
};

/**
 * Gives a lease back that was claimed and not used: one more epoch, so that whoever obeyed the claim
 * sees that it is over. `before` is the lease as it was; the date and the epoch of the last move stay,
 * since nothing has moved: a block period is neither begun by this nor ended.
 */
export const returnLease = async (
  table: Coordination,
  claimed: Holder,
  before: Lease,
  nowMilliseconds?: number,
): Promise<Claim> => {
  const epoch = claimed.epoch + 1;
  const result = await table.write(leaseId, {
    set: {
      epoch,
      region: before.region,
      state: "held",
      planned: false,
      movedAtMilliseconds: before.movedAtMilliseconds,
      lastMovedEpoch: before.lastMovedEpoch ?? 0,
      ...restingSince(nowMilliseconds),
      attempt: 1,
      // Nothing has moved, so what was said about the last move still holds.
      ...(before.acknowledged ? { acknowledgedEpoch: epoch } : {}),
    },
    onlyIf: `#epoch = :epoch AND #holder = :holder AND #state = :moving AND ${isDriver}`,
    values: {
      epoch: claimed.epoch,
      holder: claimed.holder,
      driver: claimed.driver ?? 0,
      moving: "moving",
    },
  });
  if (!result.item) throw new Error("the lease has vanished from the coordination table");
  const lease = leaseOf(result.item);
  const ours = lease.epoch === epoch && lease.region === before.region;
  return ours ? { held: lease } : { lost: lease };
};

/**
 * Says that the last move was looked at: the block period does not hold the next one. Bound to the
 * epoch that was seen; false when the lease has moved since, or is on the move.
 */
export const acknowledgeMove = async (
  table: Coordination,
  seen: Lease,
  by: string,
): Promise<boolean> => {
  const { written } = await table.write(leaseId, {
    set: { acknowledgedBy: by, acknowledgedEpoch: seen.epoch },
    onlyIf: "#epoch = :epoch AND #state = :held",
    values: { epoch: seen.epoch, held: "held" },
  });
  return written;
};

/** A run that ends without a claim makes room for the next run's name. Safe to repeat. */
export const closeAttempt = async (table: Coordination, seen: Lease): Promise<void> => {
  await table.write(leaseId, {
    set: { attempt: seen.attempt + 1 },
    onlyIf: "#epoch = :epoch AND #attempt = :attempt",
    values: { epoch: seen.epoch, attempt: seen.attempt },
  });
};

/**
 * The name of the run that would move the lease next, the same from every door (alarm, Slack,
 * command line): started twice it is one durable execution.
 */
export const nextRun = (lease: Lease): string => `failover-${lease.epoch + 1}-${lease.attempt}`;

/**
 * The name of a rehearsal. Not that of a move: whoever needs a real one meanwhile must not be told that
 * it is under way already. One for each minute, so that a doubled request is one run.
 */
export const nextRehearsal = (lease: Lease, nowMilliseconds: number): string =>
  `rehearsal-${lease.epoch + 1}-${Math.floor(nowMilliseconds / 60_000)}`;
