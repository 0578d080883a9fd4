import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions } from "../../shared/clients.ts";
import type { Connect, Runtime } from "../../shared/runtime.ts";
import { linked, regionOf } from "../../shared/runtime.ts";
import type { DatabasePorts } from "./database.ts";

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
    session: async () => {
      const { SecretString } = await secrets.send(
        new GetSecretValueCommand({ SecretId: link.secret }),
      );
      const { username, password } = JSON.parse(SecretString ?? "{}") as Record<string, unknown>;
      if (typeof username !== "string" || typeof password !== "string") {
        throw new Error(`secret ${link.secret} has no "username" and "password"`);
      }
      const { host, port, database, tls } = link;
      return connect({ host, port, database, tls, user: username, password });
    },
  };
};
