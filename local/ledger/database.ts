import pg from "pg";
import type { Booked, LedgerDatabase } from "./ledger.ts";
import { bookedBefore } from "./ledger.ts";
import { bookTransfer, readAccount, readTransfer } from "./schema.ts";
import type { Transfer } from "./transfer.ts";

/** Of this machine's time. Short: a request must fail while its user still waits. */
const connectMilliseconds = 1000;
const statementMilliseconds = 1500;
/** A server that vanished never answers: give up a little after its own limit. */
const answerMilliseconds = 2000;
/** A login that was refused or a server that was away is tried anew at the next request. */
const idleMilliseconds = 10_000;

const integrityClass = "23";
const foreignKey = "23503";

/** PostgreSQL behind a small pool. A broken connection is dropped, never handed out again. */
export const postgresLedger = (
  connectionString: string,
  onConnectionLost: (error: Error) => void,
): LedgerDatabase & { close(): Promise<void> } => {
  const pool = new pg.Pool({
    connectionString,
    max: 4,
    connectionTimeoutMillis: connectMilliseconds,
    statement_timeout: statementMilliseconds,
    query_timeout: answerMilliseconds,
    idleTimeoutMillis: idleMilliseconds,
    application_name: "ledger",
  });
  // Without a listener the loss of an idle connection would end the process.
  pool.on("error", onConnectionLost);
  const transfer = async (id: string): Promise<Transfer | undefined> => {
    const { rows } = await pool.query(readTransfer, [id]);
    const [row] = rows;
    return row && { id: row.id, from: row.from, to: row.to, amount: Number(row.amount) };
  };
  return {
    transfer,
    book: async (wanted): Promise<Booked> => {
      const { id, from, to, amount } = wanted;
      try {
        const { rowCount } = await pool.query(bookTransfer, [id, from, to, amount]);
        return rowCount === 2 ? "booked" : bookedBefore(await transfer(id), wanted);
      } catch (error) {
        const { code = "" } = error as { code?: string };
        if (code === foreignKey) return "unknown-account";
        return code.startsWith(integrityClass) ? "conflict" : "away";
      }
    },
    account: async (id) => {
      const { rows } = await pool.query(readAccount, [id]);
      return rows[0];
    },
    ready: async () => {
      await pool.query("select 1");
      return true;
    },
    close: () => pool.end(),
  };
};
