import { Agent, request as open } from "node:http";

/** An HTTP request as far as an application behind a load balancer is concerned. */
export interface HttpRequest {
  method: "GET" | "POST";
  /** With the query, if any. */
  path: string;
  /** Lower-case names. */
  headers?: Record<string, string>;
  body?: string;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: string;
}

/** Rejects when no response came, with `code` `ETIMEDOUT` when it took too long. Always settles. */
export type Send = (request: HttpRequest) => Promise<HttpResponse>;

export interface Destination {
  host: string;
  port: number;
  /** Of this machine's time, not modelled; for the whole exchange. */
  timeoutMilliseconds: number;
  /** Keeps connections open between requests; without it every request has its own. */
  agent?: Agent;
}

export const bodyLimitBytes = 64 * 1024;

/** The error of a request that nobody answered. */
export const timedOut = (what: string): Error =>
  Object.assign(new Error(`${what} timed out`), { code: "ETIMEDOUT" });

export const refused = (what: string): Error =>
  Object.assign(new Error(`${what} refused the connection`), { code: "ECONNREFUSED" });

/** Few connections, kept for reuse: many short ones use up the loopback's ports in a long drill. */
export const keptConnections = (): Agent => new Agent({ keepAlive: true, maxSockets: 32 });

/** One real HTTP request. At most 64 KiB of the answer are kept. */
export const exchange = (to: Destination, request: HttpRequest): Promise<HttpResponse> =>
  new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(to.timeoutMilliseconds);
    const fail = (error: Error) =>
      reject(signal.aborted ? timedOut(`${request.method} ${to.host}:${to.port}`) : error);
    const body = request.body ?? "";
    const outgoing = open({
      host: to.host,
      port: to.port,
      method: request.method,
      path: request.path,
      agent: to.agent ?? false,
      signal,
      headers: { ...request.headers, "content-length": Buffer.byteLength(body) },
    });
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        if (text.length < bodyLimitBytes) text += chunk;
      });
      incoming.on("error", fail);
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
          ),
          body: text,
        }),
      );
    });
    outgoing.end(body);
  });
