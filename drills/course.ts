import { accountOf, type FullReport } from "./account.ts";
import { failoverRuns } from "./evidence.ts";
import { gather } from "./findings.ts";
import { names } from "./names.ts";
import { type Recorder, sampler } from "./recorder.ts";
import type { Scenario, ScenarioOptions } from "./scenario.ts";
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
  const watching = watch(world, seen, incidentAt);
  await runEnded(world);
  incident.stop?.();
  await usersServed(world, incidentAt);
  await timeline.sleep(aftermathSeconds * 1000);
  await users.stop();
  sampling.cancel();
  watching.cancel();
  const findings = await gather({ world, seen, scenario, incident });
  return accountOf(findings, samples.samples, options);
};

/** Whether every instance of the home region that is wanted answers its health checks. */
const isWell = async ({ cloud, platform }: DrillWorld): Promise<boolean> => {
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
const watch = (world: DrillWorld, seen: Recorder, incidentAt: number) => {
  const { timeline, cloud, platform, config } = world;
  const { region, loadBalancerName } = platform.standby;
  const there = cloud.balancers.addressesOf(loadBalancerName);
  let flipped = false;
  let served = false;
  return timeline.every(1000, () => {
    const { records } = cloud.names.answer(config.domain.name, "A");
    if (!flipped && records.some(({ value }) => there.includes(value))) {
      flipped = true;
      seen.see("aws", "dns", `Route 53 answers ${config.domain.name} with ${region}`);
    }
    if (!served && servedSince(world, incidentAt)) {
      served = true;
      seen.see("users", "served", `Users are served again, by ${region}`);
    }
  });
};

const servedSince = ({ users, platform }: DrillWorld, incidentAt: number): boolean => {
  const last = users.acknowledged.at(-1);
  return last?.region === platform.standby.region && last.acknowledgedAt > incidentAt;
};

/** Waits for the end of the failover, or until patience has an end. */
const runEnded = (world: DrillWorld): Promise<void> =>
  until(world, patienceSeconds, () => {
    const [execution] = failoverRuns(world);
    return execution !== undefined && execution.status !== "RUNNING";
  });

const usersServed = (world: DrillWorld, incidentAt: number): Promise<void> =>
  until(world, cachesSeconds, () => servedSince(world, incidentAt));

/** Looks once a modelled second, for so many of them at most. */
const until = async (
  { timeline }: DrillWorld,
  seconds: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> => {
  const deadline = timeline.now() + seconds * 1000;
  while (timeline.now() < deadline && !(await holds())) await timeline.sleep(1000);
};
