import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type {
  Comparator,
  Condition,
  Operand,
  Parsed,
  Path,
  Update,
} from "./dynamodb-expression.ts";
import {
  addNumbers,
  beginsWith,
  compare,
  contains,
  equal,
  type Item,
  invalid,
  notModelled,
  sizeOf,
  typeOf,
  union,
  without,
} from "./dynamodb-value.ts";

/** What an expression is evaluated against: an item and the request's placeholders. */
export interface Scope {
  item: Item;
  names: Record<string, string>;
  values: Record<string, AttributeValue>;
}

const nameOf = (part: string, scope: Scope): string =>
  part.startsWith("#") ? (scope.names[part] ?? part) : part;

export const resolve = (path: Path, scope: Scope): AttributeValue | undefined => {
  let current: AttributeValue | undefined;
  for (const [depth, part] of path.entries()) {
    if (typeof part === "number") current = current?.L?.[part];
    else current = (depth === 0 ? scope.item : current?.M)?.[nameOf(part, scope)];
    if (current === undefined) return undefined;
  }
  return current;
};

const operandValue = (operand: Operand, scope: Scope): AttributeValue | undefined => {
  if (operand.is === "value") return scope.values[operand.name];
  if (operand.is === "path") return resolve(operand.path, scope);
  if (operand.is === "size") {
    const value = resolve(operand.path, scope);
    const size = value && sizeOf(value);
    return size === undefined ? undefined : { N: String(size) };
  }
  return computed(operand, scope);
};

/** The operands of SET: they must have a value, or the update is refused. */
const computed = (operand: Operand, scope: Scope): AttributeValue => {
  if (operand.is === "if_not_exists") {
    return resolve(operand.path, scope) ?? computed(operand.otherwise, scope);
  }
  if (operand.is === "list_append") {
    const [first, second] = [computed(operand.first, scope), computed(operand.second, scope)];
    if (!first.L || !second.L) throw wrongOperand("list_append");
    return { L: [...first.L, ...second.L] };
  }
  if (operand.is === "sum") {
    const [left, right] = [computed(operand.left, scope), computed(operand.right, scope)];
    if (left.N === undefined || right.N === undefined)
      throw wrongOperand(operand.sign > 0 ? "+" : "-");
    return { N: addNumbers(left.N, right.N, operand.sign) };
  }
  const value = operandValue(operand, scope);
  if (value) return value;
  throw invalid("The provided expression refers to an attribute that does not exist in the item");
};

const wrongOperand = (name: string) =>
  invalid(
    `An operand in the update expression has an incorrect data type; operator or function: ${name}`,
  );

const ordered = (by: Comparator, left: AttributeValue, right: AttributeValue): boolean => {
  if (by === "=") return equal(left, right);
  if (by === "<>") return !equal(left, right);
  const order = compare(left, right);
  if (order === undefined) return false;
  if (by === "<") return order < 0;
  if (by === "<=") return order <= 0;
  return by === ">" ? order > 0 : order >= 0;
};

/** A missing attribute makes a comparison false, except that it is `<>` to every value. */
const comparison = (by: Comparator, left: Operand, right: Operand, scope: Scope): boolean => {
  const [a, b] = [operandValue(left, scope), operandValue(right, scope)];
  if (a === undefined || b === undefined) return by === "<>";
  return ordered(by, a, b);
};

export const holds = (condition: Condition, scope: Scope): boolean => {
  switch (condition.is) {
    case "and":
      return holds(condition.left, scope) && holds(condition.right, scope);
    case "or":
      return holds(condition.left, scope) || holds(condition.right, scope);
    case "not":
      return !holds(condition.of, scope);
    case "compare":
      return comparison(condition.by, condition.left, condition.right, scope);
    case "between":
      return (
        comparison(">=", condition.value, condition.low, scope) &&
        comparison("<=", condition.value, condition.high, scope)
      );
    case "in":
      return condition.list.some((one) => comparison("=", condition.value, one, scope));
    case "exists":
      return resolve(condition.path, scope) !== undefined;
    case "not_exists":
      return resolve(condition.path, scope) === undefined;
    default:
      return tested(condition.is, condition.path, condition.operand, scope);
  }
};

const tested = (
  test: "type" | "begins_with" | "contains",
  path: Path,
  operand: Operand,
  scope: Scope,
): boolean => {
  const [value, wanted] = [resolve(path, scope), operandValue(operand, scope)];
  if (!value || !wanted) return false;
  if (test === "type") return typeOf(value) === wanted.S;
  return test === "begins_with" ? beginsWith(value, wanted) : contains(value, wanted);
};

const badPath = () =>
  invalid("The document path provided in the update expression is invalid for update");

/** The container with one part changed; everything on the way is copied, the rest is shared. */
const replaced = (
  container: AttributeValue | undefined,
  path: Path,
  depth: number,
  value: AttributeValue | undefined,
  scope: Scope,
): AttributeValue | undefined => {
  if (depth === path.length) return value;
  const part = path[depth];
  if (typeof part === "number") {
    if (!container?.L) throw badPath();
    const list = [...container.L];
    const next = replaced(list[part], path, depth + 1, value, scope);
    if (next === undefined) list.splice(part, 1);
    else list[Math.min(part, list.length)] = next;
    return { L: list };
  }
  if (!container?.M) throw badPath();
  const name = nameOf(part ?? "", scope);
  const next = replaced(container.M[name], path, depth + 1, value, scope);
  const { [name]: _, ...rest } = container.M;
  return { M: next === undefined ? rest : { ...container.M, [name]: next } };
};

const assign = (item: Item, path: Path, value: AttributeValue | undefined, scope: Scope): Item =>
  replaced({ M: item }, path, 0, value, scope)?.M ?? item;

const added = (old: AttributeValue | undefined, by: AttributeValue): AttributeValue => {
  if (old === undefined) return by;
  if (old.N !== undefined && by.N !== undefined) return { N: addNumbers(old.N, by.N, 1) };
  const both = union(old, by);
  if (!both) throw wrongOperand("ADD");
  return both;
};

/** The item after the update. All operands are read from the item as it was before. */
export const updated = (update: Update, scope: Scope): Item => {
  let item = scope.item;
  const values = update.set.map((action) => computed(action.value, scope));
  for (const [index, action] of update.set.entries()) {
    item = assign(item, action.path, values[index], scope);
  }
  // From the end, so that removing an element of a list does not move those still to be removed.
  const removals = [...update.remove].sort(byLastIndexDescending);
  for (const path of removals) {
    if (resolve(path, scope) !== undefined) item = assign(item, path, undefined, scope);
  }
  for (const { path, value } of update.add) {
    item = assign(item, path, added(resolve(path, scope), computed(value, scope)), scope);
  }
  for (const { path, value } of update.delete) {
    const old = resolve(path, scope);
    if (old === undefined) continue;
    const rest = without(old, computed(value, scope));
    if (rest === undefined) throw wrongOperand("DELETE");
    item = assign(item, path, rest === "empty" ? undefined : rest, scope);
  }
  return item;
};

const byLastIndexDescending = (a: Path, b: Path): number => {
  const [x, y] = [a.at(-1), b.at(-1)];
  return typeof x === "number" && typeof y === "number" ? y - x : 0;
};

/** Only the named attributes. List elements in a projection are not modelled, so they are refused. */
export const projected = (paths: Path[], scope: Scope): Item => {
  const result: Item = {};
  for (const path of paths) {
    const value = resolve(path, scope);
    const names = path.map((part) => {
      if (typeof part === "string") return nameOf(part, scope);
      throw notModelled("a list index in ProjectionExpression");
    });
    const last = names.pop();
    if (value === undefined || last === undefined) continue;
    let container = result;
    for (const name of names) {
      const inner = { ...container[name]?.M };
      container[name] = { M: inner };
      container = inner;
    }
    container[last] = value;
  }
  return result;
};

/** Refuses placeholders that are used but not given, or given but not used, as DynamoDB does. */
export const checkPlaceholders = (
  expressions: (Parsed<unknown> | undefined)[],
  names: Record<string, string> | undefined,
  values: Record<string, AttributeValue> | undefined,
): void => {
  const used = { names: new Set<string>(), values: new Set<string>() };
  for (const expression of expressions) {
    for (const name of expression?.names ?? []) {
      used.names.add(name);
      if (names?.[name] === undefined) {
        throw invalid(
          `An expression attribute name used in the document path is not defined; ` +
            `attribute name: ${name}`,
        );
      }
    }
    for (const value of expression?.values ?? []) {
      used.values.add(value);
      if (values?.[value] === undefined) {
        throw invalid(
          `An expression attribute value used in expression is not defined; ` +
            `attribute value: ${value}`,
        );
      }
    }
  }
  for (const given of ["names", "values"] as const) {
    const unused = Object.keys((given === "names" ? names : values) ?? {}).filter(
      (key) => !used[given].has(key),
    );
    if (unused.length > 0) {
      const field = given === "names" ? "ExpressionAttributeNames" : "ExpressionAttributeValues";
      throw invalid(
        `Value provided in ${field} unused in expressions: keys: {${unused.join(", ")}}`,
      );
    }
  }
};
