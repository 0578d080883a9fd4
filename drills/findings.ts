import type { AcknowledgedWrite } from "../local/load/generator.ts";
import { type Reconciled, reconcile } from "../local/load/reconcile.ts";
import { type Entry, verify } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import { isRefusedAnswer } from "../shared/refused-answer.ts";
import {
  approvalOf,
  failoverRuns,
  journalOf,
  leaseOf,
  ledgerSum,
  reportedFence,
  transfersIn,
} from "./evidence.ts";
import type { Site } from "./platform.ts";
import type { Recorder } from "./recorder.ts";
import type { Outcome, Report } from "./report.ts";
import { directionOf, type Incident, type Scenario } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

/** What is read of the plan in the journal. */
interface PlanData {
  approvals: number;
  loss: { text: string; boundSeconds: number | null };
  trigger: { who: string };
}

/** Somebody's answer that did not count, as the journal has it. */
export interface RefusedRow {
  user: string;
  says: string;
  reason: string;
  atMilliseconds: number;
}

/** All that is known about a run when it is over, before anybody judges it. */
export interface Findings {
  world: DrillWorld;
  seen: Recorder;
  scenario: Scenario;
  incident: Incident;
  /** The region that was left, and the one that users went to. */
  from: Site;
  to: Site;
  /** What users were told is safe, since this story began. */
  acknowledged: readonly AcknowledgedWrite[];
  /** The durable execution's name; `none` when nothing was started. */
  run: string;
  outcome: Outcome;
  journal: Entry[];
  journalIs: ReturnType<typeof verify>;
  plan: PlanData | undefined;
  fence: Report["fence"];
  lease: Lease | undefined;
  approvals: readonly { user: string; atMilliseconds: number }[];
  refusedAnswers: readonly RefusedRow[];
  counted: Reconciled;
  /** Ids of the transfers in each database. */
  held: { surviving: ReadonlySet<string>; old: ReadonlySet<string> };
  /** Of all entries in each ledger. */
  sums: { surviving: number; old: number };
  promotions: number;
}

/** Reads both databases, the tables and what users were told. Users must have stopped. */
export const gather = async (
  about: Pick<Findings, "world" | "seen" | "scenario" | "incident">,
): Promise<Findings> => {
  const { world, seen, scenario, incident } = about;
  const { users, cloud } = world;
  const { from, to } = directionOf(world, scenario);
  const since = incident.sinceMilliseconds ?? Number.NEGATIVE_INFINITY;
  const acknowledged = users.acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt >= since);
  const [execution] = failoverRuns(world, to.region);
  const run = execution?.name ?? "none";
  const result = JSON.parse(execution?.result ?? "null") as { outcome?: Outcome } | null;
  const journal = journalOf(world, run);
  const promotedAt = seen.promotedAt(to.region);
  await scenario.openOld(world);
  const held = {
    surviving: await transfersIn(world, to.engineId),
    old: await transfersIn(world, from.engineId),
  };
  const counted = reconcile({
    acknowledged,
    held,
    oldRegion: from.region,
    newRegion: to.region,
    incidentAt: incident.atMilliseconds,
    ...(promotedAt === undefined ? {} : { promotedAt }),
    loadEndedAt: users.report().endedAt,
  });
  return {
    ...about,
    from,
    to,
    acknowledged,
    run,
    outcome: result?.outcome ?? "needs-human",
    journal,
    journalIs: verify(journal),
    plan: journal.findLast(({ data }) => data?.plan)?.data?.plan as PlanData | undefined,
    fence: reportedFence(world, from.region) ?? fenceIn(journal),
    lease: leaseOf(world),
    approvals: approvalOf(world, run)?.approvals ?? [],
    refusedAnswers: refusedAnswersIn(journal),
    counted,
    held,
    sums: {
      surviving: await ledgerSum(world, to.engineId),
      old: await ledgerSum(world, from.engineId),
    },
    promotions: cloud.databases.promotions(to.databaseId, to.region),
  };
};

/** In the order in which they were given. */
export const refusedAnswersIn = (journal: readonly Entry[]): RefusedRow[] =>
  journal.filter(isRefusedAnswer).map(({ by: user, data, atMilliseconds }) => ({
    user,
    says: String(data?.says),
    reason: String(data?.reason),
    atMilliseconds,
  }));

const fenceIn = (journal: readonly Entry[]): Report["fence"] =>
  (journal.findLast(({ data }) => data?.fence)?.data?.fence ?? []) as Report["fence"];
