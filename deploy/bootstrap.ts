import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Client, type ClientConfig } from "pg";

/** Of the server's choice when it makes a verifier itself: `scram_iterations`. */
const iterations = 4096;

/**
 * What a server keeps of a password, RFC 5803: it can check it and never has to see it. Only ASCII comes
 * out as the server would have it, which prepares all else by SASLprep first.
 */
export const verifierOf = (password: string, salt: Buffer = randomBytes(16)): string => {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new Error("a password has to be printable ASCII");
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const server = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${server}`;
};

export interface FirstPasswords {
  application: string;
  nightshift: string;
}

/**
 * Runs deploy/bootstrap.sql as the owner whom `login` names. Verifiers travel as settings of the
 * connection, so that no statement holds one. Returns what the server wanted to be noticed.
 */
export const bootstrap = async (
  login: ClientConfig,
  { application, nightshift }: FirstPasswords,
): Promise<string[]> => {
  const settings = { application: verifierOf(application), nightshift: verifierOf(nightshift) };
  const options = Object.entries(settings).map(([name, value]) => `-c bootstrap.${name}=${value}`);
  const client = new Client({ ...login, options: options.join(" ") });
  const notices: string[] = [];
  client.on("notice", ({ severity, message }) => {
    if (severity === "NOTICE" && message && !/already (exists|been granted)/.test(message)) {
      notices.push(message);
    }
  });
  await client.connect();
  try {
    await client.query(readFileSync(new URL("bootstrap.sql", import.meta.url), "utf8"));
  } finally {
    await client.end();
  }
  return notices;
};

/** A secret's value as Secrets Manager gives it, one JSON object in a line: owner, database, nightshift. */
const secretsFrom = (text: string): Record<string, string>[] => {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length !== 3) throw new Error("three secrets are wanted: owner, database, nightshift");
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as Record<string, string>;
    } catch {
      throw new Error(`secret ${index + 1} of 3 is no JSON object of one line`);
    }
  });
};

const given = (secret: Record<string, string> | undefined, field: string): string => {
  const value = secret?.[field];
  if (!value) throw new Error(`a secret has no "${field}": are they owner, database, nightshift?`);
  return value;
};

/** Through a tunnel: the address is this machine's, and the certificate is for the database's name. */
const main = async (): Promise<void> => {
  const { port, ca } = parseArgs({
    options: { port: { type: "string", default: "15432" }, ca: { type: "string" } },
  }).values;
  if (!ca) throw new Error("--ca names the file with the certificates of RDS");
  const [owner, application, nightshift] = secretsFrom(readFileSync(0, "utf8"));
  const host = given(owner, "host");
  const notices = await bootstrap(
    {
      host: "127.0.0.1",
      port: Number(port),
      user: given(owner, "username"),
      password: given(owner, "password"),
      database: given(owner, "database"),
      connectionTimeoutMillis: 10_000,
      ssl: { ca: readFileSync(ca, "utf8"), servername: host, rejectUnauthorized: true },
    },
    {
      application: given(application, "password"),
      nightshift: given(nightshift, "password"),
    },
  );
  for (const notice of notices) process.stdout.write(`mind: ${notice}\n`);
  process.stdout.write(`${host} is ready for the first migration\n`);
};

if (import.meta.main) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
