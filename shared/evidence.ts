import { verify as verifySignature } from "node:crypto";
import * as z from "zod/mini";
import { canonical, sha256 } from "./canonical.ts";
import { whole, withoutSecrets } from "./log.ts";

export type EvidenceKind = "verification" | "rotation";

/** What is recorded of one run, whatever came of it. Plain JSON, and never a secret. */
export interface Draft {
  kind: EvidenceKind;
  run: string;
  /** ISO 8601, UTC. */
  recordedAt: string;
  body: Record<string, unknown>;
}

/** A draft with its place in the chain. Its hash is taken of all of it. */
export interface Unsigned extends Draft {
  format: 1;
  /** 1, 2, 3, … over all runs of a stage, of both regions. */
  sequence: number;
  /** The hash of record `sequence - 1`; 64 zeros for the first. */
  previous: string;
}

/** One piece of evidence, as it lies in the bucket. */
export interface EvidenceRecord extends Unsigned {
  /** SHA-256 of the canonical JSON of all of the above. */
  hash: string;
  signature: {
    /** ARN of the KMS key. */
    key: string;
    /** ECDSA on P-256 with SHA-256 over `signedText`, DER in base64: `ECDSA_SHA_256` of KMS. */
    value: string;
  };
}

/** Signs a short text. Gives the key's ARN and the signature, DER in base64. */
export type Sign = (text: string) => Promise<EvidenceRecord["signature"]>;

/** What is signed. It says what it is, so that no signature for something else can pass for one. */
const signedText = (hash: string): string => `nightshift evidence 1 ${hash}`;

export interface ChainEnd {
  sequence: number;
  hash: string;
}

const beforeTheFirst: ChainEnd = { sequence: 0, hash: "0".repeat(64) };

/** The next record of the chain, signed. Blanks what looks like a secret before it is hashed. */
export const seal = async (
  draft: Draft,
  last: ChainEnd | undefined,
  sign: Sign,
): Promise<EvidenceRecord> => {
  const { sequence, hash: previous } = last ?? beforeTheFirst;
  // Through JSON, so that what is hashed is what the file gives back.
  const body = JSON.parse(JSON.stringify(withoutSecrets(draft.body, [], whole))) as Draft["body"];
  const unsigned: Unsigned = { format: 1, ...draft, body, sequence: sequence + 1, previous };
  const hash = sha256(canonical(unsigned));
  return { ...unsigned, hash, signature: await sign(signedText(hash)) };
};

/** Sorts as the chain does, also where a program lists names. */
export const fileNameOf = ({ sequence, run }: Pick<EvidenceRecord, "sequence" | "run">): string =>
  `${String(sequence).padStart(9, "0")}-${run}.json`;

const schema = z.strictObject({
  format: z.literal(1),
  kind: z.enum(["verification", "rotation"]),
  run: z.string().check(z.minLength(1)),
  recordedAt: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/)),
  body: z.record(z.string(), z.unknown()),
  sequence: z.int().check(z.positive()),
  previous: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  signature: z.strictObject({ key: z.string(), value: z.string() }),
});

/** Null when the text is no record at all. */
export const parseRecord = (text: string): EvidenceRecord | null => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : null;
};

export interface EvidenceFile {
  name: string;
  text: string;
}

export interface Problem {
  /** Which record, or which file where it is none. */
  of: string;
  is: "not-a-record" | "changed" | "not-signed" | "missing" | "twice" | "out-of-order" | "misnamed";
  says: string;
}

export interface ChainVerdict {
  records: EvidenceRecord[];
  /** The newest, to be held against what a report or a message said then. */
  head: ChainEnd | null;
  problems: Problem[];
}

export interface Expected {
  /** Public keys in PEM. A record may be signed by any of them. */
  keys: readonly string[];
  /** The newest record as somebody outside of the bucket knows it. */
  head?: { sequence: number; hash?: string };
  /** Where the chain begins: older ones are gone when their years are over. 1 when left out. */
  from?: number;
}

/**
 * Whether every record is there, unchanged, in order and ours. Needs nothing but files and public keys.
 * Without `head`, records that are missing at the very end cannot be noticed.
 */
export const verifyChain = (files: readonly EvidenceFile[], expected: Expected): ChainVerdict => {
  const problems: Problem[] = [];
  const found = new Map<number, EvidenceRecord>();
  for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const record = parseRecord(file.text);
    if (!record) {
      problems.push({ of: file.name, is: "not-a-record", says: "It is not a record." });
      continue;
    }
    problems.push(...ofItself(record, expected), ...ofItsName(record, file.name));
    const same = found.get(record.sequence);
    if (same && same.hash !== record.hash) {
      const says = `There are two records ${record.sequence}: of ${same.run} and ${record.run}.`;
      problems.push({ of: file.name, is: "twice", says });
    }
    found.set(record.sequence, same ?? record);
  }
  const records = [...found.values()].toSorted((a, b) => a.sequence - b.sequence);
  problems.push(...inSequence(records, expected), ...atTheEnd(records, expected));
  const last = records.at(-1);
  return { records, head: last ? { sequence: last.sequence, hash: last.hash } : null, problems };
};

const ofItself = (record: EvidenceRecord, { keys }: Expected): Problem[] => {
  const { hash, signature, ...unsigned } = record;
  const of = `record ${record.sequence}`;
  if (sha256(canonical(unsigned)) !== hash) {
    return [{ of, is: "changed", says: "Its content does not have the hash that it was given." }];
  }
  const [text, value] = [Buffer.from(signedText(hash)), Buffer.from(signature.value, "base64")];
  return keys.some((key) => verifySignature("sha256", text, key, value))
    ? []
    : [
        {
          of,
          is: "not-signed",
          says: `It was not signed by these keys; it names ${signature.key}.`,
        },
      ];
};

const ofItsName = (record: EvidenceRecord, name: string): Problem[] => {
  const should = fileNameOf(record);
  if (name.endsWith(should)) return [];
  return [{ of: name, is: "misnamed", says: `It holds record ${record.sequence}, ${should}.` }];
};

const inSequence = (records: readonly EvidenceRecord[], { from = 1 }: Expected): Problem[] => {
  const problems: Problem[] = [];
  let last: EvidenceRecord | undefined;
  for (const record of records) {
    const next = last ? last.sequence + 1 : from;
    const of = `record ${record.sequence}`;
    if (record.sequence > next) problems.push(missing(next, record.sequence - 1));
    const previous = last ?? (record.sequence === 1 ? beforeTheFirst : undefined);
    if (
      previous &&
      previous.sequence === record.sequence - 1 &&
      record.previous !== previous.hash
    ) {
      const says = `It does not follow from record ${previous.sequence} as that stands here.`;
      problems.push({ of, is: "out-of-order", says });
    }
    if (last && record.recordedAt < last.recordedAt) {
      const says = `It says ${record.recordedAt}, and the one before it ${last.recordedAt}.`;
      problems.push({ of, is: "out-of-order", says });
    }
    last = record;
  }
  return problems;
};

const missing = (first: number, last: number): Problem => ({
  of: first === last ? `record ${first}` : `records ${first} to ${last}`,
  is: "missing",
  says: first === last ? "It is not there." : "They are not there.",
});

const atTheEnd = (records: readonly EvidenceRecord[], { head }: Expected): Problem[] => {
  if (!head) return [];
  const last = records.at(-1)?.sequence ?? 0;
  if (last < head.sequence) return [missing(last + 1, head.sequence)];
  const there = records.find(({ sequence }) => sequence === head.sequence);
  if (!there) return [];
  if (head.hash === undefined || there.hash.startsWith(head.hash)) return [];
  const says = `Its hash begins with ${there.hash.slice(0, 12)}, and not as you were told then.`;
  return [{ of: `record ${head.sequence}`, is: "changed", says }];
};
