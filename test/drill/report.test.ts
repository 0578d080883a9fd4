import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { page } from "../../drills/page.ts";
import { allHeld, exitCodeOf, summaryOf, writeReport } from "../../drills/report.ts";
import { headline, verdicts } from "../../drills/verdict.ts";
import { marked, sample } from "./sample.ts";

describe("the report of a drill", () => {
  it("exits 0 only when every check held, and never without a check", () => {
    const [check] = sample().checks;
    if (!check) throw new Error("the sample has a check");
    expect(exitCodeOf(sample())).toBe(0);
    expect(exitCodeOf(sample({ checks: [check, { ...check, held: false }] }))).toBe(1);
    expect(exitCodeOf(sample({ checks: [] }))).toBe(1);
    expect(allHeld([])).toBe(false);
  });

  it("prints whole figures and the names that the issue gives them", () => {
    expect(summaryOf(sample({ rtoSeconds: 445.123456 }))).toMatchObject({
      outcome: "done",
      rtoSeconds: 445.123,
      rpoSeconds: 0,
      lossBoundSeconds: 249.5,
      phases: [{ name: "notice the loss", seconds: 130 }, {}, {}],
      report: "/reports/report.html",
    });
  });

  it("never shows a figure that could not be measured as a small one", () => {
    const blind = sample({ rpoSeconds: null, rtoSeconds: null, lossBoundSeconds: null });
    expect(
      verdicts(blind).filter(({ text }) => /could not be measured|not served/.test(text)),
    ).toHaveLength(2);
    expect(summaryOf(blind)).toMatchObject({ rpoSeconds: null, rtoSeconds: null });
  });

  it("says in its headline when a check did not hold", () => {
    const failed = sample({
      checks: [{ name: "promoted once", held: false, expected: "1", actual: "2" }],
    });
    expect(headline(failed)).toMatchObject({ tone: "bad" });
    expect(headline(failed).text).toContain("did not hold");
    expect(headline(sample({ checks: [] })).text).toContain("proves nothing");
  });

  it("writes the page and everything it was made from", async () => {
    const folder = mkdtempSync(join(tmpdir(), "report-test-"));
    try {
      const written = await writeReport(sample(), join(folder, "new"));
      expect(readFileSync(written.report, "utf8")).toBe(page(written));
      const kept = JSON.parse(readFileSync(join(folder, "new", "report.json"), "utf8"));
      expect(kept).toEqual(JSON.parse(JSON.stringify(written)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the page", () => {
  it("draws the timeline and needs nothing from anywhere else", () => {
    const html = page(sample());
    expect(html).toContain("<svg");
    expect(html).toContain("promote the replica");
    expect(html).not.toMatch(/<script/i);
    expect(html).not.toMatch(/(src|href)\s*=\s*["']?(https?:)?\/\//i);
    expect(html).not.toMatch(/@import|url\(/i);
  });

  it("shows whatever it is given as text", () => {
    const html = page(marked('<script>alert("x")</script><img src=x onerror=alert(1)>'));
    expect(html).not.toContain("<script>alert");
    expect(html).not.toContain("<img");
    expect(html).toContain("&#60;script&#62;");
    expect(page(marked('" onload="alert(1)'))).not.toContain('" onload="alert(1)');
  });

  it("is drawn for a run that never served anybody again, and for an empty one", () => {
    const empty = { phases: [], events: [], throughput: [], approvals: [], fence: [] };
    for (const change of [{ rtoSeconds: null }, empty]) {
      expect(page(sample(change))).toContain("</html>");
      expect(page(sample(change))).not.toMatch(/NaN|undefined|Infinity/);
    }
  });
});
