import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { DescribeDBInstancesCommand, RDSClient } from "@aws-sdk/client-rds";
import { isThrottlingError } from "@smithy/core/retry";
import { describe, expect, it } from "vitest";
import { clientClass, sources } from "../../local/aws/catalog.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { type FaultRule, faults } from "../../local/aws/faults.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { network } from "../../local/network.ts";
import { installTime } from "../../local/time/install.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";

const region = "us-west-2";

/** A counter behind DynamoDB: a write adds one, a read tells how many there were. */
const counter = async (rules: FaultRule[], seed = 1) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22));
  let count = 0;
  const services = [
    {
      name: "dynamodb",
      operations: {
        UpdateItem: () => ({ Attributes: { count: { N: String(++count) } } }),
        GetItem: () => ({ Item: { count: { N: String(count) } } }),
      },
    },
  ];
  const random = seededRandom(seed);
  const surroundings = { timeline, random, network: network(), account: "123456789012" };
  const aws = endpoint(surroundings, services, { faults: faults(random, rules) });
  await aws.ready();
  const client = new DynamoDBClient({
    ...frugal,
    region,
    credentials: async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }),
    maxAttempts: 1,
    requestHandler: inProcess(aws, region, timeline),
  });
  const Key = { pk: { S: "counter" } };
  const outcome = (sent: Promise<unknown>) =>
    timeline.run(
      sent.then(
        () => "ok",
        (error: Error) => error.name,
      ),
    );
  return {
    timeline,
    count: () => count,
    add: () => outcome(client.send(new UpdateItemCommand({ TableName: "t", Key }))),
    read: async (ConsistentRead = false) => {
      const asked = new GetItemCommand({ TableName: "t", Key, ConsistentRead });
      return (await timeline.run(client.send(asked))).Item?.count?.N;
    },
  };
};

describe("a fault strikes", () => {
  it("only the calls that its rule matches, after some and so many times", async () => {
    const { add, count } = await counter([
      {
        match: { service: "dynamodb", operation: "UpdateItem" },
        kind: "error",
        after: 1,
        times: 2,
      },
      { match: { service: "rds" }, kind: "error" },
      { match: { region: "eu-west-1" }, kind: "error" },
      { match: { from: "internet" }, kind: "error" },
    ]);
    const outcomes = [await add(), await add(), await add(), await add()];
    expect(outcomes).toEqual(["ok", "InternalFailure", "InternalFailure", "ok"]);
    expect(count()).toBe(2);
  });

  it("the same calls for the same seed, and others for another", async () => {
    const outcomes = async (seed: number) => {
      const { add } = await counter([{ kind: "throttle", probability: 0.5 }], seed);
      const seen: string[] = [];
      for (let call = 0; call < 24; call += 1) seen.push(await add());
      return seen.join(" ");
    };
    expect(await outcomes(7)).toBe(await outcomes(7));
    expect(await outcomes(7)).not.toBe(await outcomes(8));
    expect(await outcomes(7)).toContain("ok");
    expect(await outcomes(7)).toContain("ThrottlingException");
  });
});

describe("a call that times out", () => {
  it("before its effect has none", async () => {
    const { add, count, timeline } = await counter([{ kind: "timeout-before", times: 1 }]);
    const before = timeline.now();
    expect(await add()).toBe("TimeoutError");
    expect(count()).toBe(0);
    expect(timeline.now() - before).toBe(5000);
  });

  it("after its effect has it all the same", async () => {
    const { add, count } = await counter([{ kind: "timeout-after", times: 1 }]);
    expect(await add()).toBe("TimeoutError");
    expect(count()).toBe(1);
  });
});

it("a slow call takes its time on the modelled clock and then succeeds", async () => {
  const { add, timeline } = await counter([{ kind: "slow", milliseconds: 3000, times: 1 }]);
  const before = timeline.now();
  expect(await add()).toBe("ok");
  expect(timeline.now() - before).toBe(3000);
});

describe("a stale read", () => {
  it("gives the value that was there before the last write", async () => {
    const { add, read } = await counter([{ kind: "stale", after: 2, times: 1 }]);
    await add();
    expect(await read()).toBe("1");
    await add();
    expect(await read()).toBe("2");
    expect(await read()).toBe("1");
    expect(await read()).toBe("2");
  });

  it("never happens to a strongly consistent read", async () => {
    const { add, read } = await counter([{ kind: "stale" }]);
    await add();
    expect(await read(true)).toBe("1");
    await add();
    expect(await read(true)).toBe("2");
  });
});

describe("a rule that asks", () => {
  it("strikes by what is in the request, and not by the operation alone", async () => {
    const asks = (_call: unknown, input: unknown) =>
      (input as { ConsistentRead?: boolean }).ConsistentRead === true;
    const { read } = await counter([{ match: { asks }, kind: "error" }]);
    expect(await read()).toBe("0");
    await expect(read(true)).rejects.toThrow(/internal failure/i);
  });

  it("spends no stale answer on a read that was never answered otherwise", async () => {
    const { add, read } = await counter([{ kind: "stale", older: true, times: 1 }]);
    expect(await read()).toBe("0");
    await add();
    expect(await read()).toBe("1");
    expect(await read()).toBe("0");
    expect(await read()).toBe("1");
  });
});

/** One operation of each service, with the least that its client asks for. */
const anyOperation: Record<string, [operation: string, input: object]> = {
  acm: ["ListCertificates", {}],
  "auto-scaling": ["DescribeAutoScalingGroups", {}],
  cloudwatch: ["DescribeAlarms", {}],
  dynamodb: ["ListTables", {}],
  ec2: ["DescribeInstances", {}],
  ecr: ["DescribeRepositories", {}],
  elasticache: ["DescribeReplicationGroups", {}],
  "elastic-load-balancing-v2": ["DescribeLoadBalancers", {}],
  eventbridge: ["ListRules", {}],
  kms: ["ListKeys", {}],
  lambda: ["ListFunctions", {}],
  rds: ["DescribeDBInstances", {}],
  "route-53": ["ListHostedZones", {}],
  s3: ["ListObjectsV2", { Bucket: "journal" }],
  scheduler: ["ListSchedules", {}],
  "secrets-manager": ["ListSecrets", {}],
  ssm: ["ListCommands", {}],
  sts: ["GetCallerIdentity", {}],
};

describe("throttling", () => {
  for (const name of Object.keys(sources)) {
    it(`of ${name} is what the SDK takes for throttling`, async () => {
      const [operation, input] = anyOperation[name] ?? ["", {}];
      const timeline = virtualTimeline(Date.UTC(2026, 10, 22));
      const random = seededRandom(1);
      const surroundings = { timeline, random, network: network(), account: "123456789012" };
      const services = [{ name, operations: { [operation]: () => ({}) } }];
      const rules = [{ kind: "throttle" } as const];
      const aws = endpoint(surroundings, services, { faults: faults(random, rules) });
      const exports = (await sources[name]?.load()) as Record<string, unknown>;
      const client = new (clientClass(exports))({
        ...frugal,
        region,
        maxAttempts: 1,
        credentials: async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }),
        requestHandler: inProcess(aws, region, timeline),
      }) as unknown as { send(command: object): Promise<object> };
      const Command = exports[`${operation}Command`] as new (input: object) => object;
      const error = await client.send(new Command(input)).catch((caught: Error) => caught);
      expect(isThrottlingError(error as never), String(error)).toBe(true);
    });
  }

  it("is retried by the client until it succeeds, in modelled time", async () => {
    const timeline = virtualTimeline(Date.UTC(2026, 10, 22));
    const random = seededRandom(1);
    const surroundings = { timeline, random, network: network(), account: "123456789012" };
    const services = [{ name: "rds", operations: { DescribeDBInstances: () => ({}) } }];
    const rules = [{ kind: "throttle", times: 2 } as const];
    const aws = endpoint(surroundings, services, { faults: faults(random, rules) });
    await aws.ready();
    const uninstall = installTime(timeline);
    try {
      const client = new RDSClient({
        ...frugal,
        region,
        retryMode: "standard",
        maxAttempts: 3,
        credentials: async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }),
        requestHandler: inProcess(aws, region, timeline),
      });
      const { $metadata } = await timeline.run(client.send(new DescribeDBInstancesCommand({})));
      expect($metadata.attempts).toBe(3);
    } finally {
      uninstall();
    }
  });
});
