import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createProbe } from "node:net";
import type { HttpRequest, HttpResponse } from "../http.ts";
import { bodyLimitBytes } from "../http.ts";

export interface ListenerPorts {
  /** As `elbv2(…).serve`: rejects with `ETIMEDOUT` when the caller cannot reach the region. */
  serve(address: string, request: HttpRequest): Promise<HttpResponse>;
  onError(error: unknown): void;
}

export interface PublicListeners {
  /** The same on all addresses, so that one public name with one port works in every region. */
  port: number;
  close(): Promise<void>;
}

const portAttempts = 20;

/**
 * A real HTTP listener on each load balancer's loopback address. Where the region cannot be
 * reached it says nothing, until the client gives up or `silenceMilliseconds` have passed.
 */
export const publicListeners = async (
  ports: ListenerPorts,
  addresses: string[],
  options: { silenceMilliseconds?: number } = {},
): Promise<PublicListeners> => {
  const silence = options.silenceMilliseconds ?? 30_000;
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(addresses[0] ?? "127.0.0.1");
    const servers: Server[] = [];
    try {
      for (const address of addresses) {
        servers.push(await listenAt(ports, address, port, silence));
      }
      const close = async () => {
        await Promise.all(servers.map(closeServer));
      };
      return { port, close };
    } catch (error) {
      // A port that is free at one address may be taken at the next.
      await Promise.all(servers.map(closeServer));
      if (attempt >= portAttempts) throw error;
    }
  }
};

const freePort = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createProbe();
    probe.once("error", reject);
    probe.listen(0, host, () => {
      const address = probe.address();
      const port = typeof address === "object" && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

const listenAt = (
  ports: ListenerPorts,
  address: string,
  port: number,
  silenceMilliseconds: number,
): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((incoming, outgoing) => {
      answer(ports, address, incoming, outgoing, silenceMilliseconds).catch((error: unknown) => {
        outgoing.destroy();
        // A client that gave up in the middle of its request is no error of ours.
        if (incoming.complete) ports.onError(error);
      });
    });
    server.keepAliveTimeout = 5000;
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      server.on("error", ports.onError);
      resolve(server);
    });
  });

const answer = async (
  ports: ListenerPorts,
  address: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  silenceMilliseconds: number,
): Promise<void> => {
  const request = await read(incoming);
  if (request === undefined) {
    outgoing.writeHead(413, { connection: "close" }).end();
    return;
  }
  let response: HttpResponse;
  try {
    response = await ports.serve(address, request);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ETIMEDOUT" && code !== "ECONNREFUSED") throw error;
    // Nobody there: silence, as from a region without power, but not for ever.
    if (code === "ETIMEDOUT") outgoing.setTimeout(silenceMilliseconds, () => outgoing.destroy());
    else outgoing.destroy();
    return;
  }
  const {
    "content-length": _length,
    "transfer-encoding": _encoding,
    ...headers
  } = response.headers;
  delete headers.connection;
  delete headers["keep-alive"];
  outgoing.writeHead(response.status, headers).end(response.body);
};

/** Undefined when the body is larger than any request of this platform. */
const read = async (incoming: IncomingMessage): Promise<HttpRequest | undefined> => {
  let body = "";
  incoming.setEncoding("utf8");
  for await (const chunk of incoming) {
    body += chunk;
    if (body.length > bodyLimitBytes) return undefined;
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
  const method = incoming.method === "POST" ? "POST" : "GET";
  return { method, path: incoming.url ?? "/", headers, body };
};
