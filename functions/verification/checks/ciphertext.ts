import type { Session } from "../../../shared/runtime.ts";
import type { Check } from "../checks.ts";
import { opens } from "./decrypt.ts";
import { counted, few, quickCheck } from "./look.ts";
import type { CheckHooks, Ciphertext, KeyRing } from "./policy.ts";

const name = "ciphertext-opens";
const eachSample = 200;

/**
 * A backup whose ciphertext no key opens any more is lost, however well it restores. Looks at the first
 * rows, the last ones and some from everywhere.
 */
export const ciphertext = (columns: readonly Ciphertext[], hooks: CheckHooks): Check =>
  quickCheck(
    {
      name,
      title: "What is encrypted opens with today's key ring",
      needs: ["readable-in-full"],
    },
    async (session) => {
      const expected = `all of ${few(columns.map(labelOf))} open with a key of the ring`;
      if (!hooks.keyRing) {
        const says = "There is no way to the key ring, so nobody knows whether anything opens.";
        return { is: "could-not-run", expected, actual: "no key ring", says };
      }
      const ring = await hooks.keyRing();
      const looked: Looked[] = [];
      for (const column of columns) looked.push(await lookInto(session, column, ring));
      const rows = looked.reduce((sum, each) => sum + each.rows, 0);
      const shut = looked.reduce((sum, each) => sum + each.shut, 0);
      const actual = few(looked.map(lineOf), 20);
      const found = { expected, actual, measured: { rows, opened: rows - shut } };
      const gone = looked.filter(({ isThere }) => !isThere);
      if (gone.length > 0) {
        return { ...found, is: "failed", says: `There is no ${few(gone.map(labelOf))} in it.` };
      }
      if (shut > 0) {
        const says = `${counted(shut, "value")} of ${rows} do not open with any key of today's ring.`;
        return { ...found, is: "failed", says };
      }
      const empty = looked.filter((each) => each.rows === 0);
      if (empty.length > 0) {
        const says = `There is nothing to open in ${few(empty.map(labelOf))}: nothing is shown by it.`;
        return { ...found, is: "could-not-run", says };
      }
      return { ...found, is: "passed", says: `${counted(rows, "value")} of a sample open.` };
    },
  );

interface Looked extends Pick<Ciphertext, "table" | "column"> {
  isThere: boolean;
  rows: number;
  shut: number;
  byKey: Record<string, number>;
}

const labelOf = ({ table, column }: Pick<Ciphertext, "table" | "column">): string =>
  `${table}.${column}`;

const lineOf = (looked: Looked): string => {
  if (!looked.isThere) return `${labelOf(looked)}: not there`;
  const keys = Object.entries(looked.byKey).map(([id, count]) => `${count} by key ${id}`);
  return `${labelOf(looked)}: ${few([...keys, `${looked.shut} by none`], 20)}`;
};

const lookInto = async (
  session: Session,
  { table, column, format }: Ciphertext,
  { keys }: KeyRing,
): Promise<Looked> => {
  const sample = await sampleOf(session, table, column);
  const looked: Looked = { table, column, isThere: sample !== null, rows: 0, shut: 0, byKey: {} };
  for (const value of sample ?? []) {
    looked.rows += 1;
    const key = Object.entries(keys).find(([, bytes]) => opens(format, value, bytes));
    if (key) looked.byKey[key[0]] = (looked.byKey[key[0]] ?? 0) + 1;
    else looked.shut += 1;
  }
  return looked;
};

const sampleOf = async (
  session: Session,
  table: string,
  column: string,
): Promise<(string | Uint8Array)[] | null> => {
  const { rows: places } = await session.query(
    `select format('%I.%I', n.nspname, c.relname) as quoted, quote_ident(a.attname) as column,
       greatest(c.reltuples, 1)::float8 as guess,
       ceil(pg_relation_size(c.oid)::float8 / current_setting('block_size')::int) as blocks
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attname = $2 and not a.attisdropped
     where n.nspname || '.' || c.relname = $1`,
    [table, column],
  );
  const [place] = places;
  if (!place) return null;
  const value = `select ${place.column} as value from ${place.quoted}`;
  const some = `where ${place.column} is not null limit ${eachSample}`;
  const percent = Math.min(100, (100 * eachSample) / Number(place.guess));
  const tail = `ctid >= '(${Math.max(0, Number(place.blocks) - 16)},0)'::tid`;
  const { rows } = await session.query(
    `(${value} ${some}) union all (${value} tablesample system (${percent}) ${some})
     union all (${value} where ${tail} and ${some.slice("where ".length)})`,
  );
  return rows.map((row) => row.value as string | Uint8Array);
};
