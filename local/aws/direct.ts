import { Client } from "@smithy/core/client";
import { retryMiddleware } from "@smithy/core/retry";
import type { NormalizedSchema } from "@smithy/core/schema";
import { Uint8ArrayBlobAdapter } from "@smithy/core/serde";
import { loadedModel, type Model, type OperationModel, serviceName } from "./catalog.ts";
import type { InProcessHandler } from "./transport.ts";
import { bodyBytes, type Scope, type WireResponse } from "./wire.ts";

/** One call that went past the wire: what a test compares with what the wire would have carried. */
export interface DirectCall {
  client: SdkClient;
  model: Model;
  operation: OperationModel;
  /** As the caller gave it, and as the state machine got it. */
  asked: object;
  taken: object;
  /** As the state machine gave it, and as the caller got it; absent when the call was refused. */
  given?: object;
  got?: object;
}

/** As much of the SDK's clients and commands as is used here. */
export interface SdkClient {
  config: {
    requestHandler: Partial<InProcessHandler>;
    defaultSigningName?: string;
    protocol: Model["protocol"];
    region(): Promise<string>;
    credentials(): Promise<{ accessKeyId: string }>;
    retryStrategy(): Promise<unknown>;
    maxAttempts(): Promise<number>;
    logger?: unknown;
  };
}
interface SdkCommand {
  input: Record<string, unknown>;
  schema?: [mark: number, namespace: string, name: string, ...unknown[]];
}
type Send = (this: SdkClient, command: SdkCommand, ...more: unknown[]) => unknown;

/**
 * What may go past the wire: operations whose clients put nothing else on it than what they are
 * asked, by signing name. Clients of the others change requests on their way (Route 53 shortens ids,
 * RDS signs a second request for copies between regions) or answer with streams (S3).
 */
const plain: Record<string, RegExp> = {
  autoscaling: /./,
  dynamodb: /./,
  ec2: /SecurityGroup|DescribeLaunchTemplate|DescribeImages/,
  elasticloadbalancing: /./,
  lambda: /^Invoke$|^SendDurable/,
  monitoring: /./,
  rds: /^Describe|^Modify|^Promote/,
  secretsmanager: /./,
};

/**
 * Lets calls of SDK clients in this process reach the endpoint without encoding, decoding and the
 * middleware between, which is four fifths of what a call costs. The SDK's own retries stay, and so
 * do its errors: a refusal is encoded, and decoded by the client's own protocol. Only clients whose
 * request handler is `inProcess` are meant; copies of the SDK in bundles go on as they are. Returns
 * the way back.
 */
export const installDirect = (onCall?: (call: DirectCall) => void): (() => void) => {
  const prototype = Client.prototype as unknown as { send: Send };
  const kept = prototype.send;
  const routes = new WeakMap<SdkClient, Map<string, Route | undefined>>();
  const routeOf = (client: SdkClient, command: SdkCommand): Route | undefined => {
    let known = routes.get(client);
    if (!known) routes.set(client, (known = new Map()));
    const name = command.schema?.[2] ?? "";
    if (!known.has(name)) known.set(name, route(client, command, onCall));
    return known.get(name);
  };
  prototype.send = function (command, ...more) {
    const way = more.length === 0 ? routeOf(this, command) : undefined;
    if (!way?.takes(command.input)) return kept.call(this, command, ...more);
    return way.send(command.input);
  };
  return () => void (prototype.send = kept);
};

interface Route {
  takes(input: Record<string, unknown>): boolean;
  send(input: Record<string, unknown>): Promise<unknown>;
}

/** Undefined where the call has to go over the wire. */
const route = (
  client: SdkClient,
  { schema }: SdkCommand,
  onCall: ((call: DirectCall) => void) | undefined,
): Route | undefined => {
  const { config } = client;
  const { requestHandler } = config;
  // Whoever has put something around the handler wants to see requests.
  const ask = Object.hasOwn(requestHandler, "ask") ? requestHandler.ask : undefined;
  const signingName = config.defaultSigningName ?? "";
  const model = loadedModel(serviceName(signingName) ?? "");
  const name = schema?.[2] ?? "";
  const operation = model?.operations.get(name);
  if (!ask || !model || !operation || !plain[signingName]?.test(name)) return undefined;
  if (!lookedUp.has(operation)) lookedUp.set(operation, tokensOf(operation.input));
  const tokens = lookedUp.get(operation) ?? [];
  let scope: Scope | undefined;
  const next = async (args: { input: object }) => {
    scope ??= await scopeOf(config, signingName);
    const taken = copied(args.input) as Record<string, unknown>;
    const answered = await ask({ scope, model, operation: name, input: taken });
    if (!answered) throw new Error(`the local ${model.name} has no operation ${name}`);
    const call = { client, model, operation, asked: args.input, taken };
    if ("refusal" in answered) {
      onCall?.(call);
      return thrown(client, operation, answered.refusal);
    }
    const got = copied(answered.output) as Record<string, unknown>;
    onCall?.({ ...call, given: answered.output, got: { ...got } });
    const { requestId } = answered;
    got.$metadata = { httpStatusCode: 200, requestId };
    return { response: undefined, output: got };
  };
  const tried = retryMiddleware(config as never)(next as never, {} as never);
  return {
    // A token that the client would draw itself is drawn by the client.
    takes: (input) => tokens.every((token) => input[token] !== undefined),
    send: async (input) => (await tried({ input } as never)).output,
  };
};

const lookedUp = new WeakMap<OperationModel, string[]>();

const tokensOf = (input: NormalizedSchema): string[] =>
  input.isStructSchema()
    ? [...input.structIterator()].flatMap(([name, member]) =>
        member.getMergedTraits().idempotencyToken ? [name] : [],
      )
    : [];

const scopeOf = async (config: SdkClient["config"], signingName: string): Promise<Scope> => {
  const { accessKeyId } = await config.credentials();
  return { accessKeyId, region: await config.region(), signingName };
};

/** Throws the error that the client's own protocol makes of a refusal. */
const thrown = async (
  { config }: SdkClient,
  { sdk }: OperationModel,
  { status: statusCode, headers, body }: WireResponse,
): Promise<never> => {
  const response = { statusCode, headers, body: bodyBytes(body) };
  try {
    await config.protocol.deserializeResponse(sdk, config, response);
  } catch (error) {
    // As the SDK hands it on: there, and not to be seen when the error is printed.
    if (error instanceof Error)
      Object.defineProperty(error, "$response", { value: response, enumerable: false });
    throw error;
  }
  throw new Error("the client takes a refusal for an answer");
};

/** As if it had been written and read again: nothing is shared, and nothing undefined is there. */
const copied = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copied);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof Uint8Array) return Uint8ArrayBlobAdapter.mutate(new Uint8Array(value));
  const made: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined && member !== null) made[name] = copied(member);
  }
  return made;
};
