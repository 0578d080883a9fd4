import { authority } from "./certificate.ts";
import type { CacheEngine } from "./engine.ts";
import { type CacheServer, cacheServer } from "./server.ts";

export interface ServedCaches extends CacheEngine {
  /** PEM of the authority that clients have to trust, where caches do not speak plainly. */
  authority: string;
}

/** Caches on sockets of this process, with TLS as ElastiCache has with encryption in transit. */
export const servedCaches = (options: { now(): number; plain?: boolean }): ServedCaches => {
  const trusted = authority();
  const servers = new Map<string, CacheServer>();
  const find = (id: string): CacheServer => {
    const found = servers.get(id);
    if (!found) throw new Error(`there is no cache ${id}`);
    return found;
  };
  return {
    authority: trusted.certificate,
    create: async ({ id, admission }) => {
      if (servers.has(id)) throw new Error(`there is a cache ${id} already`);
      const certified = options.plain ? undefined : trusted.issue(["127.0.0.1", "localhost"]);
      const { now } = options;
      const made = await cacheServer({ now, admission, ...(certified ? { certified } : {}) });
      servers.set(id, made);
      return made.address;
    },
    admit: async (id, admission, endsSessions) => find(id).admit(admission, endsSessions),
    kill: async (id) => find(id).silence(),
    start: async (id) => find(id).open(),
    vitals: async (id) => find(id).vitals(),
    close: async () => {
      const all = [...servers.values()];
      servers.clear();
      await Promise.all(all.map((server) => server.close()));
    },
  };
};
