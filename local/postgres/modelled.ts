import type { Random } from "../../shared/random.ts";
import type { Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";
import type { Address, DatabaseEngine, NewInstance, ReplicaPosition } from "./engine.ts";
import {
  addBackend,
  type Backend,
  type ConnectionLimit,
  type DatabaseError,
  type ModelledSession,
  openSession,
  type SessionRequest,
} from "./session.ts";
import { arrivals, atStart, type Log, lsnText, type Store, storeAt } from "./wal.ts";

export interface ModelledEngineOptions {
  timeline: Timeline;
  random: Random;
  reachable(from: Place, to: Place): boolean;
  /** The security group of an instance: whether a new session of `user` gets through. */
  admit?(instanceId: string, user: string): boolean;
  /** How many sessions an instance takes; any number when not given. */
  connections?: ConnectionLimit & { mayUseReserve(user: string): boolean };
  /** Milliseconds that a commit takes to a replica, drawn per replica; 40 to 400 when not given. */
  lagMilliseconds?: { from: number; to: number };
}

export interface ModelledEngine extends DatabaseEngine {
  /**
   * Opens a session, or says why not with the code that `pg` would give. `ETIMEDOUT` comes at
   * once: the caller lets its own connect timeout pass.
   */
  session(id: string, request: SessionRequest): ModelledSession | DatabaseError;
  /** The instance whose endpoint this is. */
  at(address: Address): string | undefined;
  /** Every commit of the instance in order, its own and those it replayed. For judges. */
  history(id: string): Log;
  positions(id: string): ReplicaPosition;
  /**
   * Opens transactions that nobody goes on with, as a client does that forgets to commit. They hold their
   * connections until they are terminated or the instance is restarted. Gives how many there was room
   * for.
   */
  forget(id: string, of: { user: string; application?: string; sessions: number }): number;
  /** Lets commits take this much longer to become visible on a replica. */
  delayReplay(id: string, milliseconds: number): void;
}

export interface Instance {
  id: string;
  region: Place;
  address: Address;
  running: boolean;
  /** Goes up with every end of all sessions. */
  boot: number;
  masterUser: string;
  /** Everything received; on a replica the first `store.replayed` of it can be seen. */
  log: Log;
  store: Store;
  following: Following | undefined;
  /** The open sessions of each user. */
  sessions: Map<string, Set<Backend>>;
  lastPid: number;
}

interface Following {
  source: Instance;
  lagMilliseconds: number;
  replayDelayMilliseconds: number;
  /** Since when the link stands, or undefined while it is broken. */
  linkedSince: number | undefined;
}

interface Model {
  options: ModelledEngineOptions;
  instances: Map<string, Instance>;
  snapshots: Map<string, Pick<Instance, "log" | "masterUser">>;
  /** The very logs, which grow on. */
  archives: Map<string, Pick<Instance, "log" | "masterUser">>;
}

/**
 * The databases of a simulation: a log of commits per instance, and replicas that have as much of
 * it as time and network allowed. Nothing happens between calls: what a replica has is worked out
 * when somebody asks.
 */
export const modelledEngine = (options: ModelledEngineOptions): ModelledEngine => {
  const model: Model = { options, instances: new Map(), snapshots: new Map(), archives: new Map() };
  const { instances, snapshots } = model;
  /** Instances are looked at only after all that is due by now has arrived. */
  const current = (id: string): Instance => {
    const instance = instances.get(id);
    if (!instance) throw new Error(`no database instance ${id}`);
    catchUp(model, instance);
    return instance;
  };
  const changed = (act: () => void) => {
    for (const instance of instances.values()) catchUp(model, instance);
    act();
    for (const instance of instances.values()) relink(model, instance);
  };
  return {
    create: async (wanted) => {
      const instance = add(model, wanted, []);
      const { masterUser: name, masterPassword: password } = wanted;
      commit(model, instance, { user: name, role: { name, canLogin: true, password } });
      return instance.address;
    },
    replicate: async (sourceId, replica) => replicate(model, current(sourceId), replica),
    promote: async (id) => changed(() => promote(current(id))),
    restart: async (id) => {
      setRunning(current(id), false);
      setRunning(current(id), true);
    },
    kill: async (id) => changed(() => setRunning(current(id), false)),
    start: async (id) => changed(() => setRunning(current(id), true)),
    remove: async (id) =>
      changed(() => {
        setRunning(current(id), false);
        instances.delete(id);
      }),
    rename: async (id, to) => rename(model, current(id), to),
    snapshot: async (id, snapshotId) => {
      const { log, store, masterUser } = current(id);
      snapshots.set(snapshotId, { log: log.slice(0, store.replayed), masterUser });
    },
    removeSnapshot: async (snapshotId) => void snapshots.delete(snapshotId),
    restore: async (snapshotId, wanted) => {
      const snapshot = snapshots.get(snapshotId);
      if (!snapshot) throw new Error(`no database snapshot ${snapshotId}`);
      return add(model, { ...wanted, masterUser: snapshot.masterUser }, snapshot.log).address;
    },
    ...archiving(model, current),
    setMasterPassword: async (id, password) => {
      const instance = current(id);
      const { masterUser: name } = instance;
      commit(model, instance, { user: name, role: { name, canLogin: true, password } });
    },
    reconsider: () => changed(() => undefined),
    close: async () => instances.clear(),
    session: (id, request) => openSession(sessionPorts(model, current, id), request),
    at: (address) => atAddress(model, address)?.id,
    history: (id) => {
      const { log, store } = current(id);
      return log.slice(0, store.replayed);
    },
    vitals: async (id) => vitalsOf(current(id), options.timeline.now()),
    positions: (id) => positionsOf(current(id)),
    forget: (id, of) => forget(options, current(id), of),
    delayReplay: (id, milliseconds) => {
      const { following } = current(id);
      if (following) following.replayDelayMilliseconds = milliseconds;
    },
  };
};

const archiving = (
  model: Model,
  current: (id: string) => Instance,
): Pick<DatabaseEngine, "archive" | "restoreTo"> => ({
  archive: async (id, archiveId) => {
    const { log, masterUser } = current(id);
    if (!model.archives.has(archiveId)) model.archives.set(archiveId, { log, masterUser });
  },
  restoreTo: async (archiveId, at, wanted) => {
    const archive = model.archives.get(archiveId);
    if (!archive) throw new Error(`no database archive ${archiveId}`);
    const { masterUser } = archive;
    const log = archive.log.filter((entry) => entry.at <= at);
    return add(model, { ...wanted, masterUser }, log).address;
  },
});

const atAddress = ({ instances }: Model, { host, port }: Address): Instance | undefined => {
  for (const instance of instances.values()) {
    if (instance.address.host === host && instance.address.port === port) return instance;
  }
  return undefined;
};

const forget = (
  { connections, timeline }: ModelledEngineOptions,
  instance: Instance,
  { user, application = "", sessions }: { user: string; application?: string; sessions: number },
): number => {
  const used = [...instance.sessions.values()].reduce((sum, { size }) => sum + size, 0);
  const room = connections ? connections.most - connections.reserved - used : sessions;
  const count = Math.max(0, Math.min(sessions, room));
  const of = { user, application, state: "idle in transaction" } as const;
  for (let made = 0; made < count; made += 1) addBackend(instance, timeline.now(), of);
  return count;
};

const sessionPorts = (model: Model, current: (id: string) => Instance, id: string) => {
  const { options } = model;
  return {
    instance: () => (model.instances.has(id) ? current(id) : undefined),
    reachable: (from: Place) => {
      const instance = model.instances.get(id);
      return instance?.running === true && options.reachable(from, instance.region);
    },
    admit: (user: string) => options.admit?.(id, user) ?? true,
    now: () => options.timeline.now(),
    limit: () => options.connections,
    mayUseReserve: (user: string) => options.connections?.mayUseReserve(user) ?? true,
    commit: (instance: Instance, change: Change) => commit(model, instance, change),
    positions: positionsOf,
  };
};

type Change = Pick<Log[number], "user" | "key" | "value" | "role">;

const add = (
  { instances }: Model,
  wanted: Pick<NewInstance, "id" | "region" | "masterUser">,
  log: Log,
): Instance => {
  const { id, region, masterUser } = wanted;
  if (instances.has(id)) throw new Error(`there is a database instance ${id} already`);
  const instance: Instance = {
    id,
    region,
    address: addressOf(id),
    running: true,
    boot: 1,
    masterUser,
    log: log.slice(),
    store: storeAt(log, log.length),
    following: undefined,
    sessions: new Map(),
    lastPid: 1000,
  };
  instances.set(id, instance);
  return instance;
};

/** A name that no resolver knows: nothing in a simulation may open a socket. */
const addressOf = (id: string): Address => ({ host: `${id}.database.invalid`, port: 5432 });

const rename = ({ instances }: Model, instance: Instance, to: string): Address => {
  if (instances.has(to)) throw new Error(`there is a database instance ${to} already`);
  instances.delete(instance.id);
  Object.assign(instance, { id: to, address: addressOf(to) });
  instances.set(to, instance);
  if (instance.running) {
    setRunning(instance, false);
    setRunning(instance, true);
  }
  return instance.address;
};

const replicate = (
  model: Model,
  source: Instance,
  replica: Pick<NewInstance, "id" | "region">,
): Address => {
  const { options } = model;
  const { from, to } = options.lagMilliseconds ?? { from: 40, to: 400 };
  const { masterUser } = source;
  const instance = add(model, { ...replica, masterUser }, source.log);
  instance.following = {
    source,
    lagMilliseconds: options.random.integer(from, to),
    replayDelayMilliseconds: 0,
    linkedSince: undefined,
  };
  relink(model, instance);
  return instance.address;
};

const promote = (instance: Instance): void => {
  // What was received is replayed to its end before a server leaves recovery.
  instance.following = undefined;
  instance.store = storeAt(instance.log, instance.log.length, instance.store);
};

const setRunning = (instance: Instance, running: boolean): void => {
  if (instance.running === running) return;
  instance.running = running;
  instance.boot += 1;
  instance.sessions.clear();
};

const relink = ({ options, instances }: Model, instance: Instance): void => {
  const { following } = instance;
  if (!following) return;
  const { source } = following;
  const there = instances.get(source.id) === source && source.running && instance.running;
  const linked = there && options.reachable(instance.region, source.region);
  if (!linked) following.linkedSince = undefined;
  else following.linkedSince ??= options.timeline.now();
};

/** Takes over what has arrived from the source by now, and shows what is due to be shown. */
const catchUp = (model: Model, instance: Instance): void => {
  const { following, log } = instance;
  if (!following || !instance.running) return;
  const now = model.options.timeline.now();
  const { source, linkedSince, lagMilliseconds, replayDelayMilliseconds } = following;
  if (linkedSince !== undefined) {
    // A replica of a replica has what its source has by now.
    if (source.following) catchUp(model, source);
    const lag = lagMilliseconds;
    arrivals(source.log, log.length, (entry) => Math.max(entry.at, linkedSince) + lag <= now, log);
  }
  const due = now - lagMilliseconds - replayDelayMilliseconds;
  let shown = instance.store.replayed;
  while (shown < log.length && (log[shown]?.at ?? 0) <= due) shown += 1;
  if (shown > instance.store.replayed) {
    instance.store = storeAt(log, shown, instance.store);
    instance.store.lastReplayAt = now;
  }
};

const commit = (model: Model, instance: Instance, change: Change): string => {
  const { log } = instance;
  const last = log.at(-1);
  // The size of a record differs in reality; positions only have to grow.
  const lsn = (last?.lsn ?? atStart) + 256;
  log.push({ lsn, at: model.options.timeline.now(), ...change });
  instance.store = storeAt(log, log.length, instance.store);
  return lsnText(lsn);
};

/** RDS switches the log of an idle source every five minutes, so that the lag does not pass that. */
const idleLagSeconds = 300;

/** Lag is the age of the last commit that can be seen, as RDS for PostgreSQL measures it. */
const vitalsOf = ({ sessions, following, log, store }: Instance, now: number) => {
  let connections = 0;
  for (const open of sessions.values()) connections += open.size;
  if (!following) return { connections };
  const age = (now - (log[store.replayed - 1]?.at ?? now)) / 1000;
  const isIdle =
    following.linkedSince !== undefined && following.source.log.length === store.replayed;
  return { connections, lagSeconds: isIdle ? Math.min(age, idleLagSeconds) : age };
};

const positionsOf = ({ log, store }: Instance): ReplicaPosition => ({
  received: lsnText(log.at(-1)?.lsn ?? atStart),
  replayed: lsnText(log[store.replayed - 1]?.lsn ?? atStart),
});
