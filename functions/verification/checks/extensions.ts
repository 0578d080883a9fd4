import type { Check } from "../checks.ts";
import { few, quickCheck } from "./look.ts";
import { isTaken, manifestIn } from "./manifest.ts";
import type { CheckPolicy } from "./policy.ts";

/**
 * An index over text is in the order of the collation's version that made it. On another version of the
 * operating system's library it silently finds less. Source: "ALTER COLLATION … REFRESH VERSION".
 */
export const extensionsAndCollations = (policy: CheckPolicy): Check =>
  quickCheck(
    {
      name: "extensions-and-collations",
      title: "The server has every extension, and sorts as the primary did",
    },
    async (session, facts) => {
      const { rows } = await session.query(
        `select 'collation ' || collname || ' was ' || collversion || ' and is '
           || coalesce(pg_collation_actual_version(oid), 'unknown') as what
         from pg_collation where collversion is not null
           and collversion is distinct from pg_collation_actual_version(oid)
         union all
         select 'the collation of the database was ' || datcollversion || ' and is '
           || coalesce(pg_database_collation_actual_version(oid), 'unknown')
         from pg_database where datname = current_database() and datcollversion is not null
           and datcollversion is distinct from pg_database_collation_actual_version(oid)
         union all
         select 'extension ' || e.extname || ' ' || e.extversion || ' has no files on this server'
         from pg_extension e left join pg_available_extension_versions v
           on v.name = e.extname and v.version = e.extversion where v.name is null
         order by 1 limit 200`,
      );
      const wrong = rows.map((row) => String(row.what));
      const taken = await manifestIn(session, facts, policy.manifestHours);
      const names = isTaken(taken) ? taken.manifest.extensions.map((each) => each.name) : [];
      const there = await session.query("select extname as name from pg_extension order by 1");
      const have = there.rows.map((row) => String(row.name));
      const gone = names.filter((name) => !have.includes(name));
      wrong.push(...gone.map((name) => `extension ${name} was in the manifest and is not here`));
      const expected =
        "every collation at the version that sorted its indexes, every extension there";
      if (wrong.length > 0) {
        const says = `The server is not like the one that wrote this: ${few(wrong, 2)}.`;
        return { is: "failed", expected, actual: few(wrong, 20), says };
      }
      if (!isTaken(taken)) return { ...taken, expected };
      const says = `Extensions are there, and collations are the same: ${few(have)}.`;
      return { is: "passed", expected, actual: few(have, 20), says };
    },
  );
