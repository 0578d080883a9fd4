import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { programs, until } from "./program.ts";

const { start, nothingIsLeft } = programs();

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
