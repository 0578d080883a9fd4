import { isoSeconds } from "../../../shared/clock.ts";
import type { Manifest } from "../../../shared/manifest.ts";
import type { Session } from "../../../shared/runtime.ts";
import type { Check, CopyFacts } from "../checks.ts";
import { counted, few, quickCheck } from "./look.ts";
import { isTaken, manifestIn } from "./manifest.ts";
import type { CheckPolicy } from "./policy.ts";
import { largeBytes, rowsOf } from "./readable-in-full.ts";

/** A copy is of a later moment than its manifest, and rows may have been deleted in between. */
const usualShrink = 0.2;
/** `reltuples` is as old as the last ANALYZE or VACUUM. */
const estimateShrink = 0.2;
/** Of a smaller table a few rows are a large share; only when it is empty that means something. */
const smallRows = 100;

type Line = Manifest["tables"][number];

/** Every table of the manifest is there, and has about as many rows as it had then. */
export const rowCounts = (policy: CheckPolicy): Check =>
  quickCheck(
    {
      name: "row-counts",
      title: "Every table is there, with as many rows as the manifest says",
      needs: ["readable-in-full"],
    },
    async (session, facts) => {
      const taken = await manifestIn(session, facts, policy.manifestHours);
      if (!isTaken(taken)) return taken;
      const { tables } = taken.manifest;
      const expected = `${counted(tables.length, "table")} as of ${isoSeconds(taken.takenAtMilliseconds)}`;
      if (tables.length === 0) {
        const says = "The manifest names no table: it was written before there were any.";
        return { is: "failed", expected, actual: "no table", says };
      }
      const wrong: string[] = [];
      for (const line of tables) wrong.push(...(await compared(session, facts, line, policy)));
      if (wrong.length === 0) {
        const says = `All ${counted(tables.length, "table")} are there, with enough rows.`;
        return { is: "passed", expected, actual: "as expected", says };
      }
      const says = `Rows, or all of it, are missing in ${counted(wrong.length, "table")}: ${few(wrong, 3)}.`;
      return { is: "failed", expected, actual: few(wrong, 20), says };
    },
  );

const compared = async (
  session: Session,
  facts: CopyFacts,
  line: Line,
  policy: CheckPolicy,
): Promise<string[]> => {
  const rows = await rowsIn(session, facts, line.name);
  if (rows === null) return [`${line.name} is not there`];
  const least = leastOf(line, policy);
  return rows >= least ? [] : [`${line.name} has ${rows} rows of ${line.rows}`];
};

const leastOf = ({ name, rows, exact }: Line, { shrinks = {}, appendOnly = [] }: CheckPolicy) => {
  const isAppendOnly = appendOnly.some(({ table }) => table === name);
  const may = shrinks[name] ?? (isAppendOnly ? 0 : usualShrink);
  const share = Math.min(1, may + (exact ? 0 : estimateShrink));
  if (rows < smallRows && share > 0) return rows > 0 && share < 1 ? 1 : 0;
  return Math.floor(rows * (1 - share));
};

/** What the full read has counted of large tables is not counted again. Null: there is no such table. */
const rowsIn = async (
  session: Session,
  { before }: CopyFacts,
  name: string,
): Promise<number | null> => {
  const { rows } = await session.query(
    `select format('%I.%I', n.nspname, c.relname) as quoted, pg_relation_size(c.oid)::float8 as bytes
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname || '.' || c.relname = $1 and c.relkind = 'r'`,
    [name],
  );
  const [table] = rows;
  if (!table) return null;
  const read = before.find((result) => result.name === "readable-in-full")?.measured;
  const known = read?.[rowsOf(name)];
  if (Number(table.bytes) >= largeBytes && known !== undefined) return known;
  const count = await session.query(`select count(*)::float8 as rows from only ${table.quoted}`);
  return Number(count.rows[0]?.rows);
};
