import { describe, expect, it } from "vitest";
import { rotationClosing } from "../../drills/rotation-closing.ts";
import { rotationPage } from "../../drills/rotation-page.ts";
import {
  type RotationReport,
  rotationHeadline,
  rotationSummary,
  rotationVerdicts,
} from "../../drills/rotation-report.ts";

const row: RotationReport["rows"][number] = {
  name: "first-login",
  title: "The application's login",
  secret: "platform/database",
  run: "rotation-platform-database-1f0c9a2b",
  texts: ["Somebody typed <script>alert(1)</script>."],
  fromSeconds: 0,
  currentSeconds: 15,
  toSeconds: 480,
  end: "retired",
  isAsExpected: true,
  refusals: [],
  isSameVersion: true,
  oldSessions: 0,
  logins: 100,
  failedLogins: 0,
  acknowledged: 900,
  failed: 0,
  says: "app_a has no password any more.",
};

const reportOf = (changed: Partial<RotationReport> = {}): RotationReport => ({
  scenario: "rotation",
  seed: "1",
  speed: 15,
  beganAt: Date.UTC(2026, 10, 22, 3),
  regions: { home: "eu-central-1", standby: "eu-west-1", witness: "eu-west-2" },
  rows: [row],
  logins: { tried: 100, failed: 0 },
  acknowledged: 900,
  failed: 0,
  checks: [{ name: "no login failed", held: true, expected: "0", actual: "0" }],
  events: [{ atSeconds: 1, who: "world", kind: "fault", text: "dies" }],
  throughput: [],
  modelled: "All times are modelled.",
  report: "/reports/report.html",
  ...changed,
});

const plainInk = (text: string) => text;
const tones = (report: RotationReport) => rotationVerdicts(report).map(({ tone }) => tone);

describe("the end of a rotation drill", () => {
  it("says first that no login and no request failed", () => {
    const { tone, text } = rotationHeadline(reportOf());
    expect(tone).toBe("good");
    expect(text).toBe("1 of 1 secret rotation done: no login failed, no request of users failed");
    expect(new Set(tones(reportOf()))).toEqual(new Set(["good"]));
  });

  it.each<[string, Partial<RotationReport>]>([
    ["a failed login", { logins: { tried: 100, failed: 1 } }],
    ["a drill that tried no login", { logins: { tried: 0, failed: 0 } }],
    ["a failed request", { failed: 1 }],
    ["a session on the old login", { rows: [{ ...row, oldSessions: 1 }] }],
    ["two versions", { rows: [{ ...row, isSameVersion: false }] }],
  ])("does not call %s good", (_what, changed) => {
    expect(tones(reportOf(changed))).toContain("bad");
  });

  it("proves nothing without a check", () => {
    expect(rotationHeadline(reportOf({ checks: [] })).tone).toBe("unknown");
    expect(rotationSummary(reportOf({ checks: [] })).held).toBe(false);
  });

  it("shows a failed check before the table, in a terminal of 80 columns", () => {
    const failed = { name: "no login failed", held: false, expected: "0", actual: "3" };
    const lines = rotationClosing(reportOf({ checks: [failed] }), 80, plainInk as never);
    const at = (text: string) => lines.findIndex((line) => line.includes(text));
    expect(at("FAILED")).toBeGreaterThan(-1);
    expect(at("FAILED")).toBeLessThan(at("0 of 100"));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("lets nothing of the run be run by a browser", () => {
    const page = rotationPage(reportOf());
    expect(page).not.toContain("<script>");
    expect(page).toContain("script&#62;alert(1)");
    expect(page).not.toMatch(/(src|href)="https?:/);
  });
});
