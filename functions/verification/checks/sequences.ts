import type { Session } from "../../../shared/runtime.ts";
import type { Check } from "../checks.ts";
import { counted, few, ofSomebody, quickCheck } from "./look.ts";

const most = 2000;

/** A sequence that is behind its column gives the next row a number that is taken. */
export const sequences: Check = quickCheck(
  { name: "sequences", title: "No sequence is behind the column that it numbers" },
  async (session) => {
    const { rows } = await session.query(
      `select format('%I.%I', n.nspname, s.relname) as sequence,
         n.nspname || '.' || s.relname as name,
         format('%I.%I', tn.nspname, t.relname) as table, quote_ident(a.attname) as column,
         q.seqincrement > 0 as up
       from pg_class s join pg_namespace n on n.oid = s.relnamespace
       join pg_sequence q on q.seqrelid = s.oid
       join pg_depend d on d.objid = s.oid and d.classid = 'pg_class'::regclass
         and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0
       join pg_class t on t.oid = d.refobjid join pg_namespace tn on tn.oid = t.relnamespace
       join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
       where s.relkind = 'S' and ${ofSomebody} order by 2 limit ${most}`,
    );
    const expected = "every sequence is at its column's last number or beyond";
    const behind: string[] = [];
    for (const row of rows) behind.push(...(await lookAt(session, row as unknown as Owned)));
    const many = counted(rows.length, "sequence");
    if (behind.length > 0) {
      const says = `${counted(behind.length, "sequence")} would give a number that is taken.`;
      return { is: "failed", expected, actual: few(behind, 20), says };
    }
    if (rows.length === most) {
      const says = `There are more than ${most} sequences, and not all were looked at.`;
      return { is: "could-not-run", expected, actual: many, says };
    }
    return { is: "passed", expected, actual: many, says: `${many}, none behind its column.` };
  },
);

interface Owned {
  sequence: string;
  name: string;
  table: string;
  column: string;
  up: boolean;
}

const lookAt = async (session: Session, { sequence, name, table, column, up }: Owned) => {
  const [end, isBehind] = up ? ["max", "<"] : ["min", ">"];
  const { rows } = await session.query(
    `select s.last_value::text as stands, t.at::text as at
     from ${sequence} as s, (select ${end}(${column}) as at from ${table}) as t
     where s.last_value ${isBehind} t.at or (s.last_value = t.at and not s.is_called)`,
  );
  return rows.map(({ stands, at }) => `${name} stands at ${stands}, its column at ${at}`);
};
