import { resolve } from "node:path";
import { build, type Plugin, stop } from "esbuild";
import lean, { esbuildOptions, nodejs } from "../../bundle.config.ts";

export interface BundleOptions {
  /** The project's root: entries are relative to it. */
  root: string;
  /** Where the bundles go; made when missing, removed by whoever owns it. */
  folder: string;
  /** Takes the place of the project's `nightshift.config.ts` in every bundle. */
  configFile?: string;
}

/** From an entry to the absolute path of its bundle. */
export type Bundles = ReadonlyMap<string, string>;

/**
 * Bundles unmodified handlers as a deployment does (`bundle.config.ts`): one minified module for
 * Node 24 each, all in one run. Nothing of the bundler stays behind.
 */
export const bundle = async (
  entries: Iterable<string>,
  options: BundleOptions,
): Promise<Bundles> => {
  const bundles = new Map<string, string>();
  const entryPoints: Record<string, string> = {};
  for (const entry of new Set(entries)) {
    const name = entry.replace(/\.ts$/, "").replaceAll(/[^\w]+/g, "-");
    entryPoints[name] = resolve(options.root, entry);
    bundles.set(entry, resolve(options.folder, `${name}.mjs`));
  }
  await build({
    ...esbuildOptions,
    absWorkingDir: options.root,
    entryPoints,
    outdir: options.folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: nodejs.format,
    minify: nodejs.minify,
    platform: "node",
    // What SST takes for the runtime nodejs24.x.
    target: "es2024",
    banner: { js: requireForCommonJs },
    plugins: options.configFile === undefined ? lean : [substituteConfig(options), ...lean],
    logLevel: "silent",
  }).finally(stop);
  return bundles;
};

/** Some dependencies are CommonJS and call `require` for what Node has built in. */
const requireForCommonJs =
  'import { createRequire as nodeRequire } from "node:module";' +
  "const require = nodeRequire(import.meta.url);";

const substituteConfig = (options: BundleOptions): Plugin => ({
  name: "substitute-config",
  setup: (hooks) => {
    const original = resolve(options.root, "nightshift.config.ts");
    const path = resolve(options.root, options.configFile ?? original);
    hooks.onResolve({ filter: /nightshift\.config\.ts$/ }, (found) =>
      resolve(found.resolveDir, found.path) === original ? { path } : undefined,
    );
  },
});
