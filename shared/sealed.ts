import { createDecipheriv, createHash } from "node:crypto";

/**
 * What an application keeps sealed, when every value says which key opens it:
 *
 *   v1.<key id>.<base64url of a nonce of 12 bytes, the ciphertext and a tag of 16>
 *
 * AES-256-GCM under a key of 32 bytes, with `v1.<key id>` as associated data. The id is made of the key
 * itself, so that whoever has a key knows its id, and no key can ever stand under another one's.
 */
const version = "v1";
const idPattern = /^[0-9a-f]{16}$/;
const sealedPattern = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;
const nonceBytes = 12;
const tagBytes = 16;

/** 64 bits of a hash of 256 random ones: enough to tell fifty keys apart, and nothing about any of them. */
export const keyIdOf = (key: Uint8Array): string =>
  createHash("sha256").update("key id").update(key).digest("hex").slice(0, 16);

export const isKeyId = (text: string): boolean => idPattern.test(text);

/** With what every value begins that the key of this id has sealed: 20 characters. */
export const headerOf = (keyId: string): string => `${version}.${keyId}.`;

/** Whether `key` opens `stored`, a column's value. What is in it is looked at by nobody. */
export const opensSealed = (stored: string | Uint8Array, key: Uint8Array): boolean => {
  const text = typeof stored === "string" ? stored : Buffer.from(stored).toString("latin1");
  const [, id, body = ""] = sealedPattern.exec(text) ?? [];
  if (id === undefined || id !== keyIdOf(key)) return false;
  const bytes = Buffer.from(body, "base64url");
  if (bytes.length < nonceBytes + tagBytes) return false;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes));
  decipher.setAAD(Buffer.from(`${version}.${id}`)).setAuthTag(bytes.subarray(-tagBytes));
  decipher.update(bytes.subarray(nonceBytes, -tagBytes));
  try {
    decipher.final();
    return true;
  } catch (error) {
    // Node throws for what a key does not open; that is the answer here.
    if (error instanceof Error) return false;
    throw error;
  }
};

/** A column whose values say which key opens them. */
export interface SealedColumn {
  /** With its schema: `public.holders`. */
  table: string;
  column: string;
}

/** What of a column is not sealed by the key that seals now. */
export interface LeftOn extends SealedColumn {
  /** How many by the id of the key. */
  keys: Record<string, number>;
  /** How many do not say which key opens them. */
  unmarked: number;
  /** There are more: counting has stopped. */
  more: boolean;
}

export const labelOf = ({ table, column }: SealedColumn): string => `${table}.${column}`;

export const rowsIn = ({ keys, unmarked }: LeftOn): number =>
  Object.values(keys).reduce((sum, count) => sum + count, unmarked);
