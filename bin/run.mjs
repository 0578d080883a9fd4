// The way into every command. Runs on Node 20 with nothing installed: it installs what the lock file
// names when that has changed, then hands over to the Node 24 that came with it.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const node = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");

const setUp = () => {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  const marker = join(modules, ".nightshift-lock");
  const current = existsSync(marker) && readFileSync(marker, "utf8") === lock;
  if (current && existsSync(node)) return;
  process.stderr.write("Installing what package-lock.json names (npm ci), once …\n");
  // Standard output belongs to the command (`--json` prints one object there), so npm gets stderr.
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.status !== 0) {
    process.stderr.write("npm ci failed; nothing was started. The lines above say why.\n");
    process.exit(npm.status ?? 1);
  }
  writeFileSync(marker, lock);
};

const tool = (name, ...args) => [join(modules, ".bin", name), args];

const commandOf = ([first, ...rest]) => {
  if (first === "vitest") return [node, [join(modules, "vitest", "vitest.mjs"), ...rest]];
  if (first === "tsc" || first === "biome") return tool(first, ...rest);
  return [node, ["--disable-warning=ExperimentalWarning", join(root, first), ...rest]];
};

/** Passes signals on and waits: what was started must be able to stop what it started. */
const run = ([command, args]) =>
  new Promise((resolve) => {
    const path = `${join(modules, ".bin")}:${process.env.PATH ?? ""}`;
    const child = spawn(command, args, {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, PATH: path },
    });
    const pass = (signal) => child.kill(signal);
    process.on("SIGINT", pass);
    process.on("SIGTERM", pass);
    process.on("SIGHUP", pass);
    child.on("error", (error) => {
      process.stderr.write(`${command} could not be started: ${error.message}\n`);
      resolve(1);
    });
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });

setUp();
const wanted = process.argv.slice(2);
if (wanted.length === 0) {
  process.stderr.write(
    "usage: node bin/run.mjs <file.ts | vitest | tsc | biome | check> [arguments]\n",
  );
  process.exit(2);
}
if (wanted[0] === "check") {
  const parts = [
    ["tsc", "--noEmit"],
    // Types, resources and policies of what would be deployed.
    ["deploy/check.ts"],
    ["biome", "check", "."],
    ["vitest", "run", "test/tidy.test.ts"],
  ];
  for (const part of parts) {
    const code = await run(commandOf(part));
    if (code !== 0) process.exit(code);
  }
  process.exit(0);
}
process.exit(await run(commandOf(wanted)));
