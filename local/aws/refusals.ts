import { NormalizedSchema } from "@smithy/core/schema";
import type { ErrorModel, Model, SdkCodec, WireFormat } from "./catalog.ts";
import {
  asRequest,
  cbor,
  codecOf,
  inner,
  nowhere,
  payloadHeaders,
  written,
  xmlElement,
} from "./protocols.ts";
import type { AwsError } from "./service.ts";
import { bodyText, type WireRequest, type WireResponse } from "./wire.ts";

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const side = (status: number): string => (status < 500 ? "Sender" : "Receiver");

/** Encodes a refusal. An error that the service does not model goes out under its own name. */
export const encodeError = async (
  model: Model | undefined,
  format: WireFormat,
  request: WireRequest,
  error: AwsError,
  requestId: string,
): Promise<WireResponse> => {
  const known = model?.errors.get(error.name);
  const status = error.status ?? known?.status ?? 400;
  const code = known?.code ?? error.name;
  const identified = { "x-amzn-requestid": requestId };
  const fields = fieldsOf(known, error);
  if (format === "awsQuery" || format === "ec2Query" || format === "restXml") {
    const headers = { ...identified, "content-type": "text/xml" };
    const bodyless = request.method === "HEAD";
    const body = bodyless
      ? ""
      : xmlError({ model, format, known, code, status, fields, requestId });
    return { status, headers, body };
  }
  const shape = known?.name ?? error.name;
  if (format === "restJson1") {
    return jsonRestError(model, known, { shape, status, fields, identified });
  }
  const type = known && model ? `${model.namespace}#${shape}` : shape;
  const headers: Record<string, string> = { ...identified, ...payloadHeaders(format) };
  if (request.headers["x-amzn-query-mode"] === "true") {
    headers["x-amzn-query-error"] = `${code};${side(status)}`;
  }
  const codec = model && codecOf(model, format);
  if (format === "rpcv2Cbor") {
    return { status, headers, body: written(cbor, 15, { __type: type, ...fields }) };
  }
  return { status, headers, body: jsonText(codec, known, fields, { __type: type }) };
};

const fieldsOf = (known: ErrorModel | undefined, error: AwsError): Record<string, unknown> => {
  const named = known?.members.find((member) => member.toLowerCase() === "message") ?? "message";
  return { ...error.fields, [named]: error.message };
};

const jsonText = (
  codec: SdkCodec | undefined,
  known: ErrorModel | undefined,
  fields: Record<string, unknown>,
  head: Record<string, unknown>,
): string => {
  const message = fields.message ?? fields.Message;
  const rest = known && codec ? JSON.parse(bodyText(written(codec, known.schema, fields))) : fields;
  return JSON.stringify({ ...head, message, ...rest });
};

const jsonRestError = async (
  model: Model | undefined,
  known: ErrorModel | undefined,
  {
    shape,
    status,
    fields,
    identified,
  }: {
    shape: string;
    status: number;
    fields: Record<string, unknown>;
    identified: Record<string, string>;
  },
): Promise<WireResponse> => {
  const headers = {
    ...identified,
    "content-type": "application/json",
    "x-amzn-errortype": shape,
  };
  if (!known || !model) return { status, headers, body: JSON.stringify(fields) };
  const sdk = { namespace: model.namespace, name: shape, traits: {}, input: 0, output: 0 };
  const target = asRequest(known, sdk, known.schema);
  const made = await model.protocol.serializeRequest(target, fields, {
    ...model.context,
    ...nowhere,
  });
  const body = JSON.parse(made.body ? bodyText(made.body) : "{}");
  const message = fields.message ?? fields.Message;
  return {
    status,
    headers: { ...made.headers, ...headers },
    body: JSON.stringify({ message, ...body }),
  };
};

const xmlError = (about: {
  model: Model | undefined;
  format: WireFormat;
  known: ErrorModel | undefined;
  code: string;
  status: number;
  fields: Record<string, unknown>;
  requestId: string;
}): string => {
  const { model, format, known, code, status, fields, requestId } = about;
  const message = String(fields.message ?? fields.Message ?? "");
  const extra = Object.fromEntries(
    Object.entries(fields).filter(([name]) => name.toLowerCase() !== "message"),
  );
  const members = known
    ? inner(xmlElement("Error", NormalizedSchema.of(known.schema as never), extra))
    : "";
  const named = `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message>${members}`;
  const identity = `<RequestId>${requestId}</RequestId>`;
  if (format === "ec2Query") {
    return `<Response><Errors><Error>${named}</Error></Errors><RequestID>${requestId}</RequestID></Response>`;
  }
  if (model?.name === "s3") return `<Error>${named}${identity}</Error>`;
  const typed = `<Error><Type>${side(status)}</Type>${named}</Error>`;
  return `<ErrorResponse>${typed}${identity}</ErrorResponse>`;
};
