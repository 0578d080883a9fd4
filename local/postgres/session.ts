import type { Place } from "../network.ts";
import type { ReplicaPosition } from "./engine.ts";
import type { Instance } from "./modelled.ts";
import type { Commit, Role, RoleChange } from "./wal.ts";

/** Carries the same `code` as an error of `pg`: a SQLSTATE, or the name of a socket error. */
export class DatabaseError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "DatabaseError";
    this.code = code;
  }
}

/** What `pg_stat_activity` tells of a session. Times are the timeline's. */
export interface Backend {
  /** Never given twice here; in PostgreSQL it would be. */
  readonly pid: number;
  readonly user: string;
  readonly application: string;
  readonly startedAt: number;
  readonly state: "idle" | "idle in transaction";
  /** Since when it is in that state, and in that transaction. */
  readonly stateAt: number;
}

export interface SessionRequest {
  user: string;
  /** `application_name`; empty when not given. */
  application?: string;
  /** Where the caller stands. */
  from: Place;
  /** Not checked when not given. */
  password?: string;
}

/**
 * A session as statements see it. Every method throws a DatabaseError: `57P01` after the session
 * was terminated, `ETIMEDOUT` while nothing answers, `25006` for a write where none is allowed.
 */
export interface ModelledSession {
  /** Commits, and gives the position of the commit. */
  write(key: string, value: string): string;
  read(key: string): string | undefined;
  alterRole(change: RoleChange): string;
  role(name: string): Role | undefined;
  /** Ends the sessions of `user`, this one excepted; gives how many there were. */
  terminateSessions(user: string): number;
  /** How many sessions of `user` are open. */
  sessions(user: string): number;
  /** Every session of the instance, by process id. */
  activity(): Backend[];
  /** `max_connections`, what is reserved of them, or undefined without a limit. */
  limit(): ConnectionLimit | undefined;
  /** `pg_terminate_backend`; false when there is no such process. */
  terminate(pid: number): boolean;
  /** `pg_is_in_recovery()`. */
  recovery(): boolean;
  /** `pg_current_wal_lsn()`, or on a replica `pg_last_wal_replay_lsn()`. */
  lsn(): string;
  positions(): ReplicaPosition;
  /** When the last commit became visible on a replica; undefined on a primary. */
  lastReplayAt(): number | undefined;
  end(): void;
}

export interface ConnectionLimit {
  most: number;
  /** Kept for whoever `mayUseReserve`. */
  reserved: number;
}

export interface SessionPorts {
  now(): number;
  limit(): ConnectionLimit | undefined;
  mayUseReserve(user: string): boolean;
  instance(): Instance | undefined;
  reachable(from: Place): boolean;
  admit(user: string): boolean;
  commit(instance: Instance, change: Pick<Commit, "user" | "key" | "value" | "role">): string;
  positions(instance: Instance): ReplicaPosition;
}

export const openSession = (
  ports: SessionPorts,
  request: SessionRequest,
): ModelledSession | DatabaseError => {
  const { user, from } = request;
  const instance = ports.reachable(from) && ports.admit(user) ? ports.instance() : undefined;
  if (!instance) return new DatabaseError("ETIMEDOUT", "timeout expired");
  const role = instance.store.roles.get(user);
  if (!role || (request.password ?? role.password) !== role.password) {
    return new DatabaseError("28P01", `password authentication failed for user "${user}"`);
  }
  if (!role.canLogin) {
    return new DatabaseError("28000", `role "${user}" is not permitted to log in`);
  }
  if (!hasRoom(ports, instance, user)) {
    return new DatabaseError("53300", "remaining connection slots are reserved");
  }
  return sessionOn(ports, instance, request);
};

const hasRoom = (ports: SessionPorts, { sessions }: Instance, user: string): boolean => {
  const limit = ports.limit();
  if (!limit) return true;
  const used = [...sessions.values()].reduce((sum, { size }) => sum + size, 0);
  return used < (ports.mayUseReserve(user) ? limit.most : limit.most - limit.reserved);
};

/** Adds a session that is on the list, whether or not somebody ever asks it anything. */
export const addBackend = (
  instance: Instance,
  now: number,
  { user, application, state }: Pick<Backend, "user" | "application" | "state">,
): Backend => {
  instance.lastPid += 1;
  const { lastPid: pid } = instance;
  const made: Backend = { pid, user, application, startedAt: now, state, stateAt: now };
  const sessions = instance.sessions.get(user) ?? new Set();
  instance.sessions.set(user, sessions.add(made));
  return made;
};

const terminate = (instance: Instance, pid: number): boolean => {
  for (const sessions of instance.sessions.values()) {
    for (const each of sessions) if (each.pid === pid) return sessions.delete(each);
  }
  return false;
};

const sessionOn = (
  ports: SessionPorts,
  opened: Instance,
  { user, application = "", from }: SessionRequest,
): ModelledSession => {
  const { boot } = opened;
  const mine = addBackend(opened, ports.now(), { user, application, state: "idle" });
  const sessions = opened.sessions.get(user) ?? new Set();
  // A default of the role counts from the next session on, as in PostgreSQL.
  const readOnly = opened.store.roles.get(user)?.readOnlyByDefault ?? false;
  /** The instance, when this session still stands on it. */
  const alive = (): Instance => {
    if (!ports.reachable(from)) throw new DatabaseError("ETIMEDOUT", "read ETIMEDOUT");
    const instance = ports.instance();
    if (instance !== opened || instance.boot !== boot || !sessions.has(mine)) {
      throw new DatabaseError("57P01", "terminating connection due to administrator command");
    }
    return instance;
  };
  const writable = (): Instance => {
    const instance = alive();
    if (!instance.following && !readOnly) return instance;
    throw new DatabaseError("25006", "cannot execute INSERT in a read-only transaction");
  };
  return {
    write: (key, value) => ports.commit(writable(), { user, key, value }),
    read: (key) => alive().store.values.get(key),
    alterRole: (role) => ports.commit(writable(), { user, role }),
    role: (name) => alive().store.roles.get(name),
    terminateSessions: (name) => {
      const others = alive().sessions.get(name) ?? new Set();
      const ended = others.size - (others.has(mine) ? 1 : 0);
      const kept = others.has(mine);
      others.clear();
      if (kept) others.add(mine);
      return ended;
    },
    sessions: (name) => alive().sessions.get(name)?.size ?? 0,
    activity: () =>
      [...alive().sessions.values()]
        .flatMap((each) => [...each])
        .toSorted((one, other) => one.pid - other.pid),
    limit: () => {
      alive();
      return ports.limit();
    },
    terminate: (pid) => terminate(alive(), pid),
    recovery: () => alive().following !== undefined,
    lsn: () => ports.positions(alive()).replayed,
    positions: () => ports.positions(alive()),
    lastReplayAt: () => {
      const { following, store } = alive();
      return following ? store.lastReplayAt : undefined;
    },
    end: () => void sessions.delete(mine),
  };
};
