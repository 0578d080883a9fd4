import type { Report } from "../../drills/report.ts";

/** A run as a drill reports it. */
export const sample = (change: Partial<Report> = {}): Report => ({
  outcome: "done",
  scenario: "region-loss",
  seed: "1",
  speed: 15,
  incidentAt: Date.UTC(2026, 10, 22, 3, 0, 0),
  regions: { home: "eu-central-1", standby: "eu-west-1", witness: "eu-west-2" },
  rtoSeconds: 445,
  rpoSeconds: 0,
  lossBoundSeconds: 249.5,
  statement: "Everything acknowledged until 02:59:58 is on the replica.",
  objectives: { rtoSeconds: 1800, rpoSeconds: 60 },
  acknowledged: 437,
  lost: 0,
  splitBrain: 0,
  promotions: 1,
  phases: [
    { name: "notice the loss", startSeconds: 0, seconds: 130, on: "safety" },
    { name: "people approve", startSeconds: 130, seconds: 47, on: "people" },
    { name: "promote the replica", startSeconds: 243, seconds: 156, on: "aws" },
  ],
  events: [
    { atSeconds: 0, who: "world", kind: "incident", text: "eu-central-1 loses its power" },
    { atSeconds: 129, who: "CloudWatch", kind: "alarm", text: "the region is lost" },
    { atSeconds: 445, who: "users", kind: "served", text: "Users are served again" },
  ],
  fence: [{ layer: "logins", result: "unreachable", detail: "TimeoutError: no answer" }],
  approvals: [
    { user: "U0ANA", atSeconds: 160 },
    { user: "U0BEN", atSeconds: 177 },
  ],
  checks: [{ name: "the run ended done", held: true, expected: "done", actual: "done" }],
  throughput: [
    { atSeconds: -10, acknowledgedPerSecond: 3, failedPerSecond: 0, region: "eu-central-1" },
    { atSeconds: 10, acknowledgedPerSecond: 0, failedPerSecond: 3, region: null },
    { atSeconds: 450, acknowledgedPerSecond: 3, failedPerSecond: 0, region: "eu-west-1" },
  ],
  journal: { entries: 17, verified: true },
  modelled: "All times are modelled.",
  report: "/reports/report.html",
  ...change,
});

/** The same with `mark` in every text that came from outside. */
export const marked = (mark: string): Report => {
  const report = sample();
  return sample({
    scenario: `${report.scenario}${mark}`,
    seed: mark,
    statement: mark,
    modelled: mark,
    regions: { home: `a${mark}`, standby: `b${mark}`, witness: `c${mark}` },
    phases: report.phases.map((phase) => ({ ...phase, name: `${phase.name}${mark}` })),
    events: report.events.map((event) => ({ ...event, who: mark, text: mark })),
    fence: report.fence.map((each) => ({ ...each, layer: mark, detail: mark })),
    approvals: report.approvals.map((each) => ({ ...each, user: mark })),
    checks: report.checks.map((each) => ({ ...each, name: mark, expected: mark, actual: mark })),
    throughput: report.throughput.map((each) => ({ ...each, region: each.region && mark })),
    report: mark,
  });
};
