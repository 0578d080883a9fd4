/** What a command answers, before it is known which version of the protocol the client speaks. */
export type Reply =
  | null
  | number
  | string
  | Buffer
  | { status: string }
  | { error: string }
  | { map: [string, Reply][] }
  | Reply[];

/** The client said what no client of this protocol says; the connection is of no use any more. */
export class ProtocolError extends Error {}

const mostParts = 1024;
const mostBytes = 1024 * 1024;
const lineEnd = Buffer.from("\r\n");

interface Line {
  text: string;
  next: number;
}

const lineAt = (bytes: Buffer, from: number): Line | undefined => {
  const end = bytes.indexOf(lineEnd, from);
  return end < 0 ? undefined : { text: bytes.toString("latin1", from, end), next: end + 2 };
};

const countIn = ({ text }: Line, mark: string, most: number): number => {
  const count = Number(text.slice(1));
  if (text[0] !== mark) throw new ProtocolError(`expected '${mark}', got '${text.slice(0, 1)}'`);
  if (Number.isInteger(count) && count >= 0 && count <= most) return count;
  throw new ProtocolError("invalid length");
};

/** One command of the array form, which is the only one that clients send, or nothing while it is cut. */
const commandAt = (bytes: Buffer, from: number): { parts: Buffer[]; next: number } | undefined => {
  const head = lineAt(bytes, from);
  if (!head) return undefined;
  const parts: Buffer[] = [];
  let next = head.next;
  for (let left = countIn(head, "*", mostParts); left > 0; left -= 1) {
    const line = lineAt(bytes, next);
    if (!line) return undefined;
    const length = countIn(line, "$", mostBytes);
    const end = line.next + length;
    if (bytes.length < end + 2) return undefined;
    parts.push(bytes.subarray(line.next, end));
    next = end + 2;
  }
  return { parts, next };
};

/**
 * Takes a connection's bytes as they come and answers the commands that are complete. Source: "Redis
 * serialization protocol specification" of Redis
 */
export const commandReader = (): ((chunk: Buffer) => Buffer[][]) => {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const commands: Buffer[][] = [];
    for (;;) {
      const found = rest.length === 0 ? undefined : commandAt(rest, 0);
      if (!found) break;
      rest = rest.subarray(found.next);
      if (found.parts.length > 0) commands.push(found.parts);
    }
    if (rest.length > 2 * mostBytes) throw new ProtocolError("too big a command");
    return commands;
  };
};

/** `version` is what the client asked for by HELLO: 2 knows neither maps nor a null of its own. */
export const encode = (reply: Reply, version: 2 | 3): Buffer => {
  if (reply === null) return Buffer.from(version === 3 ? "_\r\n" : "$-1\r\n");
  if (typeof reply === "number") return Buffer.from(`:${reply}\r\n`);
  if (typeof reply === "string") return encode(Buffer.from(reply), version);
  if (Buffer.isBuffer(reply)) {
    return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, lineEnd]);
  }
  if (Array.isArray(reply)) return listOf("*", reply.length, reply, version);
  if ("status" in reply) return Buffer.from(`+${reply.status}\r\n`);
  if ("error" in reply) return Buffer.from(`-${reply.error}\r\n`);
  const entries = reply.map.flat();
  return version === 3
    ? listOf("%", reply.map.length, entries, version)
    : listOf("*", entries.length, entries, version);
};

const listOf = (mark: string, count: number, items: Reply[], version: 2 | 3): Buffer =>
  Buffer.concat([
    Buffer.from(`${mark}${count}\r\n`),
    ...items.map((item) => encode(item, version)),
  ]);
