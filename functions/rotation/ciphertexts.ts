import type { LeftOn } from "../../shared/sealed.ts";

/** Something that rows can come back from. */
export interface Kept {
  /** For people: `backups of platform-eu-central-1 in eu-west-1`. */
  what: string;
  /** The earliest moment that can be restored; null when nobody can say, which is any. */
  fromMilliseconds: number | null;
}

/** What the database holds that a key of the ring has sealed. */
export interface Ciphertexts {
  /** Whether any column is known whose values say which key opens them. */
  isKnown: boolean;
  /** Columns whose values do not. */
  unmarked: readonly string[];
  retentionDays: number;
  /** What is not sealed by the key of this id, by the database of this region. */
  left(keyId: string): Promise<LeftOn[]>;
  /** Lets the application seal rows again for so long; 0 ends it. */
  permit(seconds: number): Promise<void>;
  /** All that can be restored, in both regions. */
  backups(): Promise<Kept[]>;
}
