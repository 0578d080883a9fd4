/**
 * Runs `sst.config.ts` as the CLI of SST does, with Pulumi's own mocks in the place of AWS, and writes
 * down every resource. A process of its own: Pulumi keeps its state in the module.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleConfig } from "./program.ts";
import type { Recording, Resource } from "./recording.ts";
import { standInForCli } from "./rpc.ts";
import { callOf, outputsOf } from "./world.ts";

interface Order {
  root: string;
  stage: string;
  config?: string;
  file: string;
}

const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const platform = join(order.root, ".sst", "platform");
const load = createRequire(join(platform, "package.json"));
const pulumi = load("@pulumi/pulumi");
const settings = load("@pulumi/pulumi/runtime/settings");

const resources: Resource[] = [];

/** What `newResource` of the mocks is not told stands in the request to the engine. */
const listen = (): void => {
  const monitor = settings.getMonitor();
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request: Request, answer: Answer) =>
    register(request, (error: unknown, response: { getUrn(): string } | undefined) => {
      if (!error && response) resources.push(resourceOf(response.getUrn(), request));
      answer(error, response);
    });
};

type Answer = (error: unknown, response: unknown) => void;

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getProvider(): string;
  getProtect(): boolean;
  getRetainondelete(): boolean;
  getIgnorechangesList(): string[];
  getDependenciesList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}

const resourceOf = (urn: string, request: Request): Resource => ({
  urn,
  type: request.getType(),
  name: request.getName(),
  // Filled in at the end, when all providers are known.
  region: request.getProvider() || null,
  parent: request.getParent(),
  inputs: plain(request.getObject()?.toJavaScript() ?? {}) as Record<string, unknown>,
  protect: request.getProtect(),
  retain: request.getRetainondelete(),
  ignoreChanges: request.getIgnorechangesList(),
  dependencies: request.getDependenciesList(),
});

const secretMark = "4dabf18193072939515e22adb298388d";
const secretKind = "1b47061264138c4ac30d75fd1eb44270";

/** Takes Pulumi's envelopes off secrets and outputs. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const object = value as Record<string, unknown>;
  if (object[secretMark] === secretKind) return plain(object.value);
  return Object.fromEntries(Object.entries(object).map(([key, each]) => [key, plain(each)]));
};

/** The provider's reference is its urn and id; its inputs name the region. */
const withRegions = (all: Resource[], usual: string): Resource[] => {
  const regionOfProvider = new Map(
    all
      .filter(({ type }) => type === "pulumi:providers:aws")
      .map(({ urn, inputs }) => [urn, String(inputs.region)]),
  );
  return all.map((resource) => {
    if (!resource.type.startsWith("aws:")) {
      return { ...resource, region: regionOfProvider.get(resource.urn) ?? null };
    }
    const own = resource.inputs.region as string | undefined;
    const provider = resource.region?.replace(/::[^:]*$/, "") ?? "";
    return { ...resource, region: own ?? regionOfProvider.get(provider) ?? usual };
  });
};

interface Made {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  /** `<urn>::<id>`; empty for the usual one. */
  provider: string;
}

/** Answers as AWS in the region of the resource's own provider would. */
const mocksIn = (usual: string) => {
  const regionOfProvider = new Map<string, string>();
  const regionOf = (provider: string | undefined) =>
    regionOfProvider.get(provider?.split("::").at(-1) ?? "") ?? usual;
  return {
    newResource: (made: Made) => {
      const id = `${made.name}-id`;
      if (made.type === "pulumi:providers:aws") {
        regionOfProvider.set(id, String(made.inputs.region));
      }
      return { id, state: { ...made.inputs, ...outputsOf(made, regionOf(made.provider)) } };
    },
    call: (asked: { token: string; inputs: Record<string, unknown>; provider?: string }) =>
      callOf(asked, regionOf(asked.provider)),
  };
};

const main = async (): Promise<void> => {
  const cli = await standInForCli(order.root);
  process.env.SST_SERVER = cli.url;
  const program = await bundleConfig(order);
  pulumi.runtime.setMocks(mocksIn(program.region), program.app.name, order.stage, false);
  listen();
  let outputs: Record<string, unknown> = {};
  await pulumi.runtime.runInPulumiStack(async () => {
    const { default: result } = (await import(pathToFileURL(program.file).href)) as {
      default: Record<string, unknown>;
    };
    pulumi.output(result).apply((known: Record<string, unknown>) => {
      outputs = known;
    });
    return result;
  });
  // The last registrations are made when the event loop runs dry, so only then all are known.
  process.once("beforeExit", () => {
    cli.close();
    const { region } = program;
    const recording: Recording = {
      stage: order.stage,
      resources: withRegions(resources, region),
      builds: cli.builds(),
      outputs,
    };
    writeFileSync(order.file, JSON.stringify(recording, null, 1));
  });
  cli.unref();
};

await main();
