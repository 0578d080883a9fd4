import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Ring } from "../../functions/rotation/kinds/ring.ts";

/** What an application has sealed, with the name of the key that opens it. */
export interface Row {
  key: string;
  nonce: Buffer;
  sealed: Buffer;
  tag: Buffer;
}

export const firstRing = (): Ring => ({
  primary: "first",
  keys: {
    first: { secret: randomBytes(32).toString("base64url"), state: "primary", madeAt: null },
  },
});

const keyOf = ({ keys }: Ring, id: string): Buffer => {
  const found = keys[id];
  if (!found) throw new Error(`no key ${id}`);
  return Buffer.from(found.secret, "base64url");
};

export const seal = (ring: Ring, text: string): Row => {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", keyOf(ring, ring.primary), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return { key: ring.primary, nonce, sealed, tag: cipher.getAuthTag() };
};

export const opened = (ring: Ring, { key, nonce, sealed, tag }: Row): string => {
  const decipher = createDecipheriv("aes-256-gcm", keyOf(ring, key), nonce).setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed), decipher.final()]).toString("utf8");
};
