import type { Entry } from "../shared/journal.ts";
import { inSentences } from "../shared/outcome.ts";
import { ofTheRun } from "../shared/refused-answer.ts";
import { checksOf } from "./checks.ts";
import type { Findings } from "./findings.ts";
import { phasesOf } from "./phases.ts";
import type { Phase, Report, Sample } from "./report.ts";
import type { EarlierPhase, IncidentKind, ScenarioOptions } from "./scenario.ts";

/** The report with the figures that only its files have. */
export interface FullReport extends Report {
  run: string;
  incident: { kind: IncidentKind; text: string };
  /**
   * From the approval that was the last one needed to the first write acknowledged by the new
   * primary; null when nobody approved or users were not served.
   */
  rtoFromApprovalSeconds: number | null;
  /** The longest time in which nobody was told that a write is safe; null when there was none. */
  longestOutageSeconds: number | null;
  /** Writes that users were not told of as safe, by what they saw instead. */
  failures: Record<string, number>;
}

type Samples = readonly (Omit<Sample, "atSeconds"> & { atMilliseconds: number })[];

/** What a run came to, with every time counted from the incident. */
export const accountOf = async (
  findings: Findings,
  samples: Samples,
  { seed, speed }: Pick<ScenarioOptions, "seed" | "speed">,
): Promise<Omit<FullReport, "report">> => {
  const { scenario, incident, seen, fence } = findings;
  const { atMilliseconds: incidentAt, kind, text } = incident;
  const since = <Thing extends { atMilliseconds: number }>({ atMilliseconds, ...rest }: Thing) => ({
    ...rest,
    atSeconds: (atMilliseconds - incidentAt) / 1000,
  });
  const moments = seen.moments.toSorted((a, b) => a.atMilliseconds - b.atMilliseconds);
  return {
    ...figuresOf(findings),
    scenario: scenario.name,
    seed,
    speed,
    incidentAt,
    incident: { kind, text },
    ...(kind === "planned" ? { planned: true } : {}),
    phases: [
      ...(incident.earlier ?? []).map(earlierPhase(incidentAt)),
      ...phasesOf(findings.journal, incidentAt, servedAt(findings)),
    ],
    events: moments.map(since),
    fence,
    approvals: findings.approvals.map(since),
    refusedAnswers: findings.refusedAnswers.map(since),
    checks: [...checksOf(findings), ...((await incident.checks?.(findings)) ?? [])],
    throughput: samples.map(since),
    modelled:
      "All times are modelled: AWS publishes none for promotion, launches and most other changes, " +
      "so they are drawn from the ranges in local/aws/durations.ts." +
      (incident.caveat ? ` ${incident.caveat}` : ""),
  };
};

const earlierPhase =
  (incidentAt: number) =>
  ({ fromMilliseconds, toMilliseconds, ...rest }: EarlierPhase): Phase => ({
    ...rest,
    startSeconds: (fromMilliseconds - incidentAt) / 1000,
    seconds: (toMilliseconds - fromMilliseconds) / 1000,
  });

const figuresOf = (findings: Findings) => {
  const { world, run, outcome, plan, counted, promotions, journal, journalIs } = findings;
  const { primary, standby, witness } = world.config.regions;
  const { longestOutage, failures } = world.users.report();
  return {
    run,
    outcome,
    regions: { home: primary, standby, witness },
    left: findings.from.region,
    rtoSeconds: counted.rtoSeconds ?? null,
    rtoFromApprovalSeconds: fromApproval(findings),
    longestOutageSeconds: longestOutage?.seconds ?? null,
    failures,
    rpoSeconds: counted.rpoSeconds,
    lossBoundSeconds: plan?.loss.boundSeconds ?? null,
    ...(plan ? { statement: plan.loss.text } : {}),
    ...(outcome === "done" ? {} : { stopped: stoppedBecause(journal) }),
    objectives: world.config.objectives,
    acknowledged: counted.acknowledged,
    lost: counted.lost.length,
    splitBrain: counted.splitBrain.length,
    promotions,
    journal: { entries: journal.length, verified: journalIs.ok },
  };
};

/** Why a run that did not end done ended as it did: its last line, and the reasons in it. */
export const stoppedBecause = (
  journal: readonly Pick<Entry, "key" | "text" | "data">[],
): string => {
  const last = ofTheRun(journal).at(-1);
  if (!last) return "No run was ever started.";
  const notes = Array.isArray(last.data?.notes) ? last.data.notes.map(String) : [];
  return inSentences([last.text, ...notes]);
};

const servedAt = ({ incident, counted }: Findings): number | undefined =>
  counted.rtoSeconds === undefined
    ? undefined
    : incident.atMilliseconds + counted.rtoSeconds * 1000;

const fromApproval = (findings: Findings): number | null => {
  const served = servedAt(findings);
  const approved = Math.max(...findings.approvals.map(({ atMilliseconds }) => atMilliseconds));
  return served === undefined || !Number.isFinite(approved) ? null : (served - approved) / 1000;
};
