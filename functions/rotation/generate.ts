import type { Random } from "../../shared/random.ts";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Letters and digits, each equally likely: they need no quoting in a URL, and ElastiCache takes them in a
 * token. 48 of them are 285 bits.
 */
export const newPassword = (random: Random, length = 48): string => {
  let made = "";
  while (made.length < length) {
    for (const byte of random.bytes(length)) {
      // The bytes above the largest multiple of 62 would make the first letters likelier.
      if (byte < 248 && made.length < length) made += letters[byte % letters.length];
    }
  }
  return made;
};

/** 256 bits, as AES and HMAC want them. */
export const newKey = (random: Random): string => random.bytes(32).toString("base64url");
