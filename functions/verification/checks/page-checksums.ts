import type { Check } from "../checks.ts";
import { quickCheck } from "./look.ts";

/**
 * What the server itself noticed while all was read. Source: `pg_stat_database.checksum_failures`, which
 * is null where page checksums are off: then reading shows only what does not look like a page at all.
 */
export const pageChecksums: Check = quickCheck(
  {
    name: "page-checksums",
    title: "The server checks pages, and found none damaged",
    needs: ["readable-in-full"],
  },
  async (session) => {
    const { rows } = await session.query(
      `select current_setting('data_checksums') as is, sum(checksum_failures)::float8 as failures
       from pg_stat_database where datid = 0 or datname = current_database()`,
    );
    const [row] = rows;
    const expected = "page checksums on, no failure";
    const failures = Number(row?.failures ?? 0);
    if (row?.is !== "on") {
      const says = "Page checksums are off: a changed byte in a row is found by `checksums` only.";
      return { is: "could-not-run", expected, actual: "page checksums off", says };
    }
    const actual = `page checksums on, ${failures} failures`;
    if (failures > 0) {
      return { is: "failed", expected, actual, says: "The server has read damaged pages." };
    }
    return { is: "passed", expected, actual, says: "The server has read no damaged page." };
  },
);
