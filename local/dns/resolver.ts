import { createSocket } from "node:dgram";
import * as dns from "dns-packet";
import { timedOut } from "../http.ts";

/** The addresses of a name, and how long they may be kept. No addresses: there are none. */
export interface Resolution {
  addresses: string[];
  ttlSeconds: number;
}

export type Ask = (name: string) => Promise<Resolution>;

/** How long a name without addresses is remembered at most, whatever its zone says. */
const negativeLimitSeconds = 60;

/**
 * The cache that every user sits behind: it is why a changed record takes its time to live to show.
 * Keeps to modelled time. A failed question is not remembered.
 */
export const cachingResolver = (ports: { ask: Ask; now: () => number }) => {
  const kept = new Map<string, { addresses: string[]; until: number }>();
  const asked = new Map<string, Promise<string[]>>();
  const refresh = async (name: string): Promise<string[]> => {
    const { addresses, ttlSeconds } = await ports.ask(name);
    const keepSeconds =
      addresses.length > 0 ? ttlSeconds : Math.min(ttlSeconds, negativeLimitSeconds);
    kept.set(name, { addresses, until: ports.now() + keepSeconds * 1000 });
    return addresses;
  };
  const askOnce = (name: string): Promise<string[]> => {
    const pending = refresh(name);
    const forget = () => void asked.delete(name);
    asked.set(name, pending);
    pending.then(forget, forget);
    return pending;
  };
  return {
    /** From the cache while it is fresh. Many callers at once cause one question. */
    resolve: async (name: string): Promise<string[]> => {
      const entry = kept.get(name);
      if (entry && ports.now() < entry.until) return entry.addresses;
      return asked.get(name) ?? askOnce(name);
    },
  };
};

export type CachingResolver = ReturnType<typeof cachingResolver>;

/** Takes the addresses of an answer that was computed in this process. */
export const askInProcess =
  (
    answer: (
      name: string,
      type: string,
    ) => { records: { type: string; value: string }[]; ttlSeconds: number },
  ): Ask =>
  (name) => {
    const { records, ttlSeconds } = answer(name, "A");
    const addresses = records.filter(({ type }) => type === "A").map(({ value }) => value);
    return Promise.resolve({ addresses, ttlSeconds });
  };

/** Asks a name server over UDP; of this machine's time, `attempts` times `timeoutMilliseconds`. */
export const askServer =
  (server: { host: string; port: number; timeoutMilliseconds?: number; attempts?: number }): Ask =>
  async (name) => {
    const { attempts = 2, timeoutMilliseconds = 1000 } = server;
    for (let attempt = 1; ; attempt += 1) {
      const reply = await question(server, name, timeoutMilliseconds);
      if (reply) return resolutionOf(reply, name);
      if (attempt >= attempts) throw timedOut(`a DNS question for ${name}`);
    }
  };

let lastId = 0;

/** Undefined when nobody answered in time. */
const question = (
  server: { host: string; port: number },
  name: string,
  timeoutMilliseconds: number,
): Promise<dns.DecodedPacket | undefined> =>
  new Promise((resolve, reject) => {
    lastId = (lastId + 1) % 65536;
    const id = lastId;
    const socket = createSocket("udp4");
    const signal = AbortSignal.timeout(timeoutMilliseconds);
    let open = true;
    const finish = (settle: () => void) => {
      if (!open) return;
      open = false;
      signal.removeEventListener("abort", expire);
      socket.close();
      settle();
    };
    const expire = () => finish(() => resolve(undefined));
    signal.addEventListener("abort", expire, { once: true });
    socket.on("error", (error) => finish(() => reject(error)));
    socket.on("message", (message) => {
      // A late answer to an earlier question may arrive at a port that was used again.
      if (message.length < 12 || message.readUInt16BE(0) !== id) return;
      finish(() => resolve(dns.decode(message)));
    });
    const query = dns.encode({ type: "query", id, questions: [{ type: "A", name }] });
    socket.send(query, server.port, server.host);
  });

const resolutionOf = (reply: dns.DecodedPacket, name: string): Resolution => {
  const code = (reply.flags ?? 0) & 0x0f;
  if (code !== 0 && code !== 3) throw new Error(`the name server answered ${name} with ${code}`);
  const addresses: string[] = [];
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (const record of reply.answers ?? []) {
    if (record.type !== "A" && record.type !== "CNAME") continue;
    ttlSeconds = Math.min(ttlSeconds, record.ttl ?? 0);
    if (record.type === "A") addresses.push(record.data);
  }
  return { addresses, ttlSeconds: Number.isFinite(ttlSeconds) ? ttlSeconds : negativeLimitSeconds };
};
