import type { Session } from "../../../shared/runtime.ts";
import type { Check, CheckResult, Json } from "../checks.ts";
import { codeOf, counted, few, isDamage, isTooSlow, sentenceOf, settle } from "./look.ts";
import { inBatches, mostDamage } from "./walk.ts";

const name = "indexes-sound";
const expected = "every B-tree is in order and has every row of its table";

interface Seen {
  [name: string]: Json;
  id: number;
  indexes: number;
  damage: string[];
  /** Not done within the time of one statement. */
  slow: string[];
}

/**
 * What `amcheck` finds: entries out of order, and rows that an index does not have. Source: "amcheck",
 * PostgreSQL: `bt_index_check` with `heapallindexed`, and `checkunique` from version 1.4 on. The extension
 * is made in a transaction that is rolled back, so the copy stays as it was restored.
 */
export const indexes: Check = {
  name,
  title: "Every B-tree index is sound, and has every row",
  needs: [],
  run: async (session, _facts, turn) => {
    await settle(session);
    let seen = (turn.cursor as Seen | null) ?? { id: 0, indexes: 0, damage: [], slow: [] };
    await session.query("begin read write");
    const call = await amcheck(session);
    if (typeof call !== "string") return ended(session, call);
    const next = inBatches((after) => indexesAfter(session, after));
    for (;;) {
      const index = await next(seen.id);
      if (!index || seen.damage.length >= mostDamage) return ended(session, told(seen));
      seen = { ...(await examined(session, call, index, seen)), id: index.id };
      if (turn.isOver()) {
        await session.query("rollback");
        return { more: seen };
      }
    }
  },
};

const ended = async (session: Session, result: CheckResult): Promise<CheckResult> => {
  await session.query("rollback");
  return result;
};

/** The call for one index, or why there is none. */
const amcheck = async (session: Session): Promise<string | CheckResult> => {
  try {
    const { rows } = await session.query("select 1 from pg_extension where extname = 'amcheck'");
    if (rows.length === 0) {
      await session.query("create schema nightshift_amcheck");
      await session.query("create extension amcheck schema nightshift_amcheck");
    }
    const { rows: functions } = await session.query(
      `select format('%I.bt_index_check', n.nspname) as name, max(p.pronargs)::int as arguments
       from pg_extension e join pg_depend d on d.refobjid = e.oid and d.deptype = 'e'
       join pg_proc p on p.oid = d.objid and p.proname = 'bt_index_check'
       join pg_namespace n on n.oid = p.pronamespace where e.extname = 'amcheck'
         and has_function_privilege(p.oid, 'execute') group by 1`,
    );
    const [found] = functions;
    if (!found) return without("this login may not call it");
    return `select ${found.name}($1::oid, true${Number(found.arguments) >= 3 ? ", true" : ""})`;
  } catch (error) {
    // Not permitted, not on this server, or not of this provider. Anything else is no answer at all.
    if (!/^(42|0A|58|22)/.test(codeOf(error))) throw error;
    return without(sentenceOf(error));
  }
};

const without = (why: string): CheckResult => ({
  name,
  is: "could-not-run",
  expected,
  actual: why,
  says: "amcheck cannot be used here, so nobody has looked into the indexes.",
});

const indexesAfter = async (session: Session, after: number) => {
  const { rows } = await session.query(
    `select c.oid::int8::float8 as id, n.nspname || '.' || c.relname as name
     from pg_index i join pg_class c on c.oid = i.indexrelid
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'i' and i.indisvalid and c.relpersistence = 'p' and c.oid > $1::oid
       and c.relam = (select oid from pg_am where amname = 'btree')
     order by c.oid limit 200`,
    [after],
  );
  return rows as { id: number; name: string }[];
};

const examined = async (
  session: Session,
  call: string,
  { id, name: index }: { id: number; name: string },
  seen: Seen,
): Promise<Seen> => {
  await session.query("savepoint one");
  try {
    await session.query(call, [id]);
    await session.query("release savepoint one");
    return { ...seen, indexes: seen.indexes + 1 };
  } catch (error) {
    if (!isDamage(error) && !isTooSlow(error)) throw error;
    await session.query("rollback to savepoint one");
    return isTooSlow(error)
      ? { ...seen, slow: [...seen.slow, index].slice(0, 100) }
      : { ...seen, damage: [...seen.damage, `${index}: ${sentenceOf(error)}`] };
  }
};

const told = ({ indexes: count, damage, slow }: Seen): CheckResult => {
  const base = { name, expected, measured: { indexes: count } };
  if (damage.length > 0) {
    const says = `${counted(damage.length, "index", "indexes")} cannot be trusted.`;
    return { ...base, is: "failed", actual: few(damage, 10), says };
  }
  if (slow.length > 0) {
    const says = `${counted(slow.length, "index", "indexes")} took too long for one statement.`;
    return { ...base, is: "could-not-run", actual: `not examined: ${few(slow, 10)}`, says };
  }
  const says = `${counted(count, "index is", "indexes are")} in order and complete.`;
  return { ...base, is: "passed", actual: counted(count, "sound index", "sound indexes"), says };
};
