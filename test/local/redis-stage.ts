import { createClient } from "@redis/client";
import type { CacheAddress, CacheEngine } from "../../local/redis/engine.ts";
import { realCaches, redisVersion } from "../../local/redis/real.ts";
import { servedCaches } from "../../local/redis/served.ts";

export type TrustedCaches = CacheEngine & { authority: string | undefined };

export interface Kind {
  name: string;
  /** Whether access without a token and tokens can be told apart while both are valid. */
  tellsTokens: boolean;
  make(): Promise<TrustedCaches>;
}

const version = await redisVersion();

/** Our own server, and a real Redis where this machine has one. */
export const kinds: Kind[] = [
  {
    name: "our own server",
    tellsTokens: true,
    make: async () => servedCaches({ now: Date.now }),
  },
  ...(version === undefined
    ? []
    : [
        {
          name: "a real Redis",
          tellsTokens: false,
          make: () => realCaches({ password: "keeper-of-this-test" }),
        },
      ]),
];

if (version === undefined) {
  process.stdout.write(
    "No redis-server on the path: only our own server is tested. Debian has it as redis-server.\n",
  );
}

/** A client that neither reconnects nor keeps its errors to itself. */
export const connect = async (
  { host, port }: CacheAddress,
  authority: string | undefined,
  token?: string,
) => {
  const client = createClient({
    ...(token === undefined ? {} : { password: token }),
    socket: {
      host,
      port,
      reconnectStrategy: false,
      ...(authority === undefined ? {} : { tls: true as const, ca: authority }),
    },
  });
  client.on("error", () => undefined);
  await client.connect();
  return client;
};
