import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { functionEntries } from "../../bench/bundles.ts";
import { leftOutMessage } from "../../bundle.config.ts";
import { type Bundles, bundle } from "../../local/lambda/bundles.ts";
import config from "../../nightshift.config.ts";

/** As measured and a little more: who exceeds one looks at what was imported, then raises it. */
const budgetKilobytes: Record<string, number> = {
  canary: 208,
  database: 325,
  detection: 330,
  failover: 560,
  guard: 340,
  readiness: 445,
  remediation: 685,
  retirement: 405,
  rotation: 470,
  slack: 335,
  sweep: 340,
  triage: 380,
  verification: 735,
};

const entries = functionEntries();
const fixture = (name: string) => join(import.meta.dirname, "fixtures", name);

const run = async (args: string[], env: Record<string, string> = {}): Promise<string> => {
  const options = { timeout: 25_000, env: { TZ: "UTC", ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout;
};

describe("the bundles as deployed", () => {
  let folder = "";
  let bundles: Bundles;
  const bundleOf = (name: string) => bundles.get(entries.get(name) ?? "") ?? "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "nightshift-bundles-"));
    bundles = await bundle(entries.values(), { root: process.cwd(), folder });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("knows a budget for every function", () => {
    expect(Object.keys(budgetKilobytes).sort()).toEqual([...entries.keys()].sort());
  });

  it.each(Object.entries(budgetKilobytes))("keeps %s within %i KB", (name, kilobytes) => {
    expect(kilobytes).toBeLessThanOrEqual(800);
    expect(statSync(bundleOf(name)).size).toBeLessThan(kilobytes * 1000);
  });

  it.each([...entries.keys()])("imports %s without an effect on anything", async (name) => {
    // Under these permissions Node refuses to write files and to start processes and threads.
    const permissions = ["--permission", "--allow-fs-read=*"];
    const seen = JSON.parse(
      await run([...permissions, fixture("fresh-import.ts"), bundleOf(name)]),
    );
    expect({ ...seen, globals: seen.globals.sort() }).toEqual({
      exports: ["assemble", "handler"],
      network: [],
      // Of the AWS SDK, for its invocation context, and of zod.
      globals: ["__zod_globalConfig", "awslambda"],
      environmentChanged: false,
      listeners: 0,
    });
  });

  it.each([...entries.keys()])("bundles neither credential chain nor schemas for %s", (name) => {
    const text = readFileSync(bundleOf(name), "utf8");
    for (const unwanted of [
      "GetRoleCredentials",
      "RunInstances",
      "DeleteDBCluster",
      "UpdateFunctionCode",
    ]) {
      expect(text.includes(unwanted), unwanted).toBe(false);
    }
  });

  /** They have no part in a move. */
  const others = /^functions\/(remediation|retirement|rotation|sweep|triage|verification)\//;

  it("moves the platform with the bundles in the place of the sources", async () => {
    const pairs = [...bundles].flat();
    const ended = JSON.parse(await run([fixture("bundled-failover.ts"), "7", ...pairs]));
    expect(ended).toMatchObject({ outcome: "done", promotions: 1, served: true });
    expect(ended.used).toEqual([...entries.values()].filter((entry) => !others.test(entry)).sort());
  });
});

/** The first invocation of a durable execution, as Lambda gives it to a function. */
const durable = (name: string, input: object) => ({
  DurableExecutionArn: `arn:aws:lambda:eu-west-1:123456789012:function:${name}:1/durable/1`,
  CheckpointToken: "token",
  InitialExecutionState: {
    Operations: [
      {
        Id: "0",
        Type: "EXECUTION",
        Status: "STARTED",
        StartTimestamp: Date.UTC(2026, 10, 22),
        ExecutionDetails: { InputPayload: JSON.stringify(input) },
      },
    ],
  },
});

/** What each handler is asked, so that it must call AWS; and a service that it calls. */
const asked: Record<string, { event: unknown; calls: string }> = {
  canary: { event: {}, calls: "monitoring" },
  database: { event: { do: "position" }, calls: "secretsmanager" },
  detection: {
    event: JSON.parse(readFileSync("test/events/alarm-composite.json", "utf8")),
    calls: "monitoring",
  },
  failover: {
    event: durable("failover", {
      run: "failover-2-1",
      trigger: {
        by: "operator",
        who: "U0ANA",
        reason: "test",
        sinceMilliseconds: 0,
        overrides: [],
      },
    }),
    calls: "lambda",
  },
  guard: { event: { do: "obey", epoch: 2 }, calls: "dynamodb" },
  readiness: { event: {}, calls: "dynamodb" },
  remediation: {
    event: durable("remediation", {
      run: "remediation-eu-west-1-00000000-1",
      playbook: "unhealthy-host",
      subject: {
        region: "eu-west-1",
        alarm: "nightshift-unhealthy-hosts",
        kind: "unhealthy-hosts",
        resource: null,
        sinceMilliseconds: 0,
        reason: "test",
      },
      key: "arn@1",
      others: 0,
      message: null,
    }),
    calls: "lambda",
  },
  retirement: {
    event: durable("retirement", {
      run: "rotation-platform-database-00000000",
      secret: "platform/database",
      token: "0".repeat(32),
    }),
    calls: "lambda",
  },
  rotation: {
    event: { do: "prove", secret: "platform/database", token: "0".repeat(32) },
    calls: "secretsmanager",
  },
  slack: {
    event: {
      body: "payload=x",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-signature": `v0=${"0".repeat(64)}`,
      },
    },
    calls: "secretsmanager",
  },
  sweep: { event: {}, calls: "rds" },
  triage: { event: { do: "recheck" }, calls: "dynamodb" },
  verification: {
    event: durable("verification", {
      run: "verification-2026-11-22-03",
      age: { is: "latest" },
      by: "schedule",
      reason: "test",
    }),
    calls: "lambda",
  },
};

const links: Record<string, unknown> = {
  CoordinationTable: { name: "coordination" },
  JournalTable: { name: "journal" },
  SlackSecret: { arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack" },
  FailoverFunction: { name: "failover" },
  RemediationFunction: { name: "remediation" },
  Alarms: { prefix: "nightshift" },
  Remediated: {
    autoScalingGroup: "app",
    targetGroup: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/app/1",
    loadBalancerSuffix: "app/x/1",
    databaseId: "db",
  },
  DatabaseFunction: { name: "database" },
  Retired: { rotation: "rotation", database: "database", autoScalingGroup: "app" },
  Rotated: {
    secrets: [{ name: "platform/database", kind: "database-login", scope: "database" }],
    database: {
      host: "127.0.0.1",
      port: 9,
      database: "x",
      tls: "off",
      logins: ["app_a", "app_b"],
      ownerSecret: "platform/owner",
    },
    cache: { group: "cache", host: "127.0.0.1", port: 9 },
    retirement: "retirement",
  },
  Verified: {
    prefix: "nightshift",
    subnetGroup: "copies",
    securityGroup: "sg-3",
    parameterGroup: "postgres",
    database: "ledger",
    databases: { "eu-west-1": "db", "eu-central-1": "platform-home" },
    tls: "off",
  },
  Swept: { prefix: "nightshift" },
  VerificationFunction: { name: "verification" },
  Evidence: { bucket: "evidence", key: "mrk-1" },
  GuardFunctions: { "eu-west-1": "guard", "eu-central-1": "guard" },
  Database: { host: "127.0.0.1", port: 9, database: "x", secret: "db", roles: ["app"], tls: "off" },
  Canary: { roleUrls: {}, publicUrl: "http://app.example.com", reportTo: ["eu-west-1"] },
  Guarded: {
    roleRule: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/x/1/2/3",
    databaseSecurityGroup: "sg-1",
    applicationSecurityGroup: "sg-2",
    autoScalingGroup: "app",
  },
  RegionAlarms: {
    regions: { "eu-central-1": { composite: "region-lost-eu-central-1", observers: {} } },
    ownGroup: "app",
  },
  Readiness: {
    databaseId: "db",
    autoScalingGroup: "app",
    loadBalancer: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/x/1",
    roleRule: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/x/1/2/3",
    loadBalancers: { "eu-west-1": "x", "eu-central-1": "y" },
    secrets: ["app"],
    zoneId: "Z1",
  },
  OtherRegion: { database: "platform-home", autoScalingGroup: "platform" },
  Standby: {
    replica: "db",
    databaseHost: "127.0.0.1",
    databasePort: 9,
    autoScalingGroup: "app",
    secrets: ["app"],
    regionalName: "standby.example.com",
    publicUrl: "http://app.example.com",
  },
};

describe("a bundle in a process of its own, over HTTP", () => {
  let folder = "";
  let bundles: Bundles;
  const called: string[] = [];
  /** Refuses every call as AWS refuses one without permission, which no client repeats. */
  const aws = createServer((request, response) => {
    const scope = /Credential=[^/]+\/\d{8}\/[^/]+\/([^/]+)\/aws4_request/;
    const signed = /Signature=[0-9a-f]{64}$/.test(request.headers.authorization ?? "");
    const service = scope.exec(request.headers.authorization ?? "")?.[1] ?? "unknown";
    called.push(signed ? service : `${service}, unsigned`);
    request.resume();
    response.writeHead(400, { "x-amzn-errortype": "AccessDeniedException" });
    response.end(JSON.stringify({ __type: "AccessDeniedException", message: "not permitted" }));
  });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "nightshift-bundles-"));
    const configFile = join(folder, "nightshift.config.ts");
    // Nobody is asked for names outside of this machine.
    const failover = { ...config.failover, resolvers: ["127.0.0.1:9"] };
    writeFileSync(configFile, `export default ${JSON.stringify({ ...config, failover })};\n`);
    bundles = await bundle(entries.values(), { root: process.cwd(), folder, configFile });
    await new Promise<void>((resolve) => void aws.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    aws.closeAllConnections();
    await new Promise((resolve) => void aws.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  const environment = () => ({
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "LOCAL",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(aws.address() as AddressInfo).port}`,
    ...Object.fromEntries(
      Object.entries(links).map(([name, link]) => [`SST_RESOURCE_${name}`, JSON.stringify(link)]),
    ),
  });

  it("knows an event for every function", () => {
    expect(Object.keys(asked).sort()).toEqual([...entries.keys()].sort());
  });

  it.each(Object.keys(asked))("%s signs its calls and misses nothing left out", async (name) => {
    const { event, calls } = asked[name] ?? { event: {}, calls: "" };
    const bundled = bundles.get(entries.get(name) ?? "") ?? "";
    const now = String(Math.floor(Date.now() / 1000));
    const stamped =
      name === "slack"
        ? {
            ...(event as object),
            headers: {
              ...(event as { headers: object }).headers,
              "x-slack-request-timestamp": now,
            },
          }
        : event;
    called.length = 0;
    const said = await run(
      [
        "--disable-warning=ExperimentalWarning",
        fixture("fresh-invocation.ts"),
        bundled,
        JSON.stringify(stamped),
      ],
      environment(),
    );
    expect(said).toContain("\nended ");
    expect(called).toContain(calls);
    expect(called.filter((service) => /unknown|unsigned/.test(service))).toEqual([]);
    for (const sign of [
      leftOutMessage,
      "is not a function",
      "is not a constructor",
      "is not defined",
    ]) {
      expect(said).not.toContain(sign);
    }
  });
});
