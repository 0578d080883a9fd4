import type { Check } from "../checks.ts";
import { settle } from "./look.ts";
import type { Assertion } from "./policy.ts";

/** What the operator knows of the content, such as that a ledger sums to zero: one query, one value. */
export const assertionCheck = ({ name: asserted, sql, expect }: Assertion): Check => {
  const name = `assertion-${asserted}`;
  const result = (is: "passed" | "failed" | "could-not-run", actual: string, says: string) => ({
    name,
    is,
    expected: expect,
    actual: actual.slice(0, 500),
    says,
  });
  return {
    name,
    title: `The operator's assertion ${asserted} holds`,
    needs: ["readable-in-full"],
    run: async (session) => {
      await settle(session);
      await session.query("set search_path = public, pg_catalog");
      await session.query("begin transaction isolation level repeatable read read only");
      // As text whatever its type is, so that a number is written as PostgreSQL writes it.
      const { rows } = await session.query(
        `select asserted::text from (${trimmed(sql)}) as asserted`,
      );
      await session.query("rollback");
      const [row] = rows;
      if (!row || rows.length > 1) {
        const says = `Assertion ${asserted} has to give one row, and gave ${rows.length}.`;
        return result("could-not-run", `${rows.length} rows`, says);
      }
      const actual = onlyColumn(String(row.asserted));
      return actual === expect
        ? result("passed", actual, `${asserted} holds: ${actual}.`)
        : result("failed", actual, `${asserted} does not hold: ${actual}, and not ${expect}.`);
    },
  };
};

const trimmed = (sql: string): string => sql.trim().replace(/;$/, "");

/** A row of one column as PostgreSQL writes it: `(0)`, quoted when it holds more than a plain word. */
const onlyColumn = (row: string): string => {
  const inner = row.replace(/^\(/, "").replace(/\)$/, "");
  return inner.startsWith('"') ? inner.slice(1, -1).replaceAll('""', '"') : inner;
};
