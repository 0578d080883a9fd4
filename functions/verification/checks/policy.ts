/** What the operator's file says about the checks, with the default of what is left out. */
export interface CheckPolicy {
  /** Whose backups these are: the platform's public name. The canary row is made of it. */
  identity: string;
  /** SQL that has to give one value, as text. Each becomes a check of its own. */
  assertions?: readonly Assertion[];
  /** Checks that the operator does without. They are named in the evidence, as what nobody has looked at. */
  leftOut?: readonly string[];
  /** Tables whose rows never change: those of one day are compared with a checksum taken on the primary. */
  appendOnly?: readonly AppendOnly[];
  /** How much of a table may be gone since the manifest, as a share; 0.2, and 0 for `appendOnly`. */
  shrinks?: Readonly<Record<string, number>>;
  /** Columns that hold what only a key of ENCRYPTION_KEY opens. */
  ciphertext?: readonly Ciphertext[];
  /** Where Alembic keeps its revision; `public.alembic_version`. */
  revisionTable?: string;
  /** How old the manifest may be at the moment that was restored; 26. */
  manifestHours?: number;
}

export interface Assertion {
  /** Short, as in evidence: `ledger-sums-to-zero`. */
  name: string;
  /** One query that gives one row with one column. */
  sql: string;
  /** What it has to give, as PostgreSQL writes it. */
  expect: string;
}

export interface AppendOnly {
  /** With its schema: `public.transfers`. */
  table: string;
  /** A `timestamptz` that is set when the row is written, and never later; better with an index. */
  column: string;
}

/**
 * `fernet`: as Python's cryptography makes it. `aes-256-gcm`: base64 of a nonce of 12 bytes, the
 * ciphertext and a tag of 16, under a key of 32. `keyed-aes-256-gcm`: the same behind the id of its key, as
 * `shared/sealed.ts` has it; the only one of which rows can be counted by key. `text` and `bytea` columns
 * both do.
 */
export type CiphertextFormat = "fernet" | "aes-256-gcm" | "keyed-aes-256-gcm";

export interface Ciphertext {
  table: string;
  column: string;
  format: CiphertextFormat;
}

/** Today's keys by id, each of 32 bytes. Never part of a result. */
export interface KeyRing {
  keys: Readonly<Record<string, Uint8Array>>;
}

/** What checks need from outside of the copy. */
export interface CheckHooks {
  /** Read anew for every run of the check that needs it. */
  keyRing?(): Promise<KeyRing>;
}
