import { describe, expect, it } from "vitest";
import { ink } from "../../drills/ink.ts";
import { acts } from "../../drills/verification-acts.ts";
import { verificationClosing } from "../../drills/verification-closing.ts";
import { verificationPage } from "../../drills/verification-page.ts";
import { verifying } from "../../drills/verification-platform.ts";
import {
  type ActRow,
  type VerificationReport,
  verificationHeadline,
} from "../../drills/verification-report.ts";
import { checksOf } from "../../functions/verification/checks/all.ts";
import config from "../../nightshift.config.ts";

const row = (more: Partial<ActRow> = {}): ActRow => ({
  ...{ name: "good", title: "A backup is restored and looked into", text: "Nothing." },
  ...{ fromSeconds: 0, toSeconds: 480, run: "verification-eu-west-1-1", end: "verified" },
  ...{ code: "verified", expected: "verified (verified)", isAsExpected: true },
  verdict: { landed: "yes", restorable: "yes", correct: "yes" },
  ...{ availableSeconds: 280, warmSeconds: 300, lossSeconds: 18 },
  checks: { passed: 31, all: 31 },
  reds: [],
  stretches: [
    { name: "restore", fromSeconds: 10, toSeconds: 290 },
    { name: "read", fromSeconds: 290, toSeconds: 310 },
  ],
  ...{ acknowledged: 900, failed: 0, sequence: 1 },
  ...more,
});

const gone = row({
  ...{ name: "nothing", title: "The backups are gone", end: "red", code: "nothing-to-restore" },
  verdict: { landed: "no", restorable: "no", correct: "unknown" },
  ...{ availableSeconds: null, warmSeconds: null, lossSeconds: null, sequence: 2 },
  reds: [{ name: "has-a-backup", says: "There is nothing to restore.", actual: "none" }],
  stretches: [],
});

const report = (more: Partial<VerificationReport> = {}): VerificationReport => ({
  ...{ scenario: "verification", seed: "1", speed: 20, beganAt: Date.UTC(2026, 10, 23, 2) },
  regions: { home: "eu-central-1", standby: "eu-west-1", witness: "eu-west-2" },
  rows: [row(), gone],
  ...{ acknowledged: 1800, lost: 0, failed: 0 },
  objectives: { rtoSeconds: 14_400, rpoSeconds: 3600 },
  evidence: { records: 2, head: "2:8e61755a3a6a0a59", says: "All are there.", ok: true },
  checks: [{ name: "every copy is gone", held: true, expected: "none left", actual: "none left" }],
  ...{ events: [], throughput: [], modelled: "All times are modelled.", report: "/report.html" },
  ...more,
});

const told = (of: VerificationReport) => verificationClosing(of, 100, ink(false)).join("\n");

describe("the end of the drill of restore tests", () => {
  it("says how long a restore took, and that each trouble was told as what it is", () => {
    const text = told(report());
    expect(text).toContain("read in full in 5 min; 1 of 1 trouble told as it was");
    expect(text).toContain("Every write acknowledged before the restored moment was in the copy");
    expect(text).toContain("has-a-backup");
  });

  it("is bad as soon as one check does not hold, and proves nothing without any", () => {
    const failed = { name: "every copy is gone", held: false, expected: "none", actual: "one" };
    const bad = report({ checks: [failed] });
    expect(verificationHeadline(bad).tone).toBe("bad");
    expect(told(bad)).toContain("FAILED  every copy is gone");
    expect(verificationHeadline(report({ checks: [] })).tone).toBe("unknown");
  });

  it("never calls a restore good that was not measured, nor writes that are missing none", () => {
    const text = told(report({ rows: [{ ...gone, name: "good" }], lost: 2 }));
    expect(text).toContain("No backup was verified");
    expect(text).toContain("The recovery time was not measured.");
    expect(text).toContain("2 acknowledged writes of before the restored moment were not");
  });
});

describe("the page of the drill of restore tests", () => {
  it("needs nothing from elsewhere, and keeps what came from the run as text", () => {
    const mark = `"><script>alert('&')</script>`;
    const reds = [{ name: mark, says: mark, actual: mark }];
    const page = verificationPage(
      report({
        ...{ seed: mark, modelled: mark },
        rows: [row({ ...{ title: mark, text: mark, run: mark, code: mark, end: mark }, reds })],
        evidence: { records: 1, head: mark, says: mark, ok: false },
        checks: [{ name: mark, held: false, expected: mark, actual: mark }],
        events: [{ atSeconds: 0, who: mark, kind: "fault", text: mark }],
      }),
      "",
    );
    expect(page).not.toContain("<script");
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).toContain("&#60;script&#62;");
  });

  it("draws a bar for what each act's time went to", () => {
    expect(
      verificationPage(report(), "").match(/<title>[^<]+: [^<]+<\/title><\/rect>/g),
    ).toHaveLength(2);
  });
});

it("plants nothing that is looked for under a name that no check has", () => {
  const { verification } = verifying(config);
  const names = checksOf({ identity: "a", ...verification }).map(({ name }) => name);
  const reds = acts.find(({ name }) => name === "damage")?.expects?.reds ?? [];
  expect(reds.filter((name) => !names.includes(name))).toEqual([]);
  expect(reds.length).toBe(8);
});
