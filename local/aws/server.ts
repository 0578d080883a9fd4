import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Place } from "../network.ts";
import type { Endpoint } from "./endpoint.ts";
import { bodyBytes, type WireRequest, type WireResponse } from "./wire.ts";

export interface Listener {
  /** For AWS_ENDPOINT_URL. An address, not a name: S3 clients would put the bucket before a name. */
  url: string;
  /** Also ends the connections that a silent endpoint left hanging. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /**
   * Told when the endpoint itself failed; the caller gets a 500. Without it the error is thrown
   * where nobody catches it and ends the process.
   */
  onError?(error: unknown): void;
  /** More than any operation in use takes; S3 accepts far larger objects in one request. */
  maximumBodyBytes?: number;
}

/**
 * Serves the endpoint over HTTP on a free port of the loopback interface, for callers who stand at
 * `from`: one listener for each place, since a request does not say where it comes from.
 */
export const listen = async (
  endpoint: Endpoint,
  from: Place,
  options: ListenOptions = {},
): Promise<Listener> => {
  const { maximumBodyBytes = 64 * 1024 * 1024 } = options;
  const onError =
    options.onError ??
    ((error) =>
      queueMicrotask(() => {
        throw error;
      }));
  const server = createServer((incoming, outgoing) => {
    exchange(endpoint, from, maximumBodyBytes, incoming, outgoing).catch((error: unknown) => {
      // A caller that hung up or was killed while it sent is no failure of the endpoint.
      if (incoming.destroyed && !incoming.complete) return;
      respond(outgoing, { status: 500, headers: {}, body: `InternalFailure: ${String(error)}` });
      onError(error);
    });
  });
  // Silence is decided by the callers' own timeouts, never by the server's.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  // Nor may an idle connection end just when a caller uses it again.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const exchange = async (
  endpoint: Endpoint,
  from: Place,
  maximumBodyBytes: number,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> => {
  // The SDK sets its clock by the Date of an answer, and the machine's is not modelled time.
  outgoing.sendDate = false;
  const body = await read(incoming, maximumBodyBytes);
  if (!body) return respond(outgoing, { status: 413, headers: {}, body: "" });
  const answer = await endpoint.handle(wireRequest(incoming, body), from);
  respond(outgoing, answer);
};

/** Undefined for a body that is too large. */
const read = async (incoming: IncomingMessage, maximum: number): Promise<Buffer | undefined> => {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maximum) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts, length);
};

const wireRequest = (incoming: IncomingMessage, body: Buffer): WireRequest => {
  const target = incoming.url ?? "/";
  const mark = target.indexOf("?");
  const query: WireRequest["query"] = {};
  for (const [key, value] of new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1))) {
    const known = query[key];
    if (known === undefined || known === null) query[key] = value;
    else query[key] = Array.isArray(known) ? [...known, value] : [known, value];
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : (value ?? "");
  }
  const path = mark < 0 ? target : target.slice(0, mark);
  return { method: incoming.method ?? "POST", path, query, headers, body };
};

const respond = (outgoing: ServerResponse, { status, headers, body }: WireResponse): void => {
  if (outgoing.destroyed || outgoing.headersSent) return;
  const bytes = bodyBytes(body);
  const lengthKnown: OutgoingHttpHeaders = { ...headers, "content-length": bytes.byteLength };
  outgoing.writeHead(status, lengthKnown);
  outgoing.end(bytes);
};
