import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { names, namesForOperators, tablesIn } from "../../drills/names.ts";
import { dynamodb } from "../../local/aws/dynamodb.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { listen } from "../../local/aws/server.ts";
import { AwsError, type Service } from "../../local/aws/service.ts";
import { internet, network } from "../../local/network.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import config from "../../nightshift.config.ts";
import { station } from "../../ops/aws.ts";
import { clientOptions } from "../../shared/clients.ts";
import { coordination } from "../../shared/coordination.ts";
import { dynamodbJournal, journal } from "../../shared/journal.ts";
import { grantFirst } from "../../shared/lease.ts";
import { readPause } from "../../shared/pause.ts";
import { seededRandom } from "../../shared/random.ts";
import { processRuntime, type Runtime } from "../../shared/runtime.ts";

const { primary, standby, witness } = config.regions;
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Everything the command line speaks to, over HTTP; who calls is decided by the test. */
const build = async () => {
  const origin = Date.now();
  const bugs: unknown[] = [];
  const timeline = scaledTimeline({ speed: 1, origin, realStart: origin }, (bug) => bugs.push(bug));
  const random = seededRandom("command line");
  const regions = network();
  const around = { timeline, random, network: regions, account: names.account };
  const caller = { arn: config.slack.operators[0]?.iam ?? "" };
  const started: { region: string; payload: unknown }[] = [];
  const fakes: Service[] = [
    { name: "sts", operations: { GetCallerIdentity: () => ({ Arn: caller.arn }) } },
    {
      name: "lambda",
      operations: {
        Invoke: (input: Record<string, unknown>, { region }: { region: string }) => {
          const payload = JSON.parse(Buffer.from(input.Payload as Uint8Array).toString());
          if (payload.trigger.reason === "nobody home") {
            throw new AwsError("ResourceNotFoundException", "Function not found", { status: 404 });
          }
          started.push({ region, payload });
          return { StatusCode: 202 };
        },
      },
    },
  ];
  const tables = dynamodb(around, tablesIn(primary, standby, witness));
  const aws = endpoint(around, [tables.service, ...fakes]);
  await aws.ready();
  const server = await listen(aws, internet);
  const environment = {
    ...namesForOperators,
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL: server.url,
    AWS_ACCESS_KEY_ID: "AKIDLOCAL",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const runtime: Runtime = processRuntime(
    {
      ...environment,
      AWS_REGION: standby,
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: names.coordination }),
    },
    config,
  );
  await grantFirst(coordination(runtime), primary, origin - 60_000);
  return { server, environment, runtime, regions, caller, started, timeline };
};

let at: Awaited<ReturnType<typeof build>>;
beforeAll(async () => {
  at = await build();
});
afterAll(async () => {
  await at.server.close();
  at.timeline.close();
});

const run = (
  ...words: string[]
): Promise<{ code: number | null; out: string; err: string; tookSeconds: number }> =>
  new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(process.execPath, ["ops/main.ts", ...words], {
      cwd: root,
      env: at.environment,
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => (out += data));
    child.stderr.on("data", (data) => (err += data));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ code, out, err, tookSeconds: (performance.now() - begun) / 1000 }),
    );
  });

describe("npm run ops, as a process of its own", () => {
  it("shows the status to an operator who has nothing but AWS credentials", async () => {
    const { code, out, err } = await run("status");
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toContain("Ana Petrov (U0ANA), may request and approve");
    expect(out).toContain(`${primary} may write (epoch 1`);
    expect(out).toContain("none is under way");
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });

  it("prints one JSON object and nothing else with --json", async () => {
    const { code, out } = await run("status", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      verb: "status",
      operator: "U0ANA",
      lease: { value: { epoch: 1, region: primary } },
    });
  });

  it("changes what it is told to change, and exits with 0", async () => {
    expect(await run("pause", "schema", "change")).toMatchObject({ code: 0 });
    expect(await readPause(coordination(at.runtime))).toMatchObject({ by: "U0ANA" });
    expect(await run("resume", "it is over")).toMatchObject({ code: 0 });
    expect(await run("switchover", "patch", "night")).toMatchObject({ code: 0 });
    expect(at.started).toMatchObject([
      { region: standby, payload: { kind: "switchover", trigger: { who: "U0ANA" } } },
    ]);
  });

  it("exits with 1 and says why when it is refused, and when AWS fails", async () => {
    const refused = await run("failback", "go home");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("Refused (at-home)");
    const failed = await run("failover", "nobody home");
    expect(failed.code).toBe(1);
    expect(failed.err).toContain("ResourceNotFoundException: Function not found");
    expect(failed.err).toContain("It is not certain whether anything was done");
    const wrongTable = await run("status", "--table", "another");
    expect(wrongTable.code).toBe(1);
    expect(wrongTable.out + wrongTable.err).toContain("ResourceNotFoundException");
  });

  it("exits with 2 and the usage when it is not understood", async () => {
    const { code, out, err } = await run("approve", "this");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("npm run ops -- approve <planHash>");
    expect(await run("help")).toMatchObject({ code: 0, err: "" });
  });

  it("lets an unknown identity look and no more", async () => {
    const arn = at.caller.arn;
    at.caller.arn = `${arn}.but-not-quite`;
    try {
      expect(await run("status")).toMatchObject({ code: 0 });
      const refused = await run("pause", "all of it");
      expect(refused.code).toBe(1);
      expect(refused.err).toContain("Refused (unknown-identity)");
    } finally {
      at.caller.arn = arn;
    }
  });

  it("answers in seconds while the home region is silent", async () => {
    at.regions.set(primary, "dead");
    try {
      const { code, out, tookSeconds } = await run("status");
      expect(code).toBe(0);
      expect(out).toContain(`${primary} may write`);
      expect(out.replace(/\s+/g, " ")).toContain(`There may be more: ${primary} did not answer`);
      expect(tookSeconds).toBeLessThan(20);
    } finally {
      at.regions.set(primary, "up");
    }
  });

  it("reads a journal and verifies it", async () => {
    const client = new DynamoDBClient(clientOptions(at.runtime, standby));
    const book = journal(dynamodbJournal(client, names.journal));
    const line = { key: "begin", kind: "saw" as const, by: "failover", atMilliseconds: 1_000_000 };
    await book.append("failover-7-1", { ...line, text: "U0ANA: dark" });
    const { code, out } = await run("journal", "failover-7-1");
    expect(code).toBe(0);
    expect(out).toContain("1 entries, the chain is intact");
    expect(out).toContain("   1  00:16:40  saw      U0ANA: dark");
    client.destroy();
  });
});

it("asks STS who it is at the regions' own endpoints, never at the global one", async () => {
  const asked: string[] = [];
  const handle = async ({ hostname }: { hostname: string }) => {
    asked.push(hostname);
    throw new Error("no network here");
  };
  const { AWS_ENDPOINT_URL: _, ...environment } = at.runtime.environment;
  const runtime: Runtime = {
    ...at.runtime,
    environment,
    aws: () => ({ requestHandler: { handle, metadata: { handlerProtocol: "none" } } }),
  };
  const parts = {
    table: "t",
    journal: "j",
    function: "failover",
    verification: "verification",
    rotation: "r",
  };
  const { caller } = await station(runtime, parts);
  expect(caller.known).toBe(false);
  expect(asked.sort()).toEqual(
    [primary, standby, witness].map((region) => `sts.${region}.amazonaws.com`).sort(),
  );
});
