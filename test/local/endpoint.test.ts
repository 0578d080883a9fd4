import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { DescribeDBInstancesCommand, RDSClient } from "@aws-sdk/client-rds";
import { ListHostedZonesCommand, Route53Client } from "@aws-sdk/client-route-53";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, it } from "vitest";
import { type EndpointOptions, endpoint } from "../../local/aws/endpoint.ts";
import { type Listener, listen } from "../../local/aws/server.ts";
import { AwsError, type Call, type Service } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { internet, network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const home = "us-west-2";
const standby = "eu-west-1";
const start = Date.UTC(2026, 10, 22, 3, 14, 7);

const world = (operations: Record<string, Service["operations"]>, options?: EndpointOptions) => {
  const timeline = virtualTimeline(start);
  const regions = network();
  const services = Object.entries(operations).map(([name, some]) => ({ name, operations: some }));
  const surroundings = {
    timeline,
    random: seededRandom(1),
    network: regions,
    account: "123456789012",
  };
  const aws = endpoint(surroundings, services, options);
  return { timeline, regions, aws };
};

const signedBy = (accessKeyId = "AKIDEXAMPLE") => ({
  ...frugal,
  credentials: async () => ({ accessKeyId, secretAccessKey: "secret" }),
  maxAttempts: 1,
  retryMode: "standard",
});

const describeNothing = { rds: { DescribeDBInstances: () => ({ DBInstances: [] }) } };
const lookAtDatabases = new DescribeDBInstancesCommand({});

describe("an answer", () => {
  it("carries a call's service, region, caller and account to the operation", async () => {
    const calls: Call[] = [];
    const { aws, timeline } = world({
      rds: {
        DescribeDBInstances: (_, call) => {
          calls.push(call);
          return { DBInstances: [{ DBInstanceIdentifier: "platform", MultiAZ: true }] };
        },
      },
    });
    const requestHandler = inProcess(aws, standby, timeline);
    const client = new RDSClient({ ...signedBy("AKIA210987654321"), region: home, requestHandler });
    const { DBInstances } = await client.send(lookAtDatabases);
    expect(DBInstances).toEqual([{ DBInstanceIdentifier: "platform", MultiAZ: true }]);
    expect(calls).toEqual([
      {
        service: "rds",
        operation: "DescribeDBInstances",
        region: home,
        from: standby,
        account: "210987654321",
        accessKeyId: "AKIA210987654321",
      },
    ]);
  });

  it("is a typed error with status and members where the operation refuses", async () => {
    const { aws, timeline } = world({
      dynamodb: {
        PutItem: () => {
          throw new AwsError("ConditionalCheckFailedException", "The conditional request failed", {
            fields: { Item: { epoch: { N: "4" } } },
          });
        },
      },
    });
    const requestHandler = inProcess(aws, home, timeline);
    const client = new DynamoDBClient({ ...signedBy(), region: home, requestHandler });
    const put = client.send(new PutItemCommand({ TableName: "lease", Item: { pk: { S: "x" } } }));
    await expect(put).rejects.toMatchObject({
      name: "ConditionalCheckFailedException",
      message: "The conditional request failed",
      $metadata: { httpStatusCode: 400 },
      Item: { epoch: { N: "4" } },
    });
  });

  it("is a refusal under its own name where the model does not know the error", async () => {
    const { aws, timeline } = world({
      rds: {
        DescribeDBInstances: () => {
          throw new AwsError("AccessDenied", "not authorized", { status: 403 });
        },
      },
    });
    const requestHandler = inProcess(aws, home, timeline);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    await expect(client.send(lookAtDatabases)).rejects.toMatchObject({
      name: "AccessDenied",
      message: "not authorized",
      $metadata: { httpStatusCode: 403 },
    });
  });

  it("is 501 with service and operation for an operation that the local AWS lacks", async () => {
    const { aws, timeline } = world({ rds: {}, "route-53": {} });
    const requestHandler = inProcess(aws, home, timeline);
    const rds = new RDSClient({ ...signedBy(), region: home, requestHandler });
    const route53 = new Route53Client({ ...signedBy(), region: home, requestHandler });
    const dynamodb = new DynamoDBClient({ ...signedBy(), region: home, requestHandler });
    await expect(rds.send(lookAtDatabases)).rejects.toMatchObject({
      name: "NotImplemented",
      message: "rds: DescribeDBInstances is not part of the local AWS",
      $metadata: { httpStatusCode: 501 },
    });
    await expect(route53.send(new ListHostedZonesCommand({}))).rejects.toThrow("ListHostedZones");
    const get = new GetItemCommand({ TableName: "lease", Key: { pk: { S: "x" } } });
    await expect(dynamodb.send(get)).rejects.toThrow("dynamodb: GetItem");
  });

  it("names the required member that a request lacks", async () => {
    const { aws, timeline } = world({ dynamodb: { GetItem: () => ({}) } });
    const requestHandler = inProcess(aws, home, timeline);
    const client = new DynamoDBClient({ ...signedBy(), region: home, requestHandler });
    const keyless = new GetItemCommand({ TableName: "lease" } as never);
    await expect(client.send(keyless)).rejects.toMatchObject({
      name: "ValidationException",
      message: "GetItem: the member Key is required",
    });
  });

  it("refuses a request that nobody signed", async () => {
    const { aws } = world(describeNothing);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = "Action=DescribeDBInstances&Version=2014-10-31";
    const answer = await aws.handle({ method: "POST", path: "/", query: {}, headers, body }, home);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain("MissingAuthenticationToken");
  });

  it("puts objects into the bucket that stands in the host name or in the path", async () => {
    const stored: unknown[] = [];
    const { aws, timeline } = world({
      s3: {
        PutObject: ({ Bucket, Key, Body }: { Bucket: string; Key: string; Body: Uint8Array }) => {
          stored.push([Bucket, Key, Buffer.from(Body).toString()]);
        },
        GetObject: () => ({ Body: Buffer.from("evidence"), ContentLength: 8 }),
      },
    });
    const requestHandler = inProcess(aws, home, timeline);
    for (const forcePathStyle of [false, true]) {
      const s3 = new S3Client({ ...signedBy(), region: home, forcePathStyle, requestHandler });
      await s3.send(new PutObjectCommand({ Bucket: "journal", Key: "a/b 1.json", Body: "{}" }));
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: "journal", Key: "a" }));
      expect(await Body?.transformToString()).toBe("evidence");
    }
    expect(stored).toEqual([
      ["journal", "a/b 1.json", "{}"],
      ["journal", "a/b 1.json", "{}"],
    ]);
  });
});

describe("a bug in a state machine", () => {
  const broken = {
    rds: {
      DescribeDBInstances: () => {
        throw new TypeError("cannot read properties of undefined");
      },
    },
  };

  it("reaches the test that caused it", async () => {
    const { aws, timeline } = world(broken);
    const requestHandler = inProcess(aws, home, timeline);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    await expect(client.send(lookAtDatabases)).rejects.toThrow("cannot read properties");
  });

  it("is a 500 for the caller and is reported, where somebody listens", async () => {
    const bugs: unknown[] = [];
    const { aws, timeline } = world(broken, { onBug: (error) => void bugs.push(error) });
    const requestHandler = inProcess(aws, home, timeline);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    await expect(client.send(lookAtDatabases)).rejects.toMatchObject({
      name: "InternalFailure",
      $metadata: { httpStatusCode: 500 },
    });
    expect(bugs).toHaveLength(1);
  });
});

describe("silence", () => {
  const failing = async (timeline: ReturnType<typeof virtualTimeline>, sent: Promise<unknown>) => {
    const before = timeline.now();
    const error = await timeline.run(sent.catch((caught: Error) => caught));
    return { error, seconds: (timeline.now() - before) / 1000 };
  };

  it("is all that a caller hears of a dead region, until its own 5 seconds are over", async () => {
    const { aws, timeline, regions } = world(describeNothing);
    regions.set(home, "dead");
    const requestHandler = inProcess(aws, standby, timeline);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    const { error, seconds } = await failing(timeline, client.send(lookAtDatabases));
    expect(error).toMatchObject({ name: "TimeoutError" });
    expect(seconds).toBe(5);
  });

  it("lasts as long as the client's own bound, for each of its attempts", async () => {
    const { aws, timeline, regions } = world(describeNothing);
    await aws.ready();
    regions.set(home, "cut");
    const requestHandler = inProcess(aws, internet, timeline).bounded(2000);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    expect((await failing(timeline, client.send(lookAtDatabases))).seconds).toBe(2);
    const sent = client.send(lookAtDatabases, { requestTimeout: 700 });
    expect((await failing(timeline, sent)).seconds).toBe(0.7);
  });

  it("swallows the answer of a region that dies while it works, though the effect is there", async () => {
    let effects = 0;
    const { aws, timeline, regions } = world({
      rds: {
        DescribeDBInstances: () => {
          effects += 1;
          regions.set(home, "dead");
          return { DBInstances: [] };
        },
      },
    });
    await aws.ready();
    const requestHandler = inProcess(aws, standby, timeline);
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    const { error } = await failing(timeline, client.send(lookAtDatabases));
    expect(error).toMatchObject({ name: "TimeoutError" });
    expect(effects).toBe(1);
  });

  it("is Route 53's answer to everybody while us-east-1's control planes are silent", async () => {
    const { aws, timeline, regions } = world({
      "route-53": {
        ListHostedZones: (_, call) => ({
          HostedZones: [],
          Marker: call.region,
          IsTruncated: false,
          MaxItems: 1,
        }),
      },
    });
    await aws.ready();
    const requestHandler = inProcess(aws, standby, timeline);
    const client = new Route53Client({ ...signedBy(), region: standby, requestHandler });
    const zones = await client.send(new ListHostedZonesCommand({}));
    expect(zones.Marker).toBe("us-east-1");
    regions.silenceControlPlanes(true);
    const { error } = await failing(timeline, client.send(new ListHostedZonesCommand({})));
    expect(error).toMatchObject({ name: "TimeoutError" });
  });
});

describe("a caller that is killed", () => {
  it("just before a call leaves no effect, just after it leaves one, and hears neither", async () => {
    for (const moment of ["before", "after"] as const) {
      let effects = 0;
      const operations = {
        rds: { DescribeDBInstances: () => ({ DBInstances: [], Marker: String(++effects) }) },
      };
      const killed = new AbortController();
      const traces: unknown[] = [];
      const kill = (trace: string | undefined): "silence" => {
        traces.push(trace);
        killed.abort();
        return "silence";
      };
      const { aws, timeline } = world(operations, {
        observe: {
          before: (_call, _input, trace) => (moment === "before" ? kill(trace) : undefined),
          after: (_call, _input, _outcome, trace) => (moment === "after" ? kill(trace) : undefined),
        },
      });
      await aws.ready();
      const requestHandler = inProcess(aws, home, timeline, {
        signal: killed.signal,
        trace: "Root=1-failover-7",
      });
      const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
      let heard = false;
      const mark = () => void (heard = true);
      client.send(lookAtDatabases).then(mark, mark);
      await timeline.advance(60_000);
      client.send(lookAtDatabases).then(mark, mark);
      await timeline.advance(60_000);
      expect({ effects, heard, traces }).toEqual({
        effects: moment === "before" ? 0 : 1,
        heard: false,
        traces: ["Root=1-failover-7"],
      });
    }
  });
});

describe("the way to the endpoint", () => {
  it("takes its latency in modelled time, and a caller killed on it never arrives", async () => {
    let effects = 0;
    const { aws, timeline } = world({
      rds: { DescribeDBInstances: () => ({ Marker: String(++effects) }) },
    });
    await aws.ready();
    const killed = new AbortController();
    const requestHandler = inProcess(aws, home, timeline, {
      latencyMilliseconds: () => 40,
      signal: killed.signal,
    });
    const client = new RDSClient({ ...signedBy(), region: home, requestHandler });
    expect((await timeline.run(client.send(lookAtDatabases))).Marker).toBe("1");
    expect(timeline.now() - start).toBe(40);
    const sent = client.send(lookAtDatabases);
    timeline.after(20, () => killed.abort());
    await timeline.advance(60_000);
    expect(effects).toBe(1);
    expect(await Promise.race([sent, "still waiting"])).toBe("still waiting");
  });
});

describe("over HTTP", () => {
  const listeners: Listener[] = [];
  afterEach(async () => {
    for (const listener of listeners.splice(0)) await listener.close();
  });
  const listening = async (aws: ReturnType<typeof world>["aws"], from: string) => {
    const listener = await listen(aws, from);
    listeners.push(listener);
    return listener.url;
  };
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };

  it("the port that a caller uses says where the caller stands", async () => {
    const { aws, regions } = world({
      rds: { DescribeDBInstances: (_, call) => ({ DBInstances: [], Marker: call.from }) },
    });
    const [near, far] = [await listening(aws, home), await listening(aws, standby)];
    const common = { region: home, credentials, maxAttempts: 1 };
    const inside = new RDSClient({ ...common, endpoint: near });
    const outside = new RDSClient({
      ...common,
      endpoint: far,
      requestHandler: { requestTimeout: 200, throwOnRequestTimeout: true },
    });
    expect((await inside.send(lookAtDatabases)).Marker).toBe(home);
    expect((await outside.send(lookAtDatabases)).Marker).toBe(standby);
    regions.set(home, "cut");
    expect((await inside.send(lookAtDatabases)).Marker).toBe(home);
    await expect(outside.send(lookAtDatabases)).rejects.toMatchObject({ name: "TimeoutError" });
    inside.destroy();
    outside.destroy();
  });

  it("closes at once though a silent call still hangs", async () => {
    const { aws, regions } = world(describeNothing);
    regions.set(home, "dead");
    const url = await listening(aws, standby);
    const client = new RDSClient({ region: home, endpoint: url, credentials, maxAttempts: 1 });
    const hanging = client.send(lookAtDatabases).catch((error: Error) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await listeners.pop()?.close();
    expect(await hanging).toBeInstanceOf(Error);
    client.destroy();
  });

  it("answers 500 and reports it when the endpoint itself fails", async () => {
    const { aws } = world({
      rds: {
        DescribeDBInstances: () => {
          throw new TypeError("a bug");
        },
      },
    });
    const errors: unknown[] = [];
    const listener = await listen(aws, home, { onError: (error) => void errors.push(error) });
    listeners.push(listener);
    const endpointUrl = { endpoint: listener.url, credentials, maxAttempts: 1 };
    const client = new RDSClient({ region: home, ...endpointUrl });
    await expect(client.send(lookAtDatabases)).rejects.toMatchObject({
      $metadata: { httpStatusCode: 500 },
    });
    expect(errors).toEqual([new TypeError("a bug")]);
    client.destroy();
  });
});
