/**
 * What of a statement may leave the database: its shape. pg_stat_statements puts `$1` for constants, but
 * not in every statement: utility commands keep theirs (a password of ALTER ROLE among them), and so does
 * one whose entry was pushed out while it ran. Comments may hold anything. So whatever could be a value is
 * taken out here once more, and what is not understood to its end is not told at all.
 * Source: "pg_stat_statements" in the PostgreSQL documentation; "Lexical Structure" there for what a
 * constant looks like.
 */

/** As much as a line of a message takes. */
const mostShown = 200;

/** All others are told by their first words only. */
const shapes = /^(select|insert|update|delete|with|merge|values)\b/i;

/**
 * One after the other; of quotes only whole ones match, so that an open one matches nothing. A name may have
 * a dollar in it: here it ends there, since what comes after it could be a quote.
 */
const tokens = new RegExp(
  [
    /(?<space>\s+|--[^\n]*)/,
    /(?<constant>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|(?:[bBxXnN]|[uU]&)?'(?:[^'\\]|'')*')/,
    /(?<dollars>\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?\$\k<tag>\$)/,
    /(?<name>"(?:[^"]|"")*"|\$\d+|[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)/,
    /(?<number>(?:\d|\.\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)/,
    /(?<sign>[^'"$\\])/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "y",
);

/** Its shape with `?` for each value; null where it cannot be told without doubt. */
export const normalised = (query: string): string | null => {
  const text = withoutValues(query);
  if (text === null) return null;
  if (!shapes.test(text)) {
    const [first] = /^[A-Za-z]+/.exec(text) ?? [];
    return first ? `${first.toUpperCase()} …` : null;
  }
  const short = text.replaceAll(/\?(?:, ?\?)+/g, "?, …");
  return short.length <= mostShown ? short : `${short.slice(0, mostShown - 1)}…`;
};

const withoutValues = (query: string): string | null => {
  let shape = "";
  for (let at = 0; at < query.length; ) {
    if (query.startsWith("/*", at)) {
      const end = endOfComment(query, at);
      if (end === null) return null;
      at = end;
      shape += " ";
      continue;
    }
    tokens.lastIndex = at;
    const found = tokens.exec(query)?.groups;
    if (!found) return null;
    const { space, constant, dollars, number, name, sign } = found;
    shape += space
      ? " "
      : (constant ?? dollars ?? number) !== undefined
        ? "?"
        : (name ?? sign ?? "");
    at = tokens.lastIndex;
  }
  return shape.replaceAll(/\s+/g, " ").trim();
};

/** Comments of this kind nest. Null when it has no end. */
const endOfComment = (query: string, from: number): number | null => {
  let depth = 0;
  for (let at = from; at < query.length; at += 1) {
    const two = query.slice(at, at + 2);
    if (two !== "/*" && two !== "*/") continue;
    depth += two === "/*" ? 1 : -1;
    at += 1;
    if (depth === 0) return at + 1;
  }
  return null;
};
