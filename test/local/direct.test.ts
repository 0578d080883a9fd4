import { isDeepStrictEqual } from "node:util";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { ModifyDBInstanceCommand, RDSClient } from "@aws-sdk/client-rds";
import { describe, expect, it } from "vitest";
import { type DirectCall, installDirect, type SdkClient } from "../../local/aws/direct.ts";
import { endpoint } from "../../local/aws/endpoint.ts";
import { encodeOutput, understand } from "../../local/aws/protocols.ts";
import { AwsError, type Service } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { plainBytes } from "../../local/aws/wire.ts";
import { network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";
import { breaches } from "../simulation/invariants.ts";
import { calm, calmMove, type Simulation, simulate } from "../simulation/simulate.ts";

/** Real time, on a machine that does something else as well. */
const minutes = 60_000;

/** What the endpoint reads in the request that this client would have written. */
const inputOverWire = async ({ client, model, operation, asked }: DirectCall) => {
  const { protocol } = client.config;
  const context = { ...client.config, endpoint: nowhere };
  const {
    headers,
    body = "",
    ...rest
  } = await protocol.serializeRequest(operation.sdk, asked, context);
  const { method, path, query } = rest as never as {
    method: string;
    path: string;
    query: Record<string, string>;
  };
  const bytes = typeof body === "string" ? body : plainBytes(body);
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return understand(model, { method, path, query, headers: lower, body: bytes }).input();
};

/** What this client reads in the answer that the endpoint would have written. */
const outputOverWire = async (
  { config }: SdkClient,
  { model, operation, given }: DirectCall & { given: object },
) => {
  const { format } = model;
  const { status, headers, body } = await encodeOutput(
    model,
    { format, operation },
    { ...given },
    "request",
  );
  const bytes = typeof body === "string" ? Buffer.from(body) : plainBytes(body);
  const answer = { statusCode: status, headers, body: bytes };
  const { $metadata, ...output } = await config.protocol.deserializeResponse(
    operation.sdk,
    config,
    answer,
  );
  return output;
};

const nowhere = async () => ({ protocol: "http:", hostname: "local", path: "/", query: {} });

/** Kinds of byte arrays, and members that are absent or nothing, are the same to a reader. */
const read = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return { at: value.getTime() };
  if (Array.isArray(value)) return value.map(read);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => (member ?? null) !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, read(member)]));
};

const stories: Simulation[] = [
  { seed: 1, ...calm },
  { seed: 2, ...calmMove },
  { seed: 3 },
  { seed: 4 },
  { seed: 5, kind: "switchover" },
];

describe("a call that goes past the wire", () => {
  it.each(stories)(
    "asks and answers what the wire would have carried (seed $seed)",
    async (story) => {
      const calls: DirectCall[] = [];
      await simulate({ ...story, onDirect: (call) => void calls.push(call) });
      expect(calls.length).toBeGreaterThan(100);
      const others: string[] = [];
      for (const call of calls) {
        const { model, operation, given, got, client, taken } = call;
        const asked = read(await inputOverWire(call));
        const name = `${model.name} ${operation.name}`;
        if (!isDeepStrictEqual(read(taken), asked)) {
          others.push(
            `${name} asked ${JSON.stringify(read(taken))}, wire ${JSON.stringify(asked)}`,
          );
        }
        if (!given) continue;
        const answered = read(await outputOverWire(client, { ...call, given }));
        if (!isDeepStrictEqual(read(got), answered)) {
          others.push(
            `${name} answered ${JSON.stringify(read(got))}, wire ${JSON.stringify(answered)}`,
          );
        }
      }
      expect([...new Set(others)].slice(0, 12)).toEqual([]);
    },
    minutes,
  );

  it.each([{ seed: 11, ...calm }, { seed: 12, ...calmMove }, { seed: 13 }, { seed: 14 }])(
    "changes nothing that matters: all holds over the wire as well (seed $seed)",
    async (story) => {
      const { facts } = await simulate({ ...story, wire: true });
      expect(breaches(facts)).toEqual([]);
    },
    minutes,
  );
});

const region = "eu-west-1";

const refusing = (name: string, operation: string, error: AwsError): Service => ({
  name,
  operations: {
    [operation]: () => {
      throw error;
    },
  },
});

const held = { id: { S: "lease" } };
const cases: { refused: string; service: Service; send(options: object): Promise<unknown> }[] = [
  {
    refused: "with fields of its own",
    service: refusing(
      "dynamodb",
      "UpdateItem",
      new AwsError("ConditionalCheckFailedException", "The conditional request failed", {
        fields: { Item: held },
      }),
    ),
    send: (options) =>
      new DynamoDBClient(options).send(new UpdateItemCommand({ TableName: "x", Key: held })),
  },
  {
    refused: "under another name on the wire",
    service: refusing(
      "rds",
      "ModifyDBInstance",
      new AwsError("DBInstanceNotFoundFault", "DBInstance x not found."),
    ),
    send: (options) =>
      new RDSClient(options).send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: "x" })),
  },
  {
    refused: "as throttled, by a service that has changed its protocol",
    service: refusing("cloudwatch", "PutMetricData", new AwsError("ThrottlingException", "Rate")),
    send: (options) =>
      new CloudWatchClient(options).send(new PutMetricDataCommand({ Namespace: "x" })),
  },
  {
    refused: "with an internal failure",
    service: refusing("lambda", "Invoke", new AwsError("InternalFailure", "down", { status: 500 })),
    send: (options) => new LambdaClient(options).send(new InvokeCommand({ FunctionName: "x" })),
  },
];

describe("a refusal that goes past the wire", () => {
  it.each(cases)("is the error that the wire would have made: $refused", async (each) => {
    const timeline = virtualTimeline(0);
    const surroundings = { timeline, random: seededRandom(1), network: network(), account: "1" };
    const aws = endpoint(surroundings, [each.service]);
    await aws.ready();
    let direct = 0;
    const caught = async (maxAttempts: number): Promise<Record<string, unknown>> => {
      const credentials = async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" });
      const requestHandler = inProcess(aws, region, timeline);
      const options = { ...frugal, region, credentials, maxAttempts, requestHandler };
      const error = await each.send(options).then(
        () => expect.fail("it was not refused"),
        (refused: unknown) => refused as Error & Record<string, unknown>,
      );
      const { $metadata, RequestId, ...fields } = error;
      const { attempts, httpStatusCode } = $metadata as Record<string, unknown>;
      const { name, message, constructor: made } = error;
      return { ...fields, name, message, class: made.name, attempts, httpStatusCode };
    };
    const wired = await caught(1);
    const restore = installDirect(() => void (direct += 1));
    const past = await caught(1);
    restore();
    expect(direct).toBe(1);
    expect(past).toEqual(wired);
  });
});
