/** A field of an event, as JSON has it. */
type Json = unknown;
type Fields = Record<string, Json>;
export type Matches = (event: Json) => boolean;
/** A test of one value of a field; `undefined` stands for a field that is not there. */
type Test = (value: Json | undefined) => boolean;

const isFields = (value: Json): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

class BadPattern extends Error {}

const text = (value: Json, name: string): string => {
  if (typeof value !== "string") throw new BadPattern(`${name} match pattern must be a string`);
  return value;
};

const affix = (given: Json, name: "prefix" | "suffix"): Test => {
  const ignoreCase = isFields(given);
  const raw = text(isFields(given) ? given["equals-ignore-case"] : given, name);
  const wanted = ignoreCase ? raw.toLowerCase() : raw;
  return (value) => {
    if (typeof value !== "string") return false;
    const found = ignoreCase ? value.toLowerCase() : value;
    return name === "prefix" ? found.startsWith(wanted) : found.endsWith(wanted);
  };
};

const anythingBut = (given: Json): Test => {
  if (isFields(given)) {
    const inner = operator(given);
    return (value) => value !== undefined && !inner(value);
  }
  const excluded = Array.isArray(given) ? given : [given];
  return (value) => value !== undefined && !excluded.includes(value);
};

const comparisons: Record<string, (a: number, b: number) => boolean> = {
  "=": (a, b) => a === b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const numeric = (given: Json): Test => {
  if (!Array.isArray(given) || given.length === 0 || given.length % 2 !== 0) {
    throw new BadPattern("Value of numeric must be an array of pairs");
  }
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < given.length; index += 2) {
    const compare = comparisons[String(given[index])];
    const bound: unknown = given[index + 1];
    if (!compare || typeof bound !== "number") throw new BadPattern("Unrecognized numeric range");
    tests.push((value) => compare(value, bound));
  }
  return (value) => typeof value === "number" && tests.every((test) => test(value));
};

const wildcard = (given: Json): Test => {
  const parts = text(given, "wildcard").split("*");
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${escaped.join(".*")}$`, "s");
  return (value) => typeof value === "string" && expression.test(value);
};

const operator = (given: Fields): Test => {
  const [name, ...more] = Object.keys(given);
  if (name === undefined || more.length > 0) throw new BadPattern("Only one key allowed in match");
  const argument = given[name];
  if (name === "prefix" || name === "suffix") return affix(argument, name);
  if (name === "anything-but") return anythingBut(argument);
  if (name === "exists") return (value) => (value !== undefined) === (argument === true);
  if (name === "numeric") return numeric(argument);
  if (name === "wildcard") return wildcard(argument);
  if (name === "equals-ignore-case") {
    const wanted = text(argument, name).toLowerCase();
    return (value) => typeof value === "string" && value.toLowerCase() === wanted;
  }
  throw new BadPattern(`Unrecognized match type ${name}`);
};

/** Any of the values listed for a field; of an array in the event, any element may match. */
const leaf = (given: Json[]): Test => {
  if (given.length === 0) throw new BadPattern("Empty arrays are not allowed");
  const tests = given.map((one) =>
    isFields(one) ? operator(one) : (value: Json | undefined) => value === one,
  );
  return (value) => {
    const values = Array.isArray(value) ? value : [value];
    // An empty array has no value that could match, and counts as a field that is not there.
    const found = values.length === 0 ? [undefined] : values;
    return tests.some((test) => found.some(test));
  };
};

const branch = (pattern: Fields): Matches => {
  const tests = Object.entries(pattern).map(([name, given]): ((fields: Fields) => boolean) => {
    if (name === "$or" && Array.isArray(given) && given.every(isFields)) {
      const choices = given.map(branch);
      return (fields) => choices.some((matches) => matches(fields));
    }
    if (Array.isArray(given)) {
      const test = leaf(given);
      return (fields) => test(fields[name]);
    }
    if (!isFields(given)) throw new BadPattern(`"${name}" must be an object or an array`);
    const inner = branch(given);
    return (fields) => {
      const value = fields[name];
      return Array.isArray(value) ? value.some(inner) : inner(value);
    };
  });
  if (tests.length === 0) throw new BadPattern("Empty objects are not allowed");
  return (value) => {
    const fields = isFields(value) ? value : {};
    return tests.every((test) => test(fields));
  };
};

/**
 * Reads an event pattern; a string says what is wrong with it.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
export const compilePattern = (source: string): Matches | string => {
  try {
    const pattern: unknown = JSON.parse(source);
    return isFields(pattern) ? branch(pattern) : "Filter is not an object";
  } catch (error) {
    if (error instanceof BadPattern || error instanceof SyntaxError) return error.message;
    throw error;
  }
};
