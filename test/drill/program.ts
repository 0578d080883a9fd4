import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Drills as programs, each in a temporary folder of its own: whatever it leaves or runs there is seen. */
export const programs = () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "drill-test-"));
    mkdirSync(join(folder, "tmp"));
    // Postgres runs under another account: it has to pass, and finds a /tmp as it is everywhere.
    chmodSync(folder, 0o755);
    chmodSync(join(folder, "tmp"), 0o1777);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return {
    start: (...args: string[]) => started(join(folder, "tmp"), args),
    nothingIsLeft: async () => {
      // A killed process needs an instant until its entry has gone.
      for (let look = 0; look < 20 && processesOf(folder).length > 0; look += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(processesOf(folder)).toEqual([]);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
    },
  };
};

const started = (temporary: string, args: string[]) => {
  const child = spawn(process.execPath, [join(root, "bin/run.mjs"), "drills/main.ts", ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    // In a process group of its own, as a shell starts it: Ctrl-C goes to all of the group.
    detached: true,
  });
  const ended = new Promise<Ended>((resolve) => {
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
};

/** Processes that carry the folder's name in their command line or environment. */
const processesOf = (folder: string): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => `${read(pid, "cmdline")}${read(pid, "environ")}`.includes(folder))
    .map((pid) => `${pid} ${read(pid, "cmdline").replaceAll("\0", " ")}`);

const read = (pid: string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It has ended between the listing and the look.
    return "";
  }
};

export const until = async (child: ChildProcess, text: string) => {
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (part) => {
      seen += part;
      if (seen.includes(text)) resolve();
    });
    child.on("close", () => reject(new Error(`it ended before it said "${text}":\n${seen}`)));
  });
};
