import { reservedWords } from "./dynamodb-reserved.ts";
import { invalid } from "./dynamodb-value.ts";

/** Attribute names (`#x` still a placeholder) and list indexes. */
export type Path = (string | number)[];

export type Operand =
  | { is: "path"; path: Path }
  | { is: "value"; name: string }
  | { is: "size"; path: Path }
  | { is: "if_not_exists"; path: Path; otherwise: Operand }
  | { is: "list_append"; first: Operand; second: Operand }
  | { is: "sum"; sign: 1 | -1; left: Operand; right: Operand };

export type Comparator = "=" | "<>" | "<" | "<=" | ">" | ">=";

export type Condition =
  | { is: "and" | "or"; left: Condition; right: Condition }
  | { is: "not"; of: Condition }
  | { is: "compare"; by: Comparator; left: Operand; right: Operand }
  | { is: "between"; value: Operand; low: Operand; high: Operand }
  | { is: "in"; value: Operand; list: Operand[] }
  | { is: "exists" | "not_exists"; path: Path }
  | { is: "type" | "begins_with" | "contains"; path: Path; operand: Operand };

export interface Update {
  set: { path: Path; value: Operand }[];
  remove: Path[];
  add: { path: Path; value: Operand }[];
  delete: { path: Path; value: Operand }[];
}

/** A parsed expression with the placeholders that it uses, `#names` and `:values`. */
export interface Parsed<T> {
  tree: T;
  names: Set<string>;
  values: Set<string>;
}

const token = /\s*([#:][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*|\d+|<>|<=|>=|[=<>(),.[\]+-])/y;
const comparators = new Set<string>(["=", "<>", "<", "<=", ">", ">="]);

/**
 * A recursive-descent reader of DynamoDB's expression languages, written from the grammar in
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
 */
class Reader {
  readonly names = new Set<string>();
  readonly values = new Set<string>();
  readonly #tokens: string[] = [];
  readonly #kind: string;
  #next = 0;

  constructor(kind: string, text: string) {
    this.#kind = kind;
    if (text.trim() === "") throw this.#error("The expression can not be empty;");
    token.lastIndex = 0;
    for (let at = 0; text.slice(at).trim() !== ""; at = token.lastIndex) {
      const found = token.exec(text);
      if (!found?.[1]) throw this.#error(`Syntax error; near: "${text.slice(at, at + 20)}"`);
      this.#tokens.push(found[1]);
    }
  }

  #error(why: string) {
    return invalid(`Invalid ${this.#kind}: ${why}`);
  }
  #syntax() {
    const near = this.#tokens.slice(Math.max(0, this.#next - 1), this.#next + 2).join(" ");
    return this.#error(`Syntax error; token: "${this.peek() ?? "<EOF>"}", near: "${near}"`);
  }
  peek(ahead = 0): string | undefined {
    return this.#tokens[this.#next + ahead];
  }
  take(): string {
    const taken = this.#tokens[this.#next];
    if (taken === undefined) throw this.#syntax();
    this.#next += 1;
    return taken;
  }
  word(word: string): boolean {
    return this.peek()?.toUpperCase() === word;
  }
  accept(wanted: string): boolean {
    if (this.peek()?.toUpperCase() !== wanted) return false;
    this.#next += 1;
    return true;
  }
  expect(wanted: string): void {
    if (!this.accept(wanted)) throw this.#syntax();
  }
  end(): void {
    if (this.#next < this.#tokens.length) throw this.#syntax();
  }

  #name(): string {
    const name = this.take();
    if (name.startsWith("#")) {
      this.names.add(name);
      return name;
    }
    if (!/^[A-Za-z_]/.test(name)) {
      this.#next -= 1;
      throw this.#syntax();
    }
    if (reservedWords.has(name.toUpperCase())) {
      throw this.#error(`Attribute name is a reserved keyword; reserved keyword: ${name}`);
    }
    return name;
  }

  path(): Path {
    const path: Path = [this.#name()];
    for (;;) {
      if (this.accept(".")) path.push(this.#name());
      else if (this.accept("[")) {
        const index = Number(this.take());
        if (!Number.isInteger(index)) throw this.#syntax();
        path.push(index);
        this.expect("]");
      } else return path;
    }
  }

  /** One operand; the functions of SET only where `update` allows them. */
  operand(update = false): Operand {
    const first = this.peek();
    if (first?.startsWith(":")) {
      this.take();
      this.values.add(first);
      return { is: "value", name: first };
    }
    if (this.peek(1) !== "(") return { is: "path", path: this.path() };
    const called = this.take();
    this.take();
    const operand = this.#call(called, update);
    this.expect(")");
    return operand;
  }

  #call(called: string, update: boolean): Operand {
    if (called === "size" && !update) return { is: "size", path: this.path() };
    if (called === "if_not_exists" && update) {
      const path = this.path();
      this.expect(",");
      return { is: "if_not_exists", path, otherwise: this.operand(true) };
    }
    if (called === "list_append" && update) {
      const first = this.operand(true);
      this.expect(",");
      return { is: "list_append", first, second: this.operand(true) };
    }
    throw this.#error(`Invalid function name; function: ${called}`);
  }

  condition(): Condition {
    let left = this.#conjunction();
    while (this.accept("OR")) left = { is: "or", left, right: this.#conjunction() };
    return left;
  }
  #conjunction(): Condition {
    let left = this.#negation();
    while (this.accept("AND")) left = { is: "and", left, right: this.#negation() };
    return left;
  }
  #negation(): Condition {
    return this.accept("NOT") ? { is: "not", of: this.#negation() } : this.#primary();
  }
  #primary(): Condition {
    if (this.accept("(")) {
      const inner = this.condition();
      this.expect(")");
      return inner;
    }
    if (this.peek(1) === "(" && this.peek() !== "size") return this.#test();
    const value = this.operand();
    if (this.accept("BETWEEN")) {
      const low = this.operand();
      this.expect("AND");
      return { is: "between", value, low, high: this.operand() };
    }
    if (this.accept("IN")) {
      this.expect("(");
      const list = [this.operand()];
      while (this.accept(",")) list.push(this.operand());
      this.expect(")");
      return { is: "in", value, list };
    }
    const by = this.peek();
    if (by === undefined || !comparators.has(by)) throw this.#syntax();
    this.take();
    return { is: "compare", by: by as Comparator, left: value, right: this.operand() };
  }

  #test(): Condition {
    const called = this.take();
    this.expect("(");
    const path = this.path();
    let test: Condition;
    if (called === "attribute_exists") test = { is: "exists", path };
    else if (called === "attribute_not_exists") test = { is: "not_exists", path };
    else {
      const is = { attribute_type: "type", begins_with: "begins_with", contains: "contains" }[
        called
      ];
      if (!is) throw this.#error(`Invalid function name; function: ${called}`);
      this.expect(",");
      test = { is: is as "type" | "begins_with" | "contains", path, operand: this.operand() };
    }
    this.expect(")");
    return test;
  }

  update(): Update {
    const update: Update = { set: [], remove: [], add: [], delete: [] };
    const seen = new Set<string>();
    while (this.peek() !== undefined) {
      const section = this.take().toUpperCase();
      if (seen.has(section)) {
        throw this.#error(
          `The "${section}" section can only be used once in an update expression;`,
        );
      }
      seen.add(section);
      do this.#action(section, update);
      while (this.accept(","));
    }
    this.#refuseOverlap(update);
    return update;
  }

  #action(section: string, update: Update): void {
    if (section === "SET") {
      const path = this.path();
      this.expect("=");
      let value = this.operand(true);
      const sign = this.accept("+") ? 1 : this.accept("-") ? -1 : undefined;
      if (sign) value = { is: "sum", sign, left: value, right: this.operand(true) };
      update.set.push({ path, value });
    } else if (section === "REMOVE") update.remove.push(this.path());
    else if (section === "ADD") update.add.push({ path: this.path(), value: this.operand() });
    else if (section === "DELETE") update.delete.push({ path: this.path(), value: this.operand() });
    else {
      this.#next -= 1;
      throw this.#syntax();
    }
  }

  #refuseOverlap(update: Update): void {
    const paths = [...update.set, ...update.add, ...update.delete].map((action) => action.path);
    const texts = [...paths, ...update.remove].map((path) => `${path.join("\u0000")}\u0000`);
    for (const [index, text] of texts.entries()) {
      if (texts.some((other, at) => at !== index && other.startsWith(text))) {
        throw this.#error("Two document paths overlap with each other; must remove or rewrite one");
      }
    }
  }

  projection(): Path[] {
    const paths = [this.path()];
    while (this.accept(",")) paths.push(this.path());
    return paths;
  }
}

/** Expressions are few and constant in a program, so every text is read once. */
const cached = <T>(kind: string, read: (reader: Reader) => T): ((text: string) => Parsed<T>) => {
  const known = new Map<string, Parsed<T>>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    const reader = new Reader(kind, text);
    const parsed = { tree: read(reader), names: reader.names, values: reader.values };
    reader.end();
    if (known.size >= 1000) known.clear();
    known.set(text, parsed);
    return parsed;
  };
};

export const parseCondition = cached("ConditionExpression", (reader) => reader.condition());
export const parseFilter = cached("FilterExpression", (reader) => reader.condition());
export const parseKeyCondition = cached("KeyConditionExpression", (reader) => reader.condition());
export const parseUpdate = cached("UpdateExpression", (reader) => reader.update());
export const parseProjection = cached("ProjectionExpression", (reader) => reader.projection());
