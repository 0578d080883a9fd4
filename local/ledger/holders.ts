import pg from "pg";
import { keepHolder, nextBatch, olderHolders, readHolder, sealHolder } from "./schema.ts";
import type { SealingKeys } from "./sealing.ts";

/** Who an account belongs to: what the ledger keeps sealed. */
export interface Holders {
  name(account: string): Promise<string | undefined>;
  keep(account: string, name: string): Promise<"kept" | "unknown-account">;
  /**
   * Seals some rows again that an older key has sealed, as many as the platform permits at the moment. Gives
   * how many; killed in the middle it has changed none.
   */
  sealAgain(): Promise<number>;
  close(): Promise<void>;
}

const connectMilliseconds = 1000;
const statementMilliseconds = 1500;
const idleMilliseconds = 10_000;
const foreignKey = "23503";

/** One session of its own, and none while nobody asks. */
export const postgresHolders = (connectionString: string, keys: SealingKeys): Holders => {
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    connectionTimeoutMillis: connectMilliseconds,
    statement_timeout: statementMilliseconds,
    query_timeout: statementMilliseconds + 500,
    idleTimeoutMillis: idleMilliseconds,
    application_name: "ledger",
  });
  // Without a listener the loss of an idle connection would end the process.
  pool.on("error", () => undefined);
  return {
    name: async (account) => {
      const { rows } = await pool.query<{ name: string }>(readHolder, [account]);
      return rows[0] && keys.open(rows[0].name);
    },
    keep: async (account, name) => {
      try {
        await pool.query(keepHolder, [account, keys.seal(name)]);
        return "kept";
      } catch (error) {
        if ((error as { code?: string }).code === foreignKey) return "unknown-account";
        throw error;
      }
    },
    sealAgain: async () => {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const count = await sealSome(client, keys);
        await client.query("commit");
        client.release();
        return count;
      } catch (error) {
        // Whatever state it is in: the server rolls back what is not committed.
        client.release(true);
        throw error;
      }
    },
    close: () => pool.end(),
  };
};

const sealSome = async (client: pg.PoolClient, keys: SealingKeys): Promise<number> => {
  const { rows: permitted } = await client.query<{ rows: number }>(nextBatch);
  const most = permitted[0]?.rows ?? 0;
  if (most === 0) return 0;
  const { rows } = await client.query<{ account_id: string; name: string }>(olderHolders, [
    keys.header,
    most,
  ]);
  for (const { account_id: account, name } of rows) {
    await client.query(sealHolder, [account, keys.seal(keys.open(name))]);
  }
  return rows.length;
};
