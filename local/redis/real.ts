import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@redis/client";
import { type Authority, authority } from "./certificate.ts";
import type { Admission, CacheEngine } from "./engine.ts";

export interface RealCaches extends CacheEngine {
  /** PEM of the authority that clients have to trust. */
  authority: string;
}

interface Running {
  folder: string;
  port: number;
  admission: Admission;
  process: ChildProcess | undefined;
}

const keeper = "keeper";
const startMilliseconds = 10_000;
const portTries = 5;

/** What `redis-server --version` says, or undefined where there is none on the path. */
export const redisVersion = (): Promise<string | undefined> =>
  promisify(execFile)("redis-server", ["--version"]).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );

/**
 * Caches as processes of a real Redis (`redis-server` on the path). Several tokens at a time are several
 * passwords of the default user. Access without a token cannot be had together with tokens: while
 * `withoutToken` lasts, Redis takes any password of a client that names the user, and refuses AUTH without
 * a user. Source: "ACL" in the documentation of Redis
 */
export const realCaches = async (options: { password: string }): Promise<RealCaches> => {
  const folder = await mkdtemp(join(tmpdir(), "nightshift-redis-"));
  const trusted = authority();
  const caches = new Map<string, Running>();
  const find = (id: string): Running => {
    const found = caches.get(id);
    if (!found) throw new Error(`there is no cache ${id}`);
    return found;
  };
  const ask = <Answer>(cache: Running, command: string[]) =>
    asked<Answer>(trusted, cache.port, options.password, command);
  const stopAll = () => {
    for (const { process: child } of caches.values()) child?.kill("SIGKILL");
  };
  process.once("exit", stopAll);
  return {
    authority: trusted.certificate,
    create: async ({ id, admission }) => {
      const cache = await prepare(folder, `cache-${caches.size + 1}`, trusted, admission);
      caches.set(id, cache);
      await start(cache, options.password);
      return { host: "127.0.0.1", port: cache.port };
    },
    admit: async (id, admission, endsSessions) => {
      const cache = find(id);
      cache.admission = admission;
      await ask(cache, ["ACL", "SETUSER", "default", ...rules(admission)]);
      if (endsSessions) await ask(cache, ["CLIENT", "KILL", "USER", "default"]);
    },
    kill: async (id) => kill(find(id)),
    start: async (id) => start(find(id), options.password),
    vitals: async (id) => {
      const text = await ask<string>(find(id), ["INFO", "all"]);
      const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(text)?.[1]);
      return {
        // The one that asks is not counted.
        connections: figure("connected_clients") - 1,
        usedBytes: figure("used_memory"),
        accepted: figure("total_connections_received"),
        refusedLogins: figure("acl_access_denied_auth") || 0,
      };
    },
    close: async () => {
      process.off("exit", stopAll);
      await Promise.all([...caches.values()].map(kill));
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const rules = ({ tokens, withoutToken }: Admission): string[] =>
  withoutToken ? ["nopass"] : ["resetpass", ...tokens.map((token) => `>${token}`)];

const prepare = async (
  folder: string,
  name: string,
  trusted: Authority,
  admission: Admission,
): Promise<Running> => {
  const { key, certificate } = trusted.issue(["127.0.0.1", "localhost"]);
  const own = join(folder, name);
  await writeFile(`${own}.key`, key, { mode: 0o600 });
  await writeFile(`${own}.crt`, certificate);
  return { folder: own, port: 0, admission, process: undefined };
};

/** Redis cannot be asked for any free port, so one that was free a moment ago is tried. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

const start = async (cache: Running, password: string): Promise<void> => {
  if (cache.process) return;
  const tries = cache.port === 0 ? portTries : 1;
  for (let left = tries; left > 0; left -= 1) {
    const port = cache.port === 0 ? await freePort() : cache.port;
    const said = await launch(cache, port, password);
    if (said === undefined) return;
    if (left === 1) throw new Error(`Redis did not start: ${said}`);
  }
};

/** By standard input, so that no token stands in a list of processes. */
const settings = ({ folder, admission }: Running, port: number, password: string): string =>
  [
    "bind 127.0.0.1",
    "port 0",
    `tls-port ${port}`,
    `tls-cert-file ${folder}.crt`,
    `tls-key-file ${folder}.key`,
    `tls-ca-cert-file ${folder}.crt`,
    "tls-auth-clients no",
    'save ""',
    "appendonly no",
    "io-threads 1",
    `user ${keeper} on >${password} ~* &* +@all`,
    `user default on ~* &* +@all -config -acl ${rules(admission).join(" ")}`,
    "",
  ].join("\n");

/** Undefined once it runs, else what it said when it ended. */
const launch = async (
  cache: Running,
  port: number,
  password: string,
): Promise<string | undefined> => {
  const child = spawn("redis-server", ["-"], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: process.env.PATH },
    cwd: tmpdir(),
  });
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(settings(cache, port, password));
  const said = await new Promise<string | undefined>((resolve) => {
    const limit = AbortSignal.timeout(startMilliseconds);
    let text = "";
    limit.addEventListener("abort", () => resolve(`not ready in time: ${text}`), { once: true });
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code) => resolve(`ended with ${code}: ${text}`));
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length < 10_000) text += chunk;
      if (/ready to accept connections/i.test(chunk)) resolve(undefined);
    });
  });
  if (said === undefined) Object.assign(cache, { port, process: child });
  else child.kill("SIGKILL");
  return said;
};

const kill = async (cache: Running): Promise<void> => {
  const child = cache.process;
  cache.process = undefined;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
};

const asked = async <Answer>(
  trusted: Authority,
  port: number,
  password: string,
  command: string[],
): Promise<Answer> => {
  const client = createClient({
    username: keeper,
    password,
    socket: { host: "127.0.0.1", port, tls: true, ca: trusted.certificate },
  });
  // Its failures reject what was asked; without a listener they would end the process as well.
  client.on("error", () => client.destroy());
  await client.connect();
  try {
    return await client.sendCommand<Answer & string>(command);
  } finally {
    await client.close();
  }
};
