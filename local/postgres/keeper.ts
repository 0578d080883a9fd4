/**
 * The process that owns every PostgreSQL process of one engine. It outlives its parent just long
 * enough to stop them and remove their folder, so that even a parent killed with SIGKILL leaves
 * nothing behind. Started by processes.ts, which speaks to it over IPC.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { KeeperAnswer, KeeperRequest } from "./processes.ts";

const run = promisify(execFile);
const [root = "", uid = "", gid = ""] = process.argv.slice(2);
const readySeconds = 60;
const stopSeconds = 5;
const keptLogLines = 40;

interface Server {
  process: ChildProcess;
  exited: Promise<void>;
  folder: string;
  log: string[];
}

const servers = new Map<string, Server>();

/** Only what PostgreSQL needs: nothing of the parent's environment may steer it. */
const environment = { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

const initialise = async (native: string, folder: string, user: string, password: string) => {
  const passwordFile = `${folder}.password`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  const options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"];
  // Small WAL segments keep base backups and snapshots of a small database small.
  options.push("--wal-segsize=1", "--no-instructions", `--username=${user}`);
  await run(
    join(native, "bin", "initdb"),
    [...options, `--pgdata=${folder}`, `--pwfile=${passwordFile}`],
    { env: environment, cwd: root },
  );
  await rm(passwordFile);
};

const start = async (id: string, native: string, folder: string, settings: string[]) => {
  if (servers.has(id)) throw new Error(`${id} runs already`);
  const child = spawn(join(native, "bin", "postgres"), ["-D", folder, ...settings], {
    cwd: root,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log: string[] = [];
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const server: Server = { process: child, exited, folder, log };
  servers.set(id, server);
  void exited.then(() => servers.get(id) === server && servers.delete(id));
  await ready(server, id);
};

/** PostgreSQL says on its log when it takes connections, which is sooner than asking finds out. */
const ready = (server: Server, id: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(readySeconds * 1000);
    const fail = (what: string) =>
      reject(new Error(`PostgreSQL ${id} ${what}:\n${server.log.join("\n")}`));
    limit.addEventListener("abort", () => fail(`was not ready after ${readySeconds} s`));
    void server.exited.then(() => fail("ended while it started"));
    let rest = "";
    server.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      server.log.push(...lines);
      server.log.splice(0, server.log.length - keptLogLines);
      if (lines.some((line) => line.includes("ready to accept"))) resolve();
    });
  });

const stop = async (id: string): Promise<void> => {
  const server = servers.get(id);
  if (!server) return;
  server.process.kill("SIGINT");
  if (!(await within(server.exited, stopSeconds))) await kill(id);
};

/**
 * Power off. Every process that touches data dies of SIGKILL while the postmaster, which touches
 * none, is held still; the postmaster then only collects its dead children and gives its shared
 * memory back, which nobody would do after it had died of SIGKILL itself.
 */
const kill = async (id: string): Promise<void> => {
  const server = servers.get(id);
  const pid = server?.process.pid;
  if (!server || pid === undefined) return;
  server.process.kill("SIGSTOP");
  for (const child of await childrenOf(pid)) endProcess(child);
  server.process.kill("SIGQUIT");
  server.process.kill("SIGCONT");
  if (await within(server.exited, stopSeconds)) return;
  for (const child of await childrenOf(pid)) endProcess(child);
  server.process.kill("SIGKILL");
  await server.exited;
  await releaseSharedMemory(server.folder);
};

const endProcess = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

const childrenOf = async (parent: number): Promise<number[]> => {
  if (process.platform !== "linux") {
    const { stdout } = await run("ps", ["-A", "-o", "pid=,ppid="]);
    const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
    return rows.flatMap(([pid, of]) => (of === parent && pid !== undefined ? [pid] : []));
  }
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
      // The name in brackets may hold anything; the state and the parent follow its last bracket.
      const [, of] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(of) === parent ? [Number(pid)] : [];
    }),
  );
  return found.flat();
};

/** The seventh line of postmaster.pid names the System V segment that a SIGKILL leaves behind. */
const releaseSharedMemory = async (folder: string): Promise<void> => {
  const lines = await readFile(join(folder, "postmaster.pid"), "utf8").catch(() => "");
  const segment = lines.split("\n")[6]?.trim().split(/\s+/)[1];
  if (segment) await run("ipcrm", ["-m", segment]).catch(() => undefined);
};

/** Whether `done` came true within real `seconds`. */
const within = (done: Promise<void>, seconds: number): Promise<boolean> =>
  new Promise((resolve) => {
    void done.then(() => resolve(true));
    AbortSignal.timeout(seconds * 1000).addEventListener("abort", () => resolve(false));
  });

/**
 * Copies a folder of a cluster that may be running: files that vanish meanwhile are no error, the
 * WAL of the backup makes up for them. Entries of `emptied` folders are left out.
 */
const copy = async (from: string, to: string, leaveOut: string[], emptied: string[]) => {
  await mkdir(to, { recursive: true, mode: 0o700 });
  const entries = await readdir(from, { withFileTypes: true }).catch(vanished([]));
  const copyEntry = async (entry: (typeof entries)[number]): Promise<void> => {
    if (leaveOut.includes(entry.name) || entry.name.startsWith("pgsql_tmp")) return;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) return copy(source, target, leaveOut, emptied);
    if (emptied.includes(basename(from))) return;
    if (entry.isSymbolicLink()) return symlink(source, target);
    await copyFile(source, target, constants.COPYFILE_FICLONE).catch(vanished(undefined));
  };
  const parallel = 16;
  for (let index = 0; index < entries.length; index += parallel) {
    await Promise.all(entries.slice(index, index + parallel).map(copyEntry));
  }
};

const vanished =
  <T>(instead: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === "ENOENT") return instead;
    throw error;
  };

const close = async (): Promise<void> => {
  await Promise.all([...servers.keys()].map(kill));
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
};

const serve = async (request: KeeperRequest): Promise<void> => {
  switch (request.act) {
    case "initialise":
      return initialise(request.native, request.folder, request.user, request.password);
    case "start":
      return start(request.id, request.native, request.folder, request.settings);
    case "stop":
      return stop(request.id);
    case "kill":
      return kill(request.id);
    case "copy":
      return copy(request.from, request.to, request.leaveOut, request.emptied);
    case "write":
      return writeFile(request.path, request.text, { mode: 0o600 });
    case "remove":
      return rm(request.path, { recursive: true, force: true, maxRetries: 5 });
  }
};

// Root is given up only now, because the account need not be able to read this file.
if (uid !== "" && gid !== "") {
  process.setgroups?.([Number(gid)]);
  process.setgid?.(Number(gid));
  process.setuid?.(Number(uid));
}
process.chdir(root);
// A Ctrl-C is meant for the parent, which then closes or dies; both end this process in order.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => void close());
process.on("message", (request: KeeperRequest) => {
  const answer = (given: KeeperAnswer) => process.connected && process.send?.(given);
  serve(request).then(
    () => answer({ number: request.number }),
    (error: Error) => answer({ number: request.number, error: error.message }),
  );
});
