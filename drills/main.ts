import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Script } from "../local/slack/operators.ts";
import operatorsConfig from "../nightshift.config.ts";
import { isoSeconds } from "../shared/clock.ts";
import { type DrillArguments, drillArguments, helpText, UsageError } from "./arguments.ts";
import { conduct } from "./course.ts";
import { writeMarkdown } from "./markdown.ts";
import { peopleAtTerminal, scriptedPeople } from "./people.ts";
import { type Recorder, recorder } from "./recorder.ts";
import { drillRepairs, repairing, repairs, storiesNamed } from "./repairs.ts";
import { repairsClosing } from "./repairs-closing.ts";
import { repairsLive } from "./repairs-live.ts";
import { repairSummary, writeRepairs } from "./repairs-report.ts";
import { isOfStorm } from "./repairs-scene.ts";
import { allHeld, exitCodeOf, summaryOf, writeReport } from "./report.ts";
import { drillRotation, rotation } from "./rotation.ts";
import { rotationClosing } from "./rotation-closing.ts";
import { rotationLive } from "./rotation-live.ts";
import { hurry, rotating } from "./rotation-platform.ts";
import { rotationSummary } from "./rotation-report.ts";
import { scenarioNamed, scenarios } from "./scenarios.ts";
import { type Status, type Terminal, terminal } from "./terminal.ts";
import { drillVerification, verification } from "./verification.ts";
import { verificationClosing } from "./verification-closing.ts";
import { verificationLive } from "./verification-live.ts";
import { verifying } from "./verification-platform.ts";
import { verificationSummary } from "./verification-report.ts";
import { buildWorld, type DrillWorld, type WorldOptions } from "./world.ts";

const reports = fileURLToPath(new URL("../.nightshift/reports", import.meta.url));

/** Users' transfers in a modelled second: about 45 a second on the machine at the usual speed. */
const transfersPerSecond = 3;

/** What `npm run drill -- <name>` knows: moves of the platform, and repairs where it is. */
const known = [...scenarios, repairs, rotation, verification];

const main = async (): Promise<number> => {
  const given = drillArguments(process.argv.slice(2), known);
  if (given === "help") {
    process.stdout.write(`${helpText(known)}\n`);
    return 0;
  }
  return drill(given);
};

/** A scenario that is about to be played: how it is shown, what it needs, and what comes of it. */
interface Play {
  screen: Terminal;
  needs: Partial<WorldOptions>;
  /** Whether an event is told like any other; one of a storm is only counted. */
  isTold?(event: { detail: Record<string, unknown> }): boolean;
  /** Sees every line that a function logs. */
  onLine?(line: string): void;
  people: readonly Script[];
  /** Gives the exit code. */
  play(world: DrillWorld, seen: Recorder, interrupted: Promise<never>): Promise<number>;
}

const drill = async (given: DrillArguments): Promise<number> => {
  const { scenario, seed, speed, json } = given;
  // With --json standard output belongs to the one object that is printed at the end.
  const stream = json ? process.stderr : process.stdout;
  const { screen, needs, isTold, onLine, people, play } = playOf(scenario)(given, stream);
  const interruption = interruptions();
  let world: DrillWorld | undefined;
  try {
    screen.stage(
      "Building the platform: two Postgres servers, instances, load balancers, functions",
    );
    let seen: Recorder | undefined;
    world = await buildWorld({
      seed,
      speed,
      transfersPerSecond,
      ...needs,
      log: (line) => {
        onLine?.(line);
        seen?.line(line);
      },
      onError: interruption.fail,
      observe: {
        before: (...call) => seen?.observe.before(...call),
        after: (...call) => seen?.observe.after(...call),
      },
      onRequest: (request, from) => seen?.request(request, from),
      onEvent: (region, event) => {
        if (!isTold || isTold(event)) seen?.event(region, event);
      },
    });
    seen = recorder(world.timeline.now, screen.moment);
    const deciders = given.interactive
      ? peopleAtTerminal(world, screen.say)
      : scriptedPeople(world, seed, people);
    const code = await play(world, seen, interruption.happened);
    deciders.stop();
    return code;
  } finally {
    screen.close();
    await world?.close();
    interruption.stop();
  }
};

const folderOf = ({ scenario, seed }: DrillArguments): string =>
  join(reports, `${scenario}-${seed}-${stamp()}`);

const movePlay = (given: DrillArguments, stream: NodeJS.WriteStream): Play => {
  const { scenario, seed, speed, json } = given;
  const course = scenarioNamed(scenario);
  const screen = screenFor(given, stream, course.mayLose === "nothing");
  return {
    screen,
    needs: course.policy ? { policy: course.policy } : {},
    people: course.people,
    play: async (world, seen, interrupted) => {
      const options = { seed, speed, onSample: screen.sample, onIncident: screen.incident };
      const running = conduct(course, world, seen, options);
      const report = await Promise.race([running, interrupted]);
      const folder = folderOf(given);
      const written = await writeReport(report, folder);
      await writeMarkdown({ ...report, ...written }, folder);
      screen.summary(written);
      if (json) process.stdout.write(`${JSON.stringify(summaryOf(written))}\n`);
      return exitCodeOf(written);
    },
  };
};

const repairPlay = (given: DrillArguments, stream: NodeJS.WriteStream): Play => {
  const { seed, speed, json } = given;
  const stories = storiesNamed(given.stories);
  const status = repairsLive(operatorsConfig.regions.primary, stories.length);
  const screen = screenFor(given, stream, false, status);
  const rang = new Set<string>();
  return {
    screen,
    needs: { repairs: true, configured: repairing },
    isTold: ({ detail }) => !isOfStorm(detail, rang),
    people: repairs.people,
    play: async (world, seen, interrupted) => {
      const running = drillRepairs(world, seen, {
        seed,
        speed,
        stories,
        rang,
        onSample: screen.sample,
        onStory: ({ title }, atMilliseconds) => status.story(title, atMilliseconds),
        onFirst: screen.incident,
      });
      const report = await Promise.race([running, interrupted]);
      const written = await writeRepairs(report, folderOf(given));
      screen.end((...space) => repairsClosing(written, ...space));
      if (json) process.stdout.write(`${JSON.stringify(repairSummary(written))}\n`);
      return allHeld(written.checks) ? 0 : 1;
    },
  };
};

const verificationPlay = (given: DrillArguments, stream: NodeJS.WriteStream): Play => {
  const { seed, speed, json } = given;
  const status = verificationLive(operatorsConfig.regions.primary, verification.acts);
  const screen = screenFor(given, stream, false, status);
  return {
    screen,
    needs: { repairs: false, configured: verifying },
    people: [],
    play: async (world, seen, interrupted) => {
      const running = drillVerification(world, seen, {
        seed,
        speed,
        directory: folderOf(given),
        onSample: screen.sample,
        onAct: ({ title }, atMilliseconds) => status.act(title, atMilliseconds),
        onFirst: screen.incident,
      });
      const report = await Promise.race([running, interrupted]);
      screen.end((...space) => verificationClosing(report, ...space));
      if (json) process.stdout.write(`${JSON.stringify(verificationSummary(report))}\n`);
      return allHeld(report.checks) ? 0 : 1;
    },
  };
};

const rotationPlay = (given: DrillArguments, stream: NodeJS.WriteStream): Play => {
  const { seed, speed, json } = given;
  const status = rotationLive(operatorsConfig.regions.primary, rotation.acts);
  const screen = screenFor(given, stream, false, status);
  const logged: string[] = [];
  return {
    screen,
    // Logins are what is looked at, and each of them takes the machine more than a transfer does.
    needs: { repairs: false, configured: rotating, hurryWarmups: hurry, transfersPerSecond: 1 },
    onLine: (line) => void logged.push(line),
    people: rotation.people,
    play: async (world, seen, interrupted) => {
      const running = drillRotation(world, seen, {
        seed,
        speed,
        logged,
        directory: folderOf(given),
        onSample: screen.sample,
        onAct: ({ title }, atMilliseconds) => status.act(title, atMilliseconds),
        onFirst: screen.incident,
      });
      const report = await Promise.race([running, interrupted]);
      screen.end((...space) => rotationClosing(report, ...space));
      if (json) process.stdout.write(`${JSON.stringify(rotationSummary(report))}\n`);
      return allHeld(report.checks) ? 0 : 1;
    },
  };
};

const playOf = (scenario: string): typeof movePlay => {
  if (scenario === repairs.name) return repairPlay;
  if (scenario === rotation.name) return rotationPlay;
  return scenario === verification.name ? verificationPlay : movePlay;
};

const screenFor = (
  { scenario, seed, speed }: DrillArguments,
  stream: NodeJS.WriteStream,
  planned: boolean,
  status?: Status,
): Terminal => {
  const { primary: home, standby, witness } = operatorsConfig.regions;
  const isTty = stream.isTTY === true;
  return terminal(
    {
      write: (text) => void stream.write(text),
      columns: Math.min(stream.columns ?? 100, 160),
      isTty,
      colour: isTty && !process.env.NO_COLOR && process.env.TERM !== "dumb",
    },
    { scenario, seed, speed, home, standby, witness, planned },
    status,
  );
};

const stamp = () => isoSeconds(Date.now()).replaceAll(":", "").replace("Z", "");

/** Ctrl-C, or a failure in a part that nobody waits for: both end the drill, and all is stopped. */
class Interrupted extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "Interrupted";
    this.exitCode = exitCode;
  }
}

const interruptions = () => {
  const { promise, reject } = Promise.withResolvers<never>();
  // Without a listener a rejection before the race begins would end the process half built.
  promise.catch(() => undefined);
  const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const onSignal = (signal: NodeJS.Signals) =>
    reject(new Interrupted(`stopped by ${signal}`, exitCodes[signal as keyof typeof exitCodes]));
  for (const signal of Object.keys(exitCodes)) process.on(signal, onSignal);
  return {
    happened: promise,
    fail: (error: unknown) =>
      reject(new Interrupted("a part of the local AWS failed", 1, { cause: error })),
    stop: () => {
      for (const signal of Object.keys(exitCodes)) process.off(signal, onSignal);
    },
  };
};

const explain = (error: unknown): number => {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (error instanceof Interrupted) {
    process.stderr.write(`The drill was ${error.message}.\n`);
    if (error.cause) process.stderr.write(`${(error.cause as Error).stack ?? error.cause}\n`);
    return error.exitCode;
  }
  process.stderr.write(`The drill failed: ${(error as Error).stack ?? error}\n`);
  return 1;
};

process.exitCode = await main().catch(explain);
