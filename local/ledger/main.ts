import { randomBytes, randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { bodyLimitBytes } from "../http.ts";
import { redisCache } from "./cache.ts";
import { postgresLedger } from "./database.ts";
import { postgresHolders } from "./holders.ts";
import { ledger } from "./ledger.ts";
import { sealingKeys } from "./sealing.ts";

/** What the platform gives every instance; the ledger starts with nothing else. */
const required = [
  "SECRET_KEY",
  "ENCRYPTION_KEY",
  "DATABASE_URL",
  "REDIS_URL",
  "CLOUD_PROVIDER",
  "REGION",
  "PORT",
];

const missing = required.filter((name) => !process.env[name]);
if (missing.length > 0) {
  process.stderr.write(`not set: ${missing.join(", ")}\n`);
  process.exit(2);
}

const {
  ENCRYPTION_KEY = "",
  ENCRYPTION_KEY_FALLBACKS,
  DATABASE_URL = "",
  REDIS_URL = "",
  REGION = "",
  INSTANCE_ID = "local",
  PORT,
  HOST,
} = process.env;

let connectionsLost = 0;
const database = postgresLedger(DATABASE_URL, () => {
  connectionsLost += 1;
});
const keys = sealingKeys(randomBytes, ENCRYPTION_KEY, ENCRYPTION_KEY_FALLBACKS);
const holders = keys && postgresHolders(DATABASE_URL, keys);
const answer = ledger(
  { region: REGION, instanceId: INSTANCE_ID },
  database,
  randomUUID,
  redisCache(REDIS_URL),
  holders,
);

let isSealing = false;

/**
 * Asks after a request whether older rows may be sealed again: health checks come all the time. Without an
 * older key there is no row that another one has sealed.
 */
const sealAgain = async (): Promise<void> => {
  if (isSealing || !holders || !ENCRYPTION_KEY_FALLBACKS) return;
  isSealing = true;
  // A database that is away, or that is not ready for it, is asked again.
  await holders.sealAgain().catch(() => 0);
  isSealing = false;
};

const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
  let body = "";
  incoming.setEncoding("utf8");
  for await (const chunk of incoming) {
    body += chunk;
    if (body.length > bodyLimitBytes) {
      outgoing.writeHead(413, { connection: "close" }).end();
      return;
    }
  }
  const method = incoming.method === "POST" ? "POST" : "GET";
  const response = await answer({ method, path: incoming.url ?? "/", body });
  outgoing.writeHead(response.status, {
    ...response.headers,
    "x-connections-lost": String(connectionsLost),
  });
  outgoing.end(response.body);
  await sealAgain();
};

const server = createServer((incoming, outgoing) => {
  // A client that goes away in the middle of its request must not end the process.
  handle(incoming, outgoing).catch(() => outgoing.destroy());
});

server.listen(Number(PORT), HOST ?? "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : Number(PORT);
  process.stdout.write(`${JSON.stringify({ listening: port })}\n`);
});

// Whoever started this process holds the other end: when that process dies, so does this one.
if (process.env.EXIT_WITH_STDIN === "1") {
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
  process.stdin.resume();
}
