import type { Check, Outcome, Report } from "./report.ts";
import { allHeld } from "./report.ts";
import { count, plural, spoken } from "./words.ts";

/** `unknown` is never shown as good: a figure that could not be measured is not a small one. */
export type Tone = "good" | "bad" | "unknown";

export interface Verdict {
  tone: Tone;
  text: string;
}

type Figures = Omit<Report, "report" | "checks">;

/** The whole run in one sentence. */
export const headline = (report: Report): Verdict => {
  const failed = report.checks.filter((check) => !check.held).length;
  const held = allHeld(report.checks);
  const but = held ? "" : `, ${failed} of ${plural(report.checks.length, "check")} did not hold`;
  const tone: Tone = held ? "good" : "bad";
  if (report.checks.length === 0)
    return { tone: "unknown", text: "No check ran: this proves nothing" };
  if (report.outcome === "aborted") return { tone, text: `Stopped, nothing was promoted${but}` };
  if (report.outcome === "needs-human") return { tone, text: `Waiting for a human${but}` };
  if (report.rtoSeconds === null) return { tone, text: `Done${but}` };
  const again = `Served again after ${spoken(report.rtoSeconds)}`;
  if (report.lost === 0) return { tone, text: `${again}${but}` };
  // A scenario may allow a loss beyond the objective; nobody may read past it all the same.
  const beyond = report.rpoSeconds === null || report.rpoSeconds > report.objectives.rpoSeconds;
  const seen = held && beyond ? "unknown" : tone;
  return { tone: seen, text: `${again}, ${plural(report.lost, "write")} lost${but}` };
};

/** What a tired reader wants to know first, one sentence each. */
export const verdicts = (report: Report): Verdict[] => [
  ...stopped(report),
  service(report),
  loss(report),
  bound(report),
  writers(report),
];

const stopped = ({ stopped: why }: Report): Verdict[] =>
  why === undefined ? [] : [{ tone: "unknown", text: `Why it stopped: ${why}` }];

const service = ({ rtoSeconds, objectives, regions, left, planned }: Report): Verdict => {
  const objective = spoken(objectives.rtoSeconds);
  if (rtoSeconds === null) {
    return {
      tone: "bad",
      text: `Users were not served again in this run (objective ${objective}).`,
    };
  }
  return {
    tone: rtoSeconds <= objectives.rtoSeconds ? "good" : "bad",
    text:
      `Users were served again ${spoken(rtoSeconds)} after ${left ?? regions.home} ` +
      `${planned ? "began to hand over" : "was lost"} (objective ${objective}).`,
  };
};

const loss = ({ lost, acknowledged, rpoSeconds, objectives }: Report): Verdict => {
  const of = `of ${count(acknowledged)} acknowledged writes`;
  if (rpoSeconds === null) {
    const known = lost > 0 ? `at least ${count(lost)} ${of} were lost` : `none ${of} is known lost`;
    return { tone: "unknown", text: `The loss could not be measured; ${known}.` };
  }
  const tone = rpoSeconds <= objectives.rpoSeconds ? "good" : "bad";
  if (lost === 0) return { tone, text: `None ${of} was lost.` };
  return {
    tone,
    text:
      `${count(lost)} ${of} ${lost === 1 ? "was" : "were"} lost, all from the last ` +
      `${spoken(rpoSeconds)} of the old region's service (objective ${spoken(objectives.rpoSeconds)}).`,
  };
};

const bound = ({ lossBoundSeconds, rpoSeconds }: Report): Verdict => {
  if (lossBoundSeconds === null) {
    return { tone: "unknown", text: "No bound on the loss was stated before approval." };
  }
  if (lossBoundSeconds === 0 && !rpoSeconds) {
    return { tone: "good", text: "That nothing can be lost was stated before approval." };
  }
  const stated = `A loss of at most ${spoken(lossBoundSeconds)} was stated before approval`;
  return (rpoSeconds ?? 0) <= lossBoundSeconds
    ? { tone: "good", text: `${stated}.` }
    : { tone: "bad", text: `${stated}, and the loss went beyond it.` };
};

const writers = ({ splitBrain, promotions }: Report): Verdict => {
  if (splitBrain > 0) {
    const writes = plural(splitBrain, "write");
    return { tone: "bad", text: `The old primary acknowledged ${writes} after the promotion.` };
  }
  if (promotions === 0) return { tone: "good", text: "Nothing was promoted." };
  return {
    tone: promotions === 1 ? "good" : "bad",
    text:
      `The standby was promoted ${promotions === 1 ? "once" : `${promotions} times`}; ` +
      "no write was acknowledged on the old primary after that.",
  };
};

/** What a scenario expects of its run. */
export interface Expected {
  outcome: Outcome;
  promotions: number;
  /** Different people who must have approved. */
  approvals: number;
  /** Whether users must be served again; when not, recovery time is not judged. */
  served: boolean;
}

/**
 * The checks that follow from a report's own figures, the same for every scenario. A figure that is
 * missing fails its check.
 */
export const figureChecks = (figures: Figures, expected: Expected): Check[] => {
  const { objectives } = figures;
  const people = new Set(figures.approvals.map((approval) => approval.user)).size;
  return [
    equal("outcome", figures.outcome, expected.outcome),
    ...(expected.served
      ? [atMost("recovery time (RTO)", figures.rtoSeconds, objectives.rtoSeconds)]
      : []),
    atMost("data loss (RPO)", figures.rpoSeconds, objectives.rpoSeconds),
    ...(expected.promotions > 0
      ? [atMost("loss within the stated bound", figures.rpoSeconds, figures.lossBoundSeconds)]
      : []),
    equal("promotions", figures.promotions, expected.promotions),
    equal("writes on the old primary after promotion", figures.splitBrain, 0),
    {
      name: "different people approved",
      held: people >= expected.approvals,
      expected: `at least ${expected.approvals}`,
      actual: String(people),
    },
    {
      name: "users wrote during the run",
      held: figures.acknowledged > 0 && figures.lost <= figures.acknowledged,
      expected: "acknowledged writes, and no more lost than acknowledged",
      actual: `${count(figures.acknowledged)} acknowledged, ${count(figures.lost)} lost`,
    },
    {
      name: "journal complete and unchanged",
      held: figures.journal.verified && figures.journal.entries > 0,
      expected: "entries whose chain verifies",
      actual: `${plural(figures.journal.entries, "entry", "entries")}, ${
        figures.journal.verified ? "chain verified" : "chain broken"
      }`,
    },
  ];
};

const equal = (name: string, actual: number | string, expected: number | string): Check => ({
  name,
  held: actual === expected,
  expected: String(expected),
  actual: String(actual),
});

const atMost = (name: string, actual: number | null, limit: number | null): Check => ({
  name,
  held: actual !== null && limit !== null && actual <= limit,
  expected: limit === null ? "a limit, which was not stated" : `at most ${spoken(limit)}`,
  actual: actual === null ? "unknown" : spoken(actual),
});
