import type { Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";
import {
  loadedModel,
  loadModel,
  type Model,
  type OperationModel,
  serviceName,
  type WireFormat,
} from "./catalog.ts";
import { type Faults, type Strike, throttlingError } from "./faults.ts";
import { encodeOutput, understand } from "./protocols.ts";
import { encodeError } from "./refusals.ts";
import { AwsError, type Call, type Operation, type Service, type Surroundings } from "./service.ts";
import { type Scope, scopeOf, type WireRequest, type WireResponse } from "./wire.ts";

export interface Endpoint {
  /**
   * Answers one request of a caller who stands at `from`. Never settles when the caller cannot
   * reach the region, or a fault swallows the answer: silence is how AWS fails in an outage.
   */
  handle(request: WireRequest, from: Place): Promise<WireResponse>;
  /**
   * The same without a wire between: what a request would carry goes in, what its answer would carry
   * comes out. Undefined when no service here has the operation.
   */
  ask(question: Question, from: Place): Promise<Answered | undefined>;
  /** Loads the schemas of all services: needed before virtual time, which cannot wait for files. */
  ready(): Promise<void>;
}

/** A request that needs no decoding. The input belongs to the endpoint from then on. */
export interface Question {
  scope: Scope;
  /** A model that is loaded, and the name of one of its operations. */
  model: Model;
  operation: string;
  input: Record<string, unknown>;
  trace: string | undefined;
}

/** The output belongs to the state machine: whoever keeps it copies it. */
export type Answered =
  | { output: Record<string, unknown>; requestId: string }
  | { refusal: WireResponse };

export type Outcome =
  | { kind: "answered"; output: Record<string, unknown> }
  | { kind: "refused"; error: AwsError }
  /** Nobody learns what became of the call; `effect` says it. */
  | { kind: "silent"; effect: boolean };

/**
 * Sees every call. A hook that answers `silence` stops the call there: before it has had any
 * effect, or after its effect and before its answer. So a test kills the caller exactly there.
 */
export interface Observer {
  before?(call: Call, input: unknown, trace: string | undefined): Verdict;
  after?(call: Call, input: unknown, outcome: Outcome, trace: string | undefined): Verdict;
}
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks need not return anything.
export type Verdict = void | "silence" | Promise<void | "silence">;

export interface EndpointOptions {
  faults?: Faults;
  observe?: Observer;
  /**
   * Told of an error that is no AwsError, which is a bug in a state machine; the caller then gets
   * a 500. Without it the error rejects `handle`, so that a test fails where the bug is.
   */
  onBug?(error: unknown, call: Call): void;
}

/** Control planes of these services stand in us-east-1, whatever region the client names. */
const homedInUsEast1 = new Set(["route53", "iam"]);

type Spoken = Exclude<Outcome, { kind: "silent" }>;

/** Refusals are encoded in the light of their request: this one wants everything they can say. */
const wireless: WireRequest = {
  method: "POST",
  path: "/",
  query: {},
  headers: { "x-amzn-query-mode": "true" },
  body: "",
};

/** A request that was understood, and the operation that answers it. */
interface Asked {
  call: Call;
  input: Record<string, unknown>;
  format: WireFormat;
  operation: OperationModel;
  run: Operation;
}

/** One AWS for all regions: decodes, asks the service's state machine, encodes. */
export const endpoint = (
  surroundings: Surroundings,
  services: Service[],
  options: EndpointOptions = {},
): Endpoint => {
  const { account } = surroundings;
  const byName = new Map(services.map((service) => [service.name, service]));
  const { silentTowards, outcomeOf } = answering(surroundings, options);
  let requests = 0;

  const handle = async (request: WireRequest, from: Place): Promise<WireResponse> => {
    const requestId = uuidOf((requests += 1));
    const scope = scopeOf(request);
    if (!scope) return unsigned(request, requestId);
    if (homedInUsEast1.has(scope.signingName)) scope.region = "us-east-1";
    if (silentTowards(from, scope)) return never();
    const name = serviceName(scope.signingName);
    if (!name) return notImplemented(undefined, request, scope.signingName, "*", requestId);
    const model = loadedModel(name) ?? (await loadModel(name));
    const { operation, operationName, format, input } = understand(model, request);
    const run = byName.get(name)?.operations[operationName];
    if (!operation || !run) {
      return notImplemented(model, request, scope.signingName, operationName, requestId);
    }
    const call = callOf(scope, operationName, from, account);
    const refuse = (error: AwsError) => encodeError(model, format, request, error, requestId);
    const read = await input().catch(unreadable);
    if (read instanceof AwsError) return refuse(read);
    const asked = { call, input: read, format, operation, run };
    const outcome = await outcomeOf(asked, scope, request.headers["x-amzn-trace-id"]);
    if (!outcome) return never();
    if (outcome.kind === "refused") return refuse(outcome.error);
    try {
      return await encodeOutput(model, { format, operation }, outcome.output, requestId);
    } catch (error) {
      if (!options.onBug) throw error;
      options.onBug(error, call);
      return refuse(internalFailure(String(error)));
    }
  };

  const ask = async (question: Question, from: Place): Promise<Answered | undefined> => {
    const { scope, model, input, trace } = question;
    const { format } = model;
    const operation = model.operations.get(question.operation);
    const run = byName.get(model.name)?.operations[question.operation];
    if (!operation || !run) return undefined;
    const requestId = uuidOf((requests += 1));
    if (silentTowards(from, scope)) return never();
    const call = callOf(scope, question.operation, from, account);
    const outcome = await outcomeOf({ call, input, format, operation, run }, scope, trace);
    if (!outcome) return never();
    if (outcome.kind === "answered") return { output: outcome.output, requestId };
    return { refusal: await encodeError(model, format, wireless, outcome.error, requestId) };
  };

  return {
    handle,
    ask,
    ready: async () => void (await Promise.all(services.map(({ name }) => loadModel(name)))),
  };
};

/** What becomes of a call that was understood, and who gets to know. */
const answering = ({ network, timeline }: Surroundings, options: EndpointOptions) => {
  const conduct = conductor(timeline, options);
  const silentTowards = (from: Place, { signingName, region }: Scope): boolean => {
    if (!network.reachable(from, region)) return true;
    return homedInUsEast1.has(signingName) && network.controlPlanesSilent();
  };
  /** Undefined when nobody is told. */
  const outcomeOf = async (
    asked: Asked,
    scope: Scope,
    trace: string | undefined,
  ): Promise<Spoken | undefined> => {
    try {
      const outcome = await conduct(asked, trace);
      // A region that died while it worked on the call can no longer send the answer.
      if (outcome.kind === "silent" || silentTowards(asked.call.from, scope)) return undefined;
      return outcome;
    } catch (error) {
      if (!options.onBug) throw error;
      options.onBug(error, asked.call);
      return { kind: "refused", error: internalFailure(String(error)) };
    }
  };
  return { silentTowards, outcomeOf };
};

/** Runs one operation between the observer's hooks, under the fault that struck it, if any. */
const conductor = (timeline: Timeline, { faults, observe = {} }: EndpointOptions) => {
  const perform = async (asked: Asked, strike: Strike | undefined): Promise<Outcome> => {
    const { call, input } = asked;
    if (strike?.kind === "timeout-before") return { kind: "silent", effect: false };
    if (strike?.kind === "slow") await timeline.sleep(strike.milliseconds);
    try {
      if (strike?.kind === "throttle") throw throttlingError(call.service);
      if (strike?.kind === "error") throw internalFailure();
      const past = strike?.kind === "stale" ? faults?.recall(call, input) : undefined;
      const output = past?.output ?? (await answer(asked));
      if (!past) faults?.remember(call, input, output);
      if (strike?.kind === "timeout-after") return { kind: "silent", effect: true };
      return { kind: "answered", output: output as Record<string, unknown> };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      if (strike?.kind === "timeout-after") return { kind: "silent", effect: true };
      return { kind: "refused", error };
    }
  };
  return async (asked: Asked, trace: string | undefined): Promise<Outcome> => {
    const { call, input } = asked;
    if (observe.before && (await observe.before(call, input, trace)) === "silence") return never();
    const outcome = await perform(asked, faults?.strike(call, input, trace));
    if (!observe.after) return outcome;
    const verdict = await observe.after(call, input, outcome, trace);
    return verdict === "silence" ? never() : outcome;
  };
};

const answer = async (asked: Asked): Promise<Record<string, unknown>> => {
  const { call, input, format, operation, run } = asked;
  const missing = operation.requiredInputs.find((name) => input[name] === undefined);
  if (missing) throw missingParameter(format, operation, missing);
  const output = ((await run(input as never, call)) ?? {}) as Record<string, unknown>;
  const absent = operation.requiredOutputs.find((name) => output[name] === undefined);
  if (absent) throw new Error(`${operation.name} answered without ${absent}, which is required`);
  return output;
};

/** An account other than the default one stands in the access key id, as twelve digits. */
const callOf = (scope: Scope, operation: string, from: Place, account: string): Call => ({
  service: scope.signingName,
  operation,
  region: scope.region,
  from,
  account: /\d{12}/.exec(scope.accessKeyId)?.[0] ?? account,
  accessKeyId: scope.accessKeyId,
});

/** A promise of its own for each call, since a shared one would keep every waiter for ever. */
const never = (): Promise<never> => new Promise(() => undefined);

const uuidOf = (number: number): string =>
  `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;

const unreadable = (error: unknown): AwsError =>
  new AwsError("SerializationException", `The request cannot be read: ${String(error)}`);

const internalFailure = (message = "An internal failure, asked for by a fault"): AwsError =>
  new AwsError("InternalFailure", message, { status: 500 });

const missingParameter = (
  format: WireFormat,
  { name }: OperationModel,
  member: string,
): AwsError => {
  const code = format.endsWith("Query") ? "MissingParameter" : "ValidationException";
  return new AwsError(code, `${name}: the member ${member} is required`, { status: 400 });
};

const unsigned = (request: WireRequest, requestId: string): Promise<WireResponse> => {
  const error = new AwsError("MissingAuthenticationToken", "The request is not signed", {
    status: 403,
  });
  return encodeError(undefined, guessFormat(request), request, error, requestId);
};

const notImplemented = (
  model: Model | undefined,
  request: WireRequest,
  service: string,
  operation: string,
  requestId: string,
): Promise<WireResponse> => {
  const error = new AwsError(
    "NotImplemented",
    `${service}: ${operation} is not part of the local AWS`,
    { status: 501 },
  );
  return encodeError(model, guessFormat(request, model), request, error, requestId);
};

const guessFormat = ({ headers }: WireRequest, model?: Model) => {
  if (headers["smithy-protocol"] === "rpc-v2-cbor") return "rpcv2Cbor";
  if (headers["x-amz-target"]) return "awsJson1_0";
  if (model) return model.format;
  return headers["content-type"]?.includes("form") ? "awsQuery" : "restJson1";
};
