import type { Session } from "../../shared/runtime.ts";
import type {
  BlockingSession,
  Changed,
  DatabaseAnswers,
  EndSessionsRequest,
  ExamineRequest,
  Listed,
  ListedSession,
  Look,
  Looked,
  Looks,
  SeenSession,
  SessionPolicy,
  Spared,
} from "./decide.ts";
import { mostEnded } from "./decide.ts";
import { normalised } from "./normalised.ts";
import { statements } from "./statements.ts";

/** Whose sessions may be ended: the application's, less what the operator's file spares. */
export type Endable = SessionPolicy & { roles: string[] };

type Row = Record<string, unknown>;
type Examined = DatabaseAnswers["examine"];

/** Seconds of silence after which a transaction is listed, when the caller names none. */
const usualIdleSeconds = 60;

/**
 * Looks one after another on one session: a database that has no connections left has none for eight
 * looks at once. One that fails leaves the others standing.
 */
export const examine = async (
  session: Session,
  endable: Endable,
  { looks, idleSeconds = usualIdleSeconds }: ExamineRequest,
): Promise<Examined> => {
  const answers: Record<string, Looked<unknown>> = {};
  for (const look of new Set(looks)) {
    answers[look] = await looked<unknown>(session, () =>
      lookers[look](session, endable, idleSeconds),
    );
  }
  return answers as Examined;
};

/** A read-only transaction of its own, with bounds on time and locks, and given up whatever happens. */
const looked = async <T>(session: Session, look: () => Promise<T>): Promise<Looked<T>> => {
  await session.query(statements.beginLook.text);
  let answer: Looked<T>;
  try {
    answer = { known: true, value: await look() };
  } catch (error) {
    // The code and not the message: a message of PostgreSQL may quote what was read.
    const code = (error as { code?: unknown }).code;
    if (typeof code !== "string") throw error;
    answer = { known: false, why: reasonOf(code) };
  }
  await session.query(statements.endLook.text);
  return answer;
};

/** Source: "PostgreSQL Error Codes" in its documentation. */
const reasonOf = (code: string): string => {
  const reasons: Record<string, string> = {
    "42501": "Nightshift's login lacks the right to look: grant it pg_monitor",
    "57014": "the look took longer than it may",
    "55P03": "the look would have waited for a lock",
    "55000": "pg_stat_statements is not among shared_preload_libraries",
    [noStatistics]: "pg_stat_statements is not installed in this database",
  };
  return `${reasons[code] ?? "PostgreSQL refused the look"} (${code})`;
};

/** Not a code of PostgreSQL's own: the view is not there, which is no error there either. */
const noStatistics = "no-statistics";

type Looker<L extends Look> = (
  session: Session,
  endable: Endable,
  idleSeconds: number,
) => Promise<Looks[L]>;

const lookers: { [L in Look]: Looker<L> } = {
  connections: async (session, { roles }) => {
    const { rows } = await session.query(statements.connections.text);
    const groups = await session.query(statements.connectionGroups.text);
    const limits = await session.query(statements.connectionRoles.text, [roles]);
    const [row = {}] = rows;
    return {
      most: Number(row.most),
      reserved: Number(row.reserved),
      used: Number(row.used),
      unseen: Number(row.unseen),
      idleTimeoutSeconds: Number(row.idle_timeout_seconds),
      groups: listed(groups.rows, 50, (group) => ({
        user: text(group.user),
        application: text(group.application),
        state: text(group.state),
        client: text(group.client),
        sessions: Number(group.sessions),
        oldestSeconds: number(group.oldest_seconds),
      })),
      roles: limits.rows.map((role) => ({
        role: String(role.role),
        most: Number(role.most) < 0 ? null : Number(role.most),
        used: Number(role.used),
      })),
    };
  },
  idleInTransaction: async (session, endable, idleSeconds) => {
    const values = [...bound(endable), idleSeconds];
    const { rows } = await session.query(statements.idleInTransaction.text, values);
    return listed(rows, mostEnded, listedSession);
  },
  transactions: async (session, endable) => {
    const { rows } = await session.query(statements.transactions.text, bound(endable));
    return listed(rows, 20, listedSession);
  },
  blocking: async (session, endable) => {
    const { rows } = await session.query(statements.blocking.text, bound(endable));
    return listed(rows, 102, blockingSession);
  },
  slowest: async (session) => {
    const found = await session.query(statements.findStatistics.text);
    if (found.rows[0]?.found !== true) {
      throw Object.assign(new Error("no pg_stat_statements"), { code: noStatistics });
    }
    const { rows } = await session.query(statements.slowest.text);
    const underWay = await session.query(statements.underWay.text);
    return {
      since: text(rows[0]?.since),
      statements: rows.map((row) => ({
        fingerprint: text(row.fingerprint),
        user: text(row.user),
        calls: Number(row.calls),
        totalMilliseconds: Number(row.total_ms),
        meanMilliseconds: Number(row.mean_ms),
        mostMilliseconds: Number(row.most_ms),
        shape: shapeOf(row),
      })),
      underWay: underWay.rows.flatMap((row) => {
        const shape = shapeOf(row);
        return shape === null ? [] : [{ fingerprint: String(row.fingerprint), shape }];
      }),
    };
  },
  slots: async (session) => {
    const { rows } = await session.query(statements.slots.text);
    return listed(rows, 20, (row) => ({
      name: String(row.name),
      type: String(row.type),
      active: row.active === true,
      status: text(row.status),
      retainedBytes: number(row.retained_bytes),
      safeBytes: number(row.safe_bytes),
    }));
  },
  size: async (session) => {
    const { rows } = await session.query(statements.size.text);
    const tables = await session.query(statements.largestTables.text);
    return {
      bytes: Number(rows[0]?.bytes),
      tables: tables.rows.map((row) => ({
        name: String(row.name),
        bytes: Number(row.bytes),
        deadRows: number(row.dead_rows),
      })),
    };
  },
  waits: async (session) => {
    const { rows } = await session.query(statements.waits.text);
    return listed(rows, 20, (row) => ({
      type: text(row.type),
      event: text(row.event),
      sessions: Number(row.sessions),
    }));
  },
  running: async (session) => {
    const { rows } = await session.query(statements.running.text);
    return listed(rows, 20, (row) => ({
      fingerprint: text(row.fingerprint),
      user: text(row.user),
      application: text(row.application),
      process: text(row.process),
      sessions: Number(row.sessions),
      working: Number(row.working),
      longestSeconds: number(row.longest_seconds),
    }));
  },
};

/** PostgreSQL's own text of it stays here. */
const shapeOf = ({ kept }: Row): string | null =>
  typeof kept === "string" ? normalised(kept) : null;

const bound = ({ roles, neverEnd, onlyEnd }: Endable) => [roles, neverEnd, onlyEnd];

/** The statement asks for one row more than is told. */
const listed = <T>(rows: Row[], most: number, told: (row: Row) => T): Listed<T> => ({
  rows: rows.slice(0, most).map(told),
  more: rows.length > most,
});

const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : String(value);

const number = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);

const seenSession = (row: Row): SeenSession => ({
  pid: Number(row.pid),
  backendStart: String(row.backend_start),
  transactionStart: text(row.xact_start),
  state: text(row.state),
  stateSince: text(row.state_since),
  user: text(row.user),
  application: text(row.application),
  client: text(row.client),
  stateSeconds: number(row.state_seconds),
  transactionSeconds: number(row.xact_seconds),
  fingerprint: text(row.fingerprint),
  wrote: row.wrote === true,
  waits: text(row.waits),
});

const listedSession = (row: Row): ListedSession => ({
  ...seenSession(row),
  spared: text(row.spared) as Spared | null,
});

const blockingSession = (row: Row): BlockingSession => ({
  ...listedSession(row),
  blockedBy: Array.isArray(row.blocked_by) ? row.blocked_by.map(Number) : [],
});

/** How often it is looked whether those that were told to end are gone: a second in all. */
const looksAfterwards = 20;

/**
 * Ends those of the list that are still what they were, and says of the others what they have become.
 * Asked again with the same list, it finds them gone.
 */
export const endSessions = async (
  session: Session,
  endable: Endable,
  { sessions, atMost, idleSeconds }: EndSessionsRequest,
): Promise<DatabaseAnswers["endSessions"]> => {
  const { rows } = await session.query(statements.endFrozen.text, [
    ...bound(endable),
    sessions.map(({ pid }) => pid),
    sessions.map(({ backendStart }) => backendStart),
    sessions.map(({ transactionStart }) => transactionStart),
    sessions.map(({ state }) => state),
    sessions.map(({ stateSince }) => stateSince),
    idleSeconds,
    atMost,
  ]);
  const told = rows.filter((row) => row.told === true).map(seenSession);
  const there = await remaining(session, told);
  return {
    ended: told.filter(({ pid }) => !there.has(pid)),
    lingering: told.filter(({ pid }) => there.has(pid)),
    spared: rows
      .filter((row) => row.told !== true)
      .map((row) => ({
        pid: Number(row.frozen_pid),
        backendStart: String(row.frozen_start),
        // The signal itself can find that the process has just gone.
        because: changeOf(row, told.length < atMost ? "gone" : "over-the-limit"),
      })),
  };
};

const changeOf = (row: Row, otherwise: Changed): Changed =>
  (text(row.because) as Changed | null) ?? otherwise;

const remaining = async (session: Session, told: readonly SeenSession[]): Promise<Set<number>> => {
  let there = new Set(told.map(({ pid }) => pid));
  const values = [told.map(({ pid }) => pid), told.map(({ backendStart }) => backendStart)];
  for (let look = 0; there.size > 0 && look < looksAfterwards; look += 1) {
    const { rows } = await session.query(statements.remaining.text, values);
    there = new Set(rows.map(({ pid }) => Number(pid)));
    if (there.size > 0) await session.query(statements.moment.text);
  }
  return there;
};
