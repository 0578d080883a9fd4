import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { programs } from "./program.ts";

const { start, nothingIsLeft } = programs();

describe("the drill of repairs as a program", () => {
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
});
