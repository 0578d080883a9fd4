/**
 * How every function is bundled: `local/lambda/bundles.ts` builds by it, and a deployment gives
 * `nodejs` to each `sst.aws.Function`, which loads this very file for its plugins. So the bundles
 * that a drill runs are the bundles that are deployed. Measured in `bench/bundles.ts`.
 */
import { readFileSync } from "node:fs";
import type { Plugin } from "esbuild";

/** The options that SST hands on to esbuild (SST 4, `EsbuildOptions`); it reads no others. */
export const esbuildOptions = {
  // The ES modules of the AWS SDK: its CommonJS half cannot be shaken and is twice the size.
  mainFields: ["module", "main"],
  // The durable SDK writes names of error classes into checkpoints, and the AWS SDK's `instanceof`
  // falls back to them: a minified name would be another error after the next deployment.
  keepNames: true,
  // Asked for by `pg` and never used. Named here, SST does not install it next to the bundle.
  external: ["pg-native"],
} satisfies { mainFields: string[]; keepNames: boolean; external: string[] };

/** What a bundle lacks, and why nothing misses it in Lambda. */
export interface Replacement {
  /** An import, as its importer writes it. */
  path: string;
  /** Only where one of this package's modules asks for it; from anywhere when absent. */
  importer?: RegExp;
  /** What takes its place: every name that is imported, or the bundler refuses. */
  contents: string;
}

/** Begins the error of everything that was left out, should it be called after all. */
export const leftOutMessage = "left out of the bundles by bundle.config.ts";

const refuse = (name: string, instead: string): string =>
  `{ throw new Error(${JSON.stringify(`${name} is ${leftOutMessage}: ${instead}`)}); }`;

export const replacements: readonly Replacement[] = [
  {
    // 150 KB of files, SSO, processes and metadata services that a function never asks.
    path: "@aws-sdk/credential-provider-node",
    contents: `export const defaultProvider = () => async () => ${refuse(
      "the default credential chain",
      "make the client with clientOptions of shared/clients.ts",
    )};`,
  },
  {
    // Only InvokeWithResponseStream speaks it. Clients of Lambda resolve its options when made.
    path: "@smithy/core/event-streams",
    contents: `
      export const resolveEventStreamSerdeConfig = (options) => options;
      export const eventStreamSerdeProvider = () => ${refuse("event streams", "invoke without")};
      export class EventStreamSerde { constructor() ${refuse("event streams", "invoke without")} }`,
  },
  {
    // Clients of DynamoDB make one, for a discovery of endpoints that no command in use asks for.
    path: "@aws-sdk/endpoint-cache",
    contents: `export class EndpointCache {
      get() ${refuse("endpoint discovery", "leave it off")}
      set() ${refuse("endpoint discovery", "leave it off")}
    }`,
  },
  {
    // Imported as a whole when first used, which would keep every command of Lambda.
    path: "@aws-sdk/client-lambda",
    importer: /@aws[\\/]durable-execution-sdk-js[\\/]/,
    contents: `export { LambdaClient, CheckpointDurableExecutionCommand,
      GetDurableExecutionStateCommand } from "@aws-sdk/client-lambda";`,
  },
];

/**
 * Gives computed keys the texts they stand for: `[_n]` becomes `"Name"`. To the bundler a computed
 * key may have an effect, so that it keeps all the schemas of a service for the few in use: 560 KB
 * of EC2's where 6 KB are needed.
 */
export const literalKeys = (source: string): string => {
  const texts = new Map<string, string>();
  for (const [, name, text] of source.matchAll(/^const (\w+) = ("[^"\\]*");$/gm)) {
    if (name && text) texts.set(name, text);
  }
  return source.replaceAll(/\[(\w+)\]:/g, (key, name: string) => {
    const text = texts.get(name);
    return text === undefined ? key : `${text}:`;
  });
};

/** A client wants one field of its package.json, of 2 KB that a bundle would hold. */
const nameAndVersion = (source: string): string => {
  const { name, version } = JSON.parse(source) as { name: string; version: string };
  return JSON.stringify({ name, version });
};

const namespace = "replaced";

/**
 * What stands in the place of an import, or nothing. Modules of Node are required: importing
 * `node:http` makes an ES module of it, which reads every export, and one of them loads a whole
 * client for HTTP and WebSockets. That is a fifth of the time that a bundle takes to import.
 */
const replacementOf = (path: string, importer: string): string | undefined => {
  if (/^node:(?!module$)/.test(path)) return `module.exports = require(${JSON.stringify(path)});`;
  return replacements.find((each) => each.path === path && (each.importer?.test(importer) ?? true))
    ?.contents;
};

/** Filters are as wide as can be: SST's own bridge to plugins matches them against nothing else. */
const lean: Plugin = {
  name: "lean",
  setup: (hooks) => {
    const found = new Map<string, string>();
    hooks.onResolve({ filter: /.*/ }, ({ path, importer, namespace: asking }) => {
      const contents = asking === namespace ? undefined : replacementOf(path, importer);
      if (contents === undefined) return undefined;
      found.set(path, contents);
      return { path, namespace };
    });
    hooks.onLoad({ filter: /.*/ }, (file) => {
      if (file.namespace === namespace) {
        const contents = found.get(file.path) ?? "";
        return { contents, loader: "js", resolveDir: import.meta.dirname };
      }
      if (/@aws-sdk[\\/]client-[\w-]+[\\/]package\.json$/.test(file.path)) {
        return { contents: nameAndVersion(readFileSync(file.path, "utf8")), loader: "json" };
      }
      if (/@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]\w+\.js$/.test(file.path)) {
        return { contents: literalKeys(readFileSync(file.path, "utf8")), loader: "js" };
      }
      return undefined;
    });
  },
};

/** The `nodejs` property of every `sst.aws.Function`. */
export const nodejs = {
  format: "esm" as const,
  minify: true,
  esbuild: esbuildOptions,
  plugins: "bundle.config.ts",
};

/** SST takes the plugins from the default export of the file that `nodejs.plugins` names. */
export default [lean];
