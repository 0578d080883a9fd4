/**
 * The first packets of PostgreSQL's protocol, as much as a proxy needs to know who is calling.
 * https://www.postgresql.org/docs/18/protocol-message-formats.html (StartupMessage, SSLRequest).
 */

/** Larger start-up packets are refused by PostgreSQL itself (MAX_STARTUP_PACKET_LENGTH). */
export const longestStartup = 10_000;

const codes = { encryption: [80877103, 80877104], cancel: 80877102 };

export type Startup =
  /** More bytes are needed. */
  | { kind: "partial" }
  /** A request for TLS or GSS encryption of `length` bytes, to be answered `N`. */
  | { kind: "encryption"; length: number }
  | { kind: "cancel" }
  | { kind: "session"; user: string; application: string }
  | { kind: "nonsense" };

export const readStartup = (bytes: Buffer): Startup => {
  if (bytes.length < 8) return { kind: "partial" };
  const length = bytes.readInt32BE(0);
  if (length < 8 || length > longestStartup) return { kind: "nonsense" };
  if (bytes.length < length) return { kind: "partial" };
  const code = bytes.readInt32BE(4);
  if (codes.encryption.includes(code)) return { kind: "encryption", length };
  if (code === codes.cancel) return { kind: "cancel" };
  const fields = bytes.toString("utf8", 8, length).split("\0");
  const parameters = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) {
    parameters.set(fields[index] ?? "", fields[index + 1] ?? "");
  }
  const user = parameters.get("user");
  if (user === undefined) return { kind: "nonsense" };
  return { kind: "session", user, application: parameters.get("application_name") ?? "" };
};

/** An ErrorResponse of severity FATAL, as a server sends it before it hangs up. */
export const fatal = (code: string, message: string): Buffer => {
  const fields = [`SFATAL`, `VFATAL`, `C${code}`, `M${message}`].map((field) => `${field}\0`);
  const body = Buffer.from(`${fields.join("")}\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
