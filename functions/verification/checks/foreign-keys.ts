import type { Session } from "../../../shared/runtime.ts";
import type { Check, CheckResult, Json } from "../checks.ts";
import { counted, few, ofSomebody, settle } from "./look.ts";
import type { Target } from "./walk.ts";
import { blockBounds, inBatches, oneRow, walk, withinBlocks } from "./walk.ts";

const name = "foreign-keys";
const expected = "every row that names another one finds it";

interface Seen {
  [name: string]: Json;
  keys: number;
  rows: number;
  /** Of the key that is being read. */
  here: number;
  orphans: string[];
}

/**
 * PostgreSQL checks a foreign key when rows are written, and never again: a copy that lost some rows of
 * one table has them broken, with every constraint called valid.
 */
export const foreignKeys: Check = {
  name,
  title: "Every row that names another one finds it",
  needs: ["readable-in-full"],
  run: async (session, _facts, turn) => {
    await settle(session);
    const walked = await walk<Key, Seen>(turn, {
      first: { keys: 0, rows: 0, here: 0, orphans: [] },
      next: inBatches((after) => keysAfter(session, after)),
      read: async (key, from, to, state) => {
        const row = await oneRow(session, orphansOf(key), blockBounds(from, to));
        const [rows, orphans] = [Number(row.rows), Number(row.orphans)];
        return { ...state, rows: state.rows + rows, here: state.here + orphans };
      },
      finish: ({ name: key }, state) => {
        const orphans = state.here === 0 ? [] : [`${key}: ${counted(state.here, "row")}`];
        const all = [...state.orphans, ...orphans].slice(0, 100);
        return { ...state, keys: state.keys + 1, here: 0, orphans: all };
      },
    });
    return "more" in walked ? walked : told(walked.state, walked.damage);
  },
};

interface Key extends Target {
  child: string;
  parent: string;
  columns: [child: string, parent: string][];
}

/** Those of partitioned tables are there once more for each partition, which has the rows. */
const keysAfter = async (session: Session, after: number): Promise<Key[]> => {
  const { rows } = await session.query(
    `select c.oid::int8::float8 as id, n.nspname || '.' || r.relname || '.' || c.conname as name,
       format('%I.%I', n.nspname, r.relname) as child,
       format('%I.%I', pn.nspname, p.relname) as parent,
       ceil(pg_relation_size(r.oid)::float8 / current_setting('block_size')::int) as blocks,
       (select jsonb_agg(jsonb_build_array(quote_ident(a.attname), quote_ident(b.attname)))
        from unnest(c.conkey, c.confkey) as k (here, there)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.here
        join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.there) as columns
     from pg_constraint c join pg_class r on r.oid = c.conrelid and r.relkind = 'r'
     join pg_namespace n on n.oid = r.relnamespace
     join pg_class p on p.oid = c.confrelid join pg_namespace pn on pn.oid = p.relnamespace
     where c.contype = 'f' and c.oid > $1::oid and ${ofSomebody}
     order by c.oid limit 100`,
    [after],
  );
  return rows as unknown as Key[];
};

/** A row with any column of the key empty names nobody (MATCH SIMPLE, which is what there is by default). */
const orphansOf = ({ child, parent, columns }: Key): string => {
  const named = columns.map(([here]) => `here.${here} is not null`).join(" and ");
  const equal = columns.map(([here, there]) => `there.${there} = here.${here}`).join(" and ");
  return `select count(*)::float8 as rows, count(*) filter (
      where not exists (select 1 from ${parent} as there where ${equal}))::float8 as orphans
    from only ${child} as here where ${named} and ${withinBlocks("here")}`;
};

const told = ({ keys, rows, orphans }: Seen, damage: string[]): CheckResult => {
  const base = { name, expected, measured: { foreignKeys: keys, rows } };
  const wrong = [...orphans, ...damage];
  if (wrong.length > 0) {
    const says = `Rows that name nobody, by ${counted(wrong.length, "foreign key")}: ${few(wrong, 3)}.`;
    return { ...base, is: "failed", actual: few(wrong, 20), says };
  }
  const actual = `${counted(keys, "foreign key")}, ${counted(rows, "row")}`;
  return { ...base, is: "passed", actual, says: `${actual}: each finds the row that it names.` };
};
