import { accountOf, type FullReport } from "./account.ts";
import { failoverRuns } from "./evidence.ts";
import { gather } from "./findings.ts";
import { names } from "./names.ts";
import type { Site } from "./platform.ts";
import { type Recorder, sampler } from "./recorder.ts";
import { directionOf, type Scenario, type ScenarioOptions } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

/** A new inverted health check is unhealthy until its first results: users come after that. */
const settlingSeconds = 60;
/** Instances take their time to boot; what is not well by then will not be. */
const bootSeconds = 300;
/** With the above long enough for heartbeats, two rounds of canaries, and alarms that saw all well. */
const baselineSeconds = 100;
/** Users are watched until this long after the run has ended. */
const aftermathSeconds = 45;
/** Resolvers' caches keep old answers for a while after the run has ended. */
const cachesSeconds = 300;
const sampleSeconds = 5;
const patienceSeconds = 3600;

/** One scenario from users who are well to a report: everything that was promised is counted. */
export const conduct = async (
  scenario: Scenario,
  world: DrillWorld,
  seen: Recorder,
  options: ScenarioOptions,
): Promise<Omit<FullReport, "report">> => {
  const { timeline, users, platform } = world;
  const { to } = directionOf(world, scenario);
  const samples = sampler(users, sampleSeconds);
  const sampling = timeline.every(sampleSeconds * 1000, () =>
    options.onSample(samples.take(timeline.now())),
  );
  await timeline.sleep(settlingSeconds * 1000);
  await until(world, bootSeconds, () => isWell(world));
  users.start();
  seen.see("users", "aws", `Users move money in ${platform.home.region}`);
  await timeline.sleep(baselineSeconds * 1000);
  const incident = await scenario.strike({ world, seen, seed: options.seed });
  const { atMilliseconds: incidentAt } = incident;
  options.onIncident(incidentAt);
  seen.see("world", "incident", incident.text, incidentAt);
  const watching = watch(world, seen, to, incidentAt);
  await runEnded(world, to.region);
  incident.stop?.();
  await usersServed(world, to.region, incidentAt);
  await timeline.sleep(aftermathSeconds * 1000);
  await users.stop();
  sampling.cancel();
  watching.cancel();
  const findings = await gather({ world, seen, scenario, incident });
  return accountOf(findings, samples.samples, options);
};

/** Whether every instance of the home region that is wanted answers its health checks. */
export const isWell = async ({ cloud, platform }: DrillWorld): Promise<boolean> => {
  const { region } = platform.home;
  const ask = <Answer>(operation: string, input: object) =>
    cloud.ask<Answer>("elastic-load-balancing-v2", operation, region, input);
  type Groups = { TargetGroups: { TargetGroupArn: string }[] };
  type Health = { TargetHealthDescriptions: { TargetHealth: { State: string } }[] };
  const { TargetGroups } = await ask<Groups>("DescribeTargetGroups", { Names: [names.group] });
  const input = { TargetGroupArn: TargetGroups[0]?.TargetGroupArn };
  const { TargetHealthDescriptions } = await ask<Health>("DescribeTargetHealth", input);
  const well = TargetHealthDescriptions.filter(
    ({ TargetHealth }) => TargetHealth.State === "healthy",
  );
  return well.length >= platform.config.sizes.application.desired;
};

/** Looks at what resolvers would be told, and at who serves users. */
const watch = (
  world: DrillWorld,
  seen: Recorder,
  { region, loadBalancerName }: Site,
  incidentAt: number,
) => {
  const { timeline, cloud, config } = world;
  const there = cloud.balancers.addressesOf(loadBalancerName);
  let flipped = false;
  let served = false;
  return timeline.every(1000, () => {
    const { records } = cloud.names.answer(config.domain.name, "A");
    if (!flipped && records.some(({ value }) => there.includes(value))) {
      flipped = true;
      seen.see("aws", "dns", `Route 53 answers ${config.domain.name} with ${region}`);
    }
    if (!served && servedSince(world, region, incidentAt)) {
      served = true;
      seen.see("users", "served", `Users are served again, by ${region}`);
    }
  });
};

const servedSince = ({ users }: DrillWorld, where: string, since: number): boolean => {
  const last = users.acknowledged.at(-1);
  return last?.region === where && last.acknowledgedAt > since;
};

/** Waits for the end of the move to `region`, or until patience has an end. */
export const runEnded = (world: DrillWorld, region: string): Promise<void> =>
  until(world, patienceSeconds, () => {
    const [execution] = failoverRuns(world, region);
    return execution !== undefined && execution.status !== "RUNNING";
  });

export const usersServed = (world: DrillWorld, region: string, since: number): Promise<void> =>
  until(world, cachesSeconds, () => servedSince(world, region, since));

/** Looks once a modelled second, for so many of them at most. */
export const until = async (
  { timeline }: DrillWorld,
  seconds: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> => {
  const deadline = timeline.now() + seconds * 1000;
  while (timeline.now() < deadline && !(await holds())) await timeline.sleep(1000);
};
