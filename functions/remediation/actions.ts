import { canonical } from "../../shared/canonical.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { FrozenSession } from "../database/decide.ts";
import {
  type ApplicationHands,
  type ApplicationTargets,
  restartContainer,
  rollbackRefresh,
} from "./actions-application.ts";
import type { FailoverStanding, FailoverTarget } from "./actions-database.ts";
import { rebootWithFailover } from "./actions-database.ts";
import {
  restoreValidationRecord,
  type ValidationHands,
  type ValidationTargets,
} from "./actions-validation.ts";
import type { Warrant } from "./warrant.ts";

/** What may be changed, and on what. Targets are named by id and never by a pattern. */
export interface Targets extends ValidationTargets, ApplicationTargets {
  /**
   * Ends one instance; its group makes another. With `sign` it is one that passes its health checks and
   * whose answers are errors.
   */
  "replace-instance": { group: string; instance: string; sign?: "errors" | "memory" };
  /** Gives a group more instances, up to its maximum. */
  "grow-group": { group: string; from: number; to: number };
  /** Gives a database more storage, which cannot be taken back. */
  "grow-storage": { database: string; fromGigabytes: number; toGigabytes: number };
  /**
   * Ends sessions that are silent in an open transaction, named one by one. Their pools open others, and
   * what they had not committed was not acknowledged.
   */
  "end-sessions": {
    database: string;
    sessions: FrozenSession[];
    atMost: number;
    idleSeconds: number;
  };
  /** Makes the standby of a Multi-AZ database its primary. */
  "reboot-with-failover": FailoverTarget;
}

export type DeedName = keyof Targets;

/** One entry of the menu with its target, frozen when the plan was made. Plain JSON. */
export type Deed<Name extends DeedName = DeedName> = {
  [Each in Name]: { do: Each; target: Targets[Each] };
}[Name];

/** A target as it stands now. */
export interface Standing {
  /** What the deed could touch, flat: compared before and after it. */
  fields: Record<string, string | number | boolean | null>;
  /** What was wanted is so. */
  isDone: boolean;
  /** It has begun: acting again would not help. */
  isUnderWay: boolean;
  /** Why the target is not what the plan was made for; null while it is. */
  changed: string | null;
}

/** The calls that the menu is made of, in `aws.ts`. */
export interface Hands extends ValidationHands, ApplicationHands {
  instance(group: string, instance: string): Promise<InstanceStanding>;
  terminateInstance(instance: string): Promise<void>;
  group(group: string): Promise<GroupStanding>;
  setDesired(group: string, instances: number): Promise<void>;
  storage(database: string): Promise<StorageStanding>;
  growStorage(database: string, gigabytes: number): Promise<void>;
  /** How many of them are still what they were. */
  sessionsLeft(sessions: readonly FrozenSession[], idleSeconds: number): Promise<number>;
  endSessions(target: Targets["end-sessions"]): Promise<void>;
  failover(database: string): Promise<FailoverStanding>;
  rebootWithFailover(database: string): Promise<void>;
}

export interface InstanceStanding {
  /** Null when the group has no such instance. */
  lifecycle: string | null;
  /** The load balancer's word for it; null when it does not know it. */
  target: string | null;
  minimum: number;
  desired: number;
  maximum: number;
  launchTemplate: string;
}

export type GroupStanding = Pick<
  InstanceStanding,
  "minimum" | "desired" | "maximum" | "launchTemplate"
>;

export interface StorageStanding {
  status: string;
  allocatedGigabytes: number;
  /** What is ordered already; null when nothing is. */
  pendingGigabytes: number | null;
  instanceClass: string;
  storageType: string;
  multiAz: boolean;
  isReplica: boolean;
}

interface Common<Name extends DeedName> {
  /** What people read, as an order: `replace i-0abc of platform`. */
  says(target: Targets[Name]): string;
  /** What the cooldown is for, `<type>:<id>`: the same for every deed on the same thing. */
  resource(target: Targets[Name]): string;
  /** An empty or unknown target, in words; null when it names one thing. */
  malformed(target: Targets[Name]): string | null;
  /** Whether it takes a member of the fleet away: then share and minimum are looked at. */
  takesFromFleet: boolean;
  /** Whether a plan that is made anew means the same; when left out, only an equal one does. */
  isStillMeant?(planned: Targets[Name], now: Targets[Name]): boolean;
  /** Fields that may differ afterwards. Any other difference is somebody else's, or a bug. */
  declares: readonly string[];
  observe(hands: Hands, target: Targets[Name]): Promise<Standing>;
  withinSeconds: number;
  /** How long a call may take to show before it is made again; 60 when left out. */
  againSeconds?: number;
}

/** The target comes back as it was: by itself, since its group makes another, or by `undo`. */
interface Reversible<Name extends DeedName> extends Common<Name> {
  irreversible: false;
  perform(hands: Hands, target: Targets[Name]): Promise<void>;
  undo?(hands: Hands, target: Targets[Name], before: Standing): Promise<void>;
}

/** Cannot be called without the warrant that an approval and saved evidence make. */
interface Irreversible<Name extends DeedName> extends Common<Name> {
  irreversible: true;
  perform(hands: Hands, target: Targets[Name], warrant: Warrant): Promise<void>;
}

export type Action<Name extends DeedName> = Reversible<Name> | Irreversible<Name>;

const replaceInstance = {
  irreversible: false,
  takesFromFleet: true,
  says: ({ group, instance }) => `end ${instance}; ${group} starts another in its place`,
  resource: ({ instance }) => `instance:${instance}`,
  malformed: ({ group, instance }) =>
    group !== "" && /^i-[0-9a-f]{8,17}$/.test(instance) ? null : `"${instance}" of "${group}"`,
  declares: ["lifecycle", "target"],
  observe: async (hands, { group, instance, sign }) => {
    const { lifecycle, target, ...rest } = await hands.instance(group, instance);
    const isGone = lifecycle === null;
    const isLeaving = lifecycle?.startsWith("Terminating") ?? false;
    const serves = target === "healthy" && !isGone && !isLeaving;
    const isWell = serves && (await isWellBy(hands, instance, sign));
    return {
      fields: { lifecycle, target, ...rest },
      isDone: isGone,
      isUnderWay: isLeaving,
      changed: isWell ? `${instance} is healthy by now` : null,
    };
  },
  perform: (hands, { instance }) => hands.terminateInstance(instance),
  withinSeconds: 600,
} satisfies Action<"replace-instance">;

/** Of a target that passes its health checks; memory is only looked at when the plan is made anew. */
const isWellBy = async (
  hands: Hands,
  instance: string,
  sign: Targets["replace-instance"]["sign"],
): Promise<boolean> => {
  if (sign === "errors") return !(await hands.isAnomalous(instance));
  return sign === undefined;
};

const growGroup = {
  irreversible: false,
  takesFromFleet: false,
  says: ({ group, from, to }) => `grow ${group} from ${from} to ${to} instances`,
  resource: ({ group }) => `group:${group}`,
  malformed: ({ group, from, to }) =>
    group !== "" && Number.isInteger(to) && to > from ? null : `"${group}" from ${from} to ${to}`,
  declares: ["desired"],
  observe: async (hands, { group, from, to }) => {
    const seen = await hands.group(group);
    const isDone = seen.desired >= to;
    const isOther = !isDone && (seen.desired !== from || to > seen.maximum);
    const changed = `${group} wants ${seen.desired} instances of ${seen.maximum} by now`;
    return {
      fields: { ...seen },
      isDone,
      isUnderWay: false,
      changed: isOther ? changed : null,
    };
  },
  perform: (hands, { group, to }) => hands.setDesired(group, to),
  /** Only what it gave: somebody who has changed it since knows better. */
  undo: async (hands, { group, from, to }) => {
    const { desired } = await hands.group(group);
    if (desired !== to) throw new Error(`${group} wants ${desired} instances by now, not ${to}`);
    await hands.setDesired(group, from);
  },
  withinSeconds: 120,
} satisfies Action<"grow-group">;

const growStorage = {
  irreversible: true,
  takesFromFleet: false,
  says: ({ database, fromGigabytes, toGigabytes }) =>
    `grow the storage of ${database} from ${fromGigabytes} to ${toGigabytes} GB, which stays`,
  resource: ({ database }) => `database:${database}`,
  malformed: ({ database, fromGigabytes, toGigabytes }) =>
    database !== "" && toGigabytes > fromGigabytes && Number.isInteger(toGigabytes)
      ? null
      : `"${database}" from ${fromGigabytes} to ${toGigabytes} GB`,
  declares: ["status", "allocatedGigabytes", "pendingGigabytes"],
  observe: async (hands, { database, fromGigabytes, toGigabytes }) => {
    const seen = await hands.storage(database);
    const { allocatedGigabytes: now, pendingGigabytes: pending } = seen;
    const isUnderWay = pending !== null && pending >= toGigabytes;
    const isDone = now >= toGigabytes;
    const isOther = now !== fromGigabytes || (pending !== null && !isUnderWay) || seen.isReplica;
    const other = seen.isReplica
      ? `${database} is a replica by now`
      : `its storage is ${now} GB${pending === null ? "" : `, and ${pending} are ordered`}`;
    return {
      fields: { ...seen },
      isDone,
      isUnderWay,
      changed: !isDone && !isUnderWay && isOther ? other : null,
    };
  },
  perform: (hands, { database, toGigabytes }) => hands.growStorage(database, toGigabytes),
  withinSeconds: 1800,
} satisfies Action<"grow-storage">;

const endSessions = {
  irreversible: false,
  takesFromFleet: false,
  says: ({ database, sessions, atMost }) => {
    const count = Math.min(sessions.length, atMost);
    return `end ${count} forgotten transaction${count === 1 ? "" : "s"} of ${database}`;
  },
  resource: ({ database }) => `database:${database}`,
  malformed: ({ database, sessions, atMost, idleSeconds }) => {
    const pids = new Set(sessions.map(({ pid }) => pid));
    const isNamed = database !== "" && pids.size === sessions.length && pids.size > 0;
    return isNamed && atMost >= 1 && idleSeconds > 0
      ? null
      : `${atMost} of ${sessions.length} sessions of "${database}"`;
  },
  // Who has gone on working meanwhile is spared by the statement itself, and others may have become
  // forgotten. When most are not what they were, the picture is another.
  isStillMeant: (planned, now) => {
    if (planned.database !== now.database || planned.idleSeconds !== now.idleSeconds) return false;
    const there = new Set(now.sessions.map(({ pid, stateSince }) => `${pid} ${stateSince}`));
    const same = planned.sessions.filter(({ pid, stateSince }) =>
      there.has(`${pid} ${stateSince}`),
    );
    return same.length * 2 > planned.sessions.length;
  },
  declares: ["left"],
  observe: async (hands, { sessions, atMost, idleSeconds }) => {
    const left = await hands.sessionsLeft(sessions, idleSeconds);
    const isDone = left <= sessions.length - Math.min(atMost, sessions.length);
    return { fields: { left }, isDone, isUnderWay: false, changed: null };
  },
  perform: (hands, target) => hands.endSessions(target),
  withinSeconds: 120,
} satisfies Action<"end-sessions">;

/** The closed menu. What is not here cannot be done, whatever a playbook says. */
export const menu = {
  "replace-instance": replaceInstance,
  "grow-group": growGroup,
  "grow-storage": growStorage,
  "end-sessions": endSessions,
  "restore-validation-record": restoreValidationRecord,
  "rollback-refresh": rollbackRefresh,
  "restart-container": restartContainer,
  "reboot-with-failover": rebootWithFailover,
} satisfies { [Name in DeedName]: Action<Name> };

/** Deeds that no type lets be carried out without a warrant. */
export type IrreversibleName = {
  [Name in DeedName]: (typeof menu)[Name]["irreversible"] extends true ? Name : never;
}[DeedName];

export type ReversibleName = Exclude<DeedName, IrreversibleName>;

/** What is carried out: an irreversible deed only together with its warrant. */
export type Order =
  | { deed: Deed<ReversibleName>; warrant: Warrant | null }
  | { deed: Deed<IrreversibleName>; warrant: Warrant };

const actionOf = <Name extends DeedName>({ do: name }: Deed<Name>): Action<Name> =>
  menu[name] as unknown as Action<Name>;

export const isIrreversible = (deed: Deed): deed is Deed<IrreversibleName> =>
  menu[deed.do].irreversible;

/** Fits a warrant to a deed; refuses an irreversible one that has none. */
export const orderOf = (deed: Deed, warrant: Warrant | null): Order | Refusal => {
  if (!isIrreversible(deed)) return { deed, warrant };
  if (warrant) return { deed, warrant };
  const reason = `${saysOf(deed)} cannot be undone, and nobody has approved it.`;
  return { code: "no-warrant", reason };
};

export const saysOf = (deed: Deed): string => actionOf(deed).says(deed.target as never);
export const resourceOf = (deed: Deed): string => actionOf(deed).resource(deed.target as never);
export const malformedOf = (deed: Deed): string | null =>
  actionOf(deed).malformed(deed.target as never);
export const takesFromFleet = (deed: Deed): boolean => menu[deed.do].takesFromFleet;
export const declaredBy = (deed: Deed): readonly string[] => menu[deed.do].declares;
export const withinOf = (deed: Deed): number => menu[deed.do].withinSeconds;
export const againOf = (deed: Deed): number => actionOf(deed).againSeconds ?? 60;
export const observeTarget = (hands: Hands, deed: Deed): Promise<Standing> =>
  actionOf(deed).observe(hands, deed.target as never);

export const perform = (hands: Hands, { deed, warrant }: Order): Promise<void> =>
  actionOf(deed).perform(hands, deed.target as never, warrant as never);

/** Null when there is nothing that could be undone. */
export const undoOf = (deed: Deed): ((hands: Hands, before: Standing) => Promise<void>) | null => {
  const action = actionOf(deed);
  if (action.irreversible || !action.undo) return null;
  const { undo } = action;
  return (hands, before) => undo(hands, deed.target as never, before);
};

/** Fields that differ and were not declared, each as `name: before → after`. */
export const undeclared = (deed: Deed, before: Standing, after: Standing): string[] =>
  Object.keys({ ...before.fields, ...after.fields })
    .filter((name) => !declaredBy(deed).includes(name))
    .filter((name) => before.fields[name] !== after.fields[name])
    .map((name) => `${name}: ${before.fields[name]} → ${after.fields[name]}`);

/** Whether the plan of fresh evidence is the one that was made. */
export const isStillMeant = (planned: Deed, now: Deed): boolean => {
  if (planned.do !== now.do) return false;
  const { isStillMeant } = actionOf(planned);
  if (!isStillMeant) return canonical(planned) === canonical(now);
  return isStillMeant(planned.target as never, now.target as never);
};
