import { Client } from "pg";
import type { Connect } from "../../shared/runtime.ts";

/** A real session. Every wait has a bound on the client and on the server. */
export const postgresConnect: Connect = async (target) => {
  const client = new Client({
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    password: target.password,
    application_name: "nightshift",
    ssl: target.tls === "verify-full" ? { rejectUnauthorized: true } : false,
    connectionTimeoutMillis: 4000,
    query_timeout: 8000,
    statement_timeout: 7000,
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
