import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * SST keeps the sources and types of its components in `.sst/platform`, and makes that folder before
 * any command. A deployment lets it fetch Pulumi and more for that; to check types and to record what
 * would be deployed the npm registry is enough.
 */
export const platformOf = (root: string): string => join(root, ".sst", "platform");

/** Makes `.sst/platform` when it is not there or is of another version. A few seconds, once. */
export const makePlatform = (root: string): string => {
  const platform = platformOf(root);
  const modules = join(root, "node_modules");
  const marker = join(root, ".sst", "made-by");
  const config = readFileSync(join(root, "sst.config.ts"), "utf8");
  const providers = config.match(/(version|random): "[\d.]+"/g) ?? [];
  const wanted = [versionOf(modules), ...providers].join("\n");
  const isMade = existsSync(marker) && readFileSync(marker, "utf8") === wanted;
  if (isMade && existsSync(join(platform, "node_modules", "@pulumi", "aws"))) return platform;
  const configuration = join(root, ".sst", "configuration");
  standInForPulumi(configuration, modules);
  const made = spawnSync(join(modules, ".bin", "sst"), ["install"], {
    cwd: root,
    encoding: "utf8",
    env: {
      ...process.env,
      XDG_CONFIG_HOME: configuration,
      BUN_INSTALL_CACHE_DIR: join(root, ".sst", "packages"),
      SST_BUN_PATH: join(modules, "bun", "bin", "bun.exe"),
      SST_STAGE: "check",
      SST_TELEMETRY_DISABLED: "1",
      DO_NOT_TRACK: "1",
    },
  });
  if (made.status !== 0) {
    const said = `${made.stdout ?? ""}${made.stderr ?? ""}${made.error?.message ?? ""}`.trim();
    throw new Error(`"sst install" could not make .sst/platform: ${said}`);
  }
  writeFileSync(marker, wanted);
  return platform;
};

const versionOf = (modules: string): string =>
  (JSON.parse(readFileSync(join(modules, "sst", "package.json"), "utf8")) as { version: string })
    .version;

/**
 * Before any command SST compares what `pulumi version` prints with the version it was built with, and
 * `sst install` asks nothing else of Pulumi. So a program that prints that version stands in for it.
 */
const standInForPulumi = (configuration: string, modules: string): void => {
  const sst = readFileSync(join(modules, `sst-${process.platform}-${process.arch}`, "bin", "sst"));
  const found = /github\.com\/pulumi\/pulumi\/sdk\/v3@(v\d+\.\d+\.\d+)/.exec(
    sst.toString("latin1"),
  );
  if (!found)
    throw new Error("the version of Pulumi that SST was built with cannot be found in it");
  const folder = join(configuration, "sst", "bin");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "pulumi");
  writeFileSync(file, `#!/bin/sh\necho ${found[1]}\n`);
  chmodSync(file, 0o755);
};
