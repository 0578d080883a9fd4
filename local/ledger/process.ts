import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { HttpRequest, HttpResponse } from "../http.ts";
import { exchange, keptConnections, refused } from "../http.ts";

export interface LedgerProcess {
  pid: number;
  port: number;
  /** Rejects when the process is gone or does not answer within its time. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Pulls the plug (SIGKILL) and waits until the process has gone. Safe to call twice. */
  stop(): Promise<void>;
}

export interface LedgerEnvironment {
  SECRET_KEY: string;
  ENCRYPTION_KEY: string;
  /** Older keys, which only open, with commas between. */
  ENCRYPTION_KEY_FALLBACKS?: string;
  DATABASE_URL: string;
  REDIS_URL: string;
  CLOUD_PROVIDER: string;
  REGION: string;
  INSTANCE_ID: string;
  /** A file with the authority of a cache that speaks TLS here: AWS's is known to every system. */
  NODE_EXTRA_CA_CERTS?: string;
}

export interface LaunchOptions {
  /** The file to run: `main.ts` itself, or a bundle of it, which starts in half the time. */
  entry?: string;
  /** Of this machine's time. */
  startMilliseconds?: number;
  requestMilliseconds?: number;
}

const source = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Writes the ledger as one file into `directory`; returns its path. For `LaunchOptions.entry`. */
export const bundleLedger = async (directory: string): Promise<string> => {
  const outfile = `${directory}/ledger.mjs`;
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node24",
    external: ["pg-native"],
    logLevel: "error",
    // pg is CommonJS and asks for Node's own modules by require.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  return outfile;
};

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts one ledger process on a free port and waits until it answers. Leaves none on failure. */
export const launchLedger = async (
  environment: LedgerEnvironment,
  options: LaunchOptions = {},
): Promise<LedgerProcess> => {
  const { startMilliseconds = 10_000, requestMilliseconds = 5000 } = options;
  const flags = ["--max-old-space-size=64", "--max-semi-space-size=2", "--no-warnings"];
  const child = spawn(process.execPath, [...flags, options.entry ?? source], {
    // Nothing of this process' environment: the platform's variables are all that it may need.
    env: { ...environment, PORT: "0", EXIT_WITH_STDIN: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A child that died while something was written to it is found dead elsewhere.
  child.stdin.on("error", () => child.stdin.destroy());
  const gone = once(child, "close");
  const stop = async () => {
    child.kill("SIGKILL");
    await gone;
  };
  try {
    const port = await listening(child, startMilliseconds);
    const agent = keptConnections();
    const to = { host: "127.0.0.1", port, timeoutMilliseconds: requestMilliseconds, agent };
    const send = (request: HttpRequest) =>
      child.exitCode === null && child.signalCode === null
        ? exchange(to, request)
        : Promise.reject(refused(environment.INSTANCE_ID));
    const { status } = await send({ method: "GET", path: "/health/live" });
    if (status !== 200) throw new Error(`the ledger answered /health/live with ${status}`);
    return {
      pid: child.pid ?? 0,
      port,
      send,
      stop: async () => {
        agent.destroy();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** The port, from the first line that the process writes. */
const listening = (child: Child, milliseconds: number): Promise<number> =>
  new Promise((resolve, reject) => {
    let complaint = "";
    const signal = AbortSignal.timeout(milliseconds);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (complaint.length < 2000) complaint += text;
    });
    const fail = (why: string) =>
      reject(new Error(`the ledger did not start: ${why} ${complaint}`.trim()));
    signal.addEventListener("abort", () => fail(`no answer within ${milliseconds} ms.`), {
      once: true,
    });
    child.once("error", (error) => fail(error.message));
    child.once("close", (code, name) => fail(`it ended with ${code ?? name}.`));
    createInterface(child.stdout).on("line", (line) => {
      const port = /^\{"listening":(\d+)\}$/.exec(line)?.[1];
      if (port) resolve(Number(port));
    });
  });
