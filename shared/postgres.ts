import { Client } from "pg";
import type { Connect, DatabaseTarget, Session } from "./runtime.ts";

/** A real session. Every wait has a bound on the client and on the server. */
export const postgresConnect: Connect = (target) => connectWithin(target, 7000);

/** As `postgresConnect`, for reading through tables that nobody waits for. */
export const patientConnect: Connect = (target) => connectWithin(target, 60_000);

const connectWithin = async (
  target: DatabaseTarget,
  statementMilliseconds: number,
): Promise<Session> => {
  const client = new Client({
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    password: target.password,
    application_name: "nightshift",
    ssl: target.tls === "verify-full" ? { rejectUnauthorized: true } : false,
    connectionTimeoutMillis: 4000,
    query_timeout: statementMilliseconds + 1000,
    statement_timeout: statementMilliseconds,
    lock_timeout: 3000,
  });
  // A server that goes away while the session is idle must not end the process: the next query tells.
  client.on("error", () => undefined);
  await client.connect();
  return {
    query: async (text, values) => {
      const result = await client.query(text, values);
      return { rows: result.rows as Record<string, unknown>[] };
    },
    end: () => client.end(),
  };
};
