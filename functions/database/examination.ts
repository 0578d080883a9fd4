import type { Statement } from "./statements.ts";

/**
 * The part of the menu that looks at sessions, and ends some. No statement here answers with a session's
 * query, or with a parameter of one: both hold customers' data. A query is known by PostgreSQL's own
 * fingerprint (`query_id`), which is there when `compute_query_id` is on or pg_stat_statements is
 * loaded. Source: "Run-time Statistics" in the PostgreSQL documentation. What pg_stat_statements keeps
 * of a statement leaves this function only as `normalised.ts` tells it.
 */

/** A time to the microsecond, so that it can be compared for equality when it comes back. */
const moment = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const ageSeconds = (column: string): string =>
  `extract(epoch FROM clock_timestamp() - ${column})::float8`;

/** What is told of a session. `a` is pg_stat_activity. */
const seen = `
  a.pid, ${moment("a.backend_start")} AS backend_start, ${moment("a.xact_start")} AS xact_start,
  a.state, ${moment("a.state_change")} AS state_since, a.usename AS "user",
  a.application_name AS application, host(a.client_addr) AS client,
  ${ageSeconds("a.state_change")} AS state_seconds,
  ${ageSeconds("a.xact_start")} AS xact_seconds,
  a.query_id::text AS fingerprint, a.backend_xid IS NOT NULL AS wrote,
  a.wait_event_type || ':' || a.wait_event AS waits`;

const beginsWithOneOf = (parameter: string): string => `EXISTS (
  SELECT FROM unnest(${parameter}::text[]) AS beginning
  WHERE starts_with(lower(a.application_name), beginning))`;

/**
 * Why a session is never ended, or null. One text for the look and for the act, so that they cannot
 * disagree. $1 are the application's roles, $2 the beginnings of application names that are spared, $3
 * those that alone may be ended, or null. A session that holds more than a row lock on a table is
 * changing tables: a migration, whatever it calls itself. Source: "Table-Level Locks" there.
 */
const spared = `CASE
  WHEN a.backend_type IS NULL OR a.state IS NULL THEN 'unseen'
  WHEN a.backend_type <> 'client backend' THEN 'not-a-client'
  WHEN a.pid = pg_backend_pid() OR a.usename = session_user THEN 'own'
  WHEN r.rolname IS NULL OR r.rolsuper OR r.rolreplication OR starts_with(r.rolname::text, 'rds')
    OR EXISTS (SELECT FROM pg_roles AS s
      WHERE s.rolname IN ('rdsadmin', 'rds_superuser', 'rds_replication', 'rds_reserved')
        AND pg_has_role(r.oid, s.oid, 'MEMBER')) THEN 'privileged'
  WHEN a.usename <> ALL ($1::text[]) OR a.datname <> current_database() THEN 'not-the-application'
  WHEN ${beginsWithOneOf("$2")} THEN 'named'
  WHEN $3::text[] IS NOT NULL AND NOT ${beginsWithOneOf("$3")} THEN 'named'
  WHEN EXISTS (SELECT FROM pg_locks AS l
    WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')) THEN 'changes-tables'
END`;

const ofSessions = "pg_stat_activity AS a LEFT JOIN pg_roles AS r ON r.oid = a.usesysid";

const forgotten = "('idle in transaction', 'idle in transaction (aborted)')";

const setting = (name: string): string =>
  `coalesce(nullif(current_setting('${name}', true), ''), '0')`;

/** Everything that looks; each runs in a read-only transaction of its own between these two. */
export const examination = {
  /**
   * Milliseconds. A look must not wait for the very locks it is about, nor become the slowest statement
   * itself. No other schema than PostgreSQL's own is searched: a table made by somebody else under the
   * name of a view would be read with Nightshift's rights.
   */
  beginLook: {
    readOnly: true,
    text: `
      BEGIN TRANSACTION READ ONLY;
      SET LOCAL statement_timeout = 2000;
      SET LOCAL lock_timeout = 500;
      SET LOCAL search_path = pg_catalog`,
  },
  endLook: { readOnly: true, text: "ROLLBACK" },

  /**
   * How many connections there are and may be. RDS before PostgreSQL 16 reserves some by a setting of its
   * own. Without `pg_read_all_stats` other people's sessions have neither type nor state: "unseen".
   */
  connections: {
    readOnly: true,
    text: `
      SELECT current_setting('max_connections')::int AS most,
        current_setting('superuser_reserved_connections')::int
          + ${setting("reserved_connections")}::int
          + ${setting("rds.rds_superuser_reserved_connections")}::int AS reserved,
        extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval)::float8
          AS idle_timeout_seconds,
        count(*)::int AS used, (count(*) FILTER (WHERE backend_type IS NULL))::int AS unseen,
        ${moment("clock_timestamp()")} AS now
      FROM pg_stat_activity
      WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)`,
  },

  /** Who they are. One more row than is told, so that it is known when some were left out. */
  connectionGroups: {
    readOnly: true,
    text: `
      SELECT usename AS "user", application_name AS application, state, host(client_addr) AS client,
        count(*)::int AS sessions, max(${ageSeconds("state_change")}) AS oldest_seconds
      FROM pg_stat_activity
      WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)
      GROUP BY 1, 2, 3, 4 ORDER BY sessions DESC, 1, 2, 3, 4 LIMIT 51`,
  },

  /** The limits of the application's own roles; -1 is none. */
  connectionRoles: {
    readOnly: true,
    text: `
      SELECT r.rolname AS role, r.rolconnlimit AS most,
        (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.usesysid = r.oid) AS used
      FROM pg_roles AS r WHERE r.rolname = ANY ($1::text[]) ORDER BY r.rolname`,
  },

  /** Open transactions in which nothing was asked for $4 seconds, the longest silent first. */
  idleInTransaction: {
    readOnly: true,
    text: `
      SELECT ${seen}, ${spared} AS spared FROM ${ofSessions}
      WHERE a.state IN ${forgotten}
        AND a.state_change <= clock_timestamp() - make_interval(secs => $4::float8)
      ORDER BY a.state_change, a.pid LIMIT 301`,
  },

  /** The longest open transactions, whatever they do. */
  transactions: {
    readOnly: true,
    text: `
      SELECT ${seen}, ${spared} AS spared FROM ${ofSessions}
      WHERE a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid() AND a.datid IS NOT NULL
      ORDER BY a.xact_start LIMIT 21`,
  },

  /**
   * Who waits for a lock and who has it. `pg_blocking_pids` stops the lock manager for a moment, so it is
   * asked for a bounded number of sessions. Source: "Session Information Functions" there. Process id
   * 0 is a prepared transaction.
   */
  blocking: {
    readOnly: true,
    text: `
      WITH waiting AS MATERIALIZED (
        SELECT w.pid, pg_blocking_pids(w.pid) AS blockers
        FROM (SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'
          ORDER BY state_change LIMIT 51) AS w)
      SELECT ${seen}, ${spared} AS spared, w.blockers AS blocked_by
      FROM ${ofSessions} LEFT JOIN waiting AS w ON w.pid = a.pid
      WHERE w.pid IS NOT NULL
        OR a.pid IN (SELECT unnest(blockers) FROM waiting)
      ORDER BY w.pid IS NOT NULL, a.xact_start LIMIT 103`,
  },

  /** Where pg_stat_statements is, if it is an extension's view and not somebody's table of that name. */
  findStatistics: {
    readOnly: true,
    text: `
      SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', n.nspname), true) IS NOT NULL
        AS found
      FROM pg_extension AS e
      JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
      JOIN pg_class AS c ON c.oid = d.objid AND c.relname = 'pg_stat_statements'
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE e.extname = 'pg_stat_statements'`,
  },

  /** Which statements have taken most time since the statistics were reset. After `findStatistics`. */
  slowest: {
    readOnly: true,
    text: `
      SELECT s.queryid::text AS fingerprint, r.rolname AS "user", s.calls::float8 AS calls,
        s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.max_exec_time AS most_ms,
        left(s.query, 4000) AS kept,
        (SELECT ${moment("i.stats_reset")} FROM pg_stat_statements_info AS i) AS since
      FROM pg_stat_statements AS s LEFT JOIN pg_roles AS r ON r.oid = s.userid
      WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY s.total_exec_time DESC, s.queryid LIMIT 10`,
  },

  /** What is kept of the statements that sessions are in the middle of. After `findStatistics`. */
  underWay: {
    readOnly: true,
    text: `
      SELECT s.queryid::text AS fingerprint, min(left(s.query, 4000)) AS kept
      FROM pg_stat_statements AS s
      WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND s.queryid IN (SELECT a.query_id FROM pg_stat_activity AS a
          WHERE a.query_id IS NOT NULL AND a.state <> 'idle' AND a.pid <> pg_backend_pid())
      GROUP BY s.queryid ORDER BY s.queryid LIMIT 30`,
  },

  /**
   * What is worked on at this moment, by fingerprint: unlike the statistics of pg_stat_statements it needs
   * no extension, and says what is so now and not what was since the last reset. Vacuum works as well.
   */
  running: {
    readOnly: true,
    text: `
      SELECT query_id::text AS fingerprint, usename AS "user", application_name AS application,
        backend_type AS process, count(*)::int AS sessions,
        (count(*) FILTER (WHERE wait_event_type IS NULL))::int AS working,
        max(${ageSeconds("query_start")}) AS longest_seconds
      FROM pg_stat_activity
      WHERE state = 'active' AND pid <> pg_backend_pid()
        AND backend_type IN ('client backend', 'parallel worker', 'autovacuum worker')
      GROUP BY 1, 2, 3, 4 ORDER BY working DESC, sessions DESC, longest_seconds DESC, 1, 2, 3 LIMIT 21`,
  },

  /** Replication slots and the log that is kept for each. */
  slots: {
    readOnly: true,
    text: `
      SELECT slot_name AS name, slot_type AS type, active, wal_status AS status,
        pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
          ELSE pg_current_wal_lsn() END, restart_lsn)::float8 AS retained_bytes,
        safe_wal_size::float8 AS safe_bytes
      FROM pg_replication_slots ORDER BY retained_bytes DESC NULLS LAST, name LIMIT 21`,
  },

  /** How large the database is. */
  size: {
    readOnly: true,
    text: "SELECT pg_database_size(current_database())::float8 AS bytes",
  },

  /** Its largest tables, as vacuum last counted their pages: nothing is opened for it. */
  largestTables: {
    readOnly: true,
    text: `
      SELECT n.nspname || '.' || c.relname AS name,
        c.relpages::float8 * current_setting('block_size')::int AS bytes,
        s.n_dead_tup::float8 AS dead_rows
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
      WHERE c.relkind IN ('r', 'm', 't') ORDER BY c.relpages DESC, 1 LIMIT 10`,
  },

  /** What working sessions wait for; `null` is work itself. */
  waits: {
    readOnly: true,
    text: `
      SELECT wait_event_type AS type, wait_event AS event, count(*)::int AS sessions
      FROM pg_stat_activity
      WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      GROUP BY 1, 2 ORDER BY sessions DESC, 1, 2 LIMIT 21`,
  },
} as const satisfies Record<string, Statement>;

export const ending = {
  /**
   * Ends those of a frozen list that are still what they were: the same process of the same start, in the
   * same transaction, in the same state since the same instant, silent for $9 seconds, and none that is
   * spared. At most $10, the longest silent first. Says of each what it was found to be. Look and signal
   * are within one statement, microseconds apart; no closer is possible, and what is ended there was not
   * acknowledged. Runs on its own: a transaction would keep the picture of its first look.
   */
  endFrozen: {
    readOnly: true,
    text: `
      WITH frozen AS (
        SELECT * FROM unnest($4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[],
          $8::timestamptz[]) AS f (pid, backend_start, xact_start, state, state_since)),
      looked AS MATERIALIZED (
        SELECT f.pid AS frozen_pid, ${moment("f.backend_start")} AS frozen_start, ${seen},
          a.state_change AS silent_since,
          CASE
            WHEN a.pid IS NULL THEN 'gone'
            WHEN a.backend_start IS DISTINCT FROM f.backend_start THEN 'another-session'
            WHEN ${spared} IS NOT NULL THEN ${spared}
            WHEN a.state NOT IN ${forgotten} THEN 'not-idle-in-transaction'
            WHEN a.state IS DISTINCT FROM f.state THEN 'another-state'
            WHEN a.xact_start IS DISTINCT FROM f.xact_start THEN 'another-transaction'
            WHEN a.state_change IS DISTINCT FROM f.state_since THEN 'worked-since'
            WHEN a.state_change > clock_timestamp() - make_interval(secs => $9::float8)
              THEN 'too-recent'
          END AS because
        FROM frozen AS f
        LEFT JOIN pg_stat_activity AS a ON a.pid = f.pid
        LEFT JOIN pg_roles AS r ON r.oid = a.usesysid),
      chosen AS MATERIALIZED (
        SELECT pid FROM looked WHERE because IS NULL ORDER BY silent_since, pid LIMIT $10::int)
      SELECT looked.*,
        CASE WHEN chosen.pid IS NULL THEN false ELSE pg_terminate_backend(chosen.pid) END AS told
      FROM looked LEFT JOIN chosen ON chosen.pid = looked.pid
      ORDER BY looked.frozen_pid`,
  },

  /** Which of those that were told to end are still there. */
  remaining: {
    readOnly: true,
    text: `
      SELECT a.pid FROM unnest($1::int[], $2::timestamptz[]) AS f (pid, backend_start)
      JOIN pg_stat_activity AS a ON a.pid = f.pid AND a.backend_start = f.backend_start`,
  },

  /** The moment that a session needs to go. On the server, since nothing else here has a clock. */
  moment: { readOnly: true, text: "SELECT pg_sleep(0.05)" },
} as const satisfies Record<string, Statement>;
