import { createServer } from "node:net";
import { join } from "node:path";
import { Client } from "pg";
import type { Random } from "../../shared/random.ts";
import type { Place } from "../network.ts";
import type { ScaledTimeline } from "../time/scaled.ts";
import type { Timeline } from "../time/timeline.ts";
import type { Archive } from "./archive.ts";
import type { Address } from "./engine.ts";
import type { Processes } from "./processes.ts";
import { type Admission, type Caller, type EndpointProxy, proxy } from "./proxy.ts";
import { emptiedFolders, neverCopied, settings } from "./setup.ts";

export interface RealEngineOptions {
  /** Of both clocks: PostgreSQL lives in the machine's time. */
  timeline: Timeline & Pick<ScaledTimeline, "machineAt">;
  random: Random;
  /** Whether packets pass between two regions: what a replica needs to follow its source. */
  reachable(from: Place, to: Place): boolean;
  /** Everybody else than a replica: the security group, and who may reach the region. */
  admit?(instanceId: string, caller: Caller): Admission;
  /** The loopback address of a region's endpoints; 127.0.0.1 when not given. */
  host?(region: Place): string;
  /** Modelled milliseconds that a connection into silence lasts at most; 120 s when not given. */
  silenceMilliseconds?: number;
  /** The folder of another installation of PostgreSQL, 15 or newer; the one from npm when not given. */
  installation?: string;
}

/** A way in for a judge, past the proxies and every fence. Nobody else may use it. */
export interface Administration extends Address {
  user: string;
  password: string;
  database: string;
}

export interface Instance {
  id: string;
  /** What its process, its slot and its link to a source are called, whatever id it has. */
  name: string;
  region: Place;
  folder: string;
  masterUser: string;
  database: string;
  proxy: EndpointProxy;
  /** The port that PostgreSQL itself listens on; undefined while it does not run. */
  port: number | undefined;
  /** The instance that it follows, by `name`. */
  source: string | undefined;
  /** Without power: nothing answers at its address. */
  dark: boolean;
  last: Promise<unknown>;
}

/** What an engine keeps, and what it works with. */
export interface Context {
  options: RealEngineOptions;
  keeper: Processes;
  native: string;
  major: number;
  folder: string;
  password: string;
  instances: Map<string, Instance>;
  /** By the id that each belongs to. They last as long as the engine, with or without an instance. */
  endpoints: Map<string, EndpointProxy>;
  snapshots: Map<string, Pick<Instance, "folder" | "masterUser" | "database">>;
  archives: Map<string, Archive>;
}

/** The instance of a name, whatever its id is by now. */
export const named = ({ instances }: Context, name: string | undefined): Instance | undefined => {
  for (const instance of instances.values()) if (instance.name === name) return instance;
  return undefined;
};

export const administrator = "rdsadmin";
export const replicator = "rdsrepladmin";

export const instanceOf = ({ instances }: Context, id: string): Instance => {
  const found = instances.get(id);
  if (!found) throw new Error(`no database instance ${id}`);
  return found;
};

/** Orders for one instance wait for each other, so that a kill never meets half a promotion. */
export const inOrder = <T>(
  context: Context,
  id: string,
  act: (instance: Instance) => Promise<T>,
): Promise<T> => {
  const instance = instanceOf(context, id);
  const done = instance.last.then(() => act(instance));
  instance.last = done.catch(() => undefined);
  return done;
};

/** Adds an instance whose data folder is made by `fill`, and starts it. */
export const addInstance = async (
  context: Context,
  wanted: Pick<Instance, "id" | "name" | "region" | "masterUser" | "database"> & {
    source?: string;
  },
  fill: (folder: string) => Promise<void>,
): Promise<Instance> => {
  const { instances } = context;
  const { id, name, region, masterUser, database, source } = wanted;
  if (instances.has(id)) throw new Error(`there is a database instance ${id} already`);
  const folder = join(context.folder, name);
  await fill(folder);
  const front = await endpointOf(context, id, region);
  const last = Promise.resolve();
  const fields = { id, name, region, folder, masterUser, database, source, proxy: front, last };
  const instance: Instance = { ...fields, dark: false, port: undefined };
  instances.set(id, instance);
  await startServer(context, instance);
  return instance;
};

export const newName = ({ options }: Context): string => `instance-${options.random.id()}`;

/**
 * The address of an id. It keeps its port when its instance goes away, so that the next one of that id
 * answers where the last one did, as the name of an RDS endpoint is made from the identifier.
 */
export const endpointOf = async (
  context: Context,
  id: string,
  region: Place,
): Promise<EndpointProxy> => {
  const { options, instances, endpoints } = context;
  const known = endpoints.get(id);
  if (known) return known;
  const made = await proxy({
    timeline: options.timeline,
    host: options.host?.(region) ?? "127.0.0.1",
    upstream: () => {
      const instance = instances.get(id);
      return instance ? (instance.port ?? "starting") : "nobody";
    },
    admit: (caller) => admit(context, id, caller),
    silenceMilliseconds: options.silenceMilliseconds ?? 120_000,
  });
  endpoints.set(id, made);
  return made;
};

const admit = (context: Context, id: string, caller: Caller): Admission => {
  const { instances, options } = context;
  if (caller.user !== replicator) return options.admit?.(id, caller) ?? "open";
  const [source, replica] = [instances.get(id), named(context, caller.application)];
  const passes = source && replica && options.reachable(replica.region, source.region);
  return passes ? "open" : "closed";
};

export const startServer = async (context: Context, instance: Instance): Promise<void> => {
  // Another process may take a free port before PostgreSQL does; then the next one is tried.
  const attempts = 5;
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const { name: id, folder } = instance;
    const { native, major } = context;
    const failure = await context.keeper
      .ask({ act: "start", id, native, folder, settings: settings(port, major) })
      .then(
        () => undefined,
        (error: Error) => error,
      );
    if (!failure) return void (instance.port = port);
    if (attempt === attempts || !failure.message.includes("could not bind")) throw failure;
  }
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

export const administration = (context: Context, instance: Instance): Administration => {
  const { port, id, database } = instance;
  if (port === undefined) throw new Error(`the database instance ${id} does not run`);
  const { password } = context;
  return { host: "127.0.0.1", port, user: administrator, password, database };
};

export const asAdministrator = async <T>(
  context: Context,
  instance: Instance,
  act: (client: Client) => Promise<T>,
): Promise<T> => {
  const client = new Client({ ...administration(context, instance), database: "postgres" });
  // A server that is stopped under it fails the query as well; without a listener it ends this process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
};

export const copyCluster = (
  { keeper }: Context,
  from: string,
  to: string,
  alsoEmptied: string[] = [],
): Promise<void> => {
  const emptied = [...emptiedFolders, ...alsoEmptied];
  return keeper.ask({ act: "copy", from, to, leaveOut: neverCopied, emptied });
};
