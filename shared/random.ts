import { randomBytes } from "node:crypto";

/** The only source of randomness in the project, so that one seed gives one run. */
export interface Random {
  /** At least 0, below 1. */
  fraction(): number;
  /** A whole number, both bounds included. */
  integer(from: number, to: number): number;
  /** `length` bytes; only `systemRandom` is fit for secrets. */
  bytes(length: number): Buffer;
  /** 26 lowercase characters, unique enough for a name or a token (128 bits). */
  id(): string;
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

const fromBytes = (bytes: (length: number) => Buffer): Random => {
  const fraction = () => bytes(6).readUIntBE(0, 6) / 2 ** 48;
  return {
    fraction,
    integer: (from, to) => from + Math.floor(fraction() * (to - from + 1)),
    bytes,
    id: () => [...bytes(26)].map((byte) => alphabet[byte % 32]).join(""),
  };
};

/** Cryptographically strong. */
export const systemRandom: Random = fromBytes((length) => randomBytes(length));

/** The same seed gives the same sequence. Never for secrets. */
export const seededRandom = (seed: number | string): Random => {
  const next = generator(seed);
  return fromBytes((length) => {
    const bytes = Buffer.alloc(length);
    for (let index = 0; index < length; index += 4) {
      const word = next();
      for (let byte = 0; byte < 4 && index + byte < length; byte += 1) {
        bytes[index + byte] = (word >>> (byte * 8)) & 0xff;
      }
    }
    return bytes;
  });
};

/** sfc32 over a hash of the seed: small, fast, and passes the usual statistical batteries. */
const generator = (seed: number | string): (() => number) => {
  let hash = 2166136261;
  for (const character of String(seed)) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  }
  let [a, b, c, counter] = [hash >>> 0, 0x9e3779b9, 0x243f6a88, 1];
  const next = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
};
