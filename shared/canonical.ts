import { createHash } from "node:crypto";

/**
 * One text for one value, whatever the order its fields were written in: what a hash is taken of.
 * Only plain JSON; throws on anything that JSON would drop or change (functions, NaN, BigInt).
 */
export const canonical = (value: unknown): string => {
  if (value === null || typeof value === "boolean" || typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonical(item === undefined ? null : item)).join(",")}]`;
  }
  if (typeof value === "object") {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
    return `{${fields.join(",")}}`;
  }
  throw new TypeError(`${typeof value} ${String(value)} has no place in a hashed record`);
};

/** 64 hexadecimal digits. */
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
