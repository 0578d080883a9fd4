import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";
import { build } from "esbuild";

/** What `app()` of sst.config.ts answers for a stage. */
export interface App {
  name: string;
  home: string;
  removal?: string;
  protect?: boolean;
  providers: { aws: { region: string; version: string } };
}

export interface Program {
  app: App;
  /** Where everything is made that names no provider of its own. */
  region: string;
  /** The bundle that declares all resources when it is imported. */
  file: string;
}

interface Order {
  root: string;
  stage: string;
  config?: string;
}

/** Bundles sst.config.ts twice as SST does: to ask it for the app, then to run it. */
export const bundleConfig = async (order: Order): Promise<Program> => {
  const app = await askForApp(order);
  return { app, region: app.providers.aws.region, file: await bundleRun(order, app) };
};

const external = [
  "@pulumi/*",
  "@pulumiverse/*",
  "@sst-provider/*",
  "@aws-sdk/*",
  "esbuild",
  "archiver",
  "glob",
  "undici",
  "vite",
];

const askForApp = async ({ root, stage, config }: Order): Promise<App> => {
  const file = join(root, ".sst", "platform", `app.${stage}.${process.pid}.mjs`);
  await build({
    stdin: {
      contents: `import config from "./sst.config.ts"; export default (input) => config.app(input);`,
      resolveDir: root,
      loader: "ts",
    },
    banner: { js: "globalThis.$config = (config) => config;" },
    ...common(root, file, config),
  });
  try {
    const { default: ask } = (await import(pathToFileURL(file).href)) as {
      default: (input: { stage: string }) => App | Promise<App>;
    };
    return await ask({ stage });
  } finally {
    rmSync(file, { force: true });
  }
};

const bundleRun = async ({ root, stage, config }: Order, app: App): Promise<string> => {
  const platform = join(root, ".sst", "platform");
  const file = join(platform, `run.${stage}.${process.pid}.mjs`);
  const paths = { home: join(root, ".sst"), root, work: join(root, ".sst"), platform };
  const cli = { command: "deploy", rpc: "", paths, home: "aws", state: { version: {} } };
  await build({
    stdin: {
      contents: `
        import config from "./sst.config.ts";
        import { run } from ${JSON.stringify(join(platform, "src", "auto", "run.ts"))};
        export default await run(config.run);`,
      resolveDir: root,
      loader: "ts",
    },
    inject: [join(platform, "src", "shim", "run.js")],
    define: {
      $app: JSON.stringify({ removal: "retain", protect: false, ...app, stage }),
      $cli: JSON.stringify(cli),
      $dev: "false",
    },
    ...common(root, file, config, globals(root)),
  });
  process.on("exit", () => rmSync(file, { force: true }));
  return file;
};

const common = (root: string, outfile: string, config: string | undefined, before = "") => ({
  bundle: true,
  format: "esm" as const,
  platform: "node" as const,
  target: "esnext",
  outfile,
  external,
  nodePaths: [join(root, ".sst", "platform", "node_modules")],
  plugins: [sources(root, config, before)],
  logLevel: "error" as const,
  loader: { ".node": "file" as const },
});

/** Every file of the project finds `sst` and the providers as globals, so each is given them. */
const globals = (root: string): string => {
  const platform = join(root, ".sst", "platform");
  const lock = JSON.parse(readFileSync(join(root, ".sst", "provider-lock.json"), "utf8")) as {
    package: string;
    alias: string;
  }[];
  return [
    `import * as sst from ${JSON.stringify(join(platform, "src", "components", "index.ts"))};`,
    ...lock.map((each) => `import * as ${each.alias} from "${each.package}";`),
  ].join("\n");
};

const sources = (root: string, config: string | undefined, before: string): Plugin => ({
  name: "sources",
  setup: (hooks) => {
    // The bundler's expressions know no look-ahead, so the choice is made here.
    const others = [join(root, "node_modules"), join(root, ".sst")];
    hooks.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (others.some((folder) => path.startsWith(folder))) return undefined;
      const isConfig = config !== undefined && path === join(root, "nightshift.config.ts");
      const source = readFileSync(isConfig ? config : path, "utf8");
      return { contents: `${before}\n${source}`, loader: "ts", resolveDir: join(path, "..") };
    });
  },
});
