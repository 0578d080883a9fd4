import type { Check } from "../checks.ts";
import { quickCheck } from "./look.ts";

/** Whether the image that is deployed could run on this copy at once. */
export const schemaRevision = (table = "public.alembic_version"): Check =>
  quickCheck(
    { name: "schema-revision", title: "The schema is the one that the deployed image wants" },
    async (session, facts) => {
      const wanted = facts.schemaRevision;
      const expected = wanted === null ? "known" : `revision ${wanted}`;
      const { rows: places } = await session.query(
        `select format('%I.%I', n.nspname, c.relname) as quoted
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname || '.' || c.relname = $1`,
        [table],
      );
      const [place] = places;
      if (!place) {
        const says = `There is no ${table}: no migration of the application was ever here.`;
        return { is: "failed", expected, actual: "no table", says };
      }
      const { rows } = await session.query(
        `select version_num as revision from ${place.quoted} order by 1 limit 20`,
      );
      const found = rows.map((row) => String(row.revision)).join(", ");
      const actual = found === "" ? "no revision" : `revision ${found}`;
      if (wanted === null) {
        const says = "Which revision the deployed image wants is not known: label it, or name it.";
        return { is: "could-not-run", expected, actual, says };
      }
      const sorted = wanted.split(/,\s*/).sort().join(", ");
      if (found === sorted) {
        return { is: "passed", expected, actual, says: `The deployed image runs on ${found}.` };
      }
      // A migration between the backup and now is no damage, but the copy cannot be used as it is.
      const says = `The deployed image wants ${sorted}, and this is ${found === "" ? "none" : found}.`;
      return { is: "failed", expected, actual, says };
    },
  );
