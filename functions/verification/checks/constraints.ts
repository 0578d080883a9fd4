import type { Check } from "../checks.ts";
import { counted, few, ofSomebody, quickCheck } from "./look.ts";

/** Nothing in the catalog is half made: that promises more than it holds. */
export const constraints: Check = quickCheck(
  { name: "constraints-valid", title: "No constraint is unproven, and no index half built" },
  async (session) => {
    const { rows } = await session.query(
      `select 'constraint ' || n.nspname || '.' || r.relname || '.' || c.conname as name
       from pg_constraint c join pg_class r on r.oid = c.conrelid
       join pg_namespace n on n.oid = r.relnamespace where not c.convalidated and ${ofSomebody}
       union all
       select 'index ' || n.nspname || '.' || r.relname
       from pg_index i join pg_class r on r.oid = i.indexrelid
       join pg_namespace n on n.oid = r.relnamespace
       where not (i.indisvalid and i.indisready) and ${ofSomebody}
       order by 1 limit 100`,
    );
    const expected = "every constraint is validated, every index valid";
    const names = rows.map((row) => String(row.name));
    if (names.length === 0) {
      return { is: "passed", expected, actual: "all are", says: "All constraints are valid." };
    }
    const many = counted(names.length, "constraint or index", "constraints or indexes");
    const says = `${many} cannot be relied on.`;
    return { is: "failed", expected, actual: few(names, 20), says };
  },
);
