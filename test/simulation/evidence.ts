import { unmarshall } from "@aws-sdk/util-dynamodb";
import { names } from "../../drills/names.ts";
import type { Result } from "../../functions/failover/failover.ts";
import type { Execution } from "../../local/lambda/store.ts";
import type { AcknowledgedWrite } from "../../local/load/generator.ts";
import type { Commit } from "../../local/postgres/wal.ts";
import type { Approval } from "../../shared/approval.ts";
import type { Entry } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import { type DatabaseSettings, differing, settingsOf } from "../../shared/settings.ts";
import { executionsOf, returningSeconds, settlesWithinSeconds } from "./course.ts";
import type { Scenario } from "./scenario.ts";
import type { Crashes, Kill, Weather } from "./storm.ts";
import type { Notes } from "./watch.ts";
import { config, type World } from "./world.ts";

export type Ending = "done" | "aborted" | "needs-human" | "not-started" | "unfinished" | "failed";

/** All that is known about one run when it is over. Times are modelled milliseconds since 1970. */
export interface Facts {
  seed: number | string;
  scenario: Scenario;
  weather: Weather;
  crashes: Crashes;
  incidentAt: number;
  healedAt: number;
  /** When the last execution ended; null when none has. */
  endedAt: number | null;
  finishedAt: number;
  /** Of the run that moved the lease, else of the last one. */
  outcome: Ending;
  runs: RunFacts[];
  notes: Notes;
  kills: readonly Kill[];
  duplicates: readonly string[];
  acknowledged: readonly AcknowledgedWrite[];
  /** Acknowledged and not in the database that takes writes now. */
  lost: AcknowledgedWrite[];
  /** Commits of the application on the old database after the promotion took effect. */
  lateCommits: Commit[];
  /** Users were told of a write by the region that holds the lease, after all was over and healed. */
  served: boolean;
  /** The region that holds the lease was well and watched long enough to tell whether it serves. */
  watched: boolean;
  promotions: number;
  approvals: Approval[];
  presses: readonly { user: string; says: string; planHash: string }[];
  operatorAsked: boolean;
  /** What the newest run message in the channel says. */
  told: string | undefined;
  lease: Lease;
  /** What the standby region's group is asked for at the end. */
  standbyDesired: number;
  /** How far scaling in may take it. */
  standbyMinimum: number;
  home: { isUp: boolean; desired: number; waysIn: number };
  /** Settings of the old primary that the standby region's database has not. */
  lacks: string[];
  /** Where a planted secret was seen. */
  leaks: string[];
  bugs: unknown[];
  logLines: number;
}

/** One durable execution of the failover. */
export interface RunFacts {
  name: string;
  status: Execution["status"];
  error: string | undefined;
  invocations: number;
  result: Result | null;
  journal: Entry[];
}

/** Items of the tables are read past the endpoint, so that no fault can hide them. */
export const gather = async (
  world: World,
  about: Pick<
    Facts,
    | "seed"
    | "scenario"
    | "weather"
    | "crashes"
    | "incidentAt"
    | "healedAt"
    | "notes"
    | "kills"
    | "duplicates"
    | "operatorAsked"
  >,
): Promise<Facts> => {
  const { platform, engine, users, cloud } = world;
  const finishedAt = world.timeline.now();
  const executions = executionsOf(world);
  const coordinated = await itemsOf(world, names.coordination);
  const journal = (await itemsOf(world, names.journal)) as unknown as Entry[];
  const runs = executions.map((execution) => runFacts(execution, journal));
  const promotedAt = about.notes.promotedAt[0]?.atMilliseconds;
  const writer = promotedAt === undefined ? platform.home : platform.standby;
  const surviving = new Set(engine.history(writer.engineId).map(({ key }) => key));
  const endedAt = endOf(executions);
  const { acknowledged } = users;
  const lease = coordinated.find(({ id }) => id === "lease") as unknown as Lease;
  const calmSince = Math.max(endedAt ?? 0, about.healedAt, returnedAt(about));
  const isUp = (region: string) => world.regions.state(region) === "up";
  return {
    ...about,
    endedAt,
    finishedAt,
    outcome: endingOf(runs.find(({ name }) => name === lease.holder) ?? runs.at(-1)),
    runs,
    acknowledged,
    lost: acknowledged.filter(({ id }) => !surviving.has(id)),
    lateCommits: engine
      .history(platform.home.engineId)
      .filter(({ at, user, key }) => at > (promotedAt ?? Infinity) && key && isApplication(user)),
    served: acknowledged.some(
      ({ region, acknowledgedAt }) => region === lease.region && acknowledgedAt > calmSince,
    ),
    watched: isUp(lease.region) && finishedAt > calmSince + settlesWithinSeconds * 1000,
    promotions: cloud.databases.promotions(platform.standby.databaseId, platform.standby.region),
    approvals: coordinated
      .filter(({ id }) => String(id).startsWith("approval#"))
      .map((item) => item as unknown as Approval),
    presses: world.people.presses(),
    told: world.slack.messages().findLast(({ threadTs, onlyFor }) => !threadTs && !onlyFor)?.text,
    lease,
    standbyDesired: (await groupIn(world, platform.standby.region)).desired,
    standbyMinimum: (await groupIn(world, platform.standby.region)).minimum,
    home: {
      isUp: isUp(platform.home.region),
      desired: (await groupIn(world, platform.home.region)).desired,
      waysIn: waysInto(world, platform.home),
    },
    lacks: await lacksIn(world, coordinated),
    leaks: leaksIn(world, executions, [...coordinated, ...(journal as unknown as Item[])]),
    bugs: world.bugs,
    logLines: world.lines.length,
  };
};

type Item = Record<string, unknown>;

/** When the region that was lost has come back and its database stands; 0 when it was never lost. */
const returnedAt = ({ scenario, incidentAt }: Pick<Facts, "scenario" | "incidentAt">): number => {
  const { returnsAfterSeconds } = scenario;
  return returnsAfterSeconds === null
    ? 0
    : incidentAt + (returnsAfterSeconds + returningSeconds) * 1000;
};

const waysInto = ({ cloud }: World, site: World["platform"]["home"]): number =>
  cloud.machines
    .ingressFrom(site.region, site.databaseSecurityGroup)
    .filter(({ sourceGroupIds }) => sourceGroupIds.includes(site.applicationSecurityGroup)).length;

const lacksIn = async ({ cloud, platform }: World, items: Item[]): Promise<string[]> => {
  const { home, standby } = platform;
  const kept = items.find(({ id }) => id === `settings#${home.region}`)?.settings;
  if (!kept) return ["all of them: they were never kept"];
  const { DBInstances } = await cloud.ask<{ DBInstances: object[] }>(
    "rds",
    "DescribeDBInstances",
    standby.region,
    { DBInstanceIdentifier: standby.databaseId },
  );
  return differing(settingsOf(DBInstances[0] ?? {}), kept as DatabaseSettings);
};

/** Null while one runs, and when there was none. */
const endOf = (executions: Execution[]): number | null =>
  executions.reduce<number | null>(
    (last, { endedAt }) => (endedAt === undefined ? last : Math.max(last ?? 0, endedAt)),
    null,
  );

const isApplication = (user: string): boolean => (names.roles as readonly string[]).includes(user);

const endingOf = (run: RunFacts | undefined): Ending => {
  if (!run) return "not-started";
  if (run.status === "RUNNING") return "unfinished";
  return run.result?.outcome ?? "failed";
};

const runFacts = (execution: Execution, journal: Entry[]): RunFacts => ({
  name: execution.name,
  status: execution.status,
  error: execution.error?.ErrorMessage,
  invocations: execution.invocations,
  result: execution.result ? (JSON.parse(execution.result) as Result) : null,
  journal: journal
    .filter(({ run }) => run === execution.name)
    .sort((a, b) => a.sequence - b.sequence),
});

export const unmarshalled = (item: Item): Item => unmarshall(item as never);

const itemsOf = async ({ cloud }: World, TableName: string): Promise<Item[]> => {
  const { standby } = config.regions;
  const { Items = [] } = await cloud.ask<{ Items?: Item[] }>("dynamodb", "Scan", standby, {
    TableName,
  });
  return Items.map(unmarshalled);
};

const groupIn = async ({ cloud }: World, region: string) => {
  const input = { AutoScalingGroupNames: [names.group] };
  type Answer = { AutoScalingGroups: { DesiredCapacity: number; MinSize: number }[] };
  const answer = await cloud.ask<Answer>(
    "auto-scaling",
    "DescribeAutoScalingGroups",
    region,
    input,
  );
  const { DesiredCapacity = 0, MinSize = 0 } = answer.AutoScalingGroups[0] ?? {};
  return { desired: DesiredCapacity, minimum: MinSize };
};

/** Looks for every planted secret in all that is written down or told. */
const leaksIn = (world: World, executions: Execution[], items: Item[]): string[] => {
  const places: [string, () => string][] = [
    ["a log line", () => world.lines.join("\n")],
    ["a table's item", () => JSON.stringify(items)],
    ["a Slack message", () => JSON.stringify(world.slack.messages())],
    [
      "a checkpoint",
      () =>
        JSON.stringify(
          executions.map((one) => [[...one.operations.values()], one.result, one.error]),
        ),
    ],
  ];
  return places.flatMap(([place, read]) => {
    const text = read();
    return world.secrets.some((secret) => text.includes(secret)) ? [place] : [];
  });
};
