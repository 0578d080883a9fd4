import { FromStringShapeDeserializer } from "@smithy/core/protocols";
import type { Model, OperationModel } from "./catalog.ts";
import type { WireRequest } from "./wire.ts";

export interface Routed {
  operation: OperationModel;
  /** Members that stand in the path, still as text. */
  labels: Record<string, string>;
}

interface Route {
  operation: OperationModel;
  pattern: RegExp;
  labels: string[];
  fixedQuery: [string, string][];
  /** What the SDK puts into `x-id` to tell operations of one path apart; other clients do not. */
  id: string | undefined;
  requiredQuery: string[];
  requiredHeaders: string[];
  hasBucket: boolean;
  specificity: number;
}

interface BindingTraits {
  httpQuery?: string;
  httpQueryParams?: unknown;
  httpHeader?: string;
  httpLabel?: unknown;
}

const traitsOf = (operation: OperationModel, member: string): BindingTraits =>
  operation.input.getMemberSchema(member).getMergedTraits() as BindingTraits;

const routeOf = (operation: OperationModel): Route | undefined => {
  if (!operation.http) return undefined;
  const [path = "/", search = ""] = operation.http.path.split("?");
  const labels: string[] = [];
  const pattern = path
    .replace(/\/$/, "")
    .replaceAll(/[.*^$()|[\]\\]/g, "\\$&")
    .replaceAll(/\{([^{}+]+)(\+?)\}/g, (_, name: string, greedy: string) => {
      labels.push(name);
      return greedy ? "(.+)" : "([^/]+)";
    });
  const fixed = [...new URLSearchParams(search)];
  const required = operation.requiredInputs.map((member) => traitsOf(operation, member));
  const fixedQuery = fixed.filter(([key]) => key !== "x-id");
  const requiredQuery = required.flatMap(({ httpQuery }) => httpQuery ?? []);
  const requiredHeaders = required.flatMap(({ httpHeader }) => httpHeader?.toLowerCase() ?? []);
  const literal = path.replaceAll(/\{[^{}]+\}/g, "").length;
  return {
    operation,
    pattern: new RegExp(`^${pattern}/?$`),
    labels,
    fixedQuery,
    id: fixed.find(([key]) => key === "x-id")?.[1],
    requiredQuery,
    requiredHeaders,
    hasBucket: "Bucket" in operation.input.getMemberSchemas(),
    specificity:
      fixedQuery.length * 10_000 + (requiredQuery.length + requiredHeaders.length) * 1000 + literal,
  };
};

const tables = new WeakMap<Model, Map<string, Route[]>>();

const tableOf = (model: Model): Map<string, Route[]> => {
  const known = tables.get(model);
  if (known) return known;
  const table = new Map<string, Route[]>();
  for (const operation of model.operations.values()) {
    const route = routeOf(operation);
    if (!route) continue;
    const method = operation.http?.method ?? "POST";
    const routes = table.get(method) ?? [];
    table.set(method, routes);
    routes.push(route);
  }
  for (const routes of table.values()) routes.sort((a, b) => b.specificity - a.specificity);
  tables.set(model, table);
  return table;
};

/** Finds the operation of a REST request. Undefined when no path of the service fits. */
export const routeRequest = (model: Model, request: WireRequest): Routed | undefined => {
  const target = model.name === "s3" ? bucketAndKey(request) : { path: request.path };
  let found: Routed | undefined;
  for (const route of tableOf(model).get(request.method) ?? []) {
    if (model.name === "s3" && route.hasBucket !== (target.bucket !== undefined)) continue;
    if (!route.fixedQuery.every(([key, value]) => queryText(request, key) === value)) continue;
    if (!route.requiredQuery.every((key) => request.query[key] !== undefined)) continue;
    if (!route.requiredHeaders.every((name) => request.headers[name] !== undefined)) continue;
    const match = route.pattern.exec(target.path);
    if (!match) continue;
    const labels: Record<string, string> = {};
    route.labels.forEach((label, index) => {
      labels[label] = decodeURIComponent(match[index + 1] ?? "");
    });
    if (target.bucket !== undefined) labels.Bucket = target.bucket;
    if (route.id === undefined || route.id === queryText(request, "x-id")) {
      return { operation: route.operation, labels };
    }
    found ??= { operation: route.operation, labels };
  }
  return found;
};

const queryText = (request: WireRequest, key: string): string | undefined => {
  const value = request.query[key];
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value[0] : (value ?? "");
};

/** The bucket stands in the host (`bucket.s3.us-west-2.amazonaws.com`) or first in the path. */
const bucketAndKey = (request: WireRequest): { path: string; bucket?: string } => {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const inHost = /^(.+)\.(?:s3[.-].*amazonaws\.com|localhost)$/.exec(host)?.[1];
  if (inHost) return { path: request.path, bucket: inHost };
  const [, bucket, ...key] = request.path.split("/");
  if (!bucket) return { path: "/" };
  return { path: `/${key.join("/")}`, bucket: decodeURIComponent(bucket) };
};

/** Timestamps in a path or query are written as 2026-11-22T03:14:07Z unless the model says more. */
const scalars = new FromStringShapeDeserializer({
  timestampFormat: { useTrait: true, default: 5 },
  httpBindings: true,
});

/** Reads the members that stand in path and query. */
export const readBindings = (routed: Routed, request: WireRequest): Record<string, unknown> => {
  const input: Record<string, unknown> = {};
  const { operation, labels } = routed;
  if (!operation.input.isStructSchema()) return input;
  for (const [name, member] of operation.input.structIterator()) {
    const traits = member.getMergedTraits() as BindingTraits;
    const label = labels[name];
    if (traits.httpLabel) {
      if (label !== undefined) input[name] = scalars.read(member, label);
    } else if (traits.httpQuery) {
      const given = request.query[traits.httpQuery];
      if (given === undefined) continue;
      const texts = Array.isArray(given) ? given : [given ?? ""];
      input[name] = member.isListSchema()
        ? texts.map((text) => scalars.read(member.getValueSchema(), text))
        : scalars.read(member, texts[0] ?? "");
    } else if (traits.httpQueryParams) {
      input[name] = queryParameters(operation, request);
    }
  }
  return input;
};

/** A map member takes every parameter that no other member and no fixed query claims. */
const queryParameters = (operation: OperationModel, request: WireRequest) => {
  const claimed = new Set(
    Object.keys(operation.input.getMemberSchemas()).map(
      (name) => traitsOf(operation, name).httpQuery,
    ),
  );
  const fixed = new URLSearchParams(operation.http?.path.split("?")[1]);
  return Object.fromEntries(
    Object.entries(request.query).filter(([key]) => !claimed.has(key) && !fixed.has(key)),
  );
};
