import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { AwsError } from "./service.ts";

/** An item is never changed in place: every write stores a new one, so sharing parts is safe. */
export type Item = Record<string, AttributeValue>;

export const invalid = (message: string): AwsError =>
  new AwsError("ValidationException", message, { status: 400 });

/** Loud, so that nobody mistakes what is left out for what AWS does. */
export const notModelled = (what: string): AwsError =>
  new AwsError("NotImplemented", `dynamodb: ${what} is not modelled`, { status: 501 });

/** DynamoDB's name of the value's type: `S`, `N`, `BOOL`, … */
export const typeOf = (value: AttributeValue): string => {
  for (const type in value) if (type !== "$unknown") return type;
  throw invalid(
    "Supplied AttributeValue is empty, must contain exactly one of the supported types",
  );
};

const whole = /^-?\d{1,15}$/;

/** Numbers have 38 digits in DynamoDB; a double is exact for what fits, BigInt for the rest. */
const compareNumbers = (a: string, b: string): number => {
  if (whole.test(a) && whole.test(b)) return Number(a) - Number(b);
  if (/^-?\d+$/.test(a) && /^-?\d+$/.test(b)) {
    const difference = BigInt(a) - BigInt(b);
    return difference === 0n ? 0 : difference < 0n ? -1 : 1;
  }
  return Number(a) - Number(b);
};

export const addNumbers = (a: string, b: string, sign: 1 | -1): string => {
  if (whole.test(a) && whole.test(b)) return String(Number(a) + sign * Number(b));
  if (/^-?\d+$/.test(a) && /^-?\d+$/.test(b))
    return (BigInt(a) + BigInt(sign) * BigInt(b)).toString();
  return String(Number(a) + sign * Number(b));
};

/** `undefined` where DynamoDB has no order: other types than S, N, B, or two different types. */
export const compare = (a: AttributeValue, b: AttributeValue): number | undefined => {
  if (a.S !== undefined && b.S !== undefined) return a.S < b.S ? -1 : a.S > b.S ? 1 : 0;
  if (a.N !== undefined && b.N !== undefined) return compareNumbers(a.N, b.N);
  if (a.B !== undefined && b.B !== undefined) return Buffer.compare(a.B, b.B);
  return undefined;
};

const sameMembers = <T>(a: T[], b: T[], same: (x: T, y: T) => boolean): boolean =>
  a.length === b.length && a.every((x) => b.some((y) => same(x, y)));

const sameBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const sameMap = (a: Item, b: Item): boolean => {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const [left, right] = [a[name], b[name]];
    return left !== undefined && right !== undefined && equal(left, right);
  });
};

export const equal = (a: AttributeValue, b: AttributeValue): boolean => {
  const order = compare(a, b);
  if (order !== undefined) return order === 0;
  if (a.BOOL !== undefined) return a.BOOL === b.BOOL;
  if (a.NULL !== undefined) return b.NULL !== undefined;
  if (a.L && b.L) {
    const other = b.L;
    return (
      a.L.length === other.length &&
      a.L.every((x, index) => equal(x, other[index] ?? { NULL: true }))
    );
  }
  if (a.M && b.M) return sameMap(a.M, b.M);
  if (a.SS && b.SS) return sameMembers(a.SS, b.SS, (x, y) => x === y);
  if (a.NS && b.NS) return sameMembers(a.NS, b.NS, (x, y) => compareNumbers(x, y) === 0);
  if (a.BS && b.BS) return sameMembers(a.BS, b.BS, sameBytes);
  return false;
};

/** The function `size` of expressions; `undefined` for types that have none. */
export const sizeOf = (value: AttributeValue): number | undefined => {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.B !== undefined) return value.B.length;
  if (value.M !== undefined) return Object.keys(value.M).length;
  return (value.L ?? value.SS ?? value.NS ?? value.BS)?.length;
};

/** The function `contains`: a part of a string or bytes, or a member of a set or list. */
export const contains = (value: AttributeValue, part: AttributeValue): boolean => {
  if (value.S !== undefined) return part.S !== undefined && value.S.includes(part.S);
  if (value.B !== undefined)
    return part.B !== undefined && Buffer.from(value.B).includes(Buffer.from(part.B));
  if (value.L) return value.L.some((member) => equal(member, part));
  if (value.SS) return part.S !== undefined && value.SS.includes(part.S);
  if (value.NS) return value.NS.some((member) => equal({ N: member }, part));
  if (value.BS) return value.BS.some((member) => equal({ B: member }, part));
  return false;
};

export const beginsWith = (value: AttributeValue, start: AttributeValue): boolean => {
  if (value.S !== undefined && start.S !== undefined) return value.S.startsWith(start.S);
  if (value.B !== undefined && start.B !== undefined) {
    return sameBytes(value.B.subarray(0, start.B.length), start.B);
  }
  return false;
};

/** A key attribute as a string that is equal exactly when the keys are; not an order. */
export const keyText = (value: AttributeValue): string => {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return whole.test(value.N) ? String(Number(value.N)) : value.N;
  if (value.B !== undefined) return Buffer.from(value.B).toString("hex");
  throw invalid("One or more parameter values were invalid: Type mismatch for key");
};

const setOf = (value: AttributeValue) => value.SS ?? value.NS ?? value.BS;

/** ADD on a set; `undefined` when the two are not sets of one type. */
export const union = (a: AttributeValue, b: AttributeValue): AttributeValue | undefined => {
  if (a.SS && b.SS) return { SS: [...new Set([...a.SS, ...b.SS])] };
  if (a.NS && b.NS) return { NS: [...new Set([...a.NS, ...b.NS])] };
  if (a.BS && b.BS) {
    const kept = a.BS;
    return { BS: [...kept, ...b.BS.filter((x) => !kept.some((y) => sameBytes(x, y)))] };
  }
  return undefined;
};

/** DELETE from a set; `"empty"` because an empty set is not a value in DynamoDB. */
export const without = (
  a: AttributeValue,
  b: AttributeValue,
): AttributeValue | "empty" | undefined => {
  const type = typeOf(a);
  const [members, gone] = [setOf(a), setOf(b)];
  if (!members || !gone || typeOf(b) !== type) return undefined;
  const wrap = (member: string | Uint8Array): AttributeValue =>
    typeof member !== "string" ? { B: member } : type === "NS" ? { N: member } : { S: member };
  const kept = members.filter((x) => !gone.some((y) => equal(wrap(x), wrap(y))));
  if (kept.length === 0) return "empty";
  return { [type]: kept } as unknown as AttributeValue;
};
