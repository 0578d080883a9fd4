import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

/** The keys as an instance is started with them: the first seals, all of them open. */
export interface SealingKeys {
  /** With what every value begins that the first key has sealed: `v1.<key id>.` */
  header: string;
  seal(text: string): string;
  /** Throws when none of the keys opens it. */
  open(sealed: string): string;
}

const keyBytes = 32;

const idOf = (key: Buffer): string =>
  createHash("sha256").update("key id").update(key).digest("hex").slice(0, 16);

/**
 * From ENCRYPTION_KEY and ENCRYPTION_KEY_FALLBACKS, base64url with commas between; undefined when the key is
 * none of 32 bytes. A value names its key by a hash of it: `v1.<key id>.<nonce, ciphertext and tag>`.
 */
export const sealingKeys = (
  random: (bytes: number) => Buffer,
  key: string,
  fallbacks = "",
): SealingKeys | undefined => {
  const all = [key, ...fallbacks.split(",").filter((text) => text !== "")].map((text) =>
    Buffer.from(text, "base64url"),
  );
  const [first] = all;
  if (!first || all.some(({ length }) => length !== keyBytes)) return undefined;
  const byId = new Map(all.map((each) => [idOf(each), each]));
  const marked = (id: string) => Buffer.from(`v1.${id}`);
  return {
    header: `v1.${idOf(first)}.`,
    seal: (text) => {
      const nonce = random(12);
      const cipher = createCipheriv("aes-256-gcm", first, nonce).setAAD(marked(idOf(first)));
      const body = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final()]);
      const whole = Buffer.concat([body, cipher.getAuthTag()]);
      return `v1.${idOf(first)}.${whole.toString("base64url")}`;
    },
    open: (sealed) => {
      const [, id = "", text = ""] = sealed.split(".");
      const found = byId.get(id);
      if (!found) throw new Error(`no key ${id}`);
      const whole = Buffer.from(text, "base64url");
      const decipher = createDecipheriv("aes-256-gcm", found, whole.subarray(0, 12));
      decipher.setAAD(marked(id)).setAuthTag(whole.subarray(-16));
      const opened = [decipher.update(whole.subarray(12, -16)), decipher.final()];
      return Buffer.concat(opened).toString("utf8");
    },
  };
};
