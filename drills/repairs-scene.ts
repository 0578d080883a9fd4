import { Client } from "pg";
import { inProcess } from "../local/aws/transport.ts";
import type { Coordination } from "../shared/coordination.ts";
import { keepIncident, readIncident } from "../shared/incident.ts";
import { alarmInput, alarmsOf, prefix, refusals } from "./alarms.ts";
import { names } from "./names.ts";
import type { Recorder } from "./recorder.ts";
import { coordinationFrom } from "./table.ts";
import type { DrillWorld } from "./world.ts";

/** Where things are broken, and what a story needs to break and to heal them. */
export interface Scene {
  world: DrillWorld;
  seen: Recorder;
  region: string;
  table: Coordination;
  /** Alarms of a storm that have rung, by name. */
  rang: ReadonlySet<string>;
}

/** Of modelled time: whoever stages a drill is never in a hurry. */
const patienceMilliseconds = 120_000;

export const sceneOf = (world: DrillWorld, seen: Recorder, rang: ReadonlySet<string>): Scene => {
  const { region } = world.platform.home;
  const { cloud, timeline, config } = world;
  const wire = inProcess(cloud.endpoint, region, timeline, {
    requestTimeoutMilliseconds: patienceMilliseconds,
  });
  const table = coordinationFrom(region, world.endpoints.get(region) ?? "", config, wire);
  return { world, seen, region, rang, table };
};

/** Begins the names of the alarms that a storm is made of. */
export const stormPrefix = `${prefix}-service-errors-`;

/** Whether an event is of the storm's alarms; those that begin to ring are kept in `rang`. */
export const isOfStorm = (detail: Record<string, unknown>, rang: Set<string>): boolean => {
  const { alarmName, state } = detail as { alarmName?: string; state?: { value?: string } };
  if (!alarmName?.startsWith(stormPrefix)) return false;
  if (state?.value === "ALARM") rang.add(alarmName);
  return true;
};

interface Member {
  InstanceId: string;
  LifecycleState: string;
  LaunchTemplate?: { Version?: string };
}

export const membersOf = async ({ world, region }: Scene): Promise<Member[]> => {
  const { AutoScalingGroups } = await world.cloud.ask<{
    AutoScalingGroups: { Instances: Member[] }[];
  }>("auto-scaling", "DescribeAutoScalingGroups", region, {
    AutoScalingGroupNames: [names.group],
  });
  return AutoScalingGroups[0]?.Instances ?? [];
};

/** Lets so many instances that serve fail everybody, health checks included; gives the way to heal them. */
export const sicken = async (scene: Scene, count: number) => {
  const { world, region } = scene;
  const serving = (await membersOf(scene)).filter((each) => each.LifecycleState === "InService");
  const ids = serving
    .map(({ InstanceId }) => InstanceId)
    .sort()
    .slice(0, count);
  const cures = ids.map((instanceId) =>
    world.cloud.fleet.ail({ region, instanceId }, { is: "unready" }),
  );
  const heal = (which = cures.length) => {
    for (const cure of cures.splice(0, which)) cure();
  };
  return { ids, heal };
};

/**
 * Alarms of these kinds on one minute each, or again as they are deployed: nobody watches a drill for the
 * quarter of an hour that a careful alarm takes before it is sure.
 */
export const hastenAlarms = async (
  { world, region }: Pick<Scene, "world" | "region">,
  kinds: readonly string[],
  isHasty: boolean,
): Promise<void> => {
  const { platform, cloud } = world;
  for (const options of alarmsOf(platform, platform.home)) {
    if (!kinds.includes(options.name)) continue;
    // One of two: the newest minute of an expression is not whole yet when it is looked at.
    const hasty: typeof options = { ...options, periodSeconds: 60, during: [1, 2] };
    const input = alarmInput(isHasty ? hasty : options);
    await cloud.ask("cloudwatch", "PutMetricAlarm", region, input);
  }
};

/**
 * Between two stories the time is cut in which the deed of the last one has to show in every alarm: it is
 * seven minutes, and each story is to be seen alone.
 */
export const settleAtOnce = async ({ region, table }: Scene): Promise<void> => {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const kept = await readIncident(table, region);
    const last = kept?.incident.attempt;
    if (!kept || !last || last.end === null) return;
    const settled = { ...last, endedAtMilliseconds: 0 };
    if (await keepIncident(table, { ...kept.incident, attempt: settled, tried: {} }, kept)) return;
  }
};

/** As many services as that begin to fail at once: an alarm each, all of them in the same minute. */
export const storm = async ({ world, region }: Scene, count: number) => {
  const { cloud, timeline } = world;
  const services = Array.from(
    { length: count },
    (_, index) => `s${String(index + 1).padStart(3, "0")}`,
  );
  const dimensions = (service: string) => [{ Name: "Service", Value: service }];
  const [Namespace, MetricName] = ["Platform", "Errors"];
  for (const service of services) {
    await cloud.ask("cloudwatch", "PutMetricAlarm", region, {
      AlarmName: `${stormPrefix}${service}`,
      Namespace,
      MetricName,
      Dimensions: dimensions(service),
      Statistic: "Sum",
      Period: 60,
      EvaluationPeriods: 1,
      DatapointsToAlarm: 1,
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: "notBreaching",
    });
  }
  const fail = async () => {
    const MetricData = services.map((service) => ({
      MetricName,
      Dimensions: dimensions(service),
      Value: 7,
    }));
    await cloud.ask("cloudwatch", "PutMetricData", region, { Namespace, MetricData });
  };
  await fail();
  const again = timeline.every(30_000, fail);
  return { end: () => again.cancel() };
};

export interface Forgotten {
  /** Connections that are gone since. */
  ended(): number;
  /** Whether the migration's session, which nobody may touch, still answers. */
  migrationLives(): boolean;
  close(): Promise<void>;
}

/**
 * An application that opens transactions and forgets them, on the real PostgreSQL, and beside it a migration
 * that is silent for as long. Nothing is refused to others: some room is left.
 */
export const forget = async ({ world, region }: Scene, sessions: number): Promise<Forgotten> => {
  const { home } = world.platform;
  const { SecretString } = await world.cloud.ask<{ SecretString: string }>(
    "secrets-manager",
    "GetSecretValue",
    region,
    { SecretId: names.secrets.application },
  );
  const { username: user, password, database } = JSON.parse(SecretString) as Record<string, string>;
  const target = { host: home.host, port: home.port, user, password, database };
  const gone = new Set<Client>();
  const open = async (application_name: string): Promise<Client> => {
    const client = new Client({ ...target, application_name });
    client.on("error", () => gone.add(client));
    client.on("end", () => gone.add(client));
    await client.connect();
    await client.query("begin");
    await client.query("select count(*) from accounts");
    return client;
  };
  const migration = await open("alembic");
  const clients: Client[] = [];
  for (let count = 0; count < sessions; count += 1) clients.push(await open("statements"));
  const ended = () => clients.filter((client) => gone.has(client)).length;
  return {
    ended,
    migrationLives: () => !gone.has(migration),
    close: async () => {
      const living = [migration, ...clients].filter((client) => !gone.has(client));
      await Promise.all(living.map((client) => client.end().catch(() => undefined)));
    },
  };
};

/** What PostgreSQL's log would have been counted for: logins that it turned away; here none. */
export const countRefusals = ({ world, region }: Scene) => {
  const put = () =>
    world.cloud.ask("cloudwatch", "PutMetricData", region, {
      Namespace: refusals.namespace,
      MetricData: [{ MetricName: refusals.name, Value: 0 }],
    });
  return world.timeline.every(60_000, async () => void (await put()));
};
