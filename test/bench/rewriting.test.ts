import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, stop } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import lean, {
  literalKeys,
  namedCommands,
  namedErrors,
  retriedErrors,
} from "../../bundle.config.ts";
import projectPackage from "../../package.json" with { type: "json" };

const clients = Object.keys(projectPackage.dependencies).filter((name) =>
  name.startsWith("@aws-sdk/client-"),
);

const schemaFiles = (client: string): string[] => {
  const folder = join("node_modules", client, "dist-es", "schemas");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .map((name) => join(folder, name));
};

describe("the schemas of the AWS SDK, rewritten for the bundler", () => {
  let folder = "";
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nightshift-schemas-"))));
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stop();
  });

  /** Every schema that the file exports, as text: lazily named ones by what they name. */
  const exported = async (file: string, rewritten: boolean): Promise<string> => {
    const outfile = join(folder, `${file.replaceAll(/\W+/g, "-")}-${rewritten}.mjs`);
    await build({
      entryPoints: [file],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      mainFields: ["module", "main"],
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      plugins: rewritten ? lean : [],
      logLevel: "silent",
    });
    const schemas: object = await import(/* @vite-ignore */ pathToFileURL(outfile).href);
    const { errorTypeRegistries, ...own } = schemas as Record<string, unknown>;
    return JSON.stringify(own, (_, value) => (typeof value === "function" ? "later" : value), 1);
  };

  it.each(clients)("says the same of %s as the published schemas do", async (client) => {
    const files = schemaFiles(client);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const published = await exported(file, false);
      expect(published.length).toBeGreaterThan(1000);
      expect((await exported(file, true)) === published).toBe(true);
    }
  });

  it.each(clients)("leaves no computed key in the schemas of %s", (client) => {
    for (const file of schemaFiles(client)) {
      expect(literalKeys(readFileSync(file, "utf8"))).not.toMatch(/[{,]\s*\[\w+\]:/);
    }
  });

  it("leaves a key alone that stands for something else than a text of the same file", () => {
    const source = 'const _a = "A";\nimport { b } from "x";\nexport var x = { [_a]: 1, [b]: 2 };\n';
    expect(literalKeys(source)).toContain('{ "A": 1, [b]: 2 }');
  });
});

describe("errors of the AWS SDK, of which a bundle holds those that our code names", () => {
  let folder = "";
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "nightshift-errors-"))));
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stop();
  });

  /** What a bundled client makes of an answer with that code. */
  const thrown = async (status: number, type: string): Promise<Record<string, unknown>> => {
    const outfile = join(folder, `${type}.mjs`);
    await build({
      stdin: {
        resolveDir: process.cwd(),
        contents: `
          import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
          import { GetItemCommand } from "@aws-sdk/client-dynamodb";
          export const ask = async (endpoint) => {
            const credentials = { accessKeyId: "a", secretAccessKey: "b" };
            const client = new DynamoDBClient({ region: "eu-west-1", endpoint, credentials, maxAttempts: 1 });
            try {
              await client.send(new GetItemCommand({ TableName: "t", Key: { id: { S: "1" } } }));
            } catch (error) {
              return {
                ours: error instanceof ConditionalCheckFailedException, isError: error instanceof Error,
                name: error.name, message: error.message, item: error.Item, fault: error.$fault,
                retryable: error.$retryable, status: error.$metadata?.httpStatusCode,
              };
            }
          };`,
      },
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      mainFields: ["module", "main"],
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      plugins: lean,
      logLevel: "silent",
    });
    const body = {
      __type: `com.amazonaws.dynamodb.v20120810#${type}`,
      message: "why",
      Item: { a: { N: "1" } },
    };
    const server = createServer((_request, response) => {
      response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const bundled = await import(/* @vite-ignore */ pathToFileURL(outfile).href);
      return await bundled.ask(`http://127.0.0.1:${port}`);
    } finally {
      server.close();
    }
  };

  it("are told apart by class where our code does so, with what they carry", async () => {
    expect(await thrown(400, "ConditionalCheckFailedException")).toMatchObject({
      ours: true,
      name: "ConditionalCheckFailedException",
      item: { a: { N: "1" } },
    });
  });

  it("keep name, message, fault and status when nobody names them", async () => {
    expect(await thrown(400, "BackupInUseException")).toMatchObject({
      ours: false,
      isError: true,
      name: "BackupInUseException",
      message: "why",
      fault: "client",
      status: 400,
    });
    expect(await thrown(500, "InternalServerError")).toMatchObject({
      fault: "server",
      status: 500,
    });
  });

  it("are tried again when their class says so, which no name tells", async () => {
    expect(await thrown(400, "ReplicatedWriteConflictException")).toMatchObject({ retryable: {} });
    const models = readFileSync(
      "node_modules/@aws-sdk/client-dynamodb/dist-es/models/errors.js",
      "utf8",
    );
    expect([...retriedErrors(models)]).toEqual(["ReplicatedWriteConflictException"]);
  });

  it("are found in the schemas of every client that has any", () => {
    for (const client of clients) {
      for (const file of schemaFiles(client)) {
        const text = readFileSync(file, "utf8");
        const left = namedErrors(text, () => false).match(/registerError\(/g) ?? [];
        // The base class of the service, which is registered elsewhere.
        expect(left, client).toHaveLength(1);
      }
    }
  });
});

describe("the durable SDK, rewritten for the bundler", () => {
  const published = readFileSync(
    "node_modules/@aws/durable-execution-sdk-js/dist/index.mjs",
    "utf8",
  );

  it("gets the commands of Lambda that it names, and only names them in one way", () => {
    const rewritten = namedCommands(published);
    const given = /Promise\.resolve\(\{ ([^}]*) \}\)/.exec(rewritten)?.[1]?.split(", ").sort();
    expect(given).toEqual([
      "CheckpointDurableExecutionCommand",
      "GetDurableExecutionStateCommand",
      "LambdaClient",
    ]);
    expect(published.match(/await loadLambdaModule\(\)/g)).toHaveLength(
      published.match(/const module = await loadLambdaModule\(\);/g)?.length ?? 0,
    );
  });

  it("stops the bundling when it loads its client in another way", () => {
    expect(() => namedCommands('import { LambdaClient } from "@aws-sdk/client-lambda";')).toThrow(
      "bundle.config.ts",
    );
  });
});

describe("the plugins as SST's own bridge to esbuild runs them", () => {
  /** The bridge matches every filter of `onLoad` against nothing, and takes one answer as JSON. */
  const bridge = () => {
    type Answer = (asked: Record<string, string>) => unknown;
    const answers: Record<string, Answer> = {};
    const hook = (kind: string) => (options: { filter: RegExp }, answer: Answer) => {
      if (kind === "load" && !options.filter.test("undefined")) return;
      answers[kind] = answer;
    };
    for (const plugin of lean) {
      plugin.setup({ onResolve: hook("resolve"), onLoad: hook("load") } as never);
    }
    return (kind: string, asked: Record<string, string>) =>
      JSON.parse(JSON.stringify(answers[kind]?.(asked) ?? {})) as Record<string, unknown>;
  };

  it("replaces a module, and asks for its contents in the namespace of the answer", () => {
    const ask = bridge();
    const path = "@aws-sdk/credential-provider-node";
    const found = ask("resolve", { path, importer: "/x/runtimeConfig.js", namespace: "file" });
    expect(found).toEqual({ path, namespace: "replaced" });
    expect(ask("load", { path, namespace: "replaced" })).toMatchObject({
      contents: expect.stringContaining("fromEnv"),
      loader: "js",
      resolveDir: process.cwd(),
    });
  });

  it("leaves everything else to esbuild", () => {
    const ask = bridge();
    expect(ask("resolve", { path: "./guard.ts", importer: "/x", namespace: "file" })).toEqual({});
    expect(ask("load", { path: join(process.cwd(), "package.json"), namespace: "file" })).toEqual(
      {},
    );
  });
});
