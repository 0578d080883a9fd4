import { Readable } from "node:stream";
import type { Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";
import type { Answered, Endpoint, Question } from "./endpoint.ts";
import { bodyBytes, plainBytes, type WireRequest, type WireResponse } from "./wire.ts";

export interface InProcessOptions {
  /** How long a call takes on modelled time at the least, drawn anew for each. None when absent. */
  latencyMilliseconds?: () => number;
  /** Silence after which a call fails, where the client does not say. 5000 when absent. */
  requestTimeoutMilliseconds?: number;
  /** Aborted when the caller is killed: from then on nothing it does reaches the endpoint. */
  signal?: AbortSignal;
  /** Tells the observer of the endpoint who called, as X-Ray's header does in Lambda. */
  trace?: string;
}

/** What the SDK hands to a request handler. */
interface SdkRequest {
  method: string;
  hostname?: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

interface SdkResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: unknown;
}

/** Accepted as `requestHandler` by every client of the SDK, version 3. */
export interface InProcessHandler {
  handle(
    request: SdkRequest,
    options?: { requestTimeout?: number; abortSignal?: unknown },
  ): Promise<{ response: SdkResponse }>;
  /** The same way without a wire; undefined when the endpoint does not have the operation. */
  ask(question: Omit<Question, "trace">): Promise<Answered | undefined>;
  /** The same way to the same endpoint with another bound. */
  bounded(requestTimeoutMilliseconds: number): InProcessHandler;
  destroy(): void;
  metadata: { handlerProtocol: string };
  updateHttpClientConfig(key: string, value: unknown): void;
  httpHandlerConfigs(): Record<string, unknown>;
}

/** Carries calls of SDK clients to the endpoint without sockets, in modelled time. */
export const inProcess = (
  endpoint: Endpoint,
  from: Place,
  timeline: Timeline,
  options: InProcessOptions = {},
): InProcessHandler => {
  const { signal, trace, latencyMilliseconds } = options;
  let bound = options.requestTimeoutMilliseconds ?? 5000;
  /** There and back within the bound, unless the caller is killed: then nothing comes back. */
  const carried = <Sent>(
    send: () => Promise<Sent>,
    {
      requestTimeout = bound,
      abortSignal,
    }: { requestTimeout?: number; abortSignal?: unknown } = {},
  ) =>
    new Promise<Sent>((resolve, reject) => {
      if (signal?.aborted) return;
      const abort = abortSignal as AbortSignal | undefined;
      if (abort?.aborted) return reject(abortError());
      const expired = timeline.after(requestTimeout, () => {
        if (!signal?.aborted) reject(timeoutError(requestTimeout));
      });
      abort?.addEventListener("abort", () => reject(abortError()), { once: true });
      const settle = (act: () => void) => {
        expired.cancel();
        if (!signal?.aborted) act();
      };
      const travel = async () => {
        if (latencyMilliseconds) await timeline.sleep(latencyMilliseconds());
        // Killed on the way: the request is not sent.
        if (signal?.aborted) return;
        const sent = await send();
        settle(() => resolve(sent));
      };
      travel().catch((error: unknown) => settle(() => reject(error)));
    });
  return {
    metadata: { handlerProtocol: "in process" },
    destroy: () => undefined,
    bounded: (requestTimeoutMilliseconds) =>
      inProcess(endpoint, from, timeline, { ...options, requestTimeoutMilliseconds }),
    updateHttpClientConfig: (key, value) => {
      if (key === "requestTimeout" && typeof value === "number") bound = value;
    },
    httpHandlerConfigs: () => ({ requestTimeout: bound }),
    ask: (question) => carried(() => endpoint.ask({ ...question, trace }, from)),
    handle: async (request, sent) => {
      const wire = await wireRequest(request, trace);
      const answer = await carried(() => endpoint.handle(wire, from), sent);
      return { response: sdkResponse(wire, answer) };
    },
  };
};

const ignore = (): void => undefined;

/**
 * Client options for calls in process. They save half of the time of a call, and keep the SDK from
 * reading configuration files, which virtual time cannot wait for:
 * - a signer that names caller and scope and computes no signature, since the local AWS checks none;
 * - every option that the SDK otherwise looks up in files and environment.
 */
export const frugal = {
  httpAuthSchemes: [
    {
      schemeId: "aws.auth#sigv4",
      identityProvider: (providers: { getIdentityProvider(scheme: string): unknown }) =>
        providers.getIdentityProvider("aws.auth#sigv4"),
      signer: { sign: nameScope },
    },
  ] as never,
  authSchemePreference: [] as string[],
  defaultsMode: "standard" as const,
  useDualstackEndpoint: false,
  useFipsEndpoint: false,
  userAgentAppId: "",
  ignoreConfiguredEndpointUrls: true,
  // The SDK's own silent logger has every input and answer prepared for it; this one has nothing.
  logger: { debug: ignore, warn: ignore } as never,
  defaultUserAgentProvider: async (): Promise<[string, string][]> => [["nightshift-local", "1"]],
};

interface SigningProperties {
  name?: string;
  region?: string;
  signingName?: string;
  signingRegion?: string;
  context?: { signing_service?: string; signing_region?: string };
}

async function nameScope(
  request: SdkRequest,
  identity: { accessKeyId: string },
  properties: SigningProperties,
): Promise<SdkRequest> {
  const { context = {} } = properties;
  const region = context.signing_region ?? properties.signingRegion ?? properties.region;
  const service = context.signing_service ?? properties.signingName ?? properties.name;
  const scope = `${identity.accessKeyId}/20000101/${region}/${service}/aws4_request`;
  request.headers.authorization = `AWS4-HMAC-SHA256 Credential=${scope}`;
  return request;
}

const wireRequest = async (request: SdkRequest, trace?: string): Promise<WireRequest> => {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(request.headers)) {
    headers[name.toLowerCase()] = request.headers[name] ?? "";
  }
  headers.host ??= request.hostname ?? "";
  if (trace !== undefined) headers["x-amzn-trace-id"] = trace;
  const { method, path, query = {}, body } = request;
  if (typeof body === "string") return { method, path, query, headers, body };
  const bytes = body instanceof Uint8Array ? plainBytes(body) : await collected(body);
  return { method, path, query, headers, body: bytes };
};

const collected = async (body: unknown): Promise<Uint8Array> => {
  if (body === undefined || body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  for await (const part of body as AsyncIterable<Uint8Array | string>) parts.push(bodyBytes(part));
  return Buffer.concat(parts);
};

/** Only S3 clients look at the body as a stream; for all others bytes are a good deal cheaper. */
const sdkResponse = (request: WireRequest, { status, headers, body }: WireResponse) => {
  const own = plainBytes(bodyBytes(body));
  const streamed = /\/s3(?:express)?\/aws4/.test(request.headers.authorization ?? "");
  return { statusCode: status, headers, body: streamed ? Readable.from([own]) : own };
};

const timeoutError = (milliseconds: number): Error =>
  Object.assign(new Error(`no answer within ${milliseconds} ms`), { name: "TimeoutError" });

const abortError = (): Error => Object.assign(new Error("Request aborted"), { name: "AbortError" });
