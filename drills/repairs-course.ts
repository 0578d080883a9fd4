import type { Execution } from "../local/lambda/store.ts";
import { render } from "../local/slack/render.ts";
import { isWell, until } from "./course.ts";
import { journalOf } from "./evidence.ts";
import { names } from "./names.ts";
import type { Recorder } from "./recorder.ts";
import { sampler } from "./recorder.ts";
import { attemptsIn, instantsOf, isAnswer } from "./repairs-attempts.ts";
import { type Deeds, deedsHeard } from "./repairs-deeds.ts";
import { countRefusals, hastenAlarms, type Scene, sceneOf, settleAtOnce } from "./repairs-scene.ts";
import type { Broken, RepairStory } from "./repairs-stories.ts";
import type { Check, Sample } from "./report.ts";
import { capital } from "./words.ts";
import type { DrillWorld } from "./world.ts";

/** A new inverted health check is unhealthy until its first results: users come after that. */
const settlingSeconds = 60;
const bootSeconds = 300;
/** Long enough for the metrics of a minute in which all is well. */
const baselineSeconds = 65;
const sampleSeconds = 5;
/** An alarm, three looks and a repair that takes its time; what takes longer is not waited for. */
const patienceSeconds = 1500;
/** A page is one line to whoever looks for words in it. */
const pageColumns = 2000;
/** The journal's copy in the other region is a second behind. */
const replicationSeconds = 10;

/** What one story came to, before anybody judges it. */
export interface Told {
  story: RepairStory;
  text: string;
  brokenAt: number;
  /** When it was over: repaired and proven, refused, or given up on. */
  endedAt: number;
  /** The attempt that answered it; undefined when none did in time. */
  answer: Execution | undefined;
  /** Where nothing is to be begun: what people were called with. */
  page: Page | undefined;
  attempts: Execution[];
  alarms: number;
  checks: Check[];
}

export interface Page {
  text: string;
  atMilliseconds: number;
}

export interface Drilled {
  scene: Scene;
  told: Told[];
  deeds: Deeds["heard"];
  samples: readonly (Omit<Sample, "atSeconds"> & { atMilliseconds: number })[];
}

export interface CourseOptions {
  stories: readonly RepairStory[];
  onSample(sample: Omit<Sample, "atSeconds"> & { atMilliseconds: number }): void;
  onStory(story: RepairStory, atMilliseconds: number): void;
  /** Called with the instant of the first break: all times of the report count from it. */
  onFirst(atMilliseconds: number): void;
  /** Names of the storm's alarms that rang; filled by whoever hears events. */
  rang: ReadonlySet<string>;
}

/** One story after the other, under load, from users who are well to the last proof. */
export const conductRepairs = async (
  world: DrillWorld,
  seen: Recorder,
  options: CourseOptions,
): Promise<Drilled> => {
  const { timeline, users } = world;
  const scene = sceneOf(world, seen, options.rang);
  const samples = sampler(users, sampleSeconds);
  const sampling = timeline.every(sampleSeconds * 1000, () =>
    options.onSample(samples.take(timeline.now())),
  );
  await settle(scene);
  const refusals = countRefusals(scene);
  const deeds = deedsHeard(scene);
  const told: Told[] = [];
  let ahead: Begun | undefined;
  for (const [index, story] of options.stories.entries()) {
    const begun = ahead ?? (await begin(scene, story, options));
    ahead = undefined;
    const next = options.stories[index + 1];
    const answering = answerOf(scene, begun);
    if (next?.early) {
      await acted(scene, begun, answering);
      ahead = await begin(scene, next, options);
    }
    told.push(await end(scene, begun, await answering, next?.early === true));
  }
  await users.stop();
  refusals.cancel();
  sampling.cancel();
  deeds.stop();
  await timeline.sleep(replicationSeconds * 1000);
  return { scene, told, deeds: deeds.heard, samples: samples.samples };
};

const settle = async (scene: Scene): Promise<void> => {
  const { world, seen, region } = scene;
  const { cloud, timeline, users, platform } = world;
  // As an operator leaves it who does not trust health checks with his instances: a group that replaces
  // the sick ones by itself needs nobody.
  await cloud.ask("auto-scaling", "UpdateAutoScalingGroup", region, {
    AutoScalingGroupName: names.group,
    HealthCheckType: "EC2",
  });
  await timeline.sleep(settlingSeconds * 1000);
  await until(world, bootSeconds, () => isWell(world));
  users.start();
  seen.see("users", "aws", `Users move money in ${platform.home.region}`);
  await timeline.sleep(baselineSeconds * 1000);
};

interface Begun {
  story: RepairStory;
  broken: Broken;
  brokenAt: number;
  /** Attempts that were there before. */
  before: ReadonlySet<string>;
  rang: number;
}

const begin = async (
  scene: Scene,
  story: RepairStory,
  { onStory, onFirst, rang, stories }: CourseOptions,
): Promise<Begun> => {
  const { world, seen } = scene;
  const before = new Set(attemptsIn(scene).map(({ name }) => name));
  const rangBefore = rang.size;
  const brokenAt = world.timeline.now();
  if (story === stories[0]) onFirst(brokenAt);
  onStory(story, brokenAt);
  await hastenAlarms(scene, [story.alarm], true);
  const broken = await story.break(scene);
  // While another attempt is under way this changes nothing: its own end does it then.
  await settleAtOnce(scene);
  seen.see("world", "fault", `${capital(story.title)}: ${broken.text}`, brokenAt);
  return { story, broken, brokenAt, before, rang: rangBefore };
};

const since = (scene: Scene, { before }: Begun): Execution[] =>
  attemptsIn(scene).filter(({ name }) => !before.has(name));

interface Answer {
  run: Execution | undefined;
  page: Page | undefined;
}

const answerOf = async (scene: Scene, begun: Begun): Promise<Answer> => {
  const answer: Answer = { run: undefined, page: undefined };
  const { calls } = begun.story;
  await until(scene.world, patienceSeconds, () => {
    if (calls) answer.page = pageOf(scene, begun, calls);
    else answer.run = since(scene, begun).find((each) => isAnswer(begun.story, each));
    return answer.run !== undefined || answer.page !== undefined;
  });
  return answer;
};

const pageOf = ({ world }: Scene, { brokenAt }: Begun, calls: RegExp): Page | undefined => {
  for (const message of world.slack.messages()) {
    const { threadTs, atMilliseconds } = message;
    // What is said in a thread wakes nobody.
    if (threadTs !== undefined || atMilliseconds < brokenAt) continue;
    const lines = render(message, pageColumns).map((line) => line.replace(/^│ ?/, ""));
    const text = lines.filter((line) => line !== "").join(" ");
    if (calls.test(text)) return { text, atMilliseconds };
  }
  return undefined;
};

/** Waits until the deed is done, or the story is over without one. */
const acted = async (scene: Scene, begun: Begun, answering: Promise<unknown>): Promise<void> => {
  let isOver = false;
  void answering.then(() => {
    isOver = true;
  });
  await until(scene.world, patienceSeconds, () => {
    if (isOver) return true;
    return since(scene, begun).some(
      ({ name }) => instantsOf(journalOf(scene.world, name)).acted !== undefined,
    );
  });
};

const end = async (
  scene: Scene,
  begun: Begun,
  { run: answer, page }: Answer,
  isNextBroken: boolean,
): Promise<Told> => {
  const { world, rang, seen } = scene;
  const { story, broken, brokenAt } = begun;
  const endedAt = answer?.endedAt ?? page?.atMilliseconds ?? world.timeline.now();
  const checks = await broken.checks();
  await broken.heal();
  await hastenAlarms(scene, [story.alarm], false);
  if (!answer && !page) seen.see("world", "failed", `Nobody has answered "${story.title}" in time`);
  const attempts = since(scene, begun);
  if (isNextBroken) await settleAtOnce(scene);
  return {
    story,
    text: broken.text,
    brokenAt,
    endedAt,
    answer,
    page,
    attempts,
    alarms: rang.size - begun.rang,
    checks,
  };
};
