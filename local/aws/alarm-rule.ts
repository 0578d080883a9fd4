import type { StateValue } from "@aws-sdk/client-cloudwatch";

export type Rule =
  | { is: "state"; state: StateValue; alarm: string }
  | { is: "constant"; value: boolean }
  | { is: "not"; of: Rule }
  | { is: "and" | "or"; left: Rule; right: Rule };

const token = /\s*("(?:[^"\\]|\\.)*"|'[^']*'|[()]|[^\s()"']+)/y;

/** Reads the rule of a composite alarm; `undefined` when it is not one. Names are ARNs or names. */
export const parseRule = (text: string): Rule | undefined => {
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let found = token.exec(text); found?.[1]; found = token.exec(text)) tokens.push(found[1]);
  const rule = either(tokens);
  return tokens.length === 0 ? rule : undefined;
};

const either = (tokens: string[]): Rule | undefined => {
  let left = both(tokens);
  while (left && tokens[0]?.toUpperCase() === "OR") {
    tokens.shift();
    const right = both(tokens);
    left = right && { is: "or", left, right };
  }
  return left;
};

const both = (tokens: string[]): Rule | undefined => {
  let left = one(tokens);
  while (left && tokens[0]?.toUpperCase() === "AND") {
    tokens.shift();
    const right = one(tokens);
    left = right && { is: "and", left, right };
  }
  return left;
};

const one = (tokens: string[]): Rule | undefined => {
  const first = tokens.shift()?.toUpperCase();
  if (first === "NOT") {
    const of = one(tokens);
    return of && { is: "not", of };
  }
  if (first === "TRUE" || first === "FALSE") return { is: "constant", value: first === "TRUE" };
  if (first === "(") {
    const inner = either(tokens);
    return tokens.shift() === ")" ? inner : undefined;
  }
  if (first !== "ALARM" && first !== "OK" && first !== "INSUFFICIENT_DATA") return undefined;
  const [open, name, close] = tokens.splice(0, 3);
  if (open !== "(" || !name || close !== ")") return undefined;
  return { is: "state", state: first, alarm: name.replace(/^["']|["']$/g, "") };
};

export const children = (rule: Rule): string[] => {
  if (rule.is === "state") return [rule.alarm];
  if (rule.is === "constant") return [];
  if (rule.is === "not") return children(rule.of);
  return [...children(rule.left), ...children(rule.right)];
};

export const ruleHolds = (rule: Rule, stateOf: (alarm: string) => StateValue): boolean => {
  if (rule.is === "state") return stateOf(rule.alarm) === rule.state;
  if (rule.is === "constant") return rule.value;
  if (rule.is === "not") return !ruleHolds(rule.of, stateOf);
  const left = ruleHolds(rule.left, stateOf);
  return rule.is === "and"
    ? left && ruleHolds(rule.right, stateOf)
    : left || ruleHolds(rule.right, stateOf);
};
