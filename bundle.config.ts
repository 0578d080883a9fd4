/**
 * How every function is bundled: `local/lambda/bundles.ts` builds by it, and a deployment gives
 * `nodejs` to each `sst.aws.Function`, which loads this very file for its plugins. So the bundles
 * that a drill runs are the bundles that are deployed. Measured in `bench/bundles.ts`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
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
  /** What takes its place: every name that is imported, or the bundler refuses. */
  contents: string;
}

/** Begins the error of everything that was left out, should it be called after all. */
export const leftOutMessage = "left out of the bundles by bundle.config.ts";

const refuse = (name: string, instead: string): string =>
  `{ throw new Error(${JSON.stringify(`${name} is ${leftOutMessage}: ${instead}`)}); }`;

export const replacements: readonly Replacement[] = [
  {
    // Of the default chain Lambda uses the first link, the environment; so does the durable SDK,
    // which makes a client of its own. The rest is 150 KB of files, SSO and metadata services.
    path: "@aws-sdk/credential-provider-node",
    contents: `export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";`,
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

/**
 * Registers only the errors that `isNamed`: each of the others keeps a class and a schema in the bundle,
 * 70 KB of RDS's and 65 of Systems Manager's. One that is not registered is still thrown, with its code
 * for a name and its message, as the SDK does with errors that a service has added since.
 */
export const namedErrors = (schemas: string, isNamed: (error: string) => boolean): string =>
  schemas.replaceAll(/^n0_registry\.registerError\(\w+\$, (\w+)\);$/gm, (line, error: string) =>
    isNamed(error) ? line : "",
  );

/** Errors that tell the SDK by a field of their class that the call may be tried again. */
export const retriedErrors = (models: string): Set<string> => {
  const classes = models.split(/^export class /m).slice(1);
  const retried = classes.filter((text) => text.includes("$retryable"));
  return new Set(retried.flatMap((text) => /^\w+/.exec(text)?.[0] ?? []));
};

/** Every word of the functions' own source. Read once: a bundler asks for each client of each bundle. */
const ownWords = (() => {
  let words: Set<string> | undefined;
  return (): Set<string> => {
    words ??= new Set(
      ["functions", "shared"].flatMap((folder) => {
        const root = join(import.meta.dirname, folder);
        return readdirSync(root, { recursive: true, encoding: "utf8" })
          .filter((name) => name.endsWith(".ts"))
          .flatMap((name) => readFileSync(join(root, name), "utf8").match(/\w+/g) ?? []);
      }),
    );
    return words;
  };
})();

const schemasInUse = (source: string, path: string): string => {
  const models = join(dirname(path), "..", "models", "errors.js");
  // A service without modelled errors, such as EC2, has no such file.
  const retried = existsSync(models) ? retriedErrors(readFileSync(models, "utf8")) : new Set();
  const isNamed = (error: string) => ownWords().has(error) || retried.has(error);
  return literalKeys(namedErrors(source, isNamed));
};

/**
 * The durable SDK imports the whole client of Lambda when it first needs it, which keeps every
 * command of it; this gives it the commands that it names.
 */
export const namedCommands = (source: string): string => {
  const whole = "import('@aws-sdk/client-lambda')";
  const used = [...source.matchAll(/\bmodule\.([A-Z]\w+)/g)].map(([, name]) => name);
  const names = [...new Set(used)].join(", ");
  if (names === "" || !source.includes(whole)) {
    throw new Error("the durable SDK loads its client in another way: see bundle.config.ts");
  }
  const statement = `import { ${names} } from "@aws-sdk/client-lambda";\n`;
  return statement + source.replaceAll(whole, `Promise.resolve({ ${names} })`);
};

/** A client wants one field of its package.json, of 2 KB that a bundle would hold. */
const nameAndVersion = (source: string): string => {
  const { name, version } = JSON.parse(source) as { name: string; version: string };
  return `export default ${JSON.stringify({ name, version })};`;
};

/** Files that are bundled in another form than the one they are published in. */
export const rewritten: readonly {
  file: RegExp;
  rewrite: (source: string, path: string) => string;
}[] = [
  {
    file: /@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]\w+\.js$/,
    rewrite: schemasInUse,
  },
  { file: /@aws-sdk[\\/]client-[\w-]+[\\/]package\.json$/, rewrite: nameAndVersion },
  { file: /@aws[\\/]durable-execution-sdk-js[\\/]dist[\\/]index\.mjs$/, rewrite: namedCommands },
];

const namespace = "replaced";

/**
 * What stands in the place of an import, or nothing. Modules of Node are required: importing
 * `node:http` makes an ES module of it, which reads every export, and one of them loads a whole
 * client for HTTP and WebSockets. That is a fifth of the time that a bundle takes to import.
 */
const replacementOf = (path: string): string | undefined =>
  /^node:(?!module$)/.test(path)
    ? `module.exports = require(${JSON.stringify(path)});`
    : replacements.find((each) => each.path === path)?.contents;

/** Filters are as wide as can be: SST's own bridge to plugins matches them against nothing else. */
const lean: Plugin = {
  name: "lean",
  setup: (hooks) => {
    hooks.onResolve({ filter: /.*/ }, ({ path, namespace: asking }) =>
      asking === namespace || replacementOf(path) === undefined ? undefined : { path, namespace },
    );
    hooks.onLoad({ filter: /.*/ }, ({ path, namespace: at }) => {
      if (at === namespace) {
        const contents = replacementOf(path) ?? "";
        return { contents, loader: "js", resolveDir: import.meta.dirname };
      }
      const found = rewritten.find(({ file }) => file.test(path));
      return found && { contents: found.rewrite(readFileSync(path, "utf8"), path), loader: "js" };
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
