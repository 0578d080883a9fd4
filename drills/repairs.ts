import type { Script } from "../local/slack/operators.ts";
import type { Config } from "../shared/config.ts";
import type { Recorder } from "./recorder.ts";
import { repairChecks } from "./repairs-checks.ts";
import { type CourseOptions, conductRepairs } from "./repairs-course.ts";
import { gatherRepairs } from "./repairs-findings.ts";
import type { RepairReport } from "./repairs-report.ts";
import { stories } from "./repairs-stories.ts";
import type { DrillWorld } from "./world.ts";

/** Repairs under load: things break in turn, and each is repaired or rightly refused. */
export const repairs = {
  name: "remediation",
  about: "things break under load: each is repaired and proven, or rightly left alone",
  /** Modelled seconds in a real one, when nobody says otherwise: it is many alarms long. */
  speed: 20,
  /** By name, in their order. */
  stories: stories.map(({ name }) => name),
  people: [{ user: "U0BEN", says: "approve", thinksSeconds: [10, 25] }] satisfies Script[],
};

/** PostgreSQL counts on this machine's clock, which is slower than the modelled one. */
const forgottenSeconds = 5;

/** The operator's file of this drill: rights given, and one instance more than a drill has. */
export const repairing = (config: Config): Config => ({
  ...config,
  sizes: {
    ...config.sizes,
    application: { ...config.sizes.application, desired: 4 },
  },
  sessions: { ...config.sessions, forgottenSeconds },
  remediation: {
    ...config.remediation,
    // Two instances are replaced within the hour, which is more than a third of four.
    fleetShare: 0.5,
    playbooks: {
      ...config.remediation?.playbooks,
      "unhealthy-host": "automatic",
      "database-connections": "automatic",
      "database-storage": "ask",
      "bad-deploy": "automatic",
      // How long a request takes is this machine's time, and many times as long in modelled seconds.
      latency: "off",
    },
  },
});

/** The stories of these names, in the order in which they are told; all of them for none. */
export const storiesNamed = (only: readonly string[] | undefined) =>
  stories.filter(({ name }) => only === undefined || only.includes(name));

const modelled = (speed: number): string =>
  [
    "All times are modelled: those of AWS are drawn from the ranges in local/aws/durations.ts.",
    "The alarms of these stories are sure after a minute, and on AWS after three to fifteen: that much",
    "has to be added until something is noticed.",
    `A transaction counts as forgotten after ${forgottenSeconds} s of PostgreSQL's own clock, which are`,
    `${forgottenSeconds * speed} s here. RDS makes a volume larger ten times as fast as modelled.`,
    "Between two stories the seven minutes are cut in which the last deed has to show.",
  ].join(" ");

/** Plays the stories and judges them. */
export const drillRepairs = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions & { seed: string; speed: number },
): Promise<Omit<RepairReport, "report">> => {
  const drilled = await conductRepairs(world, seen, options);
  const findings = await gatherRepairs(drilled);
  const { firstAt, rows, journals, lost, budget } = findings;
  const since = <Thing extends { atMilliseconds: number }>({ atMilliseconds, ...rest }: Thing) => ({
    ...rest,
    atSeconds: (atMilliseconds - firstAt) / 1000,
  });
  const { primary: home, standby, witness } = world.config.regions;
  const { acknowledged, failed } = world.users.report();
  const told = new Set(options.stories.map(({ name }) => name));
  return {
    scenario: repairs.name,
    seed: options.seed,
    speed: options.speed,
    beganAt: firstAt,
    region: home,
    regions: { home, standby, witness },
    rows,
    leftOut: stories.flatMap(({ name }) => (told.has(name) ? [] : [name])),
    acknowledged,
    lost,
    failed,
    budget,
    journal: {
      runs: journals.length,
      entries: journals.reduce((sum, { entries }) => sum + entries.length, 0),
      verified: journals.length > 0 && journals.every(({ verdict }) => verdict.ok),
    },
    checks: repairChecks(findings),
    events: seen.moments.toSorted((a, b) => a.atMilliseconds - b.atMilliseconds).map(since),
    throughput: drilled.samples.map(since),
    modelled: modelled(options.speed),
  };
};
