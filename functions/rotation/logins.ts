import { sentence } from "../../shared/outcome.ts";
import type { Connect, DatabaseTarget, Session } from "../../shared/runtime.ts";

export interface Credential {
  username: string;
  password: string;
}

/** What a login finds out about itself. */
export interface Inside {
  user: string;
  /** A replica: whatever is set, is set on the primary. */
  recovery: boolean;
  /** The roles whose rights it has. */
  memberOf: string[];
}

/**
 * How a login ended. A wrong password and a host that cannot be reached are different things: after the
 * first something has to be set, after the second nothing is known.
 */
export type LoginAnswer =
  | { is: "in"; inside: Inside }
  /** The server does not take the password, or knows none. */
  | { is: "refused"; why: string }
  /** The role may not log in at the moment: a fence. */
  | { is: "closed"; why: string }
  /** Who answered is not who was meant. */
  | { is: "untrusted"; why: string }
  /** There, and with no room or not ready. */
  | { is: "busy"; why: string }
  | { is: "unreachable"; why: string };

/**
 * By SQLSTATE and by Node's names of errors.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 * https://nodejs.org/api/tls.html#x509-certificate-error-codes
 */
const answerOf = (error: unknown): LoginAnswer => {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  const why = sentence(error);
  if (code === "28P01") return { is: "refused", why };
  if (code === "28000") return { is: "closed", why };
  if (/^(53|57P0)/.test(code)) return { is: "busy", why };
  const isTls = /CERT|SIGNATURE|TLS|ISSUER|CRL/.test(code) || /does not support SSL/.test(why);
  return { is: isTls ? "untrusted" : "unreachable", why };
};

const inside = `
  SELECT current_user::text AS "user", pg_is_in_recovery() AS recovery,
    (SELECT coalesce(array_agg(r.rolname::text ORDER BY r.rolname), '{}')
      FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid
      WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = current_user)) AS member_of`;

const inUse = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = $1";

/** By name and by value, so that neither is ever spliced into a statement by us. */
const nameLogin = `
  SELECT set_config('nightshift.login', $1, false), set_config('nightshift.verifier', $2, false)`;

const setVerifier = `
  DO $$ BEGIN
    EXECUTE format('ALTER ROLE %I PASSWORD %L',
      current_setting('nightshift.login'), current_setting('nightshift.verifier'));
  END $$`;

const clearPassword = `
  DO $$ BEGIN
    EXECUTE format('ALTER ROLE %I PASSWORD NULL', current_setting('nightshift.login'));
  END $$`;

/** All but one's own. */
const endSessions = `
  SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::int AS count
  FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()`;

/** All that rotation ever sends to a database. */
export const rotationStatements = {
  ...{ inside, inUse, nameLogin, setVerifier, clearPassword },
  endSessions,
} as const;

/** One database server, as rotation uses it. Each call is a session of its own, which is closed. */
export interface Logins {
  login(credential: Credential): Promise<LoginAnswer>;
  /** How many sessions of `role` are open. */
  sessionsOf(by: Credential, role: string): Promise<number>;
  /** Ends those of `role`, and says how many. What they were in the middle of is rolled back. */
  endSessions(by: Credential, role: string): Promise<number>;
  /** Null: nobody gets in by a password any more. */
  setPassword(by: Credential, role: string, verifier: string | null): Promise<void>;
}

export type Server = Omit<DatabaseTarget, "user" | "password">;

export const loginsOf = (connect: Connect, server: Server): Logins => {
  if (server.tls === "off" && !/^(127\.|::1$|localhost$)/.test(server.host)) {
    throw new Error(`${server.host} would be sent a password without TLS`);
  }
  const open = ({ username, password }: Credential) =>
    connect({ ...server, user: username, password });
  const during = async <T>(by: Credential, act: (session: Session) => Promise<T>): Promise<T> => {
    const session = await open(by);
    try {
      return await act(session);
    } finally {
      await session.end();
    }
  };
  return {
    login: async (credential) => {
      try {
        return await during(credential, async (session) => {
          const { rows } = await session.query(inside);
          const { user, recovery, member_of: roles } = rows[0] ?? {};
          const memberOf = Array.isArray(roles) ? roles.map(String) : [];
          return {
            is: "in",
            inside: { user: String(user), recovery: recovery === true, memberOf },
          };
        });
      } catch (error) {
        return answerOf(error);
      }
    },
    sessionsOf: (by, role) =>
      during(by, async (session) => {
        const { rows } = await session.query(inUse, [role]);
        return Number(rows[0]?.count);
      }),
    endSessions: (by, role) =>
      during(by, async (session) => {
        const { rows } = await session.query(endSessions, [role]);
        return Number(rows[0]?.count);
      }),
    setPassword: (by, role, verifier) =>
      during(by, async (session) => {
        await session.query(nameLogin, [role, verifier ?? ""]);
        await session.query(verifier === null ? clearPassword : setVerifier);
      }),
  };
};
