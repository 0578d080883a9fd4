import { Client, escapeIdentifier } from "pg";
import type { DatabasePorts } from "../../functions/database/database.ts";
import { runStatement } from "../../functions/database/database.ts";
import type { DatabaseAnswers, DatabaseRequest } from "../../functions/database/decide.ts";
import { sessionPolicyOf } from "../../functions/database/decide.ts";
import type { RealEngine } from "../../local/postgres/real.ts";
import { realEngine } from "../../local/postgres/real.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { postgresConnect } from "../../shared/postgres.ts";
import { systemRandom } from "../../shared/random.ts";

const region = "eu-central-1";
const database = "ledger";
const passwords = { master: "of the master", nightshift: "of nightshift", other: "of the others" };

/** The application's login, another one that is none of it, and the one of its migrations. */
export const application = "app_a";

export interface Server {
  /** A session of `user`, as itself or under an application_name. */
  login(user: string, applicationName?: string): Promise<Client>;
  /** Opens transactions of the application until there is no room, and goes on with none. Gives how many. */
  flood(): Promise<number>;
  /** Past everything: the superuser of RDS. */
  administrator(): Promise<Client>;
  ask<Do extends DatabaseRequest["do"]>(
    request: Extract<DatabaseRequest, { do: Do }>,
    policy?: Parameters<typeof sessionPolicyOf>[0],
  ): Promise<DatabaseAnswers[Do]>;
  /** What Nightshift sent, in its order. */
  sent: string[];
  /** Ends every session that was opened here. */
  leave(): Promise<void>;
  /** For settings that need it. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** One real PostgreSQL with the platform's roles, and Nightshift's rights as its runbook gives them. */
export const postgresServer = async (): Promise<Server> => {
  const timeline = scaledTimeline({ speed: 15, origin: 0, realStart: Date.now() }, (error) => {
    throw error;
  });
  const engine = await realEngine({ timeline, random: systemRandom, reachable: () => true });
  const address = await engine.create({
    id: "home",
    region,
    masterUser: "platform_owner",
    masterPassword: passwords.master,
    database,
  });
  const open = new Set<Client>();
  const keep = async (client: Client): Promise<Client> => {
    // Sessions are ended by the server here, which `pg` would otherwise throw into the process.
    client.on("error", () => undefined);
    await client.connect();
    open.add(client);
    return client;
  };
  const administrator = () => keep(new Client(engine.administration("home")));
  const sent: string[] = [];
  const session: DatabasePorts["session"] = async () => {
    const login = { user: "nightshift", password: passwords.nightshift };
    const made = await postgresConnect({ ...address, ...login, database, tls: "off" });
    return {
      ...made,
      query: (text, values) => {
        sent.push(text);
        return made.query(text, values);
      },
    };
  };
  const owner = new Client({
    ...address,
    user: "platform_owner",
    password: passwords.master,
    database,
  });
  await rolesOf(await keep(owner), await administrator());
  const login: Server["login"] = (user, application_name) => {
    const password = user === "platform_owner" ? passwords.master : passwords.other;
    return keep(new Client({ ...address, user, password, database, application_name }));
  };
  return {
    login,
    flood: () => flood(login),
    administrator,
    ask: async (request, policy) => {
      const sessionPolicy = sessionPolicyOf(policy);
      const ports = { session, roles: [application], sessionPolicy, tell: () => undefined };
      return (await runStatement(ports, request)) as never;
    },
    sent,
    leave: async () => {
      await Promise.all([...open].map((client) => client.end().catch(() => undefined)));
      open.clear();
    },
    restart: () => engine.restart("home"),
    close: () => closeAll(engine, timeline),
  };
};

/**
 * Many at once until the first is turned away, then one by one: a login that is being turned away takes
 * a place itself for a moment, and so another is turned away that would have found room.
 */
const flood = async (login: Server["login"]): Promise<number> => {
  const forgetful = async () => {
    const client = await login(application, "ledger");
    await client.query("begin");
    await client.query("select 1");
  };
  let opened = 0;
  let refused = 0;
  for (let width = 10; refused < 3; width = refused > 0 ? 1 : 10) {
    const made = await Promise.allSettled(Array.from({ length: width }, forgetful));
    const count = made.filter(({ status }) => status === "fulfilled").length;
    opened += count;
    refused = count === width ? 0 : refused + 1;
    if (refused > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return opened;
};

const closeAll = async (engine: RealEngine, timeline: { close(): void }): Promise<void> => {
  await engine.close();
  timeline.close();
};

/** What the owner may grant is granted by the owner, as the platform's migrations do. */
const rolesOf = async (owner: Client, administrator: Client): Promise<void> => {
  const statements = [
    `create role nightshift login createrole password '${passwords.nightshift}'`,
    "grant pg_signal_backend, pg_monitor to nightshift",
    "create table transfers (id text primary key, amount int)",
    ...[application, "reporting"].flatMap((role) => [
      `create role ${escapeIdentifier(role)} login password '${passwords.other}'`,
      `grant select, insert, update on transfers to ${escapeIdentifier(role)}`,
    ]),
    "insert into transfers values ('one', 1), ('two', 2)",
  ];
  for (const statement of statements) await owner.query(statement);
  await administrator.query("grant pg_use_reserved_connections to nightshift");
  // So that a stranger can put a view of his own where an extension's would be.
  await administrator.query("grant create on schema public to public");
};
