import { exchange } from "../http.ts";
import type { Probe } from "./route53-health.ts";

/**
 * Health checkers over real HTTP. Route 53 waits four seconds for a connection and two for the
 * answer; here the whole exchange has `timeoutMilliseconds` of this machine's time, which must not
 * shrink with the speed of modelled time: a busy laptop would look like a lost region.
 */
export const httpProbe =
  (options: {
    timeoutMilliseconds: number;
    /** All public listeners share one port; a check that names another one still goes there. */
    port?: number;
    /** Addresses of a name that a check gives instead of an address. */
    resolve: (name: string) => Promise<string[]>;
  }): Probe =>
  async (target) => {
    const [address] = isAddress(target.host) ? [target.host] : await options.resolve(target.host);
    if (address === undefined) throw new Error("DNS resolution failed");
    return exchange(
      {
        host: address,
        port: options.port ?? target.port,
        timeoutMilliseconds: options.timeoutMilliseconds,
      },
      {
        method: "GET",
        path: target.path,
        headers: {
          host: target.hostHeader,
          "user-agent": "Amazon-Route53-Health-Check-Service",
          connection: "close",
        },
      },
    );
  };

const isAddress = (host: string) => /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
