import type { Session } from "../../../shared/runtime.ts";
import type { Check, CheckResult, CopyFacts } from "../checks.ts";

export type Found = Omit<CheckResult, "name">;

/**
 * Makes a session of a copy fit to be looked into: nothing is written by accident, nothing that somebody
 * has put into `public` stands in for a function of PostgreSQL, no row is hidden by a policy, and a row's
 * text is the same everywhere.
 */
export const settle = async (session: Session): Promise<void> => {
  const settings = Object.entries(fixed).map(
    ([name, value]) => `set_config('${name}', '${value}', false)`,
  );
  await session.query(`select ${settings.join(", ")}`);
};

const fixed = {
  default_transaction_read_only: "on",
  search_path: "pg_catalog, pg_temp",
  row_security: "off",
  timezone: "UTC",
  datestyle: "ISO, YMD",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
};

/** A check that is done within seconds. */
export const quickCheck = (
  { name, title, needs = [] }: Pick<Check, "name" | "title"> & Partial<Pick<Check, "needs">>,
  look: (session: Session, facts: CopyFacts) => Promise<Found>,
): Check => ({
  name,
  title,
  needs,
  run: async (session, facts) => {
    await settle(session);
    return { name, ...(await look(session, facts)) };
  },
});

/** What PostgreSQL or the network called an error: an SQLSTATE, or nothing. */
export const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "";
};

export const sentenceOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]?.slice(0, 200) ?? "";

/**
 * Whether PostgreSQL says that what lies on the disk is not as it should be. Source: "PostgreSQL Error
 * Codes": class XX is internal errors, among them data_corrupted and index_corrupted, and class 58
 * system errors, such as a file that is not there.
 */
export const isDamage = (error: unknown): boolean => /^(XX|58)/.test(codeOf(error));

/** A statement that went beyond its time. */
export const isTooSlow = (error: unknown): boolean => codeOf(error) === "57014";

/** Schemas of PostgreSQL's own, in a query in which `n` is `pg_namespace`. */
export const ofSomebody =
  "n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and n.nspname <> 'nightshift'";

/** The first few of a list, and how many more there are. */
export const few = (list: readonly string[], most = 5): string =>
  list.length <= most
    ? list.join(", ")
    : `${list.slice(0, most).join(", ")} and ${list.length - most} more`;

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`;

/** With one decimal: `3.2 MB`. */
export const bytesText = (bytes: number): string => {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
};
