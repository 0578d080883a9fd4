import { type Reconciled, reconcile } from "../local/load/reconcile.ts";
import { type Entry, verify } from "../shared/journal.ts";
import { approvalOf, journalOf, leaseOf, ledgerSum, transfersIn } from "./evidence.ts";
import { phasesOf } from "./phases.ts";
import { type Recorder, sampler } from "./recorder.ts";
import type { Check, Outcome, Report, Sample } from "./report.ts";
import type { DrillWorld } from "./world.ts";

export interface ScenarioOptions {
  seed: number | string;
  speed: number;
  /** Told of every sample, for the live view. */
  onSample(sample: Omit<Sample, "atSeconds"> & { atMilliseconds: number }): void;
  /** Called at the instant of the incident. */
  onIncident(atMilliseconds: number): void;
}

/** A new inverted health check is unhealthy until its first results: users come after that. */
const settlingSeconds = 60;
/** With the above long enough for heartbeats, two rounds of canaries, and alarms that saw all well. */
const baselineSeconds = 100;
/** Users are watched until this long after the run has ended. */
const aftermathSeconds = 45;
const sampleSeconds = 5;
const patienceSeconds = 3600;

/** What happens to the home region, and what that means for the count at the end. */
interface Incident {
  scenario: string;
  text(home: string): string;
  strike(world: DrillWorld): void;
  /** Makes the old database readable for the judge. */
  openOld(world: DrillWorld): Promise<void>;
  /** A region that is only cut off goes on acknowledging, and no objective can undo that. */
  checksRecoveryPoint: boolean;
}

const loss: Incident = {
  scenario: "region-loss",
  text: (home) => `${home} loses its power: nothing in it answers any more`,
  strike: ({ network, platform }) => network.set(platform.home.region, "dead"),
  // The old disk is read by starting its server once more, out of everybody's reach.
  openOld: ({ engine, platform }) => engine.start(platform.home.engineId),
  checksRecoveryPoint: true,
};

const cut: Incident = {
  scenario: "region-cut",
  text: (home) =>
    `${home} is cut off from all other regions; users still reach it, and it serves them`,
  strike: ({ network, platform }) =>
    network.set(platform.home.region, "cut", { usersReachIt: true }),
  openOld: () => Promise.resolve(),
  checksRecoveryPoint: false,
};

type Scenario = (
  world: DrillWorld,
  seen: Recorder,
  options: ScenarioOptions,
) => Promise<Omit<Report, "report">>;

/** A region loses its power under load; the platform moves; everything that was promised is counted. */
export const regionLoss: Scenario = (world, seen, options) =>
  loseRegion(loss, world, seen, options);

/** The old primary lives behind a partition and has to stop itself before another one begins. */
export const regionCut: Scenario = (world, seen, options) => loseRegion(cut, world, seen, options);

const loseRegion = async (
  incident: Incident,
  world: DrillWorld,
  seen: Recorder,
  options: ScenarioOptions,
): Promise<Omit<Report, "report">> => {
  const { timeline, users, platform } = world;
  const { home, standby } = platform;
  const samples = sampler(users, sampleSeconds);
  const sampling = timeline.every(sampleSeconds * 1000, () =>
    options.onSample(samples.take(timeline.now())),
  );
  await timeline.sleep(settlingSeconds * 1000);
  users.start();
  seen.see("users", "aws", `Users move money in ${home.region}`);
  await timeline.sleep(baselineSeconds * 1000);
  const incidentAt = timeline.now();
  options.onIncident(incidentAt);
  incident.strike(world);
  seen.see("world", "incident", incident.text(home.region));
  const watching = watch(world, seen, incidentAt);
  const execution = await ended(world);
  await served(world, incidentAt);
  await timeline.sleep(aftermathSeconds * 1000);
  await users.stop();
  sampling.cancel();
  watching.cancel();
  const run = execution?.name ?? "none";
  const result = JSON.parse(execution?.result ?? "null") as { outcome?: Outcome } | null;
  const journal = journalOf(world, run);
  const promotedAt = seen.promotedAt();
  await incident.openOld(world);
  const counted = reconcile({
    acknowledged: users.acknowledged,
    held: {
      surviving: await transfersIn(world, standby.engineId),
      old: await transfersIn(world, home.engineId),
    },
    oldRegion: home.region,
    newRegion: standby.region,
    incidentAt,
    ...(promotedAt === undefined ? {} : { promotedAt }),
    loadEndedAt: users.report().endedAt,
  });
  const outcome = result?.outcome ?? "needs-human";
  return {
    ...(await told(world, seen, { incident, outcome, run, incidentAt, journal, counted })),
    scenario: incident.scenario,
    seed: options.seed,
    speed: options.speed,
    throughput: samples.samples.map(({ atMilliseconds, ...sample }) => ({
      ...sample,
      atSeconds: (atMilliseconds - incidentAt) / 1000,
    })),
  };
};

/** Looks at what resolvers would be told, and at who serves users. */
const watch = (world: DrillWorld, seen: Recorder, incidentAt: number) => {
  const { timeline, cloud, platform, config, users } = world;
  const there = cloud.balancers.addressesOf(platform.standby.loadBalancerName);
  let flipped = false;
  let served = false;
  return timeline.every(1000, () => {
    const { records } = cloud.names.answer(config.domain.name, "A");
    if (!flipped && records.some(({ value }) => there.includes(value))) {
      flipped = true;
      seen.see(
        "aws",
        "dns",
        `Route 53 answers ${config.domain.name} with ${platform.standby.region}`,
      );
    }
    const last = users.acknowledged.at(-1);
    const moved =
      last && last.region === platform.standby.region && last.acknowledgedAt > incidentAt;
    if (!served && moved) {
      served = true;
      seen.see("users", "served", `Users are served again, by ${platform.standby.region}`);
    }
  });
};

/** The durable execution of the failover, when it has ended or patience has. */
const ended = async ({ timeline, cloud, platform }: DrillWorld) => {
  const deadline = timeline.now() + patienceSeconds * 1000;
  const find = () => cloud.functions.executions(platform.standby.region, "failover")[0];
  while (timeline.now() < deadline) {
    const execution = find();
    if (execution && execution.status !== "RUNNING") return execution;
    await timeline.sleep(1000);
  }
  return find();
};

/** Resolvers' caches keep old answers for a while after the run has ended. */
const served = async ({ timeline, users, platform }: DrillWorld, incidentAt: number) => {
  const deadline = timeline.now() + 300_000;
  while (timeline.now() < deadline) {
    const last = users.acknowledged.at(-1);
    if (last?.region === platform.standby.region && last.acknowledgedAt > incidentAt) return;
    await timeline.sleep(1000);
  }
};

interface Told {
  incident: Incident;
  outcome: Outcome;
  run: string;
  incidentAt: number;
  journal: Entry[];
  counted: Reconciled;
}

interface PlanData {
  approvals: number;
  loss: { text: string; boundSeconds: number | null };
  trigger: { who: string };
}

const told = async (world: DrillWorld, seen: Recorder, facts: Told) => {
  const { outcome, incidentAt, journal, counted, run } = facts;
  const { platform, config, cloud } = world;
  const { standby } = platform;
  const { primary, witness } = config.regions;
  const plan = journal.findLast(({ data }) => data?.plan)?.data?.plan as PlanData | undefined;
  const fence = (journal.findLast(({ data }) => data?.fence)?.data?.fence ?? []) as Report["fence"];
  const approval = approvalOf(world, run);
  const servedAt =
    counted.rtoSeconds === undefined ? undefined : incidentAt + counted.rtoSeconds * 1000;
  const promotions = cloud.databases.promotions(standby.databaseId, standby.region);
  const verdict = verify(journal);
  const report = {
    outcome,
    incidentAt,
    regions: { home: primary, standby: standby.region, witness },
    rtoSeconds: counted.rtoSeconds ?? null,
    rpoSeconds: counted.rpoSeconds,
    lossBoundSeconds: plan?.loss.boundSeconds ?? null,
    ...(plan ? { statement: plan.loss.text } : {}),
    objectives: config.objectives,
    acknowledged: counted.acknowledged,
    lost: counted.lost.length,
    splitBrain: counted.splitBrain.length,
    promotions,
    phases: phasesOf(journal, incidentAt, servedAt),
    events: seen.moments.map(({ atMilliseconds, ...moment }) => ({
      ...moment,
      atSeconds: (atMilliseconds - incidentAt) / 1000,
    })),
    fence,
    approvals: (approval?.approvals ?? []).map(({ user, atMilliseconds }) => ({
      user,
      atSeconds: (atMilliseconds - incidentAt) / 1000,
    })),
    journal: { entries: journal.length, verified: verdict.ok },
    modelled:
      "All times are modelled: AWS publishes none for promotion, launches and most other changes, " +
      "so they are drawn from the ranges in local/aws/durations.ts.",
  };
  return { ...report, checks: await checksOf(world, report, facts, plan) };
};

type Figures = Pick<
  Report,
  | "outcome"
  | "promotions"
  | "lost"
  | "splitBrain"
  | "acknowledged"
  | "rpoSeconds"
  | "rtoSeconds"
  | "lossBoundSeconds"
  | "approvals"
  | "objectives"
>;

const check = (name: string, held: boolean, expected: string, actual: unknown): Check => ({
  name,
  held,
  expected,
  actual: String(actual),
});

const checksOf = async (
  world: DrillWorld,
  report: Figures,
  told: Told,
  plan: PlanData | undefined,
): Promise<Check[]> => [
  check("the run ended done", report.outcome === "done", "done", report.outcome),
  check("the replica was promoted once", report.promotions === 1, "1", report.promotions),
  ...(await writesChecks(world, report, told)),
  ...recordChecks(world, report, told, plan),
  ...objectiveChecks(report, told.incident),
];

/** What users were told against what the databases hold. */
const writesChecks = async (
  world: DrillWorld,
  { splitBrain, rpoSeconds, lossBoundSeconds, lost }: Figures,
  { counted }: Told,
): Promise<Check[]> => {
  const { standby } = world.platform;
  const { acknowledged, report } = world.users;
  const { sent } = report();
  const surviving = await transfersIn(world, standby.engineId);
  const kept = acknowledged.filter(({ id }) => surviving.has(id)).length;
  const strangers = [...surviving].filter((id) => {
    const number = /^t-(\d+)$/.exec(id)?.[1];
    return number === undefined ? !id.startsWith("probe-") : Number(number) > sent;
  });
  const sum = await ledgerSum(world, standby.engineId);
  const told = report().acknowledged;
  return [
    check("no write of the old region after the promotion", splitBrain === 0, "0", splitBrain),
    check(
      "what was lost is within the stated bound",
      rpoSeconds !== null && lossBoundSeconds !== null && rpoSeconds <= lossBoundSeconds,
      `at most ${lossBoundSeconds} s`,
      `${rpoSeconds} s, ${lost} writes`,
    ),
    check(
      "every acknowledged write is kept or counted as lost",
      kept + counted.lost.length === told,
      `${told} of ${sent} sent`,
      `${kept} kept + ${counted.lost.length} lost`,
    ),
    check(
      "the new primary holds nothing that nobody sent",
      strangers.length === 0,
      "users' transfers and probes only",
      strangers.length === 0
        ? `${surviving.size} rows, all known`
        : strangers.slice(0, 3).join(", "),
    ),
    check("the ledger balances", sum === 0, "0", sum),
  ];
};

/** What the run has put down about itself. */
const recordChecks = (
  world: DrillWorld,
  report: Figures,
  { journal, run }: Told,
  plan: PlanData | undefined,
): Check[] => {
  const { standby } = world.platform;
  const lease = leaseOf(world);
  const approvers = new Set(report.approvals.map(({ user }) => user));
  const stated = journal.find(({ key }) => key === "loss");
  const promoted = journal.find(({ data }) => data?.to === "promoted");
  const verdict = verify(journal);
  return [
    check(
      "different people approved, none of them the requester",
      approvers.size === (plan?.approvals ?? Number.NaN) && !approvers.has(plan?.trigger.who ?? ""),
      String(plan?.approvals),
      [...approvers].join(", ") || "nobody",
    ),
    check(
      "the possible loss was recorded before the promotion",
      stated !== undefined && promoted !== undefined && stated.sequence < promoted.sequence,
      "loss before promotion",
      stated ? `entry ${stated.sequence} before ${promoted?.sequence}` : "not recorded",
    ),
    check(
      "the journal is whole",
      verdict.ok,
      "every entry follows",
      verdict.ok ? "yes" : verdict.why,
    ),
    check(
      "the lease is held by the new region",
      lease?.region === standby.region && lease.state === "held" && lease.holder === run,
      `${standby.region}, held`,
      `${lease?.region}, ${lease?.state}, epoch ${lease?.epoch}`,
    ),
  ];
};

const objectiveChecks = (
  { rpoSeconds, rtoSeconds, objectives }: Figures,
  { checksRecoveryPoint }: Incident,
): Check[] => [
  check(
    "users are served by the new region",
    rtoSeconds !== null,
    "until the end of the load",
    rtoSeconds === null ? "no" : `after ${Math.round(rtoSeconds)} s`,
  ),
  check(
    "within the recovery time objective",
    rtoSeconds !== null && rtoSeconds <= objectives.rtoSeconds,
    `${objectives.rtoSeconds} s`,
    `${rtoSeconds === null ? "-" : Math.round(rtoSeconds)} s`,
  ),
  ...(checksRecoveryPoint
    ? [
        check(
          "within the recovery point objective",
          rpoSeconds !== null && rpoSeconds <= objectives.rpoSeconds,
          `${objectives.rpoSeconds} s`,
          `${rpoSeconds} s`,
        ),
      ]
    : []),
];
