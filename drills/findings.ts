import { type Reconciled, reconcile } from "../local/load/reconcile.ts";
import { type Entry, verify } from "../shared/journal.ts";
import type { Lease } from "../shared/lease.ts";
import {
  approvalOf,
  failoverRuns,
  journalOf,
  leaseOf,
  ledgerSum,
  reportedFence,
  transfersIn,
} from "./evidence.ts";
import type { Recorder } from "./recorder.ts";
import type { Outcome, Report } from "./report.ts";
import type { Incident, Scenario } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

/** What is read of the plan in the journal. */
interface PlanData {
  approvals: number;
  loss: { text: string; boundSeconds: number | null };
  trigger: { who: string };
}

/** All that is known about a run when it is over, before anybody judges it. */
export interface Findings {
  world: DrillWorld;
  seen: Recorder;
  scenario: Scenario;
  incident: Incident;
  /** The durable execution's name; `none` when nothing was started. */
  run: string;
  outcome: Outcome;
  journal: Entry[];
  journalIs: ReturnType<typeof verify>;
  plan: PlanData | undefined;
  fence: Report["fence"];
  lease: Lease | undefined;
  approvals: readonly { user: string; atMilliseconds: number }[];
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
  const { users, platform, cloud } = world;
  const { home, standby } = platform;
  const [execution] = failoverRuns(world);
  const run = execution?.name ?? "none";
  const result = JSON.parse(execution?.result ?? "null") as { outcome?: Outcome } | null;
  const journal = journalOf(world, run);
  const promotedAt = seen.promotedAt();
  await scenario.openOld(world);
  const held = {
    surviving: await transfersIn(world, standby.engineId),
    old: await transfersIn(world, home.engineId),
  };
  const counted = reconcile({
    acknowledged: users.acknowledged,
    held,
    oldRegion: home.region,
    newRegion: standby.region,
    incidentAt: incident.atMilliseconds,
    ...(promotedAt === undefined ? {} : { promotedAt }),
    loadEndedAt: users.report().endedAt,
  });
  return {
    ...about,
    run,
    outcome: result?.outcome ?? "needs-human",
    journal,
    journalIs: verify(journal),
    plan: journal.findLast(({ data }) => data?.plan)?.data?.plan as PlanData | undefined,
    fence: reportedFence(world) ?? fenceIn(journal),
    lease: leaseOf(world),
    approvals: approvalOf(world, run)?.approvals ?? [],
    counted,
    held,
    sums: {
      surviving: await ledgerSum(world, standby.engineId),
      old: await ledgerSum(world, home.engineId),
    },
    promotions: cloud.databases.promotions(standby.databaseId, standby.region),
  };
};

const fenceIn = (journal: readonly Entry[]): Report["fence"] =>
  (journal.findLast(({ data }) => data?.fence)?.data?.fence ?? []) as Report["fence"];
