import { Resolver } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { systemClock } from "./clock.ts";

/** The network as users have it: names and HTTP. Only what canary and verification need. */
export interface Web {
  /**
   * The addresses that `name` has for the resolver `server` (`address:port`), not cached by us.
   * Empty when the name exists without an address. Throws when the resolver gives no answer.
   */
  resolve(name: string, server: string): Promise<string[]>;
  /** Throws when no answer came within the time; any status is an answer. */
  request(request: WebRequest): Promise<WebAnswer>;
}

export interface WebRequest {
  url: string;
  method?: "GET" | "POST";
  body?: string;
  /** Connect there instead of resolving the host of the URL; the Host header stays. */
  address?: string;
  timeoutSeconds: number;
}

export interface WebAnswer {
  status: number;
  headers: Record<string, string>;
  /** At most 64 KiB of it. */
  body: string;
}

const bodyLimitBytes = 64 * 1024;

export const systemWeb: Web = {
  resolve: async (name, server) => {
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    resolver.setServers([server]);
    try {
      return await resolver.resolve4(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENODATA") return [];
      throw error;
    } finally {
      resolver.cancel();
    }
  },
  request: async (request) => {
    const late = new AbortController();
    const answered = new AbortController();
    // By the clock and not by AbortSignal.timeout, whose timer no test can own.
    systemClock.sleep(request.timeoutSeconds * 1000, answered.signal).then(
      () => late.abort(new Error(`no answer within ${request.timeoutSeconds} s`)),
      () => undefined,
    );
    return exchange(request, late.signal).finally(() => answered.abort());
  },
};

const exchange = (request: WebRequest, signal: AbortSignal): Promise<WebAnswer> =>
  new Promise((resolve, reject) => {
    const url = new URL(request.url);
    const transport = url.protocol === "https:" ? https : http;
    const outgoing = transport.request(url, {
      method: request.method ?? "GET",
      agent: false,
      signal,
      headers: { "content-type": "application/json", connection: "close" },
      ...(request.address ? { lookup: always(request.address) } : {}),
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      let body = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (text: string) => {
        if (body.length < bodyLimitBytes) body += text;
      });
      incoming.on("error", reject);
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(incoming.headers).map(([key, value]) => [key, String(value)]),
          ),
          body,
        }),
      );
    });
    outgoing.end(request.body);
  });

const always =
  (address: string): LookupFunction =>
  (_name, options, done) =>
    options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4);
