import { NormalizedSchema } from "@smithy/core/schema";

/** The wire formats of AWS APIs, by the name that Smithy gives them. */
export type WireFormat =
  | "awsQuery"
  | "ec2Query"
  | "awsJson1_0"
  | "awsJson1_1"
  | "restJson1"
  | "restXml"
  | "rpcv2Cbor";

/** As much of the SDK's protocol classes as the endpoint uses in the opposite direction. */
export interface SdkProtocol {
  getShapeId(): string;
  getPayloadCodec(): SdkCodec;
  serializeRequest(
    operation: SdkOperation,
    input: object,
    context: object,
  ): Promise<{
    headers: Record<string, string>;
    body?: string | Uint8Array;
  }>;
  deserializeResponse(
    operation: SdkOperation,
    context: object,
    response: { statusCode: number; headers: Record<string, string>; body: Uint8Array },
  ): Promise<Record<string, unknown>>;
}

export interface SdkCodec {
  createSerializer(): {
    write(schema: unknown, value: unknown): void;
    flush(): string | Uint8Array;
  };
  createDeserializer(): { read(schema: unknown, bytes: Uint8Array | string): unknown };
}

/** An operation as the SDK's protocol classes want it. They keep caches on this very object. */
export interface SdkOperation {
  namespace: string;
  name: string;
  traits: unknown;
  input: unknown;
  output: unknown;
}

export interface OperationModel {
  name: string;
  sdk: SdkOperation;
  input: NormalizedSchema;
  output: NormalizedSchema;
  requiredInputs: string[];
  requiredOutputs: string[];
  /** Only where the service's own protocol is a REST one. */
  http: { method: string; path: string; status: number } | undefined;
}

export interface ErrorModel {
  name: string;
  /** What stands on the wire: `DBInstanceNotFound` for the shape `DBInstanceNotFoundFault`. */
  code: string;
  status: number;
  schema: unknown;
  members: string[];
}

/** One service, as its installed SDK client describes it. */
export interface Model {
  name: string;
  format: WireFormat;
  namespace: string;
  xmlNamespace: string | undefined;
  serviceTarget: string;
  protocol: SdkProtocol;
  /** What the SDK's codecs call their serde context. */
  context: object;
  operations: Map<string, OperationModel>;
  /** By shape name and, where that is another word, by wire code. */
  errors: Map<string, ErrorModel>;
}

interface Client {
  config: {
    protocol: SdkProtocol;
    protocolSettings: { defaultNamespace: string; xmlNamespace?: string; serviceTarget: string };
  };
}
type Exports = Record<string, unknown>;
interface Source {
  signingName: string;
  load(): Promise<Exports>;
}

/**
 * The services whose schemas are at hand, by the client package's name without `client-`. Loaded
 * one by one, when first used: all of them together take 220 MB.
 */
export const sources: Record<string, Source> = {
  acm: { signingName: "acm", load: () => import("@aws-sdk/client-acm") },
  "auto-scaling": {
    signingName: "autoscaling",
    load: () => import("@aws-sdk/client-auto-scaling"),
  },
  cloudwatch: { signingName: "monitoring", load: () => import("@aws-sdk/client-cloudwatch") },
  dynamodb: { signingName: "dynamodb", load: () => import("@aws-sdk/client-dynamodb") },
  ecr: { signingName: "ecr", load: () => import("@aws-sdk/client-ecr") },
  ec2: { signingName: "ec2", load: () => import("@aws-sdk/client-ec2") },
  elasticache: { signingName: "elasticache", load: () => import("@aws-sdk/client-elasticache") },
  "elastic-load-balancing-v2": {
    signingName: "elasticloadbalancing",
    load: () => import("@aws-sdk/client-elastic-load-balancing-v2"),
  },
  eventbridge: { signingName: "events", load: () => import("@aws-sdk/client-eventbridge") },
  kms: { signingName: "kms", load: () => import("@aws-sdk/client-kms") },
  lambda: { signingName: "lambda", load: () => import("@aws-sdk/client-lambda") },
  rds: { signingName: "rds", load: () => import("@aws-sdk/client-rds") },
  "route-53": { signingName: "route53", load: () => import("@aws-sdk/client-route-53") },
  s3: { signingName: "s3", load: () => import("@aws-sdk/client-s3") },
  scheduler: { signingName: "scheduler", load: () => import("@aws-sdk/client-scheduler") },
  "secrets-manager": {
    signingName: "secretsmanager",
    load: () => import("@aws-sdk/client-secrets-manager"),
  },
  ssm: { signingName: "ssm", load: () => import("@aws-sdk/client-ssm") },
  sts: { signingName: "sts", load: () => import("@aws-sdk/client-sts") },
};

const nameBySigningName = new Map(
  Object.entries(sources).map(([name, { signingName }]) => [signingName, name]),
);

/** `monitoring` is `cloudwatch`. S3's directory buckets sign with a name of their own. */
export const serviceName = (signingName: string): string | undefined =>
  nameBySigningName.get(signingName === "s3express" ? "s3" : signingName);

const loaded = new Map<string, Model>();
const loading = new Map<string, Promise<Model>>();

/** The model if it is already there, so that a call costs no further turn of the event loop. */
export const loadedModel = (name: string): Model | undefined => loaded.get(name);

/** Loads a service's model once. Throws for a name that the catalogue does not have. */
export const loadModel = (name: string): Promise<Model> => {
  const source = sources[name];
  if (!source) throw new Error(`no client package for the service "${name}" in the catalogue`);
  const pending = loading.get(name);
  if (pending) return pending;
  const promise = source.load().then((exports) => {
    const model = modelOf(name, exports);
    loaded.set(name, model);
    return model;
  });
  loading.set(name, promise);
  return promise;
};

/** The class of the service's client: the export whose name ends in `Client`. */
export const clientClass = (exports: Exports): (new (options: object) => Client) => {
  const name = Object.keys(exports).find((key) => /^[A-Z]\w*Client$/.test(key));
  if (!name) throw new Error("the package exports no client");
  return exports[name] as new (
    options: object,
  ) => Client;
};

/** The SDK marks the kind of a schema in its first place. */
const operationMark = 9;
const errorMark = -3;
type SchemaTuple = [mark: number, namespace: string, name: string, traits: unknown, ...unknown[]];

const isSchema = (value: unknown, mark: number): value is SchemaTuple =>
  Array.isArray(value) && value[0] === mark;

const modelOf = (name: string, exports: Exports): Model => {
  const { config } = new (clientClass(exports))({
    region: "us-east-1",
    credentials: { accessKeyId: "unused", secretAccessKey: "unused" },
  });
  const { protocol, protocolSettings } = config;
  const format = protocol.getShapeId().split("#")[1] as WireFormat;
  const operations = new Map<string, OperationModel>();
  const errors = new Map<string, ErrorModel>();
  for (const value of Object.values(exports)) {
    if (isSchema(value, operationMark)) {
      const operation = operationOf(value);
      operations.set(operation.name, operation);
    } else if (isSchema(value, errorMark) && !value[1].startsWith("smithy.ts.sdk.synthetic")) {
      const error = errorOf(value);
      errors.set(error.name, error);
      if (!errors.has(error.code)) errors.set(error.code, error);
    }
  }
  return {
    name,
    format,
    namespace: protocolSettings.defaultNamespace,
    xmlNamespace: protocolSettings.xmlNamespace,
    serviceTarget: protocolSettings.serviceTarget,
    protocol,
    context: config,
    operations,
    errors,
  };
};

const operationOf = (schema: SchemaTuple): OperationModel => {
  const [, namespace, name, traits, inputReference, outputReference] = schema;
  const input = NormalizedSchema.of(inputReference as never);
  const output = NormalizedSchema.of(outputReference as never);
  const http = (traits as { http?: [string, string, number] }).http;
  return {
    name,
    sdk: { namespace, name, traits, input: inputReference, output: outputReference },
    input,
    output,
    requiredInputs: requiredMembers(input),
    requiredOutputs: requiredMembers(output),
    http: http && { method: http[0], path: http[1], status: http[2] },
  };
};

/** A structure lists its required members first, and in its seventh place how many they are. */
const requiredMembers = (schema: NormalizedSchema): string[] => {
  const tuple = schema.getSchema();
  if (!schema.isStructSchema() || !Array.isArray(tuple)) return [];
  const members = tuple[4] as unknown as string[];
  return members.slice(0, Number(tuple[6] ?? 0));
};

const errorOf = (schema: SchemaTuple): ErrorModel => {
  const normalized = NormalizedSchema.of(schema as never);
  const traits = normalized.getMergedTraits() as {
    error?: "client" | "server";
    httpError?: number;
    awsQueryError?: [string, number];
  };
  return {
    name: schema[2],
    code: traits.awsQueryError?.[0] ?? schema[2],
    status:
      traits.awsQueryError?.[1] ?? traits.httpError ?? (traits.error === "server" ? 500 : 400),
    schema,
    members: Object.keys(normalized.getMemberSchemas()),
  };
};
