import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { bundle } from "../local/lambda/bundles.ts";
import type { Imported } from "./import.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const importer = fileURLToPath(new URL("import.ts", import.meta.url));

/** Every function of the project, by the name of its folder, with its entry. */
export const functionEntries = (): Map<string, string> => {
  const names = readdirSync(join(root, "functions")).filter((name) =>
    existsSync(join(root, "functions", name, "handler.ts")),
  );
  return new Map(names.map((name) => [name, `functions/${name}/handler.ts`]));
};

export interface BundleMeasure {
  name: string;
  minifiedBytes: number;
  gzipBytes: number;
  /** Median of fresh processes, from an empty module cache; without starting Node itself. */
  importMilliseconds: number;
  /** The same in time of the processor. */
  importProcessorMilliseconds: number;
  /** Median of importing the handler's source and the installed packages as they are. */
  sourceImportMilliseconds: number;
}

/** Bundles every function as a deployment does, and weighs and imports each. */
export const measureBundles = async (processes = 7): Promise<BundleMeasure[]> => {
  const folder = mkdtempSync(join(tmpdir(), "nightshift-bench-"));
  try {
    const entries = functionEntries();
    const bundles = await bundle(entries.values(), { root, folder });
    const measured: BundleMeasure[] = [];
    for (const [name, entry] of entries) {
      const path = bundles.get(entry) ?? "";
      const content = readFileSync(path);
      const bundled = await importTimes(path, processes);
      const source = await importTimes(join(root, entry), 3);
      measured.push({
        name,
        minifiedBytes: content.byteLength,
        gzipBytes: gzipSync(content).byteLength,
        importMilliseconds: median(bundled.map((each) => each.wallMilliseconds)),
        importProcessorMilliseconds: median(bundled.map((each) => each.processorMilliseconds)),
        sourceImportMilliseconds: median(source.map((each) => each.wallMilliseconds)),
      });
    }
    return measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** One process after the other: two at once would measure each other. */
const importTimes = async (path: string, processes: number): Promise<Imported[]> => {
  const times: Imported[] = [];
  for (let process = 0; process < processes; process += 1) times.push(await importOnce(path));
  return times;
};

const importOnce = async (path: string): Promise<Imported> => {
  const options = { timeout: 20_000, env: { TZ: "UTC" } };
  const { stdout } = await promisify(execFile)(process.execPath, [importer, path], options);
  return JSON.parse(stdout) as Imported;
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
