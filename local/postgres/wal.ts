/** What a role may do. A change of it is a commit like any other, so replicas get it as well. */
export interface Role {
  canLogin: boolean;
  readOnlyByDefault: boolean;
  /** Not checked while undefined. */
  password: string | undefined;
}

export type RoleChange = { name: string } & Partial<Role>;

export interface Commit {
  /** Bytes since the beginning of the log. */
  lsn: number;
  /** Modelled milliseconds since 1970. */
  at: number;
  user: string;
  key?: string;
  value?: string;
  role?: RoleChange;
}

export type Log = Commit[];

/** What the first `replayed` commits of a log amount to. */
export interface Store {
  replayed: number;
  values: Map<string, string>;
  roles: Map<string, Role>;
  /** When the last commit became visible, as `pg_last_xact_replay_timestamp` is used for lag. */
  lastReplayAt: number | undefined;
}

/** Where the log of a new cluster begins. */
export const atStart = 0x1000000;

/** As PostgreSQL writes it: two hexadecimal halves of 32 bits. */
export const lsnText = (lsn: number): string =>
  `${Math.floor(lsn / 2 ** 32).toString(16)}/${(lsn % 2 ** 32).toString(16)}`.toUpperCase();

/** Carries `before`, changed in place, on to the first `replayed` commits of `log`. */
export const storeAt = (log: Log, replayed: number, before?: Store): Store => {
  const store = before ?? {
    replayed: 0,
    values: new Map(),
    roles: new Map(),
    lastReplayAt: undefined,
  };
  for (let index = store.replayed; index < replayed; index += 1) {
    const entry = log[index];
    if (entry?.key !== undefined) store.values.set(entry.key, entry.value ?? "");
    if (entry?.role) applyRole(store, entry.role);
  }
  store.replayed = replayed;
  return store;
};

const applyRole = (store: Store, { name, ...change }: RoleChange): void => {
  const before = store.roles.get(name) ?? {
    canLogin: false,
    readOnlyByDefault: false,
    password: undefined,
  };
  store.roles.set(name, { ...before, ...change });
};

/** Appends to `to` the commits of `log` from index `from` on, up to the first not `arrived`. */
export const arrivals = (
  log: Log,
  from: number,
  arrived: (entry: Commit) => boolean,
  to: Log,
): void => {
  for (let index = from; index < log.length; index += 1) {
    const entry = log[index];
    if (!entry || !arrived(entry)) return;
    to.push(entry);
  }
};
