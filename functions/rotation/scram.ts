import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { Random } from "../../shared/random.ts";

/** What PostgreSQL uses itself: `scram_iterations` of its documentation. */
const iterations = 4096;
const saltBytes = 16;

/**
 * What a server keeps of a password, and all that it is ever sent: from it nobody can log in. RFC 5802,
 * in the form of PostgreSQL's "pg_authid". The password has to be printable ASCII, so that the string
 * preparation of RFC 4013, which is not done here, would leave it as it is.
 */
export const scramVerifier = (password: string, random: Random): string => {
  if (!/^[\x21-\x7e]+$/.test(password)) throw new Error("a password has to be printable ASCII");
  const salt = random.bytes(saltBytes);
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${server}`;
};
