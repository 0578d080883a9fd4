import * as z from "zod/mini";
import type { AlarmChange } from "../shared/alarm.ts";
import { parseAlarm } from "../shared/alarm.ts";
import { type Entry, verify } from "../shared/journal.ts";

/** What is wrong with a file that was given, in a sentence. */
export class BadInput extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadInput";
  }
}

/** What one file holds: whole journals, each of one attempt, or one change of an alarm. */
export type Recording =
  | { is: "journals"; runs: { run: string; entries: Entry[] }[] }
  | { is: "alarm"; alarm: AlarmChange };

/** Far above any incident: a journal has about fifteen entries, an incident a handful of attempts. */
const entriesLimit = 5000;

const entry = z.looseObject({
  run: z.string(),
  sequence: z.int(),
  key: z.string(),
  atMilliseconds: z.number(),
  kind: z.string(),
  text: z.string(),
  by: z.string(),
  data: z.optional(z.record(z.string(), z.unknown())),
  previous: z.string(),
  hash: z.string(),
});

/**
 * Reads a recorded incident: journal entries as JSON, one in each line or in one array, what
 * `npm run ops -- journal <run> --json` prints, or the event of a CloudWatch alarm. The hash chain is
 * verified before anything is believed. Throws BadInput with what is wrong.
 */
export const recordingIn = (text: string): Recording => {
  const values = valuesIn(text);
  const [first] = values;
  if (values.length === 1 && isEvent(first)) return alarmIn(first);
  const rows = values.flatMap(entriesIn);
  if (rows.length === 0) {
    throw new BadInput("There is no journal entry in it, and it is no event of an alarm.");
  }
  if (rows.length > entriesLimit) {
    throw new BadInput(`It has ${rows.length} entries; more than ${entriesLimit} are not read.`);
  }
  const entries = rows.map((row, index) => {
    const parsed = entry.safeParse(row);
    if (parsed.success) return row as Entry;
    const where = parsed.error.issues[0]?.path.join(".") ?? "";
    throw new BadInput(`Entry ${index + 1} is no journal entry: ${where || "not an object"}.`);
  });
  return { is: "journals", runs: verified(entries) };
};

const valuesIn = (text: string): unknown[] => {
  if (text.trim() === "") throw new BadInput("It is empty.");
  const whole = jsonOf(text);
  if (whole.is === "json") return Array.isArray(whole.value) ? whole.value : [whole.value];
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const one = jsonOf(line);
    if (one.is === "json") return [one.value];
    throw new BadInput(`Line ${index + 1} is not JSON: ${one.why}.`);
  });
};

const jsonOf = (text: string): { is: "json"; value: unknown } | { is: "text"; why: string } => {
  try {
    return { is: "json", value: JSON.parse(text) };
  } catch (error) {
    // Whether it is JSON is the question; anything else that goes wrong is a bug.
    if (error instanceof SyntaxError) return { is: "text", why: error.message };
    throw error;
  }
};

const isEvent = (value: unknown): value is object =>
  typeof value === "object" && value !== null && "detail-type" in value;

/** What `ops` prints has the entries in it; anything else is one entry itself. */
const entriesIn = (value: unknown): unknown[] =>
  typeof value === "object" && value !== null && "entries" in value && Array.isArray(value.entries)
    ? value.entries
    : [value];

const alarmIn = (value: object): Recording => {
  const parsed = parseAlarm(value);
  if ("alarm" in parsed) return { is: "alarm", alarm: parsed.alarm };
  throw new BadInput(`It is no alarm event as documented: ${parsed.malformed.join(", ")}.`);
};

const verified = (entries: Entry[]): { run: string; entries: Entry[] }[] => {
  const names = [...new Set(entries.map(({ run }) => run))];
  return names.map((run) => {
    const own = entries.filter((each) => each.run === run);
    const verdict = verify(own);
    if (verdict.ok) return { run, entries: own };
    throw new BadInput(`The journal of ${run} was tampered with or is not whole: ${verdict.why}.`);
  });
};
