import { eachFile, isCode, isShipped, type Rule } from "./rule.ts";
import type { Syntax } from "./source.ts";
import { dotted, isSyntax } from "./source.ts";

const statementsOf = (clause: Syntax): Syntax[] =>
  isSyntax(clause.body) ? (clause.body.body as Syntax[]) : [];

const emptyCatch: Rule = {
  name: "no catch is empty",
  instead: "Let the error escape, or turn it into a value that somebody reads.",
  find: (tree) =>
    eachFile(tree, isCode, (source) =>
      source
        .nodes()
        .filter((node) => node.type === "CatchClause" && statementsOf(node).length === 0)
        .map(({ start }) => source.at(start, "an empty catch")),
    ),
};

const telling = /(^|\.)(log(ger)?|console)(\.|$)|^process\.(stdout|stderr)\.write$/;

/** `log.warn(…)`, also awaited or voided. */
const onlyTells = (statement: Syntax): boolean => {
  let node: unknown = statement.type === "ExpressionStatement" ? statement.expression : undefined;
  while (isSyntax(node) && (node.type === "AwaitExpression" || node.type === "UnaryExpression")) {
    node = node.argument;
  }
  if (!isSyntax(node) || node.type !== "CallExpression") return false;
  return telling.test(dotted(node.callee) ?? "");
};

const loggedAway: Rule = {
  name: "no catch only logs",
  instead: "Throw on, so that retries, dead letters and alarms see it; or return the refusal.",
  find: (tree) =>
    eachFile(tree, isCode, (source) =>
      source
        .nodes()
        .filter((node) => node.type === "CatchClause" && statementsOf(node).length > 0)
        .filter((node) => statementsOf(node).every(onlyTells))
        .map(({ start }) => source.at(start, "a catch that logs and goes on")),
    ),
};

const isNothing = (node: unknown): boolean =>
  isSyntax(node) &&
  ((node.type === "Identifier" && node.name === "undefined") ||
    (node.type === "Literal" && node.value === null) ||
    (node.type === "UnaryExpression" && node.operator === "void") ||
    (node.type === "BlockStatement" && (node.body as unknown[]).length === 0));

const droppedRejection: Rule = {
  name: "no rejection is dropped in what is shipped",
  instead: "Await it; `observed` makes a fact of a failure, `ensure` keeps it as doubt.",
  find: (tree) =>
    eachFile(
      tree,
      (path) => isCode(path) && isShipped(path),
      (source) =>
        source
          .nodes()
          .filter(({ type, callee, arguments: given }) => {
            if (type !== "CallExpression" || !isSyntax(callee)) return false;
            const name = isSyntax(callee.property) ? callee.property.name : undefined;
            const [taker] = given as Syntax[];
            return name === "catch" && taker !== undefined && isNothing(taker.body);
          })
          .map(({ start }) => source.at(start, ".catch that gives nothing")),
    ),
};

export const errorRules: readonly Rule[] = [emptyCatch, loggedAway, droppedRejection];
