import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Place } from "../network.ts";
import type { Scale } from "../time/scaled.ts";
import type { Bundles } from "./bundles.ts";
import {
  type FunctionDefinition,
  type FunctionHost,
  factsOf,
  type Invocation,
  type InvocationOutcome,
} from "./host.ts";
import type { WorkerOrder, WorkerStart, WorkerWord } from "./worker.ts";

export interface WorkerOptions {
  scale: Scale;
  bundles: Bundles;
  /** The AWS endpoint as it is seen from a region. */
  endpointUrl(region: Place): string;
  /** Every line that a worker writes. */
  log(line: string, source: { region: Place; name: string }): void;
  /** Of the AWS identity of the functions; they open nothing outside of this machine. */
  accessKeyId?: string;
}

export interface WorkerHost extends FunctionHost {
  /** Starts a process for a function that will soon be needed; resolves when it is ready. */
  warm(definition: FunctionDefinition): Promise<void>;
  /** How many processes live, for tests of what is left behind. */
  processes(): number;
}

interface Worker {
  key: string;
  region: Place;
  child: ChildProcess;
  ready: PromiseWithResolvers<void>;
  requestId?: string | undefined;
  end?: ((outcome: InvocationOutcome) => void) | undefined;
}

const script = fileURLToPath(new URL("./worker.ts", import.meta.url));

/** Runs handlers as child processes, one invocation at a time in each. */
export const workerHost = (options: WorkerOptions): WorkerHost => {
  const pool = new Pool(options);
  let closed = false;
  return {
    processes: () => pool.living.size,
    warm: async (definition) => {
      const worker = pool.start(definition);
      await Promise.race([worker.ready.promise, once(worker.child, "exit")]);
      if (pool.living.has(worker)) pool.release(worker);
    },
    invoke: (invocation) => {
      if (closed) return Promise.resolve({ kind: "killed" });
      const worker = pool.take(invocation.definition);
      const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
      worker.requestId = invocation.requestId;
      worker.end = resolve;
      void worker.ready.promise.then(() => order(worker, invocation));
      return promise;
    },
    kill: (requestId) => {
      for (const worker of pool.living) if (worker.requestId === requestId) pool.destroy(worker);
    },
    onRegionChange: (region, state) => {
      if (state !== "dead") return;
      for (const worker of pool.living) if (worker.region === region) pool.destroy(worker);
    },
    close: async () => {
      closed = true;
      const exits = [...pool.living].map((worker) => once(worker.child, "exit"));
      for (const worker of pool.living) pool.destroy(worker);
      await Promise.all(exits);
    },
  };
};

/** The processes: which live, and which of them are free. */
class Pool {
  readonly living = new Set<Worker>();
  readonly #idle = new Map<string, Worker[]>();
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  take(definition: FunctionDefinition): Worker {
    return this.#idle.get(keyOf(definition))?.pop() ?? this.start(definition);
  }

  start(definition: FunctionDefinition): Worker {
    const worker = spawn(definition, this.#options);
    this.living.add(worker);
    worker.child.on("message", (word: WorkerWord) => this.#hear(worker, word));
    worker.child.once("exit", () => {
      this.living.delete(worker);
      this.#drop(worker);
      worker.end?.({ kind: "killed" });
    });
    return worker;
  }

  release(worker: Worker): void {
    const others = this.#idle.get(worker.key);
    if (others) others.push(worker);
    else this.#idle.set(worker.key, [worker]);
  }

  /** The outcome is known at once; the exit of the process follows. */
  destroy(worker: Worker): void {
    const { end } = worker;
    worker.end = undefined;
    worker.requestId = undefined;
    this.#drop(worker);
    worker.child.kill("SIGKILL");
    end?.({ kind: "killed" });
  }

  #hear(worker: Worker, word: WorkerWord): void {
    if (word.kind === "ready") {
      worker.ready.resolve();
      return;
    }
    const { end } = worker;
    const { requestId, ...outcome } = word;
    if (requestId !== worker.requestId || !end) return;
    worker.end = undefined;
    worker.requestId = undefined;
    this.release(worker);
    end(outcome);
  }

  #drop(worker: Worker): void {
    const others = this.#idle.get(worker.key)?.filter((each) => each !== worker);
    if (others) this.#idle.set(worker.key, others);
  }
}

const keyOf = ({ region, name }: FunctionDefinition): string => `${region}/${name}`;

const order = (worker: Worker, invocation: Invocation): void => {
  if (worker.requestId !== invocation.requestId) return;
  const facts = factsOf(invocation, invocation.begin());
  const message: WorkerOrder = { facts, event: invocation.event };
  // A process that died meanwhile is reported by its exit.
  worker.child.send(message, () => undefined);
};

const spawn = (definition: FunctionDefinition, options: WorkerOptions): Worker => {
  const { region, name } = definition;
  const bundle = options.bundles.get(definition.entry);
  if (bundle === undefined) throw new Error(`no bundle of ${definition.entry}`);
  const argument: WorkerStart = { scale: options.scale, bundle };
  const child = fork(script, [JSON.stringify(argument)], {
    env: environmentOf(definition, options),
    execArgv: ["--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    serialization: "json",
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on("line", (line) => options.log(line, { region, name }));
  }
  return { key: keyOf(definition), region, child, ready: Promise.withResolvers<void>() };
};

/**
 * As in Lambda, and nothing of this process's own environment: no credentials, no proxies, no
 * configuration of the person at the keyboard.
 */
const environmentOf = (
  definition: FunctionDefinition,
  options: WorkerOptions,
): Record<string, string> => ({
  TZ: "UTC",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  ...definition.environment,
  AWS_REGION: definition.region,
  AWS_DEFAULT_REGION: definition.region,
  AWS_LAMBDA_FUNCTION_NAME: definition.name,
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMegabytes ?? 128),
  AWS_ENDPOINT_URL: options.endpointUrl(definition.region),
  AWS_ACCESS_KEY_ID: options.accessKeyId ?? "LOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
});
