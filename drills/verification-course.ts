import type { Execution } from "../local/lambda/store.ts";
import { copyOf } from "../shared/copy.ts";
import { isWell, until } from "./course.ts";
import { transfersIn } from "./evidence.ts";
import { names } from "./names.ts";
import { command } from "./people.ts";
import { type Recorder, sampler } from "./recorder.ts";
import type { Sample } from "./report.ts";
import { type Act, type ActScene, acts } from "./verification-acts.ts";
import {
  deployVerification,
  quarantine,
  type VerificationGround,
  writeManifest,
} from "./verification-platform.ts";
import type { DrillWorld } from "./world.ts";

const requester = "U0ANA";
/** A new inverted health check is unhealthy until its first results: users come after that. */
const settlingSeconds = 60;
const bootSeconds = 300;
const baselineSeconds = 65;
const sampleSeconds = 5;
/** Logs go up every five minutes, and the backup is as new as the last of them. */
const uploadSeconds = 300;
/** A restore, all checks and a deletion, at many times their speed. */
const patienceSeconds = 4 * 3600;
/** Of RDS, shown and not waited for: it restores in minutes to hours. */
export const hurry = 3;
/** Between two orders of one person, which have the minute in their name. */
const betweenSeconds = 65;

/** What one act came to, before anybody judges it. */
export interface Told {
  act: Act;
  text: string;
  fromAt: number;
  toAt: number;
  run: Execution | undefined;
  /** Ids of all transfers in the copy, read by the drill itself; undefined when nobody could. */
  copied: ReadonlySet<string> | undefined;
  /** Copies that were still there when it was over. */
  left: string[];
  /** What the sweep answered, where one was called. */
  swept?: Swept;
}

interface Swept {
  removed: string[];
  reported: string[];
  released: string | null;
  troubles: string[];
}

export interface Drilled {
  scene: ActScene & { seen: Recorder };
  told: Told[];
  /** Every change that somebody asked of RDS: operation and name. */
  changes: { operation: string; target: string }[];
  overdue: Overdue;
  /** The databases of both regions before the first act and after the last, as RDS describes them. */
  production: { before: string; after: string };
  samples: readonly (Omit<Sample, "atSeconds"> & { atMilliseconds: number })[];
}

/** What is told of backups of which nobody has restored one for long. */
export interface Overdue {
  hours: number;
  /** The answer to `/nightshift backups`. */
  answer: string;
  /** What the sweep has published, for an alarm on it. */
  published: number | undefined;
}

export interface CourseOptions {
  seed: string;
  onSample(sample: Omit<Sample, "atSeconds"> & { atMilliseconds: number }): void;
  onAct(act: Act, atMilliseconds: number): void;
  onFirst(atMilliseconds: number): void;
}

/** One act after the other, under load. */
export const conductVerification = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions,
): Promise<Drilled> => {
  const { timeline, users } = world;
  const samples = sampler(users, sampleSeconds);
  const sampling = timeline.every(sampleSeconds * 1000, () =>
    options.onSample(samples.take(timeline.now())),
  );
  const ground = await settle(world, seen, options.seed);
  world.hurryDatabases(hurry);
  const scene = { world, ground, seen };
  const before = await productionOf(world);
  const changes: Drilled["changes"] = [];
  const forget = seen.intercept(({ service, operation }, input) => {
    if (service === "rds" && !/^(Describe|List)/.test(operation)) {
      changes.push({ operation, target: targetOf(input) });
    }
  });
  const told: Told[] = [];
  for (const act of acts) told.push(await play(scene, act, options));
  forget();
  const overdue = await waitTooLong(scene);
  const after = await productionOf(world);
  await users.stop();
  sampling.cancel();
  return { scene, told, changes, overdue, production: { before, after }, samples: samples.samples };
};

const targetOf = (input: unknown): string => {
  const asked = input as Record<string, string | undefined>;
  const named = asked.TargetDBInstanceIdentifier ?? asked.DBInstanceIdentifier;
  return named ?? asked.ResourceName?.split(":").at(-1) ?? asked.SourceDBInstanceArn ?? "backups";
};

const settle = async (
  world: DrillWorld,
  seen: Recorder,
  seed: string,
): Promise<VerificationGround> => {
  const { timeline, users, platform } = world;
  const ground = await deployVerification(world, seed);
  await timeline.sleep(settlingSeconds * 1000);
  await until(world, bootSeconds, () => isWell(world));
  users.start();
  seen.see("users", "aws", `Users move money in ${platform.home.region}`);
  await timeline.sleep(baselineSeconds * 1000);
  await writeManifest(world);
  return ground;
};

/** Until the next upload of the log has everything that there is by now. */
const uploaded = async ({ timeline }: DrillWorld): Promise<void> => {
  const every = uploadSeconds * 1000;
  const next = Math.ceil(timeline.now() / every) * every;
  await timeline.sleep(next + 5000 - timeline.now());
};

const play = async (
  scene: ActScene & { seen: Recorder },
  act: Act,
  { onAct, onFirst }: CourseOptions,
): Promise<Told> => {
  const { world, seen } = scene;
  const { timeline } = world;
  const text = await act.trouble(scene);
  if (act.name !== "good") seen.see("world", "fault", text);
  if (act.waits) await uploaded(world);
  const fromAt = timeline.now();
  if (act === acts[0]) onFirst(fromAt);
  onAct(act, fromAt);
  const before = runsIn(world).length;
  const answer = await command(world, requester, "verify-backup");
  seen.see(`operator ${requester}`, "message", `/nightshift verify-backup: ${answer}`);
  const watched = watchCopy(scene, act, before);
  await until(world, patienceSeconds, () => {
    const run = runsIn(world)[before];
    return run !== undefined && run.status !== "RUNNING";
  });
  const copied = await watched.end();
  const swept = act.isStopped ? await sweep(scene) : undefined;
  await timeline.sleep(Math.max(0, fromAt + betweenSeconds * 1000 - timeline.now()));
  const run = runsIn(world)[before];
  const left = await copiesIn(world);
  const toAt = swept ? timeline.now() : (run?.endedAt ?? timeline.now());
  return { act, text, fromAt, toAt, run, copied, left, ...(swept ? { swept } : {}) };
};

/** The durable executions of restore tests, oldest first. */
const runsIn = ({ cloud, platform }: DrillWorld): Execution[] =>
  cloud.functions.executions(platform.standby.region, "verification");

interface Instance {
  DBInstanceIdentifier: string;
  DBInstanceStatus: string;
}

const instancesIn = async ({ cloud }: DrillWorld, region: string): Promise<Instance[]> =>
  (
    await cloud.ask<{ DBInstances: Instance[] }>(
      ...(["rds", "DescribeDBInstances", region, {}] as const),
    )
  ).DBInstances;

const copiesIn = async (world: DrillWorld): Promise<string[]> =>
  (await instancesIn(world, world.platform.standby.region))
    .map(({ DBInstanceIdentifier }) => DBInstanceIdentifier)
    .filter((id) => id.startsWith(`${quarantine.prefix}-verify-`));

/**
 * Reads the copy past every door of RDS while the run looks into it: a judge of its own. Or, in the act in
 * which the run dies, ends the run as soon as there is one.
 */
const watchCopy = ({ world, seen }: ActScene & { seen: Recorder }, act: Act, index: number) => {
  const { cloud, platform, timeline } = world;
  const { region } = platform.standby;
  let copied: Set<string> | undefined;
  let over = false;
  const looking = (async () => {
    while (!over && copied === undefined) {
      await timeline.sleep(2000);
      const run = runsIn(world)[index];
      const id = run && copyOf(quarantine.prefix, run.name);
      const copy = (await instancesIn(world, region)).find(
        ({ DBInstanceIdentifier }) => DBInstanceIdentifier === id,
      );
      if (!run || copy?.DBInstanceStatus !== "available") continue;
      if (act.isStopped) {
        const input = { DurableExecutionArn: run.arn };
        await cloud.ask("lambda", "StopDurableExecution", region, input);
        return seen.see("world", "fault", `${run.name} is stopped, and its copy stays behind`);
      }
      copied = await transfersIn(world, `${region}.${id}`).catch(() => undefined);
    }
  })();
  return {
    end: async () => {
      over = true;
      await looking;
      return copied;
    },
  };
};

/** As its schedule would, within the hour. */
const sweep = async ({ world, seen }: ActScene & { seen: Recorder }): Promise<Swept> => {
  const { region } = world.platform.standby;
  const answer = await world.cloud.ask<{ FunctionError?: string; Payload?: Uint8Array }>(
    ...(["lambda", "Invoke", region, { FunctionName: "sweep" }] as const),
  );
  const text = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError) throw new Error(`the sweep failed: ${text}`);
  const swept = JSON.parse(text) as Swept;
  seen.see(`sweep in ${region}`, "did", `Takes away: ${swept.removed.join(" ") || "nothing"}`);
  await until(world, patienceSeconds, async () => (await copiesIn(world)).length === 0);
  return swept;
};

const overdueHours = 30;

/** Nobody waits for it here: the last green run is put back by more than a day instead. */
const waitTooLong = async (scene: ActScene & { seen: Recorder }): Promise<Overdue> => {
  const { world, seen } = scene;
  const { region } = world.platform.standby;
  const at = Math.floor(world.timeline.now() - overdueHours * 3_600_000);
  await world.cloud.ask("dynamodb", "UpdateItem", region, {
    TableName: names.coordination,
    Key: { id: { S: `verification#${region}` } },
    UpdateExpression: "SET verifiedAtMilliseconds = :at",
    ExpressionAttributeValues: { ":at": { N: String(at) } },
  });
  seen.see("world", "fault", `No restore test was green for ${overdueHours} hours`);
  let published: number | undefined;
  const forget = seen.intercept(({ operation }, input) => {
    if (operation !== "PutMetricData") return;
    const { MetricData = [] } = input as { MetricData?: { MetricName: string; Value: number }[] };
    published ??= MetricData.find(
      ({ MetricName }) => MetricName === "HoursSinceBackupsVerified",
    )?.Value;
  });
  await sweep(scene);
  forget();
  const answer = await command(world, requester, "backups");
  seen.see(`operator ${requester}`, "message", `/nightshift backups: ${answer}`);
  return { hours: overdueHours, answer, published };
};

/** What a restore test must not change; figures that move by themselves are left out. */
const productionOf = async (world: DrillWorld): Promise<string> => {
  const { home, standby } = world.platform;
  const all = await Promise.all([home, standby].map(({ region }) => instancesIn(world, region)));
  return JSON.stringify(
    all.flat().filter(({ DBInstanceIdentifier: id }) => !id.includes("-verify-")),
    (name, value) => (name === "LatestRestorableTime" ? undefined : value),
  );
};
