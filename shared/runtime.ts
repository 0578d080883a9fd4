import type { CallBounds } from "./clients.ts";
import type { Clock } from "./clock.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Random } from "./random.ts";
import { systemRandom } from "./random.ts";
import { configOf, stageVariable } from "./stage.ts";
import type { Web } from "./web.ts";
import { systemWeb } from "./web.ts";

/** All that a handler takes from the process it runs in, so that a simulation can be that process. */
export interface Runtime {
  environment: Record<string, string | undefined>;
  clock: Clock;
  random: Random;
  web: Web;
  config: Config;
  /** One finished log line. */
  write(line: string): void;
  /** Options for every AWS client beyond the usual ones: a simulation's transport without sockets. */
  aws?(bounds: CallBounds): Record<string, unknown>;
  /** The fetch that the Slack client uses; the global one when absent. */
  fetch?: typeof fetch;
  /** Opens database sessions; `pg` when absent. Only the database and rotation functions use it. */
  connect?: Connect;
  /** Sends a token to a cache; TLS when absent. Only the rotation function uses it. */
  authenticate?: Authenticate;
}

export type Authenticated =
  | { is: "in" }
  /** Wrong, or needed and not given. */
  | { is: "refused"; why: string }
  | { is: "unreachable"; why: string };

/** AUTH with a token, or none, and PING. */
export type Authenticate = (
  address: { host: string; port: number },
  token: string | null,
) => Promise<Authenticated>;

/** One session with a PostgreSQL server. */
export interface Session {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
  end(): Promise<void>;
}

export interface DatabaseTarget {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  /** `verify-full`, or `off` where the server is on this machine's loopback. */
  tls: "verify-full" | "off";
}

export type Connect = (target: DatabaseTarget) => Promise<Session>;

/** The runtime of a Lambda function. */
export const processRuntime = (
  environment: Record<string, string | undefined>,
  config: Config,
): Runtime => ({
  environment,
  clock: systemClock,
  random: systemRandom,
  web: systemWeb,
  config: configOf(environment[stageVariable] ?? "production", config),
  write: (line) => void process.stdout.write(`${line}\n`),
});

/** The region that this code runs in. */
export const regionOf = (runtime: Runtime): string => {
  const region = runtime.environment.AWS_REGION;
  if (!region) throw new Error("AWS_REGION is not set: this code must run in a Lambda function");
  return region;
};

/**
 * What SST linked to this function under `name` (`SST_RESOURCE_<name>`, JSON). Throws when it was
 * not linked: a deployment that lacks a link must not limp along.
 */
export const linked = <T extends Record<string, unknown>>(runtime: Runtime, name: string): T => {
  const text = runtime.environment[`SST_RESOURCE_${name}`];
  if (text === undefined) {
    throw new Error(`"${name}" is not linked to this function: add it to its link in stacks/`);
  }
  return JSON.parse(text) as T;
};

/** Assembles at the first event, so that a module can be read without the links of a deployment. */
export const atFirstEvent = <Handler extends (event: never, context: never) => unknown>(
  assemble: () => Handler,
): Handler => {
  let made: Handler | undefined;
  return ((event: never, context: never) => {
    made ??= assemble();
    return made(event, context);
  }) as Handler;
};
