import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Surroundings } from "../aws/service.ts";
import type { FunctionDefinition } from "./host.ts";

/** One HTTP request as the function URL receives it. Header names in lower case. */
export interface UrlRequest {
  method: string;
  /** Path with its query string, as on the request line. */
  target: string;
  headers: Record<string, string>;
  body: Uint8Array;
  sourceIp?: string;
}

export interface UrlAnswer {
  status: number;
  headers: Record<string, string>;
  /** Each becomes a `set-cookie` header. */
  cookies: string[];
  body: Uint8Array;
}

/** The public door of one function. In a simulation it is called directly. */
export interface FunctionUrl {
  readonly definition: FunctionDefinition;
  /** Never settles while the region is dead. */
  request(request: UrlRequest): Promise<UrlAnswer>;
}

type Invoke = (payload: string) => Promise<{ payload: string; failed: boolean }>;

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB each way. */
const bodyBytes = 6 * (1 << 20);

export const functionUrl = (
  definition: FunctionDefinition,
  { timeline, random, account }: Pick<Surroundings, "timeline" | "random" | "account">,
  invoke: Invoke,
): FunctionUrl => {
  if (!definition.url) throw new Error(`${definition.name} has no function URL`);
  const id = random.id();
  return {
    definition,
    request: async (request) => {
      if (request.body.length > bodyBytes) return plain(413, "Request Entity Too Large");
      const event = urlEvent(request, {
        id,
        domain: `${id}.lambda-url.${definition.region}.on.aws`,
        requestId: random.id(),
        account,
        now: timeline.now(),
      });
      const answer = await invoke(JSON.stringify(event)).catch((error: unknown) => {
        if (error instanceof Error && error.name === "TooManyRequestsException") return undefined;
        throw error;
      });
      if (answer === undefined) return plain(429, "Too Many Requests");
      return answer.failed ? plain(502, "Internal Server Error") : urlAnswer(answer.payload);
    },
  };
};

/**
 * Payload format 2.0. Bodies that are not text or JSON arrive in base64; so do forms, and Slack
 * sends forms. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export const urlEvent = (
  request: UrlRequest,
  about: { id: string; domain: string; requestId: string; account: string; now: number },
) => {
  const [rawPath = "/", rawQueryString = ""] = splitTarget(request.target);
  const { cookie, ...headers } = request.headers;
  const text = /^(text\/|application\/(json|xml|javascript))/.test(headers["content-type"] ?? "");
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split("; ") }),
    headers: { ...headers, host: about.domain },
    ...(parameters.size > 0 && { queryStringParameters: Object.fromEntries(parameters) }),
    requestContext: {
      accountId: "anonymous",
      apiId: about.id,
      domainName: about.domain,
      domainPrefix: about.id,
      http: {
        method: request.method,
        path: rawPath,
        protocol: "HTTP/1.1",
        sourceIp: request.sourceIp ?? "127.0.0.1",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId: about.requestId,
      routeKey: "$default",
      stage: "$default",
      time: new Date(about.now).toISOString(),
      timeEpoch: Math.floor(about.now),
    },
    ...(request.body.length > 0 && {
      body: Buffer.from(request.body).toString(text ? "utf8" : "base64"),
    }),
    isBase64Encoded: request.body.length > 0 && !text,
  };
};

const splitTarget = (target: string): [string, string] => {
  const at = target.indexOf("?");
  return at === -1 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
};

const plain = (status: number, message: string): UrlAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  cookies: [],
  body: Buffer.from(JSON.stringify({ message })),
});

/** A result without `statusCode` is itself the body of a 200. */
const urlAnswer = (payload: string): UrlAnswer => {
  const value: unknown = JSON.parse(payload);
  if (typeof value !== "object" || value === null || !("statusCode" in value)) {
    const body = Buffer.from(typeof value === "string" ? value : payload);
    return { status: 200, headers: { "content-type": "application/json" }, cookies: [], body };
  }
  const result = value as {
    statusCode: number;
    headers?: Record<string, string | number | boolean>;
    cookies?: string[];
    body?: string;
    isBase64Encoded?: boolean;
  };
  const headers: Record<string, string> = { "content-type": "application/json" };
  for (const [name, each] of Object.entries(result.headers ?? {})) {
    headers[name.toLowerCase()] = String(each);
  }
  return {
    status: Number(result.statusCode),
    headers,
    cookies: result.cookies ?? [],
    body: Buffer.from(result.body ?? "", result.isBase64Encoded ? "base64" : "utf8"),
  };
};

/**
 * Opens the door on a free port of the loopback interface. A request that never settles leaves
 * its connection hanging, as a dead region does; `close` destroys what is open.
 */
export const listenForUrl = async (
  door: FunctionUrl,
  onBug: (error: unknown) => void,
): Promise<{ url: string; close(): Promise<void> }> => {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    serve(door, incoming, outgoing).catch((error: unknown) => {
      onBug(error);
      outgoing.destroy();
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

const serve = async (
  door: FunctionUrl,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> => {
  const body = await read(incoming);
  if (body === undefined) return;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined) continue;
    headers[name] = Array.isArray(value) ? value.join(",") : value;
  }
  const answer = await door.request({
    method: incoming.method ?? "GET",
    target: incoming.url ?? "/",
    headers,
    body,
    sourceIp: incoming.socket.remoteAddress ?? "127.0.0.1",
  });
  outgoing.writeHead(answer.status, {
    ...answer.headers,
    ...(answer.cookies.length > 0 && { "set-cookie": answer.cookies }),
  });
  outgoing.end(answer.body);
};

/** One byte more than allowed is enough to be refused. Undefined: the client went away. */
const read = (incoming: IncomingMessage): Promise<Uint8Array | undefined> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on("data", (chunk: Buffer) => {
      if (length <= bodyBytes) chunks.push(chunk);
      length += chunk.length;
    });
    incoming.on("end", () => resolve(Buffer.concat(chunks)));
    incoming.on("error", () => resolve(undefined));
    incoming.on("close", () => resolve(undefined));
  });
