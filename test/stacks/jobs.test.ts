import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import lean, { esbuildOptions, nodejs } from "../../bundle.config.ts";
import type { Recording, Resource } from "../../deploy/recording.ts";
import { functionsOf } from "../../drills/automation.ts";
import type { FunctionDefinition } from "../../local/lambda/host.ts";
import { platform } from "./drill.ts";
import { every, recorded } from "./recordings.ts";

const root = join(import.meta.dirname, "..", "..");
/** What runs on the local AWS, by region and job. */
const local = functionsOf(platform, {}).sort(byPlace);

interface Deployed {
  region: string;
  job: string;
  resource: Resource;
  environment: Record<string, string>;
}

const deployedIn = (recording: Recording): Deployed[] =>
  every(recording, "aws:lambda/function:Function")
    .filter(({ parent }) => parent.includes("sst:aws:Function"))
    .map((resource) => ({
      region: resource.region ?? "",
      job: String(resource.inputs.name).split("-").slice(2).join("-"),
      resource,
      environment: (resource.inputs.environment as { variables: Record<string, string> }).variables,
    }))
    .sort((a, b) => byPlace({ ...a, name: a.job }, { ...b, name: b.job }));

type Place = Pick<FunctionDefinition, "region" | "name">;
function byPlace(a: Place, b: Place): number {
  return `${a.name} ${a.region}`.localeCompare(`${b.name} ${b.region}`);
}

/** SST's own, which the bundles do not read. */
const ofSst = new Set(["SST_KEY_FILE", "SST_RESOURCE_App"]);

const linksOf = (environment: Record<string, string>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => name.startsWith("SST_RESOURCE_") && !ofSst.has(name))
      .map(([name, text]) => [name.slice("SST_RESOURCE_".length), JSON.parse(text)]),
  );

/** Keys and kinds of values, and no values: those of AWS are not those of a drill. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (value === null || typeof value !== "object") return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, each]): [string, unknown] => [key, shapeOf(each)])
      .sort(([a], [b]) => a.localeCompare(b)),
  );
};

/** The names of links that a handler's bundle reads: in the files that are really part of it. */
const readBy = async (entry: string): Promise<string[]> => {
  const { metafile } = await build({
    ...esbuildOptions,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: "unwritten.mjs",
    bundle: true,
    write: false,
    metafile: true,
    format: nodejs.format,
    minify: true,
    platform: "node",
    target: "es2024",
    plugins: lean,
    logLevel: "silent",
  });
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const own = inputs.filter(([path, { bytesInOutput }]) => {
    return bytesInOutput > 0 && /^(functions|shared)\//.test(path);
  });
  const names = own.flatMap(([path]) => {
    const source = readFileSync(join(root, path), "utf8");
    return [...source.matchAll(/linked(?:<.*?>)?\(\s*runtime,\s*"(\w+)"/g)].map(([, name]) => name);
  });
  return [...new Set(names.map(String))].sort();
};

describe.each(["production", "personal"] as const)("the functions of stage %s", (stage) => {
  it("are those of the local AWS, in the same regions", async () => {
    const deployed = deployedIn(await recorded(stage));
    expect(deployed.map(({ job, region }) => `${job} ${region}`)).toEqual(
      local.map(({ name, region }) => `${name} ${region}`),
    );
  });

  it("are linked what the local ones are linked, in the same shapes", async () => {
    const deployed = deployedIn(await recorded(stage));
    for (const [index, { job, region, environment }] of deployed.entries()) {
      const here = shapeOf(linksOf(local[index]?.environment ?? {}));
      expect(shapeOf(linksOf(environment)), `${job} in ${region}`).toEqual(here);
    }
  });

  it("have the time limits, durability and doors of the local ones", async () => {
    const recording = await recorded(stage);
    const doors = every(recording, "aws:lambda/functionUrl:FunctionUrl").map(
      ({ inputs, region }) => `${inputs.functionName} ${region}`,
    );
    for (const [index, { job, region, resource }] of deployedIn(recording).entries()) {
      const { timeout, durableConfig, name } = resource.inputs;
      expect(
        {
          timeoutSeconds: timeout,
          executionTimeoutSeconds: (durableConfig as { executionTimeout?: number } | undefined)
            ?.executionTimeout,
          url: doors.includes(`${name} ${region}`),
        },
        `${job} in ${region}`,
      ).toEqual({
        timeoutSeconds: local[index]?.timeoutSeconds,
        executionTimeoutSeconds: local[index]?.durable?.executionTimeoutSeconds,
        url: local[index]?.url ?? false,
      });
    }
  });

  it("are bundled from the same files in the same way", async () => {
    const { builds } = await recorded(stage);
    const entries = [...new Set(local.map(({ entry }) => entry))].sort();
    expect([...new Set(builds.map(({ handler }) => handler))].sort()).toEqual(
      entries.map((entry) => entry.replace(/\.ts$/, ".handler")),
    );
    expect(builds).toHaveLength(local.length);
    for (const { options, runtime } of builds) {
      expect(runtime).toBe("nodejs24.x");
      expect(options).toMatchObject({
        format: nodejs.format,
        minify: nodejs.minify,
        plugins: "bundle.config.ts",
        esbuild: esbuildOptions,
      });
    }
  });
});

describe("the links of a function", () => {
  it.each([...new Map(local.map((each) => [each.name, each]))])(
    "are those that the bundle of %s reads, and no others",
    async (_name, { entry, environment }) => {
      expect(await readBy(entry)).toEqual(Object.keys(linksOf(environment)).sort());
    },
  );

  it("would be found missing, and found out of shape", async () => {
    const [failover] = deployedIn(await recorded("production")).filter(
      ({ job }) => job === "failover",
    );
    const links = linksOf(failover?.environment ?? {}) as Record<string, Record<string, unknown>>;
    const before = shapeOf(links);
    expect(shapeOf({ ...links, Standby: undefined })).not.toEqual(before);
    expect(shapeOf({ ...links, Standby: { ...links.Standby, zoneId: 1 } })).not.toEqual(before);
  });
});
