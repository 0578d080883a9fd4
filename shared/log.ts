import type { Clock } from "./clock.ts";
import { isoSeconds } from "./clock.ts";

/** One line of JSON per decision, and nothing secret in it. */
export interface Log {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** The same log with fields that every line of it carries. */
  with(fields: Fields): Log;
  /** Never lets `value` through again, whatever field or sentence it turns up in. */
  hide(value: string): void;
}

export type Fields = Record<string, unknown>;

export interface LogSink {
  clock: Pick<Clock, "now">;
  /** One finished line, without its line break. */
  write(line: string): void;
}

/** A log that hides what looks like a secret by its field's name, its shape, or because it was told. */
export const logger = (sink: LogSink, fields: Fields = {}): Log => make(sink, fields, new Set());

const make = (sink: LogSink, always: Fields, hidden: Set<string>): Log => {
  const line =
    (level: string) =>
    (message: string, fields: Fields = {}) => {
      const head = { level, at: isoSeconds(sink.clock.now()), message };
      // First to be read first, and once more at the end so that no field can pass for it.
      const entry = { ...head, ...always, ...fields, ...head };
      sink.write(JSON.stringify(withoutSecrets(entry, hidden)));
    };
  return {
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    with: (fields) => make(sink, { ...always, ...fields }, hidden),
    hide: (value) => {
      // A very short value would blank half of every line and is no secret worth the name.
      if (value.length >= 6) hidden.add(value);
    },
  };
};

const blank = "[hidden]";

const secretName = new RegExp(
  [
    "pass(word|wd|phrase)|secret|token|authorization|cookie|credential|private.?key|api.?key",
    "signature|verifier|database.?url|redis.?url|raw.?body",
  ].join("|"),
  "i",
);

/** Names that point at a secret without being one: `secretArn`, `tokenCount`. */
const pointer = /(arn|name|id|version|count|seconds|at)$/i;

const shapes: [RegExp, string][] = [
  // user:password@ in any URL: keeps who and where, which is what a reader needs.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@]*@/gi, `$1:${blank}@`],
  [/\bxox[a-z]-[\w-]{6,}/g, blank],
  [/\bxapp-[\w-]{6,}/g, blank],
  [/\bv0=[0-9a-f]{64}\b/g, blank],
  [/\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/g, blank],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, blank],
  [/\bSCRAM-SHA-256\$[^\s"']+/g, blank],
];

/** `text` without what has the shape of a secret, and without the `known` values. */
export const redact = (text: string, known: Iterable<string> = []): string => {
  let result = text;
  for (const value of known) if (value) result = result.replaceAll(value, blank);
  for (const [shape, replacement] of shapes) result = result.replace(shape, replacement);
  return result;
};

const brief = { text: 2000, list: 100, depth: 8 };

/** For what must be kept whole: whoever keeps it bounds its size and refuses what is larger. */
export const whole = { text: Number.POSITIVE_INFINITY, list: Number.POSITIVE_INFINITY, depth: 32 };

/**
 * A copy of `value` that may be shown: secrets blanked, long texts, long lists and deep nests cut,
 * errors as name and message. For logs, journal entries and messages alike.
 */
export const withoutSecrets = (
  value: unknown,
  known: Iterable<string> = [],
  limits: typeof brief = brief,
  depth = 0,
): unknown => {
  const shown = (part: unknown) => withoutSecrets(part, known, limits, depth + 1);
  if (typeof value === "string") return redact(value, known).slice(0, limits.text);
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return value;
  if (depth >= limits.depth) return "[too deep]";
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) {
    return shown({ name: value.name, message: value.message });
  }
  if (Array.isArray(value)) {
    return value.slice(0, limits.list).map(shown);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, hides(key, field) ? blank : shown(field)]),
  );
};

const hides = (key: string, field: unknown): boolean =>
  field !== undefined &&
  typeof field !== "boolean" &&
  secretName.test(key) &&
  // A list of secrets is about them; what is in it is judged field by field.
  !(key === "secrets" && typeof field === "object") &&
  !(pointer.test(key) && !/(pass(word|wd|phrase)|authorization)/i.test(key));
