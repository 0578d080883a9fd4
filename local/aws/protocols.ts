import { XmlShapeSerializer } from "@aws-sdk/core/protocols";
import { CborCodec } from "@smithy/core/cbor";
import { NormalizedSchema } from "@smithy/core/schema";
import type { Model, OperationModel, SdkCodec, SdkOperation, WireFormat } from "./catalog.ts";
import { type Form, formReader, parseForm } from "./query-form.ts";
import { type Routed, readBindings, routeRequest } from "./rest-route.ts";
import {
  bodyBytes,
  bodyText,
  plainBytes,
  type WireRequest,
  type WireResponse,
  withoutChunks,
} from "./wire.ts";

/**
 * AWS protocols seen from the server, made of the SDK's own codecs turned round. Which format a
 * request has is read from the request, since clients of different age use different ones.
 */
export interface Understood {
  format: WireFormat;
  /** What was asked for, also when the service has no such operation. */
  operationName: string;
  operation: OperationModel | undefined;
  /** Reads the input. Throws when the body cannot be read. */
  input(): Promise<Record<string, unknown>>;
}

export const understand = (model: Model, request: WireRequest): Understood => {
  const { headers } = request;
  const contentType = headers["content-type"] ?? "";
  if (headers["smithy-protocol"] === "rpc-v2-cbor") {
    return remoteCall(model, request, "rpcv2Cbor", request.path.split("/").at(-1) ?? "");
  }
  if (headers["x-amz-target"]) {
    const format = contentType.endsWith("1.1") ? "awsJson1_1" : "awsJson1_0";
    return remoteCall(model, request, format, headers["x-amz-target"].split(".").at(-1) ?? "");
  }
  if (contentType.startsWith("application/x-www-form-urlencoded")) {
    return formCall(model, request);
  }
  const routed = routeRequest(model, request);
  const operationName = routed?.operation.name ?? `${request.method} ${request.path}`;
  return {
    format: model.format,
    operationName,
    operation: routed?.operation,
    input: async () => (routed ? readRest(model, routed, request) : {}),
  };
};

const remoteCall = (
  model: Model,
  request: WireRequest,
  format: "rpcv2Cbor" | "awsJson1_0" | "awsJson1_1",
  operationName: string,
): Understood => {
  const operation = model.operations.get(operationName);
  return {
    format,
    operationName,
    operation,
    input: async () => {
      if (!operation || request.body.length === 0 || operation.input.isUnitSchema()) return {};
      const reader = codecOf(model, format).createDeserializer();
      return (await reader.read(operation.input, request.body)) as Record<string, unknown>;
    },
  };
};

const formReaders = new WeakMap<OperationModel, (form: Form) => Record<string, unknown>>();

const formCall = (model: Model, request: WireRequest): Understood => {
  const format = model.format === "ec2Query" ? "ec2Query" : "awsQuery";
  const form = parseForm(bodyText(request.body));
  const operationName = form.get("Action") ?? "";
  const operation = model.operations.get(operationName);
  return {
    format,
    operationName,
    operation,
    input: async () => {
      if (!operation) return {};
      let read = formReaders.get(operation);
      if (!read)
        formReaders.set(operation, (read = formReader(operation.input, format !== "awsQuery")));
      return read(form);
    },
  };
};

export const cbor = new CborCodec() as unknown as SdkCodec;

export const codecOf = (model: Model, format: WireFormat): SdkCodec =>
  format === "rpcv2Cbor" ? cbor : model.protocol.getPayloadCodec();

/**
 * What a REST body and its headers hold: the input without the members of path and query, and
 * without the member that takes the whole body as it is.
 */
interface RestInput {
  sdk: SdkOperation;
  stream: string | undefined;
}
const restInputs = new WeakMap<OperationModel, RestInput>();

const restInputOf = (operation: OperationModel): RestInput => {
  const known = restInputs.get(operation);
  if (known) return known;
  const [mark, namespace, name, traits, members = [], schemas = []] =
    operation.input.getSchema() as unknown as [
      number,
      string,
      string,
      unknown,
      string[]?,
      unknown[]?,
    ];
  const stream = members.find((member) => operation.input.getMemberSchema(member).isStreaming());
  const kept = members.flatMap((member, index) => {
    const { httpLabel, httpQuery, httpQueryParams } = operation.input
      .getMemberSchema(member)
      .getMergedTraits();
    return httpLabel || httpQuery || httpQueryParams || member === stream ? [] : [index];
  });
  const body = operation.input.isStructSchema()
    ? [mark, namespace, name, traits, kept.map((i) => members[i]), kept.map((i) => schemas[i])]
    : operation.sdk.input;
  const made = { sdk: { ...operation.sdk, output: body }, stream };
  restInputs.set(operation, made);
  return made;
};

/** The SDK reads answers only, so the request is handed to it as an answer with the input's shape. */
const readRest = async (
  model: Model,
  routed: Routed,
  request: WireRequest,
): Promise<Record<string, unknown>> => {
  const { operation } = routed;
  const { sdk, stream } = restInputOf(operation);
  const body = plainBytes(bodyBytes(withoutChunks(request)));
  const read = await model.protocol.deserializeResponse(sdk, model.context, {
    statusCode: 200,
    headers: { ...request.headers },
    body: stream === undefined ? body : new Uint8Array(),
  });
  const { $metadata: _, ...input } = read;
  for (const [name, value] of Object.entries(input)) {
    if (value === null) delete input[name];
  }
  if (stream !== undefined && body.length > 0) input[stream] = new Uint8Array(body);
  return Object.assign(input, readBindings(routed, request));
};

const xmlSettings = {
  timestampFormat: { useTrait: true, default: 5 as const },
  httpBindings: false,
  xmlNamespace: "",
  serviceNamespace: "",
};

/** Writes `value` as one element of that name. Schemas are kept, because normalising them is slow. */
const renamed = new WeakMap<object, NormalizedSchema>();
export const xmlElement = (name: string, schema: NormalizedSchema, value: object): string => {
  const source = schema.getSchema() as unknown as unknown[];
  let element = renamed.get(source);
  if (!element) {
    const [, namespace, , , members, schemas] = source;
    element = NormalizedSchema.of([3, namespace, name, 0, members, schemas] as never);
    renamed.set(source, element);
  }
  const serializer = new XmlShapeSerializer(xmlSettings);
  serializer.write(element, value);
  return String(serializer.flush())
    .replace(/^<[^\s/>]+/, `<${name}`)
    .replace(/<\/[^<>]+>$/, `</${name}>`);
};

/** The content of an element that has no attributes of interest. */
export const inner = (element: string): string =>
  element.endsWith("/>") ? "" : element.slice(element.indexOf(">") + 1, element.lastIndexOf("</"));

/** Encodes an answer in the format of its request. */
export const encodeOutput = async (
  model: Model,
  { format, operation }: { format: WireFormat; operation: OperationModel },
  output: Record<string, unknown>,
  requestId: string,
): Promise<WireResponse> => {
  const identified = { "x-amzn-requestid": requestId };
  switch (format) {
    case "awsQuery": {
      const name = `${operation.name}Response`;
      const result = operation.output.isStructSchema()
        ? xmlElement(`${operation.name}Result`, operation.output, output)
        : "";
      const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
      const body = `<${name} xmlns="${model.xmlNamespace ?? ""}">${result}${metadata}</${name}>`;
      return { status: 200, headers: { ...identified, "content-type": "text/xml" }, body };
    }
    case "ec2Query": {
      const name = `${operation.name}Response`;
      const members = operation.output.isStructSchema()
        ? inner(xmlElement(name, operation.output, output))
        : "";
      const namespace = model.xmlNamespace ?? "";
      const body = `<${name} xmlns="${namespace}"><requestId>${requestId}</requestId>${members}</${name}>`;
      return { status: 200, headers: { ...identified, "content-type": "text/xml" }, body };
    }
    case "awsJson1_0":
    case "awsJson1_1":
    case "rpcv2Cbor": {
      const headers = { ...identified, ...payloadHeaders(format) };
      if (operation.output.isUnitSchema()) {
        return { status: 200, headers, body: format === "rpcv2Cbor" ? new Uint8Array() : "{}" };
      }
      return {
        status: 200,
        headers,
        body: written(codecOf(model, format), operation.output, output),
      };
    }
    case "restJson1":
    case "restXml":
      return writeRest(model, operation, output, identified);
  }
};

export const payloadHeaders = (format: WireFormat): Record<string, string> => {
  if (format === "rpcv2Cbor") {
    return { "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor" };
  }
  return { "content-type": `application/x-amz-json-${format === "awsJson1_1" ? "1.1" : "1.0"}` };
};

/** `value` as the codec writes it. */
export const written = (codec: SdkCodec, schema: unknown, value: unknown): Uint8Array | string => {
  const serializer = codec.createSerializer();
  serializer.write(schema, value);
  return plain(serializer.flush());
};

const plain = (bytes: Uint8Array | string): Uint8Array | string =>
  typeof bytes === "string" ? bytes : plainBytes(bytes);

/** Answers are written by the SDK as if they were requests: it can write nothing else. */
const restOutputs = new WeakMap<object, SdkOperation>();

export const asRequest = (key: object, sdk: SdkOperation, output: unknown): SdkOperation => {
  const known = restOutputs.get(key);
  if (known) return known;
  const made = { ...sdk, input: output, traits: { http: ["POST", "/", 200] } };
  restOutputs.set(key, made);
  return made;
};

/** The SDK asks where a request goes before it writes one. */
export const nowhere = {
  endpoint: async () => ({ protocol: "http:", hostname: "local", path: "/", query: {} }),
};

const writeRest = async (
  model: Model,
  operation: OperationModel,
  output: Record<string, unknown>,
  identified: Record<string, string>,
): Promise<WireResponse> => {
  let status = operation.http?.status ?? 200;
  const fields: Record<string, unknown> = { ...output };
  if (operation.output.isStructSchema()) {
    for (const [name, member] of operation.output.structIterator()) {
      if (!member.getMergedTraits().httpResponseCode) continue;
      if (typeof fields[name] === "number") status = fields[name];
      delete fields[name];
    }
  }
  const target = asRequest(operation, operation.sdk, operation.sdk.output);
  const { headers, body } = await model.protocol.serializeRequest(target, fields, {
    ...model.context,
    ...nowhere,
  });
  return {
    status,
    headers: { ...headers, ...identified },
    body: operation.output.isUnitSchema() || body === undefined ? "" : plain(body),
  };
};
