import { connect, createServer, type Socket } from "node:net";
import type { Timeline, Timer } from "../time/timeline.ts";
import type { Address } from "./engine.ts";
import { fatal, readStartup } from "./startup.ts";

/** Who opened a connection, as far as its first packet says. */
export interface Caller {
  user: string;
  application: string;
}

/**
 * - `open`: may connect and stay.
 * - `closed-to-new`: what is connected stays, new connections get no answer. So does a security
 *   group: it tracks connections and does not cut them.
 * - `closed`: no packet passes any more, in either direction.
 */
export type Admission = "open" | "closed-to-new" | "closed";

export interface EndpointProxy {
  address: Address;
  /** Asks again who may stay, and cuts the others off. */
  reconsider(): void;
  /** Like a host that has lost its power: nothing passes and nobody gets an answer. */
  silence(): void;
  /** Ends the silence. */
  open(): void;
  /** Ends all connections: whoever answered here has gone. */
  sever(): void;
  close(): Promise<void>;
}

export interface ProxyPorts {
  timeline: Timeline;
  host: string;
  /**
   * The port of the PostgreSQL behind; `starting` while it does not run, `nobody` while no instance has
   * this address.
   */
  upstream(): number | "starting" | "nobody";
  admit(caller: Caller): Admission;
  /** Modelled milliseconds after which a connection without an answer is given up. */
  silenceMilliseconds: number;
}

interface Connection {
  client: Socket;
  server?: Socket;
  caller?: Caller;
  /** Set from the moment on which nothing passes any more. */
  expiry?: Timer;
}

/**
 * The endpoint of one instance: a TCP proxy whose address outlives every process behind it, and
 * the place where region faults and security groups stop packets.
 */
export const proxy = async (ports: ProxyPorts): Promise<EndpointProxy> => {
  const connections = new Set<Connection>();
  let silent = false;
  const forbidden = ({ caller }: Connection, isNew: boolean): boolean => {
    if (silent) return true;
    const admission = caller ? ports.admit(caller) : "open";
    return admission === "closed" || (isNew && admission === "closed-to-new");
  };
  const drop = (connection: Connection) => {
    connection.expiry?.cancel();
    connection.client.destroy();
    connection.server?.destroy();
    connections.delete(connection);
  };
  const stall = (connection: Connection) => {
    if (connection.expiry) return;
    connection.client.unpipe().pause();
    connection.server?.unpipe().pause();
    connection.expiry = ports.timeline.after(ports.silenceMilliseconds, () => drop(connection));
  };
  const pass = (connection: Connection, head: Buffer) => {
    const port = ports.upstream();
    if (port === "starting") return void connection.client.end(starting());
    if (port === "nobody") return drop(connection);
    joinUpstream(connection, port, head, drop);
  };
  const server = createServer({ noDelay: true }, (client) => {
    const connection: Connection = { client };
    connections.add(connection);
    client.on("error", () => drop(connection));
    client.on("close", () => !connection.expiry && drop(connection));
    if (silent) return stall(connection);
    greet(client, (startup, head) => {
      if (startup.kind === "session") connection.caller = startup;
      if (startup.kind === "nonsense") drop(connection);
      else if (forbidden(connection, true)) stall(connection);
      else pass(connection, head);
    });
  });
  const address = await listen(server, ports.host);
  const reconsider = () => {
    for (const connection of [...connections]) {
      if (forbidden(connection, false)) stall(connection);
      // The other end has long forgotten this connection and resets it as soon as it can.
      else if (connection.expiry) drop(connection);
    }
  };
  const setSilent = (next: boolean) => {
    silent = next;
    reconsider();
  };
  return {
    address,
    reconsider,
    silence: () => setSilent(true),
    open: () => setSilent(false),
    sever: () => {
      silent = false;
      for (const connection of [...connections]) drop(connection);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of [...connections]) drop(connection);
      }),
  };
};

const starting = () => fatal("57P03", "the database system is starting up");

/** Reads up to the packet that says who calls, refusing encryption on the way as it may. */
const greet = (
  client: Socket,
  decide: (
    startup: Exclude<ReturnType<typeof readStartup>, { kind: "partial" }>,
    head: Buffer,
  ) => void,
): void => {
  let bytes: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const startup = readStartup(bytes);
      if (startup.kind === "partial") return;
      if (startup.kind !== "encryption") {
        client.off("data", onData).pause();
        return decide(startup, bytes);
      }
      bytes = bytes.subarray(startup.length);
      client.write("N");
    }
  };
  client.on("data", onData);
};

const joinUpstream = (
  connection: Connection,
  port: number,
  head: Buffer,
  drop: (connection: Connection) => void,
): void => {
  const { client } = connection;
  const server = connect({ host: "127.0.0.1", port, noDelay: true });
  connection.server = server;
  let joined = false;
  server.on("connect", () => {
    joined = true;
    if (connection.expiry) return;
    server.write(head);
    client.pipe(server);
    server.pipe(client);
  });
  server.on("error", () => {
    if (connection.expiry) return;
    if (joined) drop(connection);
    else client.end(starting());
  });
  // Nothing may tell the client of an end that happened behind a border which nothing passes.
  server.on("close", () => joined && !connection.expiry && client.end());
};

const listen = (server: ReturnType<typeof createServer>, host: string): Promise<Address> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Error("no TCP port"));
      resolve({ host, port: address.port });
    });
  });
