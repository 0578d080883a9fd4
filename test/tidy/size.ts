import { eachFile, isCode, type Rule } from "./rule.ts";
import type { Source, Syntax, Violation } from "./source.ts";
import { dotted, isSyntax, lineAt } from "./source.ts";

const columnLimit = 110;
const fileLimit = 450;
const functionLimit = 69;
const handlerLimit = 30;

const lineLength: Rule = {
  name: `no line is longer than ${columnLimit} columns`,
  instead: "Break the line; for a long text, join shorter ones.",
  find: (tree) =>
    eachFile(tree, isCode, ({ path, lines }) =>
      lines.flatMap((line, index) =>
        line.length > columnLimit
          ? [{ path, line: index + 1, what: `${line.length} columns` }]
          : [],
      ),
    ),
};

const fileLength: Rule = {
  name: `no file is longer than ${fileLimit} lines`,
  instead: "Find the noun inside it that deserves a file of its own.",
  find: (tree) =>
    eachFile(tree, isCode, ({ path, lines }) =>
      lines.length - 1 > fileLimit ? [{ path, line: 1, what: `${lines.length - 1} lines` }] : [],
    ),
};

const functionLength: Rule = {
  name: `no function is longer than ${functionLimit} lines`,
  instead: "Keep the branching in the parent and move pure leaves out.",
  find: (tree) => eachFile(tree, isCode, longFunctions),
};

const isFunction = ({ type }: Syntax) =>
  type === "ArrowFunctionExpression" ||
  type === "FunctionExpression" ||
  type === "FunctionDeclaration";

/** The callback of `describe` is a list of tests; each of those is a function that counts. */
const longFunctions = ({ path, text, nodes }: Source): Violation[] => {
  const lists = new Set(
    nodes()
      .filter(({ type, callee }) => type === "CallExpression" && callsDescribe(callee))
      .flatMap((call) => (call.arguments as Syntax[]).filter(isFunction)),
  );
  return nodes()
    .filter((node) => isFunction(node) && !lists.has(node))
    .flatMap(({ start, end }) => {
      const line = lineAt(text, start);
      const length = lineAt(text, end) - line + 1;
      return length > functionLimit ? [{ path, line, what: `a function of ${length} lines` }] : [];
    });
};

/** `describe(…)`, and `describe.each(…)(…)` whose callee is a call itself. */
const callsDescribe = (callee: unknown): boolean => {
  const called =
    isSyntax(callee) && callee.type === "CallExpression" ? dotted(callee.callee) : dotted(callee);
  return called?.split(".")[0] === "describe";
};

const handlerLength: Rule = {
  name: `no handler.ts is longer than ${handlerLimit} lines`,
  instead: "A handler parses, assembles and runs; the rest belongs to the job or its aws.ts.",
  find: (tree) =>
    eachFile(
      tree,
      (path) => /^functions\/[^/]+\/handler\.ts$/.test(path),
      ({ path, lines }) =>
        lines.length - 1 > handlerLimit
          ? [{ path, line: handlerLimit + 1, what: `${lines.length - 1} lines` }]
          : [],
    ),
};

export const sizeRules: readonly Rule[] = [lineLength, fileLength, functionLength, handlerLength];
