import type { HttpRequest, HttpResponse } from "../http.ts";
import type { LedgerCache } from "./cache.ts";
import type { Holders } from "./holders.ts";
import type { Transfer } from "./transfer.ts";
import { parseTransfer, sameTransfer } from "./transfer.ts";

/**
 * - `conflict`: another transfer has this id.
 * - `away`: no answer, read-only, or a login that is refused. Never acknowledged.
 */
export type Booked = "booked" | "conflict" | "unknown-account" | "away";

/** The database as the ledger sees it. Rejections count as `away`. */
export interface LedgerDatabase {
  /** Resolves with `booked` only after the commit, also when it had been booked before. */
  book(transfer: Transfer): Promise<Booked>;
  transfer(id: string): Promise<Transfer | undefined>;
  account(id: string): Promise<Record<string, unknown> | undefined>;
  /** Whether reading works; it does on a replica. */
  ready(): Promise<boolean>;
}

export interface LedgerIdentity {
  region: string;
  instanceId: string;
}

const reply = (status: number, value: unknown): Omit<HttpResponse, "headers"> => ({
  status,
  body: JSON.stringify(value),
});

const unavailable = reply(503, { error: "the database does not take writes at the moment" });

/**
 * The application of the platform as far as it matters here: a double-entry ledger with health
 * endpoints. It knows nothing of failovers.
 */
export const ledger = (
  identity: LedgerIdentity,
  database: LedgerDatabase,
  newId: () => string,
  cache?: LedgerCache,
  holders?: Holders,
): ((request: HttpRequest) => Promise<HttpResponse>) => {
  const headers = {
    "content-type": "application/json",
    "x-served-by": `${identity.region}/${identity.instanceId}`,
  };
  return async (request) => ({
    ...(await route(request, { identity, database, newId, cache, holders })),
    headers,
  });
};

interface Parts {
  identity: LedgerIdentity;
  database: LedgerDatabase;
  newId: () => string;
  cache: LedgerCache | undefined;
  holders: Holders | undefined;
}

const route = async (
  request: HttpRequest,
  parts: Parts,
): Promise<Omit<HttpResponse, "headers">> => {
  const { database } = parts;
  const path = request.path.split("?", 1)[0] ?? "/";
  const [, kind = "", id] = path.split("/");
  if (path === "/health/live") return reply(200, { status: "ok" });
  if (path === "/health" || path === "/health/ready") return health(parts);
  if (kind === "transfers" && request.method === "POST" && id === undefined) {
    return post(request.body ?? "", parts);
  }
  if (kind === "transfers" && request.method === "GET" && id) return show(database.transfer(id));
  if (kind === "accounts" && request.method === "GET" && id) return show(account(id, parts));
  if (kind === "holders" && id && parts.holders) return holder(id, request, parts.holders);
  return reply(404, { error: "not found" });
};

/** A lost cache is told of and makes nobody unhealthy: nothing here depends on it. */
const health = async ({ identity, database, cache }: Parts) => {
  const ready = await database.ready().catch(() => false);
  return reply(ready ? 200 : 503, {
    status: ready ? "ok" : "unavailable",
    database: ready ? "reachable" : "away",
    ...(cache ? { cache: cache.isReachable() ? "reachable" : "away" } : {}),
    region: identity.region,
  });
};

const show = async (found: Promise<object | undefined>) => {
  try {
    const value = await found;
    return value ? reply(200, value) : reply(404, { error: "not found" });
  } catch {
    // Whatever went wrong between here and the database: it could not be read.
    return reply(503, { error: "the database does not answer at the moment" });
  }
};

/** Names are short. */
const nameLength = 200;

const holder = async (id: string, { method, body = "" }: HttpRequest, holders: Holders) => {
  if (method === "GET") {
    return show(holders.name(id).then((name) => (name === undefined ? undefined : { name })));
  }
  if (body === "" || body.length > nameLength) return reply(422, { error: "no name" });
  const kept = await holders.keep(id, body).catch(() => "away");
  if (kept === "away") return unavailable;
  return kept === "kept" ? reply(201, { id }) : reply(422, { error: "no such account" });
};

const account = async (id: string, { database, cache }: Parts): Promise<object | undefined> => {
  // Nothing, or nothing in time: the database knows.
  const kept = await cache?.balance(id).catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as object;
  const found = await database.account(id);
  if (found) cache?.keep(id, JSON.stringify(found));
  return found;
};

const post = async (body: string, { database, newId, cache }: Parts) => {
  const transfer = parseTransfer(body, newId);
  if (typeof transfer === "string") return reply(422, { error: transfer });
  const booked = await database.book(transfer).catch((): Booked => "away");
  if (booked === "unknown-account") return reply(422, { error: "no such account" });
  if (booked === "conflict") return reply(409, { error: "another transfer has this id" });
  if (booked === "away") return unavailable;
  cache?.forget([transfer.from, transfer.to]);
  return reply(201, { id: transfer.id });
};

/** A transfer whose id exists is the same one sent again, or another one. */
export const bookedBefore = (found: Transfer | undefined, transfer: Transfer): Booked =>
  found && sameTransfer(found, transfer) ? "booked" : "conflict";
