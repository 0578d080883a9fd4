import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../shared/clients.ts";
import { type Log, logger } from "../../shared/log.ts";
import type { Connect, Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import { parseSecret } from "../../shared/secret-value.ts";
import type { DatabasePorts } from "./database.ts";
import type { SeenSession } from "./decide.ts";
import { sessionPolicyOf } from "./decide.ts";

interface DatabaseLink extends Record<string, unknown> {
  host: string;
  port: number;
  database: string;
  /** Name of the secret with Nightshift's own login; a replica has it under the same name. */
  secret: string;
  roles: string[];
  tls: "verify-full" | "off";
}

/** The credentials are read anew for every event: a rotation must never meet a remembered password. */
export const databasePorts = (runtime: Runtime, connect: Connect): DatabasePorts => {
  const link = linked<DatabaseLink>(runtime, "Database");
  const secrets = new SecretsManagerClient(clientOptions(runtime, regionOf(runtime)));
  return {
    roles: link.roles,
    sessionPolicy: sessionPolicyOf(runtime.config.sessions),
    tell: teller(logger(runtime)),
    session: async () => {
      const { SecretString } = await secrets.send(
        new GetSecretValueCommand({ SecretId: link.secret }),
      );
      const { username, password } = parseSecret(link.secret, SecretString ?? "{}");
      if (typeof username !== "string" || typeof password !== "string") {
        throw new Error(`secret ${link.secret} has no "username" and "password"`);
      }
      const { host, port, database, tls } = link;
      return connect({ host, port, database, tls, user: username, password });
    },
  };
};

/** A log cuts lists at a hundred, so a longer one takes several lines. */
const perLine = 50;

const teller = (log: Log): DatabasePorts["tell"] => {
  const lines = (what: string, entries: string[]) => {
    for (let from = 0; from < entries.length; from += perLine) {
      log.info(what, { sessions: entries.slice(from, from + perLine), of: entries.length });
    }
  };
  return ({ ended, lingering, spared }) => {
    lines("ended", ended.map(described));
    lines("told to end, and still there", lingering.map(described));
    lines(
      "spared",
      spared.map(({ pid, backendStart, because }) => `${pid} since ${backendStart}: ${because}`),
    );
  };
};

const described = (session: SeenSession): string => {
  const { pid, backendStart, user, application, client, stateSeconds, fingerprint, wrote } =
    session;
  const who = `${pid} since ${backendStart}: ${user} as "${application}" from ${client}`;
  const last = fingerprint === null ? "" : `, last query ${fingerprint}`;
  return `${who}, silent for ${Math.round(stateSeconds ?? 0)} s${last}${wrote ? ", had written" : ""}`;
};
