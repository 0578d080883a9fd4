import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { opensSealed } from "../../../shared/sealed.ts";
import type { CiphertextFormat } from "./policy.ts";

/** Whether `key` opens `stored`, a column's value. What is in it is looked at by nobody. */
export const opens = (
  format: CiphertextFormat,
  stored: string | Uint8Array,
  key: Uint8Array,
): boolean => {
  if (format === "keyed-aes-256-gcm") return opensSealed(stored, key);
  return format === "fernet" ? opensFernet(stored, key) : opensGcm(stored, key);
};

/**
 * Source: the Fernet specification: base64url of 0x80, eight bytes of time, sixteen of the first block,
 * AES-128-CBC, and HMAC-SHA256 over all before it; of the key the first half signs, the second encrypts.
 */
const opensFernet = (stored: string | Uint8Array, key: Uint8Array): boolean => {
  const token = Buffer.from(typeof stored === "string" ? stored : asText(stored), "base64url");
  if (token.length < 1 + 8 + 16 + 16 + 32 || token[0] !== 0x80) return false;
  const [signed, tag] = [token.subarray(0, -32), token.subarray(-32)];
  const made = createHmac("sha256", key.subarray(0, 16)).update(signed).digest();
  if (!timingSafeEqual(made, tag)) return false;
  const decipher = createDecipheriv("aes-128-cbc", key.subarray(16, 32), signed.subarray(9, 25));
  return finishes(() => {
    decipher.update(signed.subarray(25));
    decipher.final();
  });
};

const opensGcm = (stored: string | Uint8Array, key: Uint8Array): boolean => {
  const bytes = typeof stored === "string" ? Buffer.from(stored, "base64") : Buffer.from(stored);
  if (bytes.length < 12 + 16) return false;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(-16));
  return finishes(() => {
    decipher.update(bytes.subarray(12, -16));
    decipher.final();
  });
};

const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Node throws for what a key does not open; that is the answer here, and nothing else is thrown. */
const finishes = (decrypt: () => void): boolean => {
  try {
    decrypt();
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
};
