import { isDeepStrictEqual } from "node:util";
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";
import { NormalizedSchema, TypeRegistry } from "@smithy/core/schema";
import { LazyJsonString, NumericValue } from "@smithy/core/serde";
import { describe, expect, it } from "vitest";
import { clientClass, loadModel, type Model, sources } from "../../local/aws/catalog.ts";
import { type Endpoint, endpoint } from "../../local/aws/endpoint.ts";
import { listen } from "../../local/aws/server.ts";
import { AwsError, type Operation, type Service } from "../../local/aws/service.ts";
import { frugal, inProcess } from "../../local/aws/transport.ts";
import { network } from "../../local/network.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { type Random, seededRandom } from "../../shared/random.ts";

/**
 * The gate of every SDK upgrade: random inputs, answers and errors, made from the schemas that the
 * installed clients carry, must come through client and endpoint unchanged.
 */

/** Operations and errors that cannot come through, each with the reason. */
const excluded: Record<string, string> = {
  "cloudwatch DashboardNotFoundError": "shares its wire code with ResourceNotFound",
  "lambda InvokeWithResponseStream": "answers with an event stream",
  "s3 SelectObjectContent": "answers with an event stream",
  "s3 WriteGetObjectResponse": "its host name says that there is no bucket; an address cannot",
  "sts AssumeRoleWithSAML": "is not signed, so that nothing names service and region",
  "sts AssumeRoleWithWebIdentity": "is not signed, so that nothing names service and region",
};

/** Members that clients fill in or change by themselves, so that random values prove nothing. */
const clientsOwn: Record<string, { members: RegExp; because: string }> = {
  "ec2 CopySnapshot": { members: /^(DestinationRegion|PresignedUrl)$/, because: "presigned" },
  "eventbridge PutEvents": {
    members: /^EndpointId$/,
    because: "needs SigV4a, a package of its own",
  },
  s3: {
    members: /^(Checksum\w+|(CopySource)?SSECustomerKey(MD5)?|ContentMD5)$/,
    because: "the client computes checksums and encodes keys",
  },
  "s3 CreateBucket": {
    members: /^CreateBucketConfiguration$/,
    because: "the client names its own region",
  },
};

const isClientsOwn = (service: string, operation: string, member: string): boolean =>
  [clientsOwn[service], clientsOwn[`${service} ${operation}`]].some((own) =>
    own?.members.test(member),
  );

const region = "us-west-2";
type Fields = Record<string, unknown>;
type Result = { kind: "output"; value: Fields } | { kind: "error"; error: AwsError };

const world = (model: Model) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22));
  const state: { received: unknown; result: Result } = {
    received: undefined,
    result: { kind: "output", value: {} },
  };
  const run: Operation = (input) => {
    state.received = input;
    if (state.result.kind === "error") throw state.result.error;
    return state.result.value;
  };
  const operations = Object.fromEntries([...model.operations.keys()].map((name) => [name, run]));
  const service: Service = { name: model.name, operations };
  const surroundings = {
    timeline,
    random: seededRandom(1),
    network: network(),
    account: "123456789012",
  };
  return { state, timeline, aws: endpoint(surroundings, [service]) };
};

interface Sender {
  send(command: object): Promise<Fields>;
  destroy(): void;
}

const clientOf = async (
  name: string,
  options: object,
): Promise<{ exports: Fields; client: Sender }> => {
  const exports = (await sources[name]?.load()) as Fields;
  const Client = clientClass(exports);
  const client = new Client({
    region,
    credentials: async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }),
    maxAttempts: 1,
    retryMode: "standard",
    disableHostPrefix: true,
    ...options,
  }) as unknown as Sender;
  return { exports, client };
};

const viaProcess = (aws: Endpoint, timeline: ReturnType<typeof virtualTimeline>) => ({
  ...frugal,
  forcePathStyle: true,
  requestHandler: inProcess(aws, region, timeline),
});

const send = (client: Sender, exports: Fields, operation: string, input: Fields) => {
  const Command = exports[`${operation}Command`] as new (input: Fields) => object;
  return client.send(new Command(input));
};

// ---- random values from schemas

interface Place {
  /** Headers, labels and queries carry plain words only. */
  plain: boolean;
  depth: number;
  input: boolean;
}

const words = ["alpha", "Beta-2", "x/y:z", 'späť <&> "q"', "a b", "new\nline", "漢字 🙂"];

const randomValue = (schema: NormalizedSchema, random: Random, place: Place): unknown => {
  const { plain, depth } = place;
  const traits = schema.getMergedTraits() as Fields;
  if (schema.isStructSchema()) return structureOf(schema, random, { ...place, depth: depth + 1 });
  if (schema.isListSchema()) {
    const member = schema.getValueSchema();
    const length = depth > 3 ? 1 : random.integer(1, 2);
    return Array.from({ length }, () =>
      randomValue(member, random, { ...place, depth: depth + 1 }),
    );
  }
  if (schema.isMapSchema()) {
    const member = schema.getValueSchema();
    const next = { ...place, depth: depth + 1 };
    return { [`key${random.integer(0, 9)}`]: randomValue(member, random, next) };
  }
  if (schema.isStringSchema()) {
    const text = words[random.integer(0, plain ? 1 : words.length - 1)] ?? "";
    const media = traits.mediaType as string | undefined;
    return media?.includes("json") ? LazyJsonString.from(JSON.stringify({ text })) : text;
  }
  if (schema.isNumericSchema()) return random.integer(1, 999);
  if (schema.isBooleanSchema()) return random.fraction() < 0.5;
  if (schema.isTimestampSchema()) return new Date(random.integer(1, 1_900_000_000) * 1000);
  if (schema.isBlobSchema()) return Uint8Array.from(random.bytes(random.integer(1, 9)));
  if (schema.isBigIntegerSchema()) return BigInt(random.integer(1, 999));
  if (schema.isBigDecimalSchema()) return new NumericValue("12.5", "bigDecimal");
  if (schema.isDocumentSchema()) return { text: "document", list: [1, true] };
  return undefined;
};

const structureOf = (schema: NormalizedSchema, random: Random, place: Place): Fields => {
  const tuple = schema.getSchema() as unknown as [
    number,
    string,
    string,
    unknown,
    string[],
    unknown,
    number?,
  ];
  const required = new Set(tuple[4].slice(0, tuple[6] ?? 0));
  let members = [...schema.structIterator()];
  if (schema.isUnionSchema())
    members = members.slice(random.integer(0, members.length - 1)).slice(0, 1);
  const value: Fields = {};
  for (const [name, member] of members) {
    const traits = member.getMergedTraits() as Fields;
    const bound = traits.httpLabel || traits.httpHeader || traits.httpQuery;
    const plain = Boolean(
      bound || traits.httpPrefixHeaders !== undefined || traits.httpQueryParams,
    );
    // An answer always has its status, S3 clients take an empty body for a broken one, and a map
    // of headers that was left out comes as an empty map.
    const headers = traits.httpPrefixHeaders !== undefined;
    const certain = headers || traits.httpResponseCode || (!place.input && traits.httpPayload);
    const needed =
      certain ||
      required.has(name) ||
      traits.httpLabel ||
      traits.idempotencyToken ||
      schema.isUnionSchema();
    if (!needed && (place.depth > 4 || random.fraction() < 0.4)) continue;
    if (place.depth > 9) continue;
    if (traits.httpResponseCode) value[name] = 200;
    else value[name] = randomValue(member, random, { ...place, plain });
  }
  // Forms cannot carry an empty structure, and nobody sends one.
  const [first] = members;
  if (first && Object.keys(value).length === 0 && place.depth > 0) {
    value[first[0]] = randomValue(first[1], random, { ...place, depth: place.depth + 1 });
  }
  return value;
};

const rootOf = (schema: NormalizedSchema, random: Random, input: boolean): Fields =>
  schema.isStructSchema() ? structureOf(schema, random, { plain: false, depth: 0, input }) : {};

const without = (service: string, operation: string, fields: unknown): Fields =>
  Object.fromEntries(
    Object.entries(fields ?? {}).filter(([member]) => !isClientsOwn(service, operation, member)),
  );

// ---- comparison: what a client and the wire may change without harm

const plainly = async (value: unknown): Promise<unknown> => {
  if (value instanceof Date || value instanceof Uint8Array) {
    return value instanceof Date ? value : Buffer.from(value).toString("hex");
  }
  if (value instanceof String) return String(value);
  if (value instanceof NumericValue) return value.string;
  if (Array.isArray(value)) return Promise.all(value.map(plainly));
  if (typeof value !== "object" || value === null) return value;
  if ("transformToByteArray" in value) {
    const read = value.transformToByteArray as () => Promise<Uint8Array>;
    return Buffer.from(await read.call(value)).toString("hex");
  }
  const entries = Object.entries(value).filter(
    ([key, v]) => v !== undefined && key !== "$metadata",
  );
  return Object.fromEntries(
    await Promise.all(entries.map(async ([key, inner]) => [key, await plainly(inner)])),
  );
};

const difference = async (sent: unknown, got: unknown): Promise<string | undefined> =>
  firstDifference(await plainly(sent), await plainly(got), "");

const firstDifference = (sent: unknown, got: unknown, path: string): string | undefined => {
  if (isDeepStrictEqual(sent, got)) return undefined;
  if (isFields(sent) && isFields(got)) {
    for (const key of new Set([...Object.keys(sent), ...Object.keys(got)])) {
      const found = firstDifference(sent[key], got[key], `${path}.${key}`);
      if (found) return found;
    }
  }
  return `${path} was ${show(sent)} and came as ${show(got)}`;
};

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

const show = (value: unknown) =>
  JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner))?.slice(
    0,
    300,
  );

const attempt = async (act: () => Promise<string | undefined>): Promise<string | undefined> => {
  try {
    return await act();
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message).slice(0, 700) : String(error);
  }
};

const operationsOf = (model: Model) =>
  [...model.operations.values()].filter(({ name }) => !excluded[`${model.name} ${name}`]);

/** A world with one service in it, its client, and the way between them; closed after `act`. */
const withClient = async (
  name: string,
  way: { http?: boolean; options?: object },
  act: (
    given: ReturnType<typeof world> & { model: Model; exports: Fields; client: Sender },
  ) => unknown,
): Promise<void> => {
  const model = await loadModel(name);
  const made = world(model);
  const listener = way.http ? await listen(made.aws, region) : undefined;
  const transport = listener ? { endpoint: listener.url } : viaProcess(made.aws, made.timeline);
  const { exports, client } = await clientOf(name, { ...transport, ...way.options });
  try {
    await act({ ...made, model, exports, client });
  } finally {
    client.destroy();
    await listener?.close();
  }
};

/** What changed on the way, for every operation or a share of them. */
const roundTrips = async (
  name: string,
  way: { http?: boolean; options?: object; share?: number } = {},
): Promise<string[]> => {
  const failures: string[] = [];
  const pick = seededRandom(`share of ${name}`);
  await withClient(name, way, async ({ model, state, exports, client }) => {
    for (const operation of operationsOf(model)) {
      if (pick.fraction() >= (way.share ?? 1)) continue;
      const random = seededRandom(`${name} ${operation.name}`);
      const input = without(name, operation.name, rootOf(operation.input, random, true));
      const value = without(name, operation.name, rootOf(operation.output, random, false));
      state.result = { kind: "output", value };
      state.received = undefined;
      const failure = await attempt(async () => {
        const output = await send(client, exports, operation.name, { ...input });
        const received = without(name, operation.name, state.received);
        const inputDiffers = await difference(input, received);
        if (inputDiffers) return `input: ${inputDiffers}`;
        const outputDiffers = await difference(value, output);
        return outputDiffers && `output: ${outputDiffers}`;
      });
      if (failure) failures.push(`${name} ${operation.name}: ${failure}`);
    }
  });
  return failures;
};

/** Modelled errors that do not come as their own class, with all their members. */
const lostErrors = async (name: string, options?: object): Promise<string[]> => {
  const failures: string[] = [];
  await withClient(name, { options }, async ({ model, state, exports, client }) => {
    const operation = operationsOf(model).find(({ http }) => http?.method !== "HEAD");
    if (!operation) throw new Error(`${name} has no operations`);
    const random = seededRandom(`${name} errors`);
    const input = without(name, operation.name, rootOf(operation.input, random, true));
    for (const errorModel of new Set(model.errors.values())) {
      if (excluded[`${name} ${errorModel.name}`]) continue;
      const all = rootOf(NormalizedSchema.of(errorModel.schema as never), random, false);
      const fields = Object.fromEntries(
        Object.entries(all).filter(([member]) => !/^(message|code|type)$/i.test(member)),
      );
      state.result = {
        kind: "error",
        error: new AwsError(errorModel.name, "went wrong", { fields }),
      };
      const failure = await attempt(async () => {
        const caught = await send(client, exports, operation.name, { ...input }).catch(
          (error: unknown) => error as Fields,
        );
        if (caught.name !== errorModel.name) return `came as ${caught.name}: ${caught.message}`;
        if (!(caught instanceof (exports[errorModel.name] as new () => object)))
          return "lost its class";
        if (caught.message !== "went wrong") return `lost its message: ${caught.message}`;
        const got = Object.fromEntries(Object.keys(fields).map((key) => [key, caught[key]]));
        return difference(fields, got);
      });
      if (failure) failures.push(`${name} ${errorModel.name}: ${failure}`);
    }
  });
  return failures;
};

describe("every operation of the installed clients comes through unchanged", () => {
  for (const name of Object.keys(sources)) {
    it(`${name}: inputs and answers`, async () => {
      expect(await roundTrips(name)).toEqual([]);
    });
    it(`${name}: errors come typed`, async () => {
      expect(await lostErrors(name)).toEqual([]);
    });
  }
});

it("covers the catalogue, so that an SDK upgrade cannot quietly empty this test", async () => {
  let operations = 0;
  let errors = 0;
  for (const name of Object.keys(sources)) {
    const model = await loadModel(name);
    operations += operationsOf(model).length;
    errors += new Set(model.errors.values()).size;
  }
  expect(operations).toBeGreaterThan(1500);
  expect(errors).toBeGreaterThan(400);
});

describe("the same over real HTTP, signed, for every tenth operation", () => {
  for (const name of Object.keys(sources)) {
    it(name, async () => {
      expect(await roundTrips(name, { http: true, share: 0.1 })).toEqual([]);
    });
  }
});

describe("clients of other ages speak other formats to the same service", () => {
  const settings = {
    defaultNamespace: "com.amazonaws.cloudwatch",
    xmlNamespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
    version: "2010-08-01",
    serviceTarget: "GraniteServiceVersion20100801",
  };
  const withProtocol = (protocol: unknown) => ({
    protocol,
    protocolSettings: {
      ...settings,
      errorTypeRegistries: [TypeRegistry.for(settings.defaultNamespace)],
    },
  });
  it("CloudWatch in CBOR", async () => {
    const options = withProtocol(AwsSmithyRpcV2CborProtocol);
    expect(await roundTrips("cloudwatch", { options })).toEqual([]);
    expect(await lostErrors("cloudwatch", options)).toEqual([]);
  });
  it("CloudWatch in forms and XML", async () => {
    const options = withProtocol(AwsQueryProtocol);
    expect(await roundTrips("cloudwatch", { options })).toEqual([]);
  });
});
