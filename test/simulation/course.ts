import { marshall } from "@aws-sdk/util-dynamodb";
import { names } from "../../drills/names.ts";
import { AwsError } from "../../local/aws/service.ts";
import type { Execution } from "../../local/lambda/store.ts";
import { pauseId } from "../../shared/pause.ts";
import type { Moment, Scenario } from "./scenario.ts";
import type { Notes } from "./watch.ts";
import type { World } from "./world.ts";

/**
 * Modelled seconds after all is healed in which a run has to end: the life of a request for
 * approval, then the longest time that each step of the table may take.
 */
export const endsWithinSeconds = 6000;

/** A run that has not been started so long after all is healed is not started any more. */
const startsWithinSeconds = 600;
/**
 * A guard's minute, instances that have to start, health checks, and what users' machines remember of
 * the DNS: so long after all is over and healed users are served by the region that holds the lease.
 */
export const settlesWithinSeconds = 720;
/** A region that has come back is looked at so long: its database starts and its guard decides. */
export const returningSeconds = 240;
const lookSeconds = 15;

/** The incident itself. */
const strike = ({ regions, platform }: World, { incident }: Scenario) => {
  const { witness } = platform.config.regions;
  if (incident === "none") return;
  if (incident === "witness-cut") regions.set(witness, "cut");
  else if (incident === "dead") regions.set(platform.home.region, "dead");
  else regions.set(platform.home.region, "cut", { usersReachIt: incident === "cut-served" });
};

/** What the course of a story needs besides the world. */
export interface Stagehands {
  /** Ends faults and crashes. */
  heal(): void;
  write(text: string): void;
  /** Calls back when a run has claimed the lease for the first time. */
  onClaim(act: () => void): void;
}

/** Everything that is to happen, each at its time. */
export const schedule = async (
  built: World,
  scenario: Scenario,
  { heal, write, onClaim }: Stagehands,
): Promise<void> => {
  const { timeline, regions, platform, slack } = built;
  const at = (seconds: number | null, act: () => void | Promise<void>) => {
    if (seconds !== null) timeline.after(seconds * 1000, act);
  };
  const on = (moment: Moment | null, act: () => void) => {
    if (!moment) return;
    if (moment.after === "claim") onClaim(() => void timeline.after(moment.seconds * 1000, act));
    else if (moment.seconds === 0) act();
    else at(moment.seconds, act);
  };
  let isOver = false;
  on(scenario.incidentAt, () => {
    write(`incident ${scenario.incident}`);
    // What has come back stays: an incident that never came in time does not come any more.
    if (!isOver) strike(built, scenario);
  });
  on(scenario.abortsAt, () => void abort(built));
  if (scenario.checksStuck) await stickChecks(built);
  regions.silenceControlPlanes(scenario.controlPlanesSilent);
  at(scenario.slackSilentAfterSeconds, () => slack.silence(true));
  at(scenario.asksAfterSeconds, () => void ask(built, scenario));
  at(scenario.backupAfterSeconds, () => backUp(built));
  at(scenario.instanceFailsAfterSeconds, () => failInstance(built));
  at(scenario.pausedAfterSeconds, () => pause(built, true));
  at(scenario.returnsAfterSeconds, () => {
    isOver = true;
    for (const region of [platform.home.region, platform.config.regions.witness]) {
      if (regions.state(region) !== "up") regions.set(region, "up");
    }
  });
  at(scenario.healedAfterSeconds, async () => {
    heal();
    write("healed");
    isOver = true;
    regions.silenceControlPlanes(false);
    slack.silence(false);
    if (scenario.pausedAfterSeconds !== null) await pause(built, false);
  });
};

/** Whoever gets no answer asks again; the same wish twice is one run. */
const ask = (world: World, { move }: Scenario): Promise<void> =>
  command(world, "U0ANA", `${move} somebody wants it`, /is started|was asked for before/);

const abort = (world: World): Promise<void> =>
  command(
    world,
    "U0BEN",
    "abort we look first",
    /told to stop|No run is under way|has ended|only way/,
  );

const command = async (
  { people, timeline }: World,
  who: string,
  text: string,
  taken: RegExp,
): Promise<void> => {
  for (let tries = 1; tries <= 5; tries += 1) {
    const request = people.command(who, text);
    const late = timeline.sleep(10_000).then(() => undefined);
    const answer = await Promise.race([request.catch(() => undefined), late]);
    if (answer?.status === 200 && taken.test(answer.body)) return;
    await timeline.sleep(20_000);
  }
};

/** Disabled, a check counts as healthy for ever, and this one keeps users where they are. */
const stickChecks = async ({ cloud }: World): Promise<void> => {
  type Answer = { HealthChecks: { Id: string; HealthCheckConfig: { Type: string } }[] };
  const { HealthChecks } = await cloud.ask<Answer>("route-53", "ListHealthChecks", "us-east-1", {});
  const moved = HealthChecks.find(({ HealthCheckConfig: { Type } }) => Type === "CALCULATED");
  if (!moved) throw new Error("the platform has no health check that moves users");
  const input = { HealthCheckId: moved.Id, Disabled: true };
  await cloud.ask("route-53", "UpdateHealthCheck", "us-east-1", input);
};

const backUp = ({ cloud, platform }: World) => {
  const { region, databaseId } = platform.standby;
  try {
    cloud.databases.startBackup(region, databaseId);
  } catch (error) {
    // The backup of an instance that is being promoted does not begin: RDS refuses it.
    if (!(error instanceof AwsError)) throw error;
  }
};

const failInstance = async ({ cloud, platform }: World): Promise<void> => {
  const { region } = platform.standby;
  const ask = <Answer>(operation: string, input: object) =>
    cloud.ask<Answer>("auto-scaling", operation, region, input);
  type Groups = { AutoScalingGroups: { Instances: { InstanceId: string }[] }[] };
  const { AutoScalingGroups } = await ask<Groups>("DescribeAutoScalingGroups", {
    AutoScalingGroupNames: [names.group],
  });
  const InstanceId = AutoScalingGroups[0]?.Instances[0]?.InstanceId;
  if (!InstanceId) return;
  const ShouldDecrementDesiredCapacity = false;
  await ask("TerminateInstanceInAutoScalingGroup", { InstanceId, ShouldDecrementDesiredCapacity });
};

const pause = async ({ cloud, platform, timeline }: World, paused: boolean): Promise<void> => {
  const atMilliseconds = Math.floor(timeline.now());
  const why = { by: "U0CHIARA", reason: "the simulation wants it" };
  await cloud.ask("dynamodb", "PutItem", platform.standby.region, {
    TableName: names.coordination,
    Item: marshall({ id: pauseId, paused, atMilliseconds, ...why }),
  });
};

export const executionsOf = ({ cloud, platform }: World): Execution[] =>
  cloud.functions.executions(platform.standby.region, "failover");

/** Lets time pass until nothing more is to be seen, or the run should long have ended. */
export const untilOver = async (
  built: World,
  scenario: Scenario,
  incidentAt: number,
  notes: Notes,
): Promise<void> => {
  const { timeline } = built;
  const after = (seconds: number | null) => incidentAt + (seconds ?? 0) * 1000;
  const healedAt = after(scenario.healedAfterSeconds);
  const returned = scenario.returnsAfterSeconds !== null;
  const returnedBy = returned ? after(scenario.returnsAfterSeconds) + returningSeconds * 1000 : 0;
  const { incidentAt: strikes } = scenario;
  const struckBy = after(strikes.after === "begin" ? strikes.seconds : 0);
  const latestStart = Math.max(healedAt, after(scenario.asksAfterSeconds), returnedBy, struckBy);
  const isOver = (): boolean => {
    const now = timeline.now();
    const executions = executionsOf(built);
    if (executions.some(({ status }) => status === "RUNNING")) {
      return now > healedAt + endsWithinSeconds * 1000;
    }
    if (now < returnedBy) return false;
    const endedAt = Math.max(0, ...executions.map((one) => one.endedAt ?? now));
    const calmSince = Math.max(endedAt, healedAt, returnedBy);
    if (executions.length === 0 && now <= latestStart + startsWithinSeconds * 1000) return false;
    const { region } = notes.leases.at(-1) ?? { region: built.platform.home.region };
    if (built.regions.state(region) !== "up") return true;
    return now > calmSince + settlesWithinSeconds * 1000 || servedSince(built, region, calmSince);
  };
  while (!isOver()) await timeline.advance(lookSeconds * 1000);
};

const servedSince = ({ users }: World, holder: string, since: number): boolean => {
  const last = users.acknowledged.at(-1);
  return last !== undefined && last.acknowledgedAt > since && last.region === holder;
};
