import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "..", "..", "stacks");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

describe("the stacks, on a machine on which SST was never run", () => {
  it.each(files)("%s imports no package that SST has yet to install", (file) => {
    // SST evaluates the whole of sst.config.ts once before it installs the providers that it names.
    const source = readFileSync(join(folder, file), "utf8");
    const imports = source.match(/^import (?!type\b)[^;]*from "@pulumi[^"]*"/gm) ?? [];
    expect(imports).toEqual([]);
  });
});
