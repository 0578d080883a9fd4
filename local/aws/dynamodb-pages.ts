import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { holds, type Scope } from "./dynamodb-evaluate.ts";
import type { Condition, Operand } from "./dynamodb-expression.ts";
import { keyNames, type TableDefinition } from "./dynamodb-store.ts";
import { compare, type Item, invalid, keyText } from "./dynamodb-value.ts";

const conjuncts = (condition: Condition): Condition[] =>
  condition.is === "and"
    ? [...conjuncts(condition.left), ...conjuncts(condition.right)]
    : [condition];

const attribute = (operand: Operand | undefined, scope: Scope): string | undefined => {
  if (operand?.is !== "path" || operand.path.length !== 1) return undefined;
  const name = String(operand.path[0]);
  return scope.names[name] ?? name;
};

const attributeOf = (condition: Condition, scope: Scope): string | undefined => {
  if (condition.is === "compare") return attribute(condition.left, scope);
  if (condition.is === "between") return attribute(condition.value, scope);
  if (condition.is !== "begins_with") return undefined;
  return attribute({ is: "path", path: condition.path }, scope);
};

/**
 * Reads a key condition: equality on the hash key, and at most one condition on the range key.
 * Anything else is refused with DynamoDB's words.
 */
export const partitionAsked = (
  { key }: TableDefinition,
  condition: Condition,
  scope: Scope,
): { hash: AttributeValue; matches: (item: Item) => boolean } => {
  let hash: AttributeValue | undefined;
  let range: Condition | undefined;
  for (const one of conjuncts(condition)) {
    const name = attributeOf(one, scope);
    if (name === key.hash && !hash) {
      if (one.is !== "compare" || one.by !== "=" || one.right.is !== "value") {
        throw invalid("Query key condition not supported");
      }
      hash = scope.values[one.right.name];
    } else if (name !== undefined && name === key.range && !range) {
      if (one.is === "compare" && one.by === "<>")
        throw invalid("Query key condition not supported");
      range = one;
    } else throw invalid("Query key condition not supported");
  }
  if (!hash) throw invalid(`Query condition missed key schema element: ${key.hash}`);
  const wanted = range;
  return { hash, matches: (item) => !wanted || holds(wanted, { ...scope, item }) };
};

/**
 * One page: what follows `start`, at most `limit` items. A page that is full names its last item
 * even when nothing follows, as DynamoDB does. Start keys need not exist any more.
 */
export const page = (
  definition: TableDefinition,
  ascending: Item[],
  start: Item | undefined,
  limit: number,
  backward: boolean,
): { taken: Item[]; last: Item | undefined } => {
  if (limit < 1) throw invalid("Limit must be greater than or equal to 1");
  const items = backward ? [...ascending].reverse() : ascending;
  let from = 0;
  if (start) {
    const sign = backward ? -1 : 1;
    const next = items.findIndex((item) => sign * order(definition, item, start) > 0);
    from = next < 0 ? items.length : next;
  }
  const taken = items.slice(from, from + limit);
  return { taken, last: taken.length === limit ? taken.at(-1) : undefined };
};

const order = (definition: TableDefinition, a: Item, b: Item): number => {
  const [hash, range] = keyNames(definition);
  const [x, y] = [a[hash ?? ""], b[hash ?? ""]];
  if (!x || !y) throw invalid("The provided starting key is invalid");
  const [left, right] = [keyText(x), keyText(y)];
  if (left !== right) return left < right ? -1 : 1;
  const [u, v] = [a[range ?? ""], b[range ?? ""]];
  if (range !== undefined && (!u || !v)) throw invalid("The provided starting key is invalid");
  return u && v ? (compare(u, v) ?? 0) : 0;
};
