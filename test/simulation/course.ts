import { marshall } from "@aws-sdk/util-dynamodb";
import { names } from "../../drills/names.ts";
import { AwsError } from "../../local/aws/service.ts";
import { pauseId } from "../../shared/pause.ts";
import { executionsOf } from "./evidence.ts";
import type { Scenario } from "./scenario.ts";
import type { World } from "./world.ts";

/**
 * Modelled seconds after all is healed in which a run has to end: the life of a request for
 * approval, then the longest time that each step of the table may take.
 */
export const endsWithinSeconds = 6000;

/** A run that has not been started so long after all is healed is not started any more. */
const startsWithinSeconds = 600;
/** Users' machines keep an answer of the DNS so long, and the next user comes a little later. */
const settlesWithinSeconds = 240;
/** A region that has come back is looked at so long: its database starts and its guard decides. */
const returningSeconds = 240;
const lookSeconds = 15;

/** The incident itself. */
export const strike = ({ regions, platform }: World, { incident }: Scenario) => {
  const { witness } = platform.config.regions;
  if (incident === "witness-cut") regions.set(witness, "cut");
  else if (incident === "dead") regions.set(platform.home.region, "dead");
  else regions.set(platform.home.region, "cut", { usersReachIt: incident === "cut-served" });
};

/** Everything that is to happen after the incident, each at its time. */
export const schedule = (built: World, scenario: Scenario, heal: () => void) => {
  const { timeline, regions, platform, slack } = built;
  const at = (seconds: number | null, act: () => void | Promise<void>) => {
    if (seconds !== null) timeline.after(seconds * 1000, act);
  };
  regions.silenceControlPlanes(scenario.controlPlanesSilent);
  at(scenario.slackSilentAfterSeconds, () => slack.silence(true));
  at(scenario.asksAfterSeconds, () => void ask(built));
  at(scenario.backupAfterSeconds, () => backUp(built));
  at(scenario.instanceFailsAfterSeconds, () => failInstance(built));
  at(scenario.pausedAfterSeconds, () => pause(built, true));
  at(scenario.returnsAfterSeconds, () => {
    for (const region of [platform.home.region, platform.config.regions.witness]) {
      if (regions.state(region) !== "up") regions.set(region, "up");
    }
  });
  at(scenario.healedAfterSeconds, async () => {
    heal();
    regions.silenceControlPlanes(false);
    slack.silence(false);
    if (scenario.pausedAfterSeconds !== null) await pause(built, false);
  });
};

/** Whoever gets no answer asks again; the same wish twice is one run. */
const ask = async ({ people, timeline }: World): Promise<void> => {
  for (let tries = 1; tries <= 5; tries += 1) {
    const request = people.command("U0ANA", "failover the region does not answer");
    const late = timeline.sleep(10_000).then(() => undefined);
    const answer = await Promise.race([request.catch(() => undefined), late]);
    if (answer?.status === 200 && answer.body.includes("is started")) return;
    await timeline.sleep(20_000);
  }
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

/** Lets time pass until nothing more is to be seen, or the run should long have ended. */
export const untilOver = async (
  built: World,
  scenario: Scenario,
  incidentAt: number,
): Promise<void> => {
  const { timeline } = built;
  const after = (seconds: number | null) => incidentAt + (seconds ?? 0) * 1000;
  const healedAt = after(scenario.healedAfterSeconds);
  const returned = scenario.returnsAfterSeconds !== null;
  const returnedBy = returned ? after(scenario.returnsAfterSeconds) + returningSeconds * 1000 : 0;
  const latestStart = Math.max(healedAt, after(scenario.asksAfterSeconds), returnedBy);
  const isOver = (): boolean => {
    const now = timeline.now();
    const executions = executionsOf(built);
    if (executions.length === 0) return now > latestStart + startsWithinSeconds * 1000;
    if (executions.some(({ status }) => status === "RUNNING")) {
      return now > healedAt + endsWithinSeconds * 1000;
    }
    if (now < returnedBy) return false;
    const endedAt = Math.max(...executions.map((one) => one.endedAt ?? now));
    const done = executions.some(({ result }) => result?.includes('"done"'));
    const settled = now > endedAt + settlesWithinSeconds * 1000;
    return settled || !done || servedSince(built, endedAt);
  };
  while (!isOver()) await timeline.advance(lookSeconds * 1000);
};

const servedSince = ({ users, platform }: World, since: number): boolean => {
  const last = users.acknowledged.at(-1);
  return (
    last !== undefined && last.acknowledgedAt > since && last.region === platform.standby.region
  );
};
