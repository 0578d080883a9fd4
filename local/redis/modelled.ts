import type { Admission, CacheEngine } from "./engine.ts";

/** What somebody hears who comes to a modelled cache. */
export type Login = "in" | "refused" | "away";

export interface ModelledCaches extends CacheEngine {
  /** As whoever shows `token`, or none. */
  login(id: string, token: string | undefined): Login;
  /** The id of the cache at an address that `create` has given. */
  at(port: number): string | undefined;
}

/** Caches without sockets, for simulations: who may come in, and nothing inside. */
export const modelledCaches = (): ModelledCaches => {
  const caches = new Map<string, { admission: Admission; isDown: boolean; port: number }>();
  const find = (id: string) => {
    const found = caches.get(id);
    if (!found) throw new Error(`there is no cache ${id}`);
    return found;
  };
  let [accepted, refusedLogins] = [0, 0];
  return {
    create: async ({ id, admission }) => {
      const port = 6379 + caches.size;
      caches.set(id, { admission, isDown: false, port });
      return { host: "127.0.0.1", port };
    },
    admit: async (id, admission) => void (find(id).admission = admission),
    kill: async (id) => void (find(id).isDown = true),
    start: async (id) => void (find(id).isDown = false),
    vitals: async () => ({ connections: 0, usedBytes: 0, accepted, refusedLogins }),
    close: async () => caches.clear(),
    at: (port) => [...caches].find(([, cache]) => cache.port === port)?.[0],
    login: (id, token) => {
      const { admission, isDown } = find(id);
      if (isDown) return "away";
      accepted += 1;
      const { tokens, withoutToken } = admission;
      if (token === undefined ? withoutToken : tokens.includes(token)) return "in";
      refusedLogins += 1;
      return "refused";
    },
  };
};
