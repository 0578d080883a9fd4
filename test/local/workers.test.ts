import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  GetDurableExecutionCommand,
  InvokeCommand,
  type InvokeCommandOutput,
  LambdaClient,
  SendDurableExecutionCallbackFailureCommand,
} from "@aws-sdk/client-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { endpoint } from "../../local/aws/endpoint.ts";
import { type LocalLambda, lambda } from "../../local/aws/lambda.ts";
import { listen } from "../../local/aws/server.ts";
import { bundle } from "../../local/lambda/bundles.ts";
import type { FunctionDefinition } from "../../local/lambda/host.ts";
import { folderStore, memoryStore } from "../../local/lambda/store.ts";
import { listenForUrl } from "../../local/lambda/url.ts";
import { workerHost } from "../../local/lambda/workers.ts";
import { network } from "../../local/network.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { seededRandom } from "../../shared/random.ts";
import { account, ask, origin, region, textOf } from "./fixtures/ask.ts";

const guard: FunctionDefinition = {
  name: "guard",
  region,
  entry: "test/local/fixtures/plain-handler.ts",
  environment: { STAGE: "test" },
  timeoutSeconds: 30,
};

const failover: FunctionDefinition = {
  name: "failover",
  region,
  entry: "test/local/fixtures/durable-handler.ts",
  environment: {},
  timeoutSeconds: 300,
  durable: { executionTimeoutSeconds: 6 * 3600 },
};

const answered = (answer: { Payload?: Uint8Array }): unknown => JSON.parse(textOf(answer));

/** Real time, because real processes are waited for. Bounded. */
const until = async (holds: () => boolean, milliseconds = 15_000) => {
  const end = Date.now() + milliseconds;
  while (!holds()) {
    if (Date.now() > end) throw new Error("it never came to be");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe("worker processes", () => {
  const speed = 20;
  const scale = { speed, origin, realStart: Date.now() };
  const lines: string[] = [];
  const timeline = scaledTimeline(scale, (error) => lines.push(String(error)));
  const regions = network();
  const surroundings = { timeline, random: seededRandom(5), network: regions, account };
  let folder = "";
  let local: LocalLambda;
  let host: ReturnType<typeof workerHost>;
  let listener: Awaited<ReturnType<typeof listen>>;
  let client: LambdaClient;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "nightshift-lambda-"));
    const bundles = await bundle([guard.entry, failover.entry], {
      root: process.cwd(),
      folder,
      configFile: "test/local/fixtures/other-config.ts",
    });
    host = workerHost({
      scale,
      bundles,
      endpointUrl: () => listener.url,
      log: (line, { name }) => void lines.push(`${name}: ${line}`),
    });
    local = lambda(surroundings, host, memoryStore());
    listener = await listen(endpoint(surroundings, [local.service]), region);
    local.define({ ...guard, timeoutSeconds: 60 });
    local.define(failover);
    local.define({ ...guard, name: "slack", url: true });
    const credentials = { accessKeyId: "LOCAL", secretAccessKey: "local" };
    client = new LambdaClient({ region, endpoint: listener.url, credentials, maxAttempts: 1 });
    await host.warm(guard);
  });
  afterAll(async () => {
    client?.destroy();
    await local?.close();
    await listener?.close();
    timeline.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const send = async (event: unknown, FunctionName = "guard") =>
    client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
  const want = async (what: string) => answered(await send({ want: what }));

  it("gives a handler its own environment and nothing of this process's", async () => {
    process.env.NIGHTSHIFT_SECRET_OF_THE_PARENT = "x";
    const environment = (await want("environment")) as Record<string, string>;
    expect(environment).toMatchObject({
      STAGE: "test",
      AWS_REGION: region,
      AWS_LAMBDA_FUNCTION_NAME: "guard",
      AWS_ENDPOINT_URL: listener.url,
    });
    for (const name of ["NIGHTSHIFT_SECRET_OF_THE_PARENT", "PATH", "HOME"]) {
      expect(environment[name]).toBeUndefined();
    }
  });

  it("runs a handler in modelled time, with a finite remaining time", async () => {
    const before = timeline.now();
    const now = (await want("now")) as number;
    expect(now).toBeGreaterThanOrEqual(Math.floor(before));
    expect(now).toBeLessThanOrEqual(timeline.now());
    const context = (await want("context")) as { remaining: number; functionName: string };
    expect(context.functionName).toBe("guard");
    expect(context.remaining).toBeGreaterThan(30_000);
    expect(context.remaining).toBeLessThanOrEqual(60_000);
  });

  it("bundles another configuration file in the place of the project's", async () => {
    expect(await want("config")).toEqual({ domain: "substituted.example" });
  });

  it("keeps a worker warm from one invocation to the next", async () => {
    expect(await want("pid")).toBe(await want("pid"));
  });

  it("reports errors over the wire as Lambda does, and passes on what is logged", async () => {
    const answer = await send({ want: "throw" });
    expect(answer.FunctionError).toBe("Unhandled");
    expect(answered(answer)).toMatchObject({ errorType: "RangeError", errorMessage: "too far" });
    await want("log");
    await want("pid");
    expect(lines).toEqual(["guard: one line", "guard: and another"]);
  });

  it("kills a worker that hangs at the function's timeout", async () => {
    const answer = await send({ want: "hang" });
    expect(answered(answer)).toMatchObject({ errorType: "Sandbox.Timedout" });
  });

  it("serves a function URL over real HTTP", async () => {
    const door = await listenForUrl(local.functionUrl(region, "slack"), (error) => {
      throw error;
    });
    try {
      const answer = await fetch(door.url, { method: "POST", body: "text=status" });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ version: "2.0", body: "text=status" });
    } finally {
      await door.close();
    }
  });

  it("carries a durable execution over the wire, a callback's failure included", async () => {
    const started = await client.send(
      new InvokeCommand({
        FunctionName: "failover",
        InvocationType: "Event",
        DurableExecutionName: "failover-4",
        Payload: "{}",
      }),
    );
    const DurableExecutionArn = started.DurableExecutionArn ?? "";
    const waiting = () =>
      [...local.execution(region, DurableExecutionArn).operations.values()].find(
        (each) => each.Type === "CALLBACK",
      )?.CallbackDetails?.CallbackId;
    await until(() => waiting() !== undefined);
    await client.send(
      new SendDurableExecutionCallbackFailureCommand({
        CallbackId: waiting() ?? "none",
        Error: { ErrorType: "Rejected", ErrorMessage: "not tonight" },
      }),
    );
    await local.finished(DurableExecutionArn);
    const answer = await client.send(new GetDurableExecutionCommand({ DurableExecutionArn }));
    expect(answer).toMatchObject({
      Status: "SUCCEEDED",
      DurableExecutionName: "failover-4",
      Result: '{"seen":3,"answer":"no: CallbackExternalError"}',
    });
    expect(answer.StartTimestamp).toBeInstanceOf(Date);
  });

  it("leaves no worker behind when the process that started it is killed", async () => {
    const script = "test/local/fixtures/worker-parent.ts";
    const parent = spawn(process.execPath, [script, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [first] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(first.toString());
    expect(lives(pid)).toBe(true);
    parent.kill("SIGKILL");
    await until(() => !lives(pid), 5000);
  });
  const lives = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  it("kills what runs in a region that dies", async () => {
    const answer = send({ want: "hang" }).catch((error: Error) => error.name);
    await until(() => local.running().length > 0);
    const before = host.processes();
    regions.set(region, "dead");
    local.onRegionChange(region, "dead");
    await until(() => host.processes() === 0, 5000);
    expect([before > 0, host.processes()]).toEqual([true, 0]);
    regions.set(region, "up");
    local.onRegionChange(region, "up");
    client.destroy();
    await answer;
  });
});

describe("a durable execution in worker processes", () => {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "nightshift-durable-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const scale = { speed: 30, origin, realStart: Date.now() };

  /** One life of the cloud: its own engine, endpoint and workers over the same folder. */
  const life = async (
    environment: Record<string, string>,
    bundles: ReadonlyMap<string, string>,
  ) => {
    const lines: string[] = [];
    const timeline = scaledTimeline(scale, (error) => lines.push(String(error)));
    const surroundings = { timeline, random: seededRandom(folder), network: network(), account };
    let url = "";
    const host = workerHost({
      scale,
      bundles,
      endpointUrl: () => url,
      log: (line) => void lines.push(line),
    });
    const local = lambda(surroundings, host, folderStore(join(folder, "executions")));
    const listener = await listen(endpoint(surroundings, [local.service]), region);
    url = listener.url;
    local.define({ ...failover, environment });
    const close = async () => {
      await local.close();
      await listener.close();
      timeline.close();
    };
    return { local, host, lines, close };
  };

  it("survives SIGKILL in the middle of a step, and the loss of the engine", async () => {
    const file = join(folder, "effects");
    appendFileSync(file, "");
    const effects = () => readFileSync(file, "utf8").split("\n").filter(Boolean);
    const count = (name: string) => effects().filter((each) => each.startsWith(name)).length;
    const bundles = await bundle([failover.entry], { root: process.cwd(), folder });
    // 60 modelled seconds are two real ones: time enough to be killed in.
    const first = await life({ EFFECTS: file, PAUSE_count: "60000" }, bundles);
    let arn = "";
    try {
      const answer = ask<Promise<InvokeCommandOutput>>(first.local, "Invoke", {
        FunctionName: "failover",
        InvocationType: "Event",
        DurableExecutionName: "failover-9",
      });
      arn = (await answer).DurableExecutionArn ?? "";
      await until(() => count("count") === 1);
      const [running] = first.local.running();
      first.local.kill(running?.requestId ?? "");
      await until(() => count("ask") === 1);
    } finally {
      await first.close();
    }
    expect(first.host.processes()).toBe(0);

    const second = await life({ EFFECTS: file }, bundles);
    try {
      const operations = [...second.local.execution(region, arn).operations.values()];
      const CallbackId = operations.find((each) => each.Type === "CALLBACK")?.CallbackDetails
        ?.CallbackId;
      expect(effects().at(-1)).toBe(`ask ${CallbackId}`);
      ask(second.local, "SendDurableExecutionCallbackSuccess", {
        CallbackId,
        Result: Buffer.from("yes"),
      });
      const ended = await second.local.finished(arn);
      expect([ended.status, ended.result]).toEqual(["SUCCEEDED", '{"seen":3,"answer":"yes"}']);
    } finally {
      await second.close();
    }
    const counts = Object.fromEntries(
      ["assess", "raise", "read", "count", "flaky", "look", "promote"].map((name) => [
        name,
        count(name),
      ]),
    );
    expect(counts).toEqual({
      assess: 1,
      raise: 1,
      read: 1,
      count: 2,
      flaky: 3,
      look: 3,
      promote: 1,
    });
    expect(first.lines.concat(second.lines)).toEqual([]);
  });
});
