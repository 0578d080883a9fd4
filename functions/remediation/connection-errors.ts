/** Why a connection to the database did not come about, as far as its error tells. */
export type ConnectionError =
  | "no-room"
  | "tls"
  | "login-refused"
  | "name"
  | "refused"
  | "coming-or-going"
  | "timeout";

/**
 * By what PostgreSQL, RDS, `pg`, Node and the network say, the most exact first. A database that wants TLS
 * refuses a login without it in the words of `pg_hba.conf`, which end with "no encryption". Sources:
 * "Authentication Problems" and "Error Codes" of PostgreSQL, "Common system errors" and "X509 certificate
 * error codes" of Node.
 */
const patterns: readonly [ConnectionError, RegExp][] = [
  ["no-room", /remaining connection slots|too many clients|53300/],
  ["tls", /no encryption|SSL off|does not support SSL|ERR_TLS|ERR_SSL/i],
  ["tls", /self.signed|CERT_|certificate|UNABLE_TO_(VERIFY|GET)/i],
  [
    "login-refused",
    /password authentication failed|pg_hba\.conf|not permitted to log in|28P01|28000/,
  ],
  ["name", /ENOTFOUND|EAI_AGAIN/],
  ["refused", /ECONNREFUSED/],
  ["coming-or-going", /starting up|shutting down|recovery mode|terminat|ECONNRESET|57P0[123]/i],
  [
    "timeout",
    /timeout expired|connection timeout|Task timed out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
  ],
];

/** Null for what is none of these: a function that could not be asked is no witness of the database. */
export const connectionErrorOf = (why: string): ConnectionError | null =>
  patterns.find(([, pattern]) => pattern.test(why))?.[0] ?? null;

/** Which of them say that nobody is there, and so nothing of sessions or logins. */
export const isSilence = (error: ConnectionError | null): boolean =>
  error === "timeout" || error === "refused" || error === "name" || error === "coming-or-going";

/** What each looks like, for people. */
export const connectionWords: Record<ConnectionError, string> = {
  "no-room": "it answers, and has no room for a connection",
  tls: "it answers, and TLS does not come about",
  "login-refused": "it answers, and refuses Nightshift's login",
  name: "its name does not resolve",
  refused: "its host answers, and nobody listens on the port",
  "coming-or-going": "PostgreSQL is starting, stopping, or has cut the connection",
  timeout: "no answer came in time: packets are dropped on the way, or its host is gone",
};

/** What to look at first for each. */
export const connectionAdvice: Record<ConnectionError, string> = {
  "no-room": "Log in as the owner, and end what is forgotten.",
  tls: "Compare rds.force_ssl and the CA of the instance (CACertificateIdentifier) with what clients trust.",
  "login-refused":
    "Compare AWSCURRENT of Nightshift's secret with the role: one of them was changed alone.",
  name: "Look at the endpoint of the instance, and at the resolver of the network.",
  refused: "Look at the events of RDS: is it restarting, or has its process gone?",
  "coming-or-going": "Look at the events of RDS, and wait for the end of what it does.",
  timeout: "Look at security groups and routes first, then at the events of RDS.",
};
