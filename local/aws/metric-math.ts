import { AwsError } from "./service.ts";

/** The value of a metric or of another expression in one period; undefined where it is missing. */
export type ValueOf = (id: string) => number | undefined;

export interface Expression {
  /** What it is calculated from. */
  ids: string[];
  value(of: ValueOf): number | undefined;
}

type Calculation = Expression["value"];

const token = /\s*([0-9]+(?:\.[0-9]+)?|[A-Za-z][A-Za-z0-9_]*|[<>]=?|[=!]=|[-+*/^(),])/y;

const invalid = (text: string): AwsError =>
  new AwsError("ValidationError", `The expression "${text}" has an invalid syntax`, {
    status: 400,
  });

const notModelled = (what: string): AwsError =>
  new AwsError("NotImplemented", `cloudwatch: ${what} in metric math is not modelled`, {
    status: 501,
  });

const tokensOf = (text: string): string[] => {
  const tokens: string[] = [];
  token.lastIndex = 0;
  let end = 0;
  for (let found = token.exec(text); found?.[1]; found = token.exec(text)) {
    tokens.push(found[1]);
    end = token.lastIndex;
  }
  if (text.slice(end).trim() !== "") throw invalid(text);
  return tokens;
};

/**
 * Reads `100 * (FILL(a, 0) + b) / c`: the five operators, the six comparisons (1 for true, 0 for
 * false), brackets, FILL with a number, and IF with three arguments, which is what can be said of one
 * period at a time. Any other function answers 501. An operation on a missing value, a condition that is
 * missing and a division by zero give a missing one: AWS publishes none of it, this is the assumption.
 * Source: "Using math expressions with CloudWatch metrics".
 */
export const parseExpression = (text: string): Expression => {
  const reader = new Reader(text);
  const value = reader.comparison();
  reader.end();
  // "The final result of any math expression must be a single time series."
  if (reader.ids.size === 0) throw invalid(text);
  return { ids: [...reader.ids], value };
};

const comparisons: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  "<": (left, right) => left < right,
  ">": (left, right) => left > right,
  "<=": (left, right) => left <= right,
  ">=": (left, right) => left >= right,
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
};

const operate = (operator: string, left: number, right: number): number | undefined => {
  const compare = comparisons[operator];
  if (compare) return compare(left, right) ? 1 : 0;
  if (operator === "+") return left + right;
  if (operator === "-") return left - right;
  if (operator === "*") return left * right;
  if (operator === "^") return left ** right;
  return right === 0 ? undefined : left / right;
};

class Reader {
  readonly ids = new Set<string>();
  readonly #text: string;
  readonly #tokens: string[];

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  end(): void {
    if (this.#tokens.length > 0) throw invalid(this.#text);
  }

  comparison(): Calculation {
    return this.#chain(Object.keys(comparisons), () => this.#sum());
  }

  #sum(): Calculation {
    return this.#chain(["+", "-"], () => this.#product());
  }

  #product(): Calculation {
    return this.#chain(["*", "/"], () => this.#power());
  }

  #power(): Calculation {
    return this.#chain(["^"], () => this.#one());
  }

  /** Operators of one rank, from left to right. */
  #chain(operators: string[], next: () => Calculation): Calculation {
    let left = next();
    while (operators.includes(this.#tokens[0] ?? "")) {
      const operator = this.#tokens.shift() ?? "";
      const [one, other] = [left, next()];
      left = (of) => {
        const [a, b] = [one(of), other(of)];
        return a === undefined || b === undefined ? undefined : operate(operator, a, b);
      };
    }
    return left;
  }

  #one(): Calculation {
    const first = this.#tokens.shift();
    if (first === undefined) throw invalid(this.#text);
    if (first === "-") {
      const of = this.#one();
      return (values) => {
        const value = of(values);
        return value === undefined ? undefined : -value;
      };
    }
    if (first === "(") {
      const inner = this.comparison();
      this.#expect(")");
      return inner;
    }
    if (/^[0-9]/.test(first)) return () => Number(first);
    // Functions are written in upper case, and ids begin with a lower-case letter.
    if (/^[A-Z]/.test(first)) return this.#call(first);
    if (!/^[a-z]/.test(first)) throw invalid(this.#text);
    this.ids.add(first);
    return (of) => of(first);
  }

  #call(name: string): Calculation {
    if (name === "IF") return this.#choice();
    if (name !== "FILL") throw notModelled(name);
    this.#expect("(");
    const of = this.comparison();
    this.#expect(",");
    const filler = this.#tokens.shift() ?? "";
    if (!/^[0-9]/.test(filler)) throw notModelled(`FILL with ${filler}`);
    this.#expect(")");
    return (values) => of(values) ?? Number(filler);
  }

  #choice(): Calculation {
    this.#expect("(");
    const condition = this.comparison();
    this.#expect(",");
    const then = this.comparison();
    this.#expect(",");
    const otherwise = this.comparison();
    this.#expect(")");
    return (of) => {
      const held = condition(of);
      if (held === undefined) return undefined;
      return held === 0 ? otherwise(of) : then(of);
    };
  }

  #expect(wanted: string): void {
    if (this.#tokens.shift() !== wanted) throw invalid(this.#text);
  }
}
