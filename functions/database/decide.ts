import * as z from "zod/mini";
import type { LeftOn } from "../../shared/sealed.ts";

/** What can be looked at; each is one part of the answer and may be unknown by itself. */
export const looks = [
  "connections",
  "idleInTransaction",
  "transactions",
  "blocking",
  "slowest",
  "slots",
  "size",
  "waits",
  "running",
] as const;
export type Look = (typeof looks)[number];

/** Both are open transactions in which nothing runs. No other state is ever ended. */
const idleStates = ["idle in transaction", "idle in transaction (aborted)"] as const;

/** PostgreSQL's own text of a time, in UTC and to the microsecond. */
const instant = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/));

/**
 * A session, so exactly that it is found again and no other is: process ids are used anew, and a session
 * goes from one transaction to the next. When the state is as old as it was, nothing happened in it. A
 * transaction that has failed has no start any more, but still has its connection.
 */
const frozen = z.strictObject({
  pid: z.int().check(z.minimum(1)),
  backendStart: instant,
  transactionStart: z.nullable(instant),
  state: z.enum(idleStates),
  stateSince: instant,
});
export type FrozenSession = z.infer<typeof frozen>;

/** Nobody's transaction is called forgotten sooner. The bound of a playbook is far above. */
export const leastIdleSeconds = 5;
/** One request ends at most so many sessions, and so many are listed. */
export const mostEnded = 300;

export const examine = z.strictObject({
  do: z.literal("examine"),
  looks: z.array(z.enum(looks)).check(z.minLength(1), z.maxLength(looks.length)),
  /** For `idleInTransaction`: silent for at least so long; 60 when not given. */
  idleSeconds: z.optional(z.int().check(z.minimum(leastIdleSeconds), z.maximum(86_400))),
});
export type ExamineRequest = z.infer<typeof examine>;

/** An empty list is refused here: it would mean that whoever asks does not know whom. */
export const endSessions = z.strictObject({
  do: z.literal("endSessions"),
  sessions: z.array(frozen).check(
    z.minLength(1),
    z.maxLength(mostEnded),
    z.refine((list) => new Set(list.map(({ pid }) => pid)).size === list.length),
  ),
  atMost: z.int().check(z.minimum(1), z.maximum(mostEnded)),
  idleSeconds: z.int().check(z.minimum(leastIdleSeconds), z.maximum(86_400)),
});
export type EndSessionsRequest = z.infer<typeof endSessions>;

/** What may be asked of the database function. Anything else is refused before a connection is made. */
export const request = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("prepare") }),
  z.strictObject({
    do: z.literal("heartbeat"),
    region: z.string(),
    epoch: z.int(),
    writtenAtMilliseconds: z.int(),
    contactAtMilliseconds: z.int(),
  }),
  z.strictObject({ do: z.literal("position") }),
  z.strictObject({ do: z.literal("logins") }),
  z.strictObject({ do: z.literal("fence"), epoch: z.optional(z.int()) }),
  z.strictObject({ do: z.literal("liftFence"), epoch: z.optional(z.int()) }),
  z.strictObject({ do: z.literal("probeWrite"), epoch: z.int() }),
  z.strictObject({
    do: z.literal("manifest"),
    takenAtMilliseconds: z.int(),
    /** Whose database it is: the public name. */
    identity: z.string().check(z.minLength(1), z.maxLength(253)),
    appendOnly: z.array(z.strictObject({ table: z.string(), column: z.string() })),
    /** Nothing is counted when the newest one is younger than this. */
    atMostEveryHours: z.optional(z.int().check(z.minimum(1), z.maximum(24))),
  }),
  z.strictObject({
    do: z.literal("sealed"),
    /** The id of the key that seals now. */
    key: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
    columns: z
      .array(z.strictObject({ table: z.string(), column: z.string() }))
      .check(z.minLength(1), z.maxLength(100)),
  }),
  z.strictObject({
    do: z.literal("reencrypt"),
    /** For so long; 0 ends it. Whoever is stopped must not be at work for much longer. */
    seconds: z.int().check(z.minimum(0), z.maximum(900)),
    rows: z.int().check(z.minimum(1), z.maximum(10_000)),
    pauseSeconds: z.int().check(z.minimum(1), z.maximum(3600)),
  }),
  examine,
  endSessions,
]);

export type DatabaseRequest = z.infer<typeof request>;

/*
 * The epoch of `fence` is kept with the roles that it closes, and `liftFence` with an older one is
 * refused: whoever read the lease before it moved, and was slow, must not open what was closed since.
 * Without an epoch, which is a person's word, a fence is always lifted.
 */

/** Where a server stands. Milliseconds are the guard's clock at the time of the heartbeat. */
export interface Position {
  recovery: boolean;
  lsn: string;
  heartbeat: {
    region: string;
    epoch: number;
    writtenAtMilliseconds: number;
    contactAtMilliseconds: number;
  } | null;
}

export interface Logins {
  roles: { role: string; canLogin: boolean; sessions: number }[];
}

export interface DatabaseAnswers extends SessionAnswers {
  prepare: Record<string, never>;
  heartbeat: { lsn: string };
  position: Position;
  logins: Logins;
  fence: Logins & { ended: number; lsn: string };
  liftFence: Logins;
  probeWrite: { epoch: number };
  manifest: { written: boolean };
  sealed: { left: LeftOn[] };
  reencrypt: Record<string, never>;
}

/** A fence holds when no role of the application can log in and none has a session left. */
export const isFenced = ({ roles }: Logins): boolean =>
  roles.length > 0 && roles.every((role) => !role.canLogin && role.sessions === 0);

/** The application can work when every one of its roles can log in. */
export const isOpen = ({ roles }: Logins): boolean =>
  roles.length > 0 && roles.every((role) => role.canLogin);

/** Beginnings of application names, in lower case. */
export interface SessionPolicy {
  neverEnd: string[];
  /** Null: any that is not spared otherwise. */
  onlyEnd: string[] | null;
}

/** Migrations and dumps have to come to their end, and a person at a console is asked, not cut off. */
const alwaysSpared = [
  "nightshift",
  "alembic",
  "flyway",
  "liquibase",
  "migrat",
  "pg_dump",
  "pg_restore",
  "psql",
  "pgadmin",
  "dbeaver",
  "datagrip",
];

export const sessionPolicyOf = (
  given: { neverEnd?: string[] | undefined; onlyEnd?: string[] | undefined } | undefined,
): SessionPolicy => {
  const lower = (names: string[]) => names.map((name) => name.toLowerCase());
  return {
    neverEnd: [...alwaysSpared, ...lower(given?.neverEnd ?? [])],
    onlyEnd: given?.onlyEnd ? lower(given.onlyEnd) : null,
  };
};

/** Why a session is never ended. */
export type Spared =
  | "unseen"
  | "not-a-client"
  | "own"
  | "privileged"
  | "not-the-application"
  | "named"
  | "changes-tables";

/** What a session of a frozen list has become, other than what it was. */
export type Changed =
  | Spared
  | "gone"
  | "another-session"
  | "not-idle-in-transaction"
  | "another-transaction"
  | "another-state"
  | "worked-since"
  /** The same, but not silent for as long as was asked for. */
  | "too-recent"
  /** Still the same, but `atMost` were ended already. */
  | "over-the-limit";

/** Ages are by the server's clock. A name is the application's own word and proves nothing. */
export interface SeenSession {
  pid: number;
  backendStart: string;
  transactionStart: string | null;
  state: string | null;
  stateSince: string | null;
  user: string | null;
  application: string | null;
  client: string | null;
  stateSeconds: number | null;
  transactionSeconds: number | null;
  /** PostgreSQL's number of the last query, never its text; null when the server makes none. */
  fingerprint: string | null;
  /** It has changed rows, which are undone when it is ended. */
  wrote: boolean;
  /** `Lock:transactionid` */
  waits: string | null;
}

export interface ListedSession extends SeenSession {
  spared: Spared | null;
}

/** A list that has a bound; `more` when there was more. */
export interface Listed<T> {
  rows: T[];
  more: boolean;
}

export interface Connections {
  /** `max_connections`. */
  most: number;
  /** Kept for administrators, so that the application has `most - reserved`. */
  reserved: number;
  used: number;
  /** Sessions of which this login may see nothing but that they exist. */
  unseen: number;
  /** `idle_in_transaction_session_timeout`; 0 is none. A session can set its own. */
  idleTimeoutSeconds: number;
  groups: Listed<{
    user: string | null;
    application: string | null;
    state: string | null;
    client: string | null;
    sessions: number;
    oldestSeconds: number | null;
  }>;
  /** `most` is null when the role has no limit of its own. */
  roles: { role: string; most: number | null; used: number }[];
}

/** Those with an empty `blockedBy` wait for nobody. */
export type BlockingSession = ListedSession & { blockedBy: number[] };

export interface Slowest {
  fingerprint: string | null;
  user: string | null;
  calls: number;
  totalMilliseconds: number;
  meanMilliseconds: number;
  mostMilliseconds: number;
  /** Without any value, by `normalised.ts`; null when that cannot be told. Absent in old records. */
  shape?: string | null;
}

/** Sessions that work at this moment on one and the same statement. */
export interface Running {
  fingerprint: string | null;
  user: string | null;
  application: string | null;
  /** PostgreSQL's own word: `client backend`, `autovacuum worker`, `walsender`, … */
  process: string | null;
  sessions: number;
  /** Those of them that wait for nothing: they have a processor, or want one. */
  working: number;
  longestSeconds: number | null;
}

export interface Slot {
  name: string;
  type: string;
  active: boolean;
  status: string | null;
  retainedBytes: number | null;
  /** How much more may pile up before the slot is given up; null when there is no such bound. */
  safeBytes: number | null;
}

export interface Looks {
  connections: Connections;
  idleInTransaction: Listed<ListedSession>;
  transactions: Listed<ListedSession>;
  blocking: Listed<BlockingSession>;
  /**
   * `since`: when its statistics were reset. `underWay`: shapes of the statements that sessions are in the
   * middle of, by fingerprint; absent in old records.
   */
  slowest: {
    since: string | null;
    statements: Slowest[];
    underWay?: { fingerprint: string; shape: string }[];
  };
  slots: Listed<Slot>;
  size: { bytes: number; tables: { name: string; bytes: number; deadRows: number | null }[] };
  waits: Listed<{ type: string | null; event: string | null; sessions: number }>;
  running: Listed<Running>;
}

export type Looked<T> = { known: true; value: T } | { known: false; why: string };

export interface SessionAnswers {
  examine: { [L in Look]?: Looked<Looks[L]> };
  endSessions: {
    /** They are gone: told to end, and not there any more. */
    ended: SeenSession[];
    /** Told to end, and still there when this was written. */
    lingering: SeenSession[];
    spared: { pid: number; backendStart: string; because: Changed }[];
  };
}

/** What of a look may be handed to `endSessions`: nothing spared, and nothing not known exactly. */
export const freeze = (sessions: readonly ListedSession[]): FrozenSession[] =>
  sessions.flatMap((session) => {
    const { spared, pid, backendStart, transactionStart, state, stateSince } = session;
    const parsed = frozen.safeParse({ pid, backendStart, transactionStart, state, stateSince });
    return spared === null && parsed.success ? [parsed.data] : [];
  });

/**
 * How many of a frozen list are still what they were, by a look that lists the longest silent first.
 * A list that was cut off still tells of everybody who would have stood before its end.
 */
export const remainingOf = (
  frozen: readonly FrozenSession[],
  { rows, more }: Listed<ListedSession>,
): number => {
  const key = ({
    pid,
    backendStart,
    transactionStart,
    state,
    stateSince,
  }: SeenSession | FrozenSession) =>
    JSON.stringify([pid, backendStart, transactionStart, state, stateSince]);
  const there = new Set(rows.map(key));
  const end = more ? (rows.at(-1)?.stateSince ?? "") : null;
  // Texts of the same form and length: they compare as the times do.
  const isBeyond = ({ stateSince }: FrozenSession) => end !== null && stateSince >= end;
  return frozen.filter((session) => there.has(key(session)) || isBeyond(session)).length;
};

/**
 * Who stands at the root of a tree of waiting sessions, with how many wait for it, most first. A
 * prepared transaction, which has no session, is pid 0 and has no `session`.
 */
export const blockersOf = (
  sessions: readonly BlockingSession[],
): { pid: number; session: ListedSession | undefined; waiting: number }[] => {
  const known = new Map(sessions.map((session) => [session.pid, session]));
  const behind = new Map<number, number>();
  for (const { pid, blockedBy } of sessions) {
    if (blockedBy.length === 0) continue;
    for (const root of rootsOf(known, pid)) behind.set(root, (behind.get(root) ?? 0) + 1);
  }
  return [...behind]
    .map(([pid, waiting]) => ({ pid, session: known.get(pid), waiting }))
    .toSorted((one, other) => other.waiting - one.waiting || one.pid - other.pid);
};

/** Follows a session to those that wait for nobody. A circle has no root; PostgreSQL breaks it itself. */
const rootsOf = (known: ReadonlyMap<number, BlockingSession>, from: number): Set<number> => {
  const roots = new Set<number>();
  const visited = new Set<number>();
  const open = [from];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    if (visited.has(pid)) continue;
    visited.add(pid);
    const blockedBy = known.get(pid)?.blockedBy ?? [];
    if (blockedBy.length === 0) roots.add(pid);
    open.push(...blockedBy);
  }
  return roots;
};
