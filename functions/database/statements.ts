import { ending, examination } from "./examination.ts";

/**
 * The whole menu: nothing else is ever sent to a database by Nightshift outside rotation. Values are
 * bound, never spliced; the names of the application's roles come from the deployment, not from the
 * caller, and are passed to `format(%I)` on the server.
 */
export interface Statement {
  text: string;
  /** Runs on a replica, too. */
  readOnly: boolean;
}

export const statements = {
  /**
   * Makes Nightshift's own schema, as `deploy/bootstrap.sql` does. Safe to repeat, also for a login that
   * may make no schema: PostgreSQL asks for that right before it looks whether there is one.
   */
  prepare: {
    readOnly: false,
    text: `
      DO $$ BEGIN
        IF to_regnamespace('nightshift') IS NULL THEN CREATE SCHEMA nightshift; END IF;
      END $$;
      CREATE TABLE IF NOT EXISTS nightshift.heartbeat (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        region text NOT NULL, epoch bigint NOT NULL,
        written_at_ms bigint NOT NULL, contact_at_ms bigint NOT NULL);
      CREATE TABLE IF NOT EXISTS nightshift.probe (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), epoch bigint NOT NULL);
      CREATE TABLE IF NOT EXISTS nightshift.fence (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), epoch bigint NOT NULL);
      INSERT INTO nightshift.fence (epoch) VALUES (0) ON CONFLICT (singleton) DO NOTHING;
      CREATE TABLE IF NOT EXISTS nightshift.manifest (
        taken_at_ms bigint PRIMARY KEY, lsn text NOT NULL, content jsonb NOT NULL);
      CREATE TABLE IF NOT EXISTS nightshift.canary (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), bytes bytea NOT NULL)`,
  },

  /**
   * The heartbeat row. Its time is the guard's clock and not the server's, so that whoever compares
   * it later compares clocks that are kept by the same service. Answers with the log position
   * after it.
   */
  heartbeat: {
    readOnly: false,
    text: `
      INSERT INTO nightshift.heartbeat (region, epoch, written_at_ms, contact_at_ms)
      VALUES ($1, $2, $3, $4)
      ON CONFLICT (singleton) DO UPDATE SET region = excluded.region, epoch = excluded.epoch,
        written_at_ms = excluded.written_at_ms, contact_at_ms = excluded.contact_at_ms
      RETURNING pg_current_wal_lsn()::text AS lsn`,
  },

  /** Where this server stands: replica or not, how far it has replayed, and its heartbeat row. */
  position: {
    readOnly: true,
    text: `
      SELECT pg_is_in_recovery() AS recovery,
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
          ELSE pg_current_wal_lsn() END::text AS lsn,
        h.region, h.epoch::float8 AS epoch,
        h.written_at_ms::float8 AS written_at_ms, h.contact_at_ms::float8 AS contact_at_ms
      FROM (SELECT 1) AS one LEFT JOIN nightshift.heartbeat AS h ON true`,
  },

  /** Which of the application's roles may log in, and how many of their sessions are open. */
  logins: {
    readOnly: true,
    text: `
      SELECT r.rolname AS role, r.rolcanlogin AS can_login,
        (SELECT count(*)::int FROM pg_stat_activity AS a WHERE a.usename = r.rolname) AS sessions
      FROM pg_roles AS r WHERE r.rolname = ANY ($1) ORDER BY r.rolname`,
  },

  /**
   * Closes the application's logins and makes whatever they still run read-only. Keeps the epoch of
   * the fence in the same transaction; a database that was never prepared is closed all the same.
   */
  closeLogins: {
    readOnly: false,
    text: `
      DO $$ DECLARE name text; BEGIN
        IF to_regclass('nightshift.fence') IS NOT NULL THEN
          UPDATE nightshift.fence
            SET epoch = greatest(epoch, current_setting('nightshift.epoch')::bigint);
        END IF;
        FOR name IN SELECT rolname FROM pg_roles
          WHERE rolname = ANY (string_to_array(current_setting('nightshift.roles'), ','))
        LOOP
          EXECUTE format('ALTER ROLE %I NOLOGIN', name);
          EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', name);
        END LOOP;
      END $$`,
  },

  /** Ends the sessions of the application's roles. Run after \`closeLogins\` has been committed. */
  endSessions: {
    readOnly: false,
    text: `
      SELECT count(*)::int AS ended FROM (
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ($1)) AS ended`,
  },

  /**
   * Opens the application's logins again, unless they were closed at a newer epoch. The lock on the row
   * puts opening and closing in an order: whoever has read an old lease and was slow finds the newer
   * fence, and opens nothing.
   */
  openLogins: {
    readOnly: false,
    text: `
      DO $$ DECLARE name text; fenced bigint; BEGIN
        IF to_regclass('nightshift.fence') IS NOT NULL THEN
          SELECT epoch INTO fenced FROM nightshift.fence FOR UPDATE;
          IF fenced > current_setting('nightshift.epoch')::bigint THEN
            RAISE EXCEPTION 'fenced at epoch %, which is newer', fenced;
          END IF;
        END IF;
        FOR name IN SELECT rolname FROM pg_roles
          WHERE rolname = ANY (string_to_array(current_setting('nightshift.roles'), ','))
        LOOP
          EXECUTE format('ALTER ROLE %I LOGIN', name);
          EXECUTE format('ALTER ROLE %I RESET default_transaction_read_only', name);
        END LOOP;
      END $$`,
  },

  /** Names the application's roles and the epoch to the two statements above, for this session only. */
  nameRoles: {
    readOnly: true,
    text: `
      SELECT set_config('nightshift.roles', $1, false), set_config('nightshift.epoch', $2, false)`,
  },

  /**
   * What is in the database, for whoever restores a backup of it later: `shared/manifest.ts`. All of it
   * is seen at one moment, and no table is read that the function of the owner does not count.
   */
  manifest: {
    readOnly: false,
    text: `
      INSERT INTO nightshift.manifest (taken_at_ms, lsn, content)
      SELECT $1, pg_current_wal_lsn()::text, jsonb_build_object('format', 1, 'extensions',
          (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion)), '[]')
            FROM pg_extension)) || nightshift.counted($2, $3)
      ON CONFLICT (taken_at_ms) DO UPDATE SET lsn = excluded.lsn, content = excluded.content`,
  },

  newestManifest: {
    readOnly: true,
    text: `
      SELECT max(taken_at_ms)::float8 AS taken_at_ms FROM nightshift.manifest`,
  },

  /** Manifests older than any backup that is kept are of no use. */
  forgetManifests: {
    readOnly: false,
    text: `
      DELETE FROM nightshift.manifest WHERE taken_at_ms < $1`,
  },

  /** Written once and never again: a copy of it made today would hide what has happened to the old one. */
  canary: {
    readOnly: false,
    text: `
      INSERT INTO nightshift.canary (bytes) VALUES ($1) ON CONFLICT (singleton) DO NOTHING`,
  },

  /** How many rows are sealed by another key than the one of this header, by the ids of their keys. */
  sealed: {
    readOnly: true,
    text: `
      SELECT nightshift.sealed($1, $2, $3) AS found`,
  },

  /**
   * Lets the application seal rows again for so many seconds from now, by the server's own clock; 0 ends
   * it. How many at a time, `nightshift.next_batch()` tells it.
   */
  reencrypt: {
    readOnly: false,
    text: `
      UPDATE nightshift.reencryption SET until = clock_timestamp() + make_interval(secs => $1),
        rows = $2, pause = make_interval(secs => $3)
      RETURNING true AS permitted`,
  },

  /** A committed write proves that the server takes writes. */
  probeWrite: {
    readOnly: false,
    text: `
      INSERT INTO nightshift.probe (epoch) VALUES ($1)
      ON CONFLICT (singleton) DO UPDATE SET epoch = excluded.epoch RETURNING epoch::float8 AS epoch`,
  },

  ...examination,
  ...ending,
} as const satisfies Record<string, Statement>;
