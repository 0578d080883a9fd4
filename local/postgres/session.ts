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

export interface SessionRequest {
  user: string;
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
  /** `pg_is_in_recovery()`. */
  recovery(): boolean;
  /** `pg_current_wal_lsn()`, or on a replica `pg_last_wal_replay_lsn()`. */
  lsn(): string;
  positions(): ReplicaPosition;
  /** When the last commit became visible on a replica; undefined on a primary. */
  lastReplayAt(): number | undefined;
  end(): void;
}

export interface SessionPorts {
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
  return sessionOn(ports, instance, request);
};

const sessionOn = (
  ports: SessionPorts,
  opened: Instance,
  { user, from }: SessionRequest,
): ModelledSession => {
  const { boot } = opened;
  const mine = {};
  const sessions = opened.sessions.get(user) ?? new Set();
  opened.sessions.set(user, sessions.add(mine));
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
