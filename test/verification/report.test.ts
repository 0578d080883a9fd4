import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../functions/verification/record.ts";
import type { ReportSettings } from "../../functions/verification/report.ts";
import { reportedRuns, reportPage } from "../../functions/verification/report.ts";
import { canonical } from "../../shared/canonical.ts";
import { fileNameOf } from "../../shared/evidence.ts";
import { badRun, goodRun, lastNight, publicKey, recordsOf } from "./records.ts";

const day = 86_400_000;
const settings: ReportSettings = {
  now: lastNight + 3_600_000,
  overdueHours: 26,
};

const page = async (runs: readonly RunRecord[], more: Partial<ReportSettings> = {}) =>
  reportPage(reportedRuns(await recordsOf(runs)), { ...settings, ...more });

const headline = (text: string) =>
  /<section class="verdict (\w+)"><h2>([^<]*)/.exec(text)?.slice(1);

describe("the page of restore tests", () => {
  it("is green after a good night, with both recovery times and the loss", async () => {
    const text = await page([badRun(lastNight - day), goodRun()]);
    expect(headline(text)).toEqual(["green", "The backups restore, and what is in them is right"]);
    expect(text).toMatch(/1 h 18 min[\s\S]*Available after\s+36 min[\s\S]*12 min 5 s/);
  });

  it("is red after a bad one, and says what is to be done", async () => {
    const text = await page([goodRun(lastNight - day), badRun()]);
    expect(headline(text)).toEqual(["red", "The backups are not verified"]);
    expect(text).toContain("Ask who deleted rows or dropped the table.");
    expect(text).toContain("Correct: no");
  });

  it("is red when the last run is too old, however good it was", async () => {
    const text = await page([goodRun()], { now: lastNight + 40 * 3_600_000 });
    expect(headline(text)).toEqual(["red", "Overdue: the last restore test is 40 hours old"]);
  });

  it("is red when there never was a run", async () => {
    expect(headline(await page([]))).toEqual(["red", "Nothing was ever verified"]);
  });

  it("draws a mark, and no line, where nothing was measured", async () => {
    const nights = [goodRun(lastNight - 2 * day), badRun(lastNight - day), goodRun()];
    const [recovery = ""] = (await page(nights)).match(/<svg[\s\S]*?<\/svg>/) ?? [];
    expect(recovery.match(/<title>not measured/g)).toHaveLength(1);
    const [inFull = ""] = /<path d="[^"]*" fill="none"/.exec(recovery) ?? [];
    expect(inFull.match(/M/g)).toHaveLength(2);
  });

  it("names what the operator does without, as looked at by nobody", async () => {
    expect(await page([goodRun()])).toMatch(
      /The operator does without: large-objects\. Nobody\s+has looked at it\./,
    );
  });

  it("shows what a check found as text, and never as a part of the page", async () => {
    const text = await page([badRun()]);
    expect(text).toContain("is not allowed &#60;by&#62; rds &#38; others");
    expect(text).not.toContain("<by>");
  });

  it("is written by the auditor's command, and not from records that were changed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nightshift-report-"));
    const [record] = await recordsOf([goodRun()]);
    if (!record) throw new Error("there is no record");
    const [key, file, report] = ["key.pem", fileNameOf(record), "page.html"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    writeFileSync(key, publicKey);
    const run = (text: string) => {
      writeFileSync(file, text);
      const words = ["ops/evidence.ts", folder, "--key", key, "--report", report];
      return spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...words])
        .status;
    };
    try {
      expect(run(canonical(record).replace("schedule", "somebody"))).toBe(1);
      expect(existsSync(report)).toBe(false);
      expect(run(canonical(record))).toBe(0);
      expect(readFileSync(report, "utf8")).toContain("Restore tests of app.example.com");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("needs nothing from elsewhere", async () => {
    const text = await page([goodRun()]);
    expect(text).not.toMatch(/<script|<link|<img|@import|url\(|src=|https?:/);
  });

  it("shows at most sixty runs, the newest of them", async () => {
    const nights = Array.from({ length: 70 }, (_, night) =>
      goodRun(lastNight - (69 - night) * day),
    );
    const runs = reportedRuns(await recordsOf(nights));
    expect(runs).toHaveLength(60);
    expect(runs.at(-1)?.sequence).toBe(70);
    expect((await page(nights)).length).toBeLessThan(100_000);
  });
});
