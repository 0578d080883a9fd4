import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Certified } from "./certificate.ts";
import { type Place, run, type Session } from "./commands.ts";
import type { Admission, CacheAddress, CacheVitals } from "./engine.ts";
import { entries } from "./entries.ts";
import { commandReader, encode, ProtocolError } from "./protocol.ts";

export interface CacheServer {
  address: CacheAddress;
  admit(admission: Admission, endsSessions: boolean): void;
  /** From now on nobody gets an answer, and what was kept is gone. */
  silence(): void;
  /** After `silence`. Connections of before are of no use any more. */
  open(): void;
  vitals(): CacheVitals;
  close(): Promise<void>;
}

export interface ServerOptions {
  now(): number;
  admission: Admission;
  /** Without it the server speaks plainly, as a replication group without encryption in transit. */
  certified?: Certified;
}

const anonymous = "none";

const isAdmitted = ({ tokens, withoutToken }: Admission, by: string): boolean =>
  by === anonymous ? withoutToken : tokens.includes(by.slice("token ".length));

/**
 * A server of our own that speaks as much of Redis' protocol as clients and applications of this platform
 * use, and that can have several tokens at a time beside access without one, as ElastiCache has while its
 * token is rotated.
 */
export const cacheServer = async (options: ServerOptions): Promise<CacheServer> => {
  const kept = entries(options.now);
  const sessions = new Map<Socket, Session>();
  const sockets = new Set<Socket>();
  const counts = { accepted: 0, refusedLogins: 0 };
  let { admission } = options;
  let isSilent = false;
  const place: Place = {
    entries: kept,
    now: options.now,
    connections: () => sessions.size,
    takesTokens: () => admission.tokens.length > 0,
    admit: (user, token) => {
      if (user === "default" && admission.tokens.includes(token)) return `token ${token}`;
      counts.refusedLogins += 1;
      return undefined;
    },
  };
  const serve = (socket: Socket) => {
    counts.accepted += 1;
    const admittedBy = admission.withoutToken ? anonymous : undefined;
    const session: Session = { id: counts.accepted, version: 2, name: "", admittedBy };
    sessions.set(socket, session);
    socket.setNoDelay(true);
    socket.once("close", () => sessions.delete(socket));
    converse(socket, session, place, () => isSilent);
  };
  const encrypted =
    options.certified &&
    createTlsServer({ key: options.certified.key, cert: options.certified.certificate }, serve);
  // A client that breaks off, or does not trust us, is no matter of the server's.
  encrypted?.on("tlsClientError", (_error, socket) => socket.destroy());
  const front = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    if (isSilent) return;
    if (encrypted) encrypted.emit("connection", socket);
    else serve(socket);
  });
  const port = await listening(front);
  const destroyAll = () => sockets.forEach((socket) => void socket.destroy());
  return {
    address: { host: "127.0.0.1", port },
    admit: (next, endsSessions) => {
      admission = next;
      if (!endsSessions) return;
      for (const [socket, { admittedBy }] of sessions) {
        if (admittedBy !== undefined && !isAdmitted(next, admittedBy)) socket.destroy();
      }
    },
    silence: () => {
      isSilent = true;
      kept.clear();
    },
    open: () => {
      destroyAll();
      isSilent = false;
    },
    vitals: () => ({ connections: sessions.size, usedBytes: kept.usedBytes(), ...counts }),
    close: async () => {
      const closed = front.listening ? once(front, "close") : undefined;
      front.close();
      destroyAll();
      await closed;
    },
  };
};

const listening = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
};

const converse = (
  socket: Socket,
  session: Session,
  place: Place,
  isSilent: () => boolean,
): void => {
  const read = commandReader();
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    if (isSilent()) return;
    try {
      for (const parts of read(chunk)) {
        socket.write(encode(run(parts, session, place), session.version));
        if (parts[0]?.toString("latin1").toUpperCase() === "QUIT") socket.end();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      socket.end(encode({ error: `ERR Protocol error: ${error.message}` }, session.version));
    }
  });
};
