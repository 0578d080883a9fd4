import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A temporary folder of the program's own: whatever it leaves there or runs from there is seen. */
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "drill-test-"));
  mkdirSync(join(folder, "tmp"));
  // Postgres runs under another account: it has to pass, and finds a /tmp as it is everywhere.
  chmodSync(folder, 0o755);
  chmodSync(join(folder, "tmp"), 0o1777);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

const start = (...args: string[]) => {
  const child = spawn(process.execPath, [join(root, "bin/run.mjs"), "drills/main.ts", ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: join(folder, "tmp"), NO_COLOR: "1" },
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
const processesLeft = (): string[] =>
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

const nothingIsLeft = async () => {
  // A killed process needs an instant until its entry has gone.
  for (let look = 0; look < 20 && processesLeft().length > 0; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(processesLeft()).toEqual([]);
  expect(readdirSync(join(folder, "tmp"))).toEqual([]);
};

const until = async (child: ChildProcess, text: string) => {
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (part) => {
      seen += part;
      if (seen.includes(text)) resolve();
    });
    child.on("close", () => reject(new Error(`it ended before it said "${text}":\n${seen}`)));
  });
};

describe("the drill as a program", () => {
  it("loses a region, moves the platform, prints one object, and leaves nothing", async () => {
    const { code, stdout, stderr } = await start("region-loss", "--json", "--seed", "7").ended;
    expect(code, stderr).toBe(0);
    const printed = stdout.trim().split("\n");
    expect(printed).toHaveLength(1);
    const summary = JSON.parse(printed[0] ?? "") as Record<string, unknown>;
    expect(Object.keys(summary).sort()).toEqual(
      [
        "acknowledged",
        "lossBoundSeconds",
        "lost",
        "outcome",
        "phases",
        "promotions",
        "report",
        "rpoSeconds",
        "rtoSeconds",
        "scenario",
        "seed",
        "splitBrain",
      ].sort(),
    );
    expect(summary).toMatchObject({ outcome: "done", promotions: 1, splitBrain: 0, seed: "7" });
    const page = readFileSync(String(summary.report), "utf8");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/(src|href)="https?:/);
    await nothingIsLeft();
  }, 150_000);

  it("repairs a sick instance and leaves one alone while it is paused, and leaves nothing", async () => {
    // Two of the stories: all of them take two minutes.
    const stories = "sick-instance,pause-pressed";
    const ended = await start("remediation", "--json", "--stories", stories, "--seed", "7").ended;
    expect(ended.code, ended.stderr).toBe(0);
    const summary = JSON.parse(ended.stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({ held: true, repaired: 1, refused: 1, lost: 0, seed: "7" });
    expect(ended.stderr).toContain("Left out of this run: idle-transactions");
    const page = readFileSync(String(summary.report), "utf8");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/(src|href)="https?:/);
    await nothingIsLeft();
  }, 150_000);

  it("stops all that it has started on Ctrl-C, and says so", async () => {
    const { child, ended } = start("region-loss", "--json");
    await until(child, "Users move money");
    process.kill(-(child.pid ?? 0), "SIGINT");
    const { code, stdout, stderr } = await ended;
    expect(code, stderr).toBe(130);
    expect(stdout).toBe("");
    expect(stderr).toContain("stopped by SIGINT");
    await nothingIsLeft();
  }, 90_000);

  it("lists the known scenarios for one that it does not know", async () => {
    const { code, stderr } = await start("meteor").ended;
    expect(code).toBe(2);
    expect(stderr).toContain('no scenario "meteor"');
    expect(stderr).toContain("region-loss");
    await nothingIsLeft();
  });
});
