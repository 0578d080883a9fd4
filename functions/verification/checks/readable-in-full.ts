import type { Session } from "../../../shared/runtime.ts";
import type { Check, CheckResult, Json } from "../checks.ts";
import { bytesText, counted, few, ofSomebody, settle } from "./look.ts";
import type { Target } from "./walk.ts";
import { blockBounds, inBatches, mostDamage, oneRow, walk, withinBlocks } from "./walk.ts";

const name = "readable-in-full";

interface Read {
  [name: string]: Json;
  tables: number;
  rows: number;
  bytes: number;
  /** Of the hashes of all rows, modulo 2^64, in decimal: the order of rows does not change it. */
  sum: string;
  /** Rows of the table that is being read. */
  here: number;
  /** Rows by table, of large ones only: the others are counted again faster than they are kept. */
  large: [string, number][];
}

const nothing: Read = { tables: 0, rows: 0, bytes: 0, sum: "0", here: 0, large: [] };

/** A table below is counted within a second: `row-counts` does it itself. */
export const largeBytes = 256 * 1024 * 1024;
const mostLarge = 300;

/** The name under which `measured` has the rows of a large table. */
export const rowsOf = (table: string): string => `rows of ${table}`;

/**
 * Reads every row of every table, with what is stored beside it, in chunks by place: so that no page of
 * the copy's storage stays unread, and what is fetched when it is first touched has been fetched after it.
 * Source: "Restoring to a DB instance", Amazon RDS: data is loaded lazily, and a full scan is advised.
 */
export const readableInFull: Check = {
  name,
  title: "Every row of every table can be read",
  needs: [],
  run: async (session, _facts, turn) => {
    await settle(session);
    const walked = await walk<Relation, Read>(turn, {
      first: nothing,
      next: inBatches((after) => relations(session, after)),
      read: (relation, from, to, state) => readBlocks(session, relation, [from, to], state),
      finish: finished,
    });
    if ("more" in walked) return walked;
    return told(walked.state, walked.damage, await notRead(session));
  },
};

interface Relation extends Target {
  /** As it stands in a statement, quoted by the server. */
  quoted: string;
  blockBytes: number;
  /** What is stored beside the table because it was too large. */
  beside: number;
  isOurs: boolean;
}

/** Those with storage of their own; a partitioned table's rows are in its partitions. */
const withRows = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and c.relpersistence <> 't'`;

const relations = async (session: Session, after: number): Promise<Relation[]> => {
  const { rows } = await session.query(
    `select c.oid::int8::float8 as id, n.nspname || '.' || c.relname as name,
       format('%I.%I', n.nspname, c.relname) as quoted,
       ceil(pg_relation_size(c.oid)::float8 / current_setting('block_size')::int) as blocks,
       current_setting('block_size')::float8 as "blockBytes",
       coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::float8 as beside,
       (${ofSomebody}) as "isOurs"
     ${withRows} and c.oid > $1::oid and has_table_privilege(c.oid, 'select')
       and (c.relkind <> 'm' or c.relispopulated)
     order by c.oid limit 100`,
    [after],
  );
  return rows as unknown as Relation[];
};

/** The long name cannot be one of a column, which would stand for itself and not for the row. */
const readBlocks = async (
  session: Session,
  relation: Relation,
  [from, to]: [number, number],
  state: Read,
): Promise<Read> => {
  const row = await oneRow(
    session,
    `select count(*)::float8 as rows,
       coalesce(sum(hashtextextended(the_whole_row::text, 0)), 0)::text as sum
     from only ${relation.quoted} as the_whole_row where ${withinBlocks("the_whole_row")}`,
    blockBounds(from, to),
  );
  const here = state.here + Number(row.rows);
  const bytes = state.bytes + (to - from) * relation.blockBytes;
  const isCounted = relation.isOurs;
  const sum = isCounted ? added(state.sum, String(row.sum)) : state.sum;
  return { ...state, here, bytes, sum };
};

const added = (sum: string, more: string): string =>
  BigInt.asUintN(64, BigInt(sum) + BigInt(more)).toString();

const finished = (relation: Relation, state: Read): Read => {
  const bytes = state.bytes + relation.beside;
  if (!relation.isOurs) return { ...state, bytes, here: 0 };
  const isLarge = relation.blocks * relation.blockBytes >= largeBytes;
  const isKept = isLarge && state.large.length < mostLarge;
  return {
    ...state,
    tables: state.tables + 1,
    rows: state.rows + state.here,
    bytes,
    here: 0,
    large: isKept ? [...state.large, [relation.name, state.here]] : state.large,
  };
};

const notRead = async (session: Session): Promise<string[]> => {
  const { rows } = await session.query(
    `select n.nspname || '.' || c.relname as name ${withRows}
       and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
       and not has_table_privilege(c.oid, 'select') order by 1 limit 100`,
  );
  return rows.map((row) => String(row.name));
};

const told = (read: Read, damage: string[], closed: string[]): CheckResult => {
  const { tables, rows, bytes, sum } = read;
  const what = `${counted(tables, "table")}, ${counted(rows, "row")}, ${bytesText(bytes)}`;
  const checksum = BigInt(sum).toString(16).padStart(16, "0");
  const base = {
    name,
    expected: "every row of every table is read",
    measured: {
      rows,
      tables,
      scannedBytes: bytes,
      ...Object.fromEntries(read.large.map(([table, count]) => [rowsOf(table), count])),
    },
  };
  if (damage.length > 0) {
    const isAll = damage.length < mostDamage;
    const places = `${isAll ? "" : "over "}${counted(damage.length, "place")}`;
    return {
      ...base,
      is: "failed",
      actual: few(damage, 10),
      says: `${places} cannot be read${isAll ? "" : ", and what follows was not looked at"}.`,
    };
  }
  if (closed.length > 0) {
    return {
      ...base,
      is: "could-not-run",
      actual: `${what}; not permitted: ${few(closed)}`,
      says: `${counted(closed.length, "table")} may not be read by this login, so nobody knows.`,
    };
  }
  if (tables === 0) {
    const says =
      "There is no table in it at all. An empty database restores well and helps nobody.";
    return { ...base, is: "failed", actual: "no table", says };
  }
  const says = `All of it was read: ${what}.`;
  return { ...base, is: "passed", actual: `${what}; checksum ${checksum}`, says };
};
