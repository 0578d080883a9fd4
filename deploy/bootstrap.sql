-- What a new database needs before the application and Nightshift can use it: their logins, no more
-- rights than they need, and Nightshift's own tables. Run once by the owner, after the first deployment
-- and before the first migration, with deploy/bootstrap.ts or with psql:
--
--   PGOPTIONS="-c bootstrap.application=$APPLICATION -c bootstrap.nightshift=$NIGHTSHIFT" \
--     psql -X -v ON_ERROR_STOP=1 -f deploy/bootstrap.sql "host=… dbname=platform user=platform_owner …"
--
-- The two are SCRAM verifiers and not passwords, so that no server and no log ever has one. Everything
-- may be repeated: a role that is there keeps its password, which rotation owns by then, and its fence.
-- PostgreSQL 16 or newer. There is nothing of psql's own in here, so that any client can run it.
--
-- Where `rds.restrict_password_commands` is on, CREATE ROLE … PASSWORD takes membership in rds_password:
-- `GRANT rds_password TO CURRENT_USER` first. Nightshift's login never sets a password and needs none of it.
BEGIN;

-- All of it waits for nobody: a lock that is held means that the database is not new.
SET LOCAL lock_timeout = '5s';

DO $$
DECLARE
  verifier text;
BEGIN
  IF current_setting('server_version_num')::int < 160000 THEN
    RAISE EXCEPTION 'PostgreSQL 16 or newer is needed: before, CREATEROLE is a right over every role';
  END IF;
  -- Nobody logs in as this one: it holds the application's rights, whichever login is in use.
  IF to_regrole('application') IS NULL THEN
    CREATE ROLE application NOLOGIN;
  END IF;
  IF to_regrole('app_a') IS NULL THEN
    verifier := current_setting('bootstrap.application', true);
    IF verifier IS NULL OR verifier NOT LIKE 'SCRAM-SHA-256$%' THEN
      RAISE EXCEPTION 'bootstrap.application is no SCRAM verifier';
    END IF;
    EXECUTE format('CREATE ROLE app_a LOGIN PASSWORD %L', verifier);
  END IF;
  -- The other of the two. It gets its password at the first rotation; without one, nobody gets in.
  IF to_regrole('app_b') IS NULL THEN
    CREATE ROLE app_b LOGIN;
  END IF;
  -- CREATEROLE, because PostgreSQL lets nobody change another role without it. Over which roles, the
  -- ADMIN OPTION below decides. Source: "CREATE ROLE" and "ALTER ROLE" of PostgreSQL 16.
  IF to_regrole('nightshift') IS NULL THEN
    verifier := current_setting('bootstrap.nightshift', true);
    IF verifier IS NULL OR verifier NOT LIKE 'SCRAM-SHA-256$%' THEN
      RAISE EXCEPTION 'bootstrap.nightshift is no SCRAM verifier';
    END IF;
    EXECUTE format('CREATE ROLE nightshift LOGIN CREATEROLE PASSWORD %L', verifier);
  END IF;
END $$;

-- The fence and its end: NOLOGIN and LOGIN of these two, and of nobody else. Without INHERIT and SET
-- Nightshift cannot read what they read.
GRANT app_a, app_b TO nightshift WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
-- Ends sessions of the application; sees everybody's, so that a fence can be proven.
GRANT pg_signal_backend, pg_monitor TO nightshift;

GRANT application TO app_a, app_b WITH ADMIN FALSE, INHERIT TRUE, SET FALSE;

DO $$ BEGIN
  -- A flood of connections must not keep the fence out. Only who has this role may give it.
  IF pg_has_role(current_user, 'pg_use_reserved_connections', 'MEMBER WITH ADMIN OPTION') THEN
    GRANT pg_use_reserved_connections TO nightshift;
  ELSE
    RAISE NOTICE 'nightshift gets no reserved connections: % may not give them', current_user;
  END IF;
  -- Which statements take the time. The server has to have been started with it.
  IF current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%' THEN
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
  ELSE
    RAISE NOTICE 'pg_stat_statements is not loaded: nobody will know the slowest statements';
  END IF;
  -- No other login of this server has any business in here.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT, TEMPORARY ON DATABASE %I TO application', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO nightshift', current_database());
END $$;

-- Rows, and never tables: those are the owner's, by migrations, also the ones that are yet to come.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO application;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO application;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO application;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO application;

-- Nightshift's own tables, as its statement `prepare` has them. They are its own: the owner may be it
-- for a moment only.
GRANT nightshift TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
CREATE SCHEMA IF NOT EXISTS nightshift AUTHORIZATION nightshift;
SET LOCAL ROLE nightshift;
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
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), bytes bytea NOT NULL);
-- What the application may seal again with the key that has become the primary, and until when: nothing,
-- until Nightshift has said so, and again nothing when it has not said so for a while.
CREATE TABLE IF NOT EXISTS nightshift.reencryption (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  until timestamptz NOT NULL, rows integer NOT NULL CHECK (rows > 0),
  pause interval NOT NULL, next_at timestamptz NOT NULL);
INSERT INTO nightshift.reencryption (until, rows, pause, next_at)
  VALUES ('-infinity', 500, '2 seconds', '-infinity') ON CONFLICT (singleton) DO NOTHING;
-- How many rows whoever asks may seal again in this very transaction; 0 is none. The row stays locked
-- until it ends, so that of a whole fleet one instance is at work, and one that dies has used up nothing.
CREATE OR REPLACE FUNCTION nightshift.next_batch() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  given integer;
BEGIN
  IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
    RETURN 0;
  END IF;
  UPDATE nightshift.reencryption SET next_at = clock_timestamp() + pause
  WHERE singleton IN (
    SELECT singleton FROM nightshift.reencryption
    WHERE until > clock_timestamp() AND next_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
  RETURNING rows INTO given;
  RETURN coalesce(given, 0);
END $$;
REVOKE ALL ON FUNCTION nightshift.next_batch() FROM PUBLIC;
GRANT USAGE ON SCHEMA nightshift TO application;
GRANT EXECUTE ON FUNCTION nightshift.next_batch() TO application;
-- A copy that was restored to be looked at is read by the owner's login.
GRANT USAGE, CREATE ON SCHEMA nightshift TO SESSION_USER;
GRANT SELECT ON ALL TABLES IN SCHEMA nightshift TO SESSION_USER;
ALTER DEFAULT PRIVILEGES IN SCHEMA nightshift GRANT SELECT ON TABLES TO SESSION_USER;
RESET ROLE;
REVOKE nightshift FROM CURRENT_USER GRANTED BY CURRENT_USER;

-- What Nightshift may know of the application's rows: how many there are, and the sum of the hashes of
-- those between two times. It runs as the owner and gives numbers only. STABLE, so that all of it is seen
-- at one moment. `most_bytes` bounds what is counted; beyond it the numbers are PostgreSQL's estimate.
CREATE OR REPLACE FUNCTION nightshift.counted(most_bytes bigint, windows jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off
SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$
DECLARE
  one record;
  found record;
  rows bigint;
  tables jsonb := '[]';
  sums jsonb := '[]';
BEGIN
  FOR one IN
    SELECT n.nspname, c.relname, greatest(c.reltuples, 0)::bigint AS guess,
      sum(pg_relation_size(c.oid)) OVER (ORDER BY pg_relation_size(c.oid), c.oid) AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('information_schema', 'nightshift') AND n.nspname !~ '^pg_'
    ORDER BY bytes LIMIT 1000
  LOOP
    rows := one.guess;
    IF one.bytes <= most_bytes THEN
      EXECUTE format('SELECT count(*) FROM ONLY %I.%I', one.nspname, one.relname) INTO rows;
    END IF;
    tables := tables || jsonb_build_object('name', one.nspname || '.' || one.relname,
      'rows', rows, 'exact', one.bytes <= most_bytes);
  END LOOP;
  FOR one IN SELECT value FROM jsonb_array_elements(windows) LOOP
    EXECUTE format('SELECT count(*) AS rows,
        coalesce(sum(hashtextextended(the_whole_row::text, 0)), 0)::text AS sum
      FROM %s AS the_whole_row WHERE %I >= $1 AND %I < $2',
      (one.value->>'table')::regclass, one.value->>'column', one.value->>'column')
    INTO found USING (one.value->>'from')::timestamptz, (one.value->>'to')::timestamptz;
    sums := sums || (one.value || jsonb_build_object('rows', found.rows, 'sum', found.sum));
  END LOOP;
  RETURN jsonb_build_object('tables', tables, 'windows', sums);
END $$;
REVOKE ALL ON FUNCTION nightshift.counted(bigint, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nightshift.counted(bigint, jsonb) TO nightshift;

-- How many values of the application's sealed columns do not begin with `header`, by the id of the key that
-- has sealed them. It runs as the owner and gives ids and numbers only: `header` has to be one, or it could
-- be used to guess what stands in a column. An index of `left(the_column, 20) COLLATE "C"` (of a bytea
-- column: `substring(the_column FROM 1 FOR 20)`) makes it quick.
CREATE OR REPLACE FUNCTION nightshift.sealed(header text, columns jsonb, most bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off
AS $$
DECLARE
  one jsonb;
  kind regtype;
  head text;
  shown text;
  wanted text;
  found_ids jsonb;
  all_found jsonb := '[]';
BEGIN
  IF header !~ '^v1\.[0-9a-f]{16}\.$' THEN
    RAISE EXCEPTION 'that is no header of a sealed value';
  END IF;
  FOR one IN SELECT value FROM jsonb_array_elements(columns) LOOP
    SELECT a.atttypid INTO kind FROM pg_attribute a
    WHERE a.attrelid = (one->>'table')::regclass AND a.attname = one->>'column' AND NOT a.attisdropped;
    IF kind IS NULL THEN
      RAISE EXCEPTION '% has no column %', one->>'table', one->>'column';
    END IF;
    IF kind = 'bytea'::regtype THEN
      head := format('substring(%I FROM 1 FOR 20)', one->>'column');
      shown := 'encode(head, ''escape'')';
      wanted := format('convert_to(%L, ''UTF8'')', header);
    ELSE
      head := format('(left(%I::text, 20) COLLATE "C")', one->>'column');
      shown := 'head';
      wanted := quote_literal(header);
    END IF;
    EXECUTE format('SELECT jsonb_object_agg(id, rows) FROM (
        SELECT coalesce(substring(%1$s FROM ''^v1\.([0-9a-f]{16})\.$''), %6$L) AS id, count(*) AS rows
        FROM (SELECT %2$s AS head FROM %3$s WHERE %2$s < %4$s OR %2$s > %4$s LIMIT %5$s) AS other
        GROUP BY 1) AS by_key',
      shown, head, (one->>'table')::regclass, wanted, most, '') INTO found_ids;
    all_found := all_found || jsonb_build_object(
      'table', one->>'table', 'column', one->>'column', 'found', coalesce(found_ids, '{}'));
  END LOOP;
  RETURN all_found;
END $$;
REVOKE ALL ON FUNCTION nightshift.sealed(text, jsonb, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nightshift.sealed(text, jsonb, bigint) TO nightshift;

COMMIT;
