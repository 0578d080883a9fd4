import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A bundle that a function of SST asked for. */
export interface Build {
  /** The component: `GuardInPrimary`. */
  function: string;
  /** `functions/guard/handler.handler` */
  handler: string;
  runtime: string;
  /** The `nodejs` property, as esbuild gets it. */
  options: Record<string, unknown>;
}

/** Where SST's components ask the CLI, and how to let it go. */
export interface Cli {
  url: string;
  /** What was to be bundled so far. */
  builds(): Build[];
  unref(): void;
  close(): void;
}

/**
 * Stands in for the server that the CLI of SST runs beside `sst.config.ts`. Its components ask for two
 * things only: where assets go in a region, and a bundle of a function.
 */
export const standInForCli = async (root: string): Promise<Cli> => {
  const builds: Build[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      const { method, params } = JSON.parse(body) as {
        method: string;
        params: [Record<string, unknown>];
      };
      if (method === "Runtime.Build") builds.push(buildOf(params[0]));
      response.end(JSON.stringify(answer(root, method, params[0])));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    builds: () => builds,
    unref: () => void server.unref(),
    close: () => void server.close(),
  };
};

const buildOf = (input: Record<string, unknown>): Build => ({
  function: String(input.functionID),
  handler: String(input.handler),
  runtime: String(input.runtime),
  options: (input.properties ?? {}) as Record<string, unknown>,
});

const answer = (root: string, method: string, input: Record<string, unknown>): object => {
  switch (method) {
    case "Provider.Aws.Bootstrap": {
      const region = String(input.region);
      const asset = `sst-asset-${region}`;
      return { result: { asset, state: `sst-state-${region}`, assetEcrUrl: "", appsyncHttp: "" } };
    }
    case "Runtime.Build":
      // What is in a bundle is looked at elsewhere (`bench/bundles.ts`); here any folder will do.
      return {
        result: {
          handler: String(input.handler).split("/").slice(-1)[0],
          out: join(root, "deploy", "empty"),
          errors: [],
          sourcemaps: [],
        },
      };
    default:
      // Anything else is new: it must be understood before it is answered.
      return { error: `rpc: can't find ${method}` };
  }
};
