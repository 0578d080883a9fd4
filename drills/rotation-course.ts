import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Entry } from "../shared/journal.ts";
import type { Random } from "../shared/random.ts";
import { rotationRun } from "../shared/rotation.ts";
import { isOrdered, readOrder } from "../shared/rotation-order.ts";
import { isWell, until } from "./course.ts";
import { journalOf } from "./evidence.ts";
import { names } from "./names.ts";
import { command } from "./people.ts";
import { type Recorder, sampler } from "./recorder.ts";
import type { Sample } from "./report.ts";
import { type Act, acts, help } from "./rotation-acts.ts";
import { type HoldersFound, holdersFound, sealHolders } from "./rotation-holders.ts";
import { deployRotation, sessionsOf, setOwnerPassword } from "./rotation-platform.ts";
import { type Logins, probe, valueIn } from "./rotation-probe.ts";
import { coordinationFrom } from "./table.ts";
import type { DrillWorld } from "./world.ts";

const requester = "U0ANA";
const checksSeconds = 60;
const bootSeconds = 300;
const baselineSeconds = 30;
const sampleSeconds = 10;
/** Five tries of Secrets Manager, and two replacements of all instances of both regions. */
const patienceSeconds = 2 * 3600;
/** The last version of a ring travels like any other. */
const replicationSeconds = 60;
/** Users go on for a while after the last old value has gone. */
const aftermathSeconds = 30;

type Found = Awaited<ReturnType<typeof valueIn>>;

/** What one rotation came to, before anybody judges it. */
export interface Told {
  act: Act;
  token: string;
  run: string;
  fromAt: number;
  toAt: number;
  /** What was done to it, and what somebody did about it, as sentences. */
  texts: string[];
  answer: string;
  before: Found;
  /** AWSCURRENT of both regions at the end. */
  after: { home: Found; standby: Found };
  /** What AWSCURRENT was when a step was refused; undefined when none was. */
  atRefusal: Found;
  entries: Entry[];
  /** Sessions on the old login, in both regions, when it lost its password; null for no login. */
  oldSessions: number | null;
  kills: number;
}

export interface Drilled {
  world: DrillWorld;
  seen: Recorder;
  told: Told[];
  logins: Logins;
  holders: HoldersFound;
  samples: readonly (Omit<Sample, "atSeconds"> & { atMilliseconds: number })[];
  /** All values that any secret had, and those of before: none may be found anywhere. */
  values: Set<string>;
  /** Whether the front door takes what Slack signs with its new secret. */
  isHeard: boolean;
}

export interface CourseOptions {
  seed: string;
  onSample(sample: Omit<Sample, "atSeconds"> & { atMilliseconds: number }): void;
  onAct(act: Act, atMilliseconds: number): void;
  onFirst(atMilliseconds: number): void;
}

interface Scene {
  world: DrillWorld;
  seen: Recorder;
  random: Random;
  values: Set<string>;
}

/** One rotation after the other, under load. */
export const conductRotation = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions,
): Promise<Drilled> => {
  const { timeline, users, platform } = world;
  const samples = sampler(users, sampleSeconds);
  const sampling = timeline.every(sampleSeconds * 1000, () =>
    options.onSample(samples.take(timeline.now())),
  );
  await timeline.sleep(checksSeconds * 1000);
  await until(world, bootSeconds, () => isWell(world));
  users.start();
  seen.see("users", "aws", `Users move money in ${platform.home.region}`);
  const random = await deployRotation(world, options.seed);
  await timeline.sleep(baselineSeconds * 1000);
  const scene = { world, seen, random, values: new Set<string>() };
  const probing = probe(world);
  const told: Told[] = [];
  for (const act of acts) {
    if (act === acts[0]) options.onFirst(timeline.now());
    options.onAct(act, timeline.now());
    // By now every instance was started with the ring.
    if (act.name === "encryption") await sealHolders(world, random);
    told.push(await play(scene, act));
  }
  await timeline.sleep(aftermathSeconds * 1000);
  const isHeard = await heard(world);
  const logins = await probing.end();
  const holders = await holdersFound(world, random);
  await users.stop();
  sampling.cancel();
  const { values } = scene;
  return { world, seen, told, logins, holders, samples: samples.samples, values, isHeard };
};

/** The front door reads its secret again every few minutes. */
const rereadSeconds = 400;

const heard = async (world: DrillWorld): Promise<boolean> => {
  let isTaken = false;
  await until(world, rereadSeconds, async () => {
    const answer = await command(world, requester, "rotations").catch(() => "");
    isTaken = answer.includes("slack: the last rotation has ended");
    return isTaken;
  });
  return isTaken;
};

const play = async (scene: Scene, act: Act): Promise<Told> => {
  const { world, seen, random, values } = scene;
  const { timeline, platform } = world;
  const { home, standby } = platform;
  const before = await valueIn(world, home.region, act.secret);
  const texts: string[] = [];
  if (act.trouble === "wrong-password") {
    await setOwnerPassword(world, random.id());
    texts.push("Somebody has changed the owner's password by hand: its secret does not log in.");
    seen.see("world", "fault", texts[0] ?? "");
  }
  const watched = watch(scene, act);
  const fromAt = timeline.now();
  const answer = await order(world, act);
  seen.see(`operator ${requester}`, "message", `/nightshift rotate ${act.order}: ${answer}`);
  const token = await tokenOf(world, act);
  const run = rotationRun(act.secret, token);
  const atRefusal = await carried(scene, { act, token, run, texts });
  await until(world, patienceSeconds, () => endOf(world, run) !== undefined);
  const { oldSessions, kills } = await watched.end();
  if (kills > 0) texts.push("The rotation's process died while it set the new password.");
  await until(world, replicationSeconds, () => isSame(world, act.secret));
  const after = {
    home: await valueIn(world, home.region, act.secret),
    standby: await valueIn(world, standby.region, act.secret),
  };
  for (const found of [before, after.home]) secretsIn(found?.value, values);
  const toAt = endOf(world, run)?.atMilliseconds ?? timeline.now();
  const entries = journalOf(world, run);
  return {
    ...{ act, token, run, fromAt, toAt, texts, answer, before, after, atRefusal, entries },
    ...{ oldSessions, kills },
  };
};

/** Whether the replica has what the home region has. */
const isSame = async (world: DrillWorld, secret: string): Promise<boolean> => {
  const { home, standby } = world.platform;
  const [here, there] = await Promise.all(
    [home, standby].map(({ region }) => valueIn(world, region, secret)),
  );
  return here?.version === there?.version;
};

/** Every text in a secret's value that is long enough to be one. */
const secretsIn = (value: unknown, found: Set<string>): void => {
  if (typeof value === "object" && value !== null) {
    for (const each of Object.values(value)) secretsIn(each, found);
  } else if (typeof value === "string" && /^\S{24,}$/.test(value) && !value.includes(".")) {
    found.add(value);
  }
};

/** The line with which the overlap has ended. */
const endOf = (world: DrillWorld, run: string): Entry | undefined =>
  journalOf(world, run).findLast(({ key }) => /(^|: )ended: /.test(key));

/** A process that has just been started may be slower than what it waits for: a person asks again. */
const tries = 5;

/** In Slack, as an operator does it: the question, and its confirmation. Gives what was said. */
const order = async (world: DrillWorld, act: Act, trial = 1): Promise<string> => {
  const { timeline } = world;
  // A door that is too slow for Slack is asked again: the same order is the same rotation.
  const say = (words: string) =>
    command(world, requester, `rotate ${act.order}${words}`).catch(String);
  const plan = await say("");
  const [, code] = /confirm ([0-9a-f]{12})/.exec(plan) ?? [];
  const said = code && (await say(` confirm ${code}`));
  if (said && /^rotation-/.test(said)) return said;
  if (trial >= tries) throw new Error(`the rotation was not taken: ${said ?? plan}`);
  await timeline.sleep(5000);
  return order(world, act, trial + 1);
};

/** The version that the order makes, as the front door has kept it. */
const tokenOf = async (world: DrillWorld, { order: ordered }: Act): Promise<string> => {
  const { region } = world.platform.home;
  const table = coordinationFrom(region, world.endpoints.get(region) ?? "", world.config);
  const kept = isOrdered(ordered) ? await readOrder(table, ordered) : undefined;
  if (!kept) throw new Error(`no order of ${ordered} was kept`);
  return kept.token;
};

/** Waits for the refusal of an act that needs somebody, and has somebody help then. */
const carried = async (
  { world, seen, random }: Scene,
  { act, token, run, texts }: Pick<Told, "act" | "token" | "run" | "texts">,
): Promise<Found> => {
  if (act.trouble !== "wrong-password" && act.trouble !== "person") return undefined;
  const isRefused = () => journalOf(world, run).some(({ kind }) => kind === "refused");
  await until(world, patienceSeconds, isRefused);
  const found = await valueIn(world, world.platform.home.region, act.secret);
  const signingSecret = random.bytes(16).toString("hex");
  const text = await help(world, act, token, { signingSecret });
  texts.push(text);
  seen.see("world", "did", text);
  return found;
};

/** Kills the function once, as soon as it has written that it begins to set the value; counts sessions. */
const watch = ({ world, seen }: Scene, act: Act) => {
  let kills = 0;
  let counting: Promise<number> | undefined;
  const old = async () => {
    const before = await valueIn(world, world.platform.home.region, act.secret, {
      VersionStage: "AWSPREVIOUS",
    });
    return sessionsOf(world, before?.value.username ?? "");
  };
  const forget = seen.intercept(({ service, operation }, input) => {
    if (service !== "dynamodb" || operation !== "PutItem") return;
    const { TableName, Item } = input as { TableName: string; Item: object };
    if (TableName !== names.journal) return;
    const entry = unmarshall(Item as never) as Entry;
    if (!entry.run.startsWith("rotation-")) return;
    if (entry.key === "retired" && act.kind === "login") counting ??= old();
    if (entry.key !== "set" || act.trouble !== "killed" || kills > 0) return;
    const victim = world.cloud.functions
      .running()
      .find(({ definition }) => definition.name === "rotation");
    if (!victim) return;
    kills += 1;
    world.cloud.functions.kill(victim.requestId);
    seen.see("world", "fault", "The rotation's process dies while it sets the new password");
    return "silence";
  });
  return {
    end: async () => {
      forget();
      return { kills, oldSessions: (await counting) ?? null };
    },
  };
};
