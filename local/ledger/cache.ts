import { createClient } from "@redis/client";

/**
 * What the ledger keeps beside its database: balances, for a while. Never the source of anything: each
 * answer can be had without it, and none waits for it longer than a moment.
 */
export interface LedgerCache {
  balance(account: string): Promise<string | undefined>;
  keep(account: string, balance: string): void;
  /** Its balance has changed. */
  forget(accounts: string[]): void;
  /** As it was when last heard of; nobody waits for an answer. */
  isReachable(): boolean;
  close(): void;
}

/** Of the cache's time. Bounds how long a balance is wrong when a change of it could not be told. */
const keptSeconds = 5;
/** Of this machine's time. */
const answerMilliseconds = 100;
const connectMilliseconds = 1000;
const pingMilliseconds = 2000;
const longestPauseMilliseconds = 2000;

/** The client bounds how long a command waits to be sent, and not how long its answer takes. */
const inTime = <Answer>(sent: Promise<Answer>): Promise<Answer | undefined> =>
  new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(answerMilliseconds);
    limit.addEventListener("abort", () => resolve(undefined), { once: true });
    sent.then(resolve, reject);
  });

/**
 * Redis at `url`, with the token that it names. A server that is away, or does not take the token any more,
 * is tried again for ever; commands meanwhile fail at once.
 */
export const redisCache = (url: string): LedgerCache => {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: pingMilliseconds,
    socket: {
      connectTimeout: connectMilliseconds,
      // A server that went silent, as in a region without power, never closes a connection.
      socketTimeout: 2 * pingMilliseconds,
      reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, longestPauseMilliseconds),
    },
  });
  let isThere = false;
  client.on("ready", () => {
    isThere = true;
  });
  // The client goes on by itself; without a listener the loss of the server would end the process.
  client.on("error", () => {
    isThere = false;
  });
  client.connect().catch(() => {
    isThere = false;
  });
  const name = (account: string) => `balance:${account}`;
  const attempt = (sent: Promise<unknown>): void => {
    // What could not be kept or forgotten is over by itself after `keptSeconds`.
    sent.catch(() => {
      isThere = client.isReady;
    });
  };
  return {
    balance: async (account) => (await inTime(client.get(name(account)))) ?? undefined,
    keep: (account, balance) =>
      attempt(
        client.set(name(account), balance, { expiration: { type: "EX", value: keptSeconds } }),
      ),
    forget: (accounts) => attempt(client.del(accounts.map(name))),
    isReachable: () => isThere && client.isReady,
    close: () => client.destroy(),
  };
};
