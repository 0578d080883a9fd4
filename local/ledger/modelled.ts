import type { HttpRequest, HttpResponse } from "../http.ts";
import { refused } from "../http.ts";
import type { LedgerDatabase, LedgerIdentity } from "./ledger.ts";
import { bookedBefore, ledger } from "./ledger.ts";
import type { Transfer } from "./transfer.ts";

/** A modelled database, as the login of one application sees it. Rejects while it is away. */
export interface ModelledDatabase {
  /** Resolves after the commit. */
  commit(user: string, key: string, value: string): Promise<void>;
  ready(): Promise<boolean>;
  /** The committed value of a key. Without it, sending a transfer twice books it twice. */
  read?(user: string, key: string): Promise<string | undefined>;
}

/** The ledger as an instance in a simulation: the same requests and answers, nothing underneath. */
export const modelledLedger = (options: {
  identity: LedgerIdentity;
  user: string;
  database: ModelledDatabase;
  newId: () => string;
}) => {
  const { identity, user, database, newId } = options;
  const answer = ledger(identity, modelledStore(user, database), newId);
  let stopped = false;
  return {
    send: (request: HttpRequest): Promise<HttpResponse> =>
      stopped ? Promise.reject(refused(identity.instanceId)) : answer(request),
    stop: (): Promise<void> => {
      stopped = true;
      return Promise.resolve();
    },
  };
};

const modelledStore = (user: string, database: ModelledDatabase): LedgerDatabase => {
  const transfer = async (id: string): Promise<Transfer | undefined> => {
    const value = await database.read?.(user, id);
    return value === undefined ? undefined : (JSON.parse(value) as Transfer);
  };
  return {
    transfer,
    book: async (wanted) => {
      const found = await transfer(wanted.id);
      if (found) return bookedBefore(found, wanted);
      await database.commit(user, wanted.id, JSON.stringify(wanted));
      return "booked";
    },
    // Balances are not modelled: no simulation asks for one.
    account: () => Promise.resolve(undefined),
    ready: () => database.ready(),
  };
};
