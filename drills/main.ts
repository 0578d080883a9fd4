import { join } from "node:path";
import { fileURLToPath } from "node:url";
import operatorsConfig from "../nightshift.config.ts";
import { isoSeconds } from "../shared/clock.ts";
import { type DrillArguments, drillArguments, helpText, UsageError } from "./arguments.ts";
import { conduct } from "./course.ts";
import { writeMarkdown } from "./markdown.ts";
import { peopleAtTerminal, scriptedPeople } from "./people.ts";
import { recorder } from "./recorder.ts";
import { exitCodeOf, summaryOf, writeReport } from "./report.ts";
import { scenarioNamed, scenarios } from "./scenarios.ts";
import { terminal } from "./terminal.ts";
import { buildWorld, type DrillWorld } from "./world.ts";

const reports = fileURLToPath(new URL("../.nightshift/reports", import.meta.url));

/** Users' transfers in a modelled second: about 45 a second on the machine at the usual speed. */
const transfersPerSecond = 3;

const main = async (): Promise<number> => {
  const given = drillArguments(process.argv.slice(2), scenarios);
  if (given === "help") {
    process.stdout.write(`${helpText(scenarios)}\n`);
    return 0;
  }
  return drill(given);
};

const drill = async (given: DrillArguments): Promise<number> => {
  const { scenario, seed, speed, json } = given;
  const course = scenarioNamed(scenario);
  // With --json standard output belongs to the one object that is printed at the end.
  const stream = json ? process.stderr : process.stdout;
  const screen = screenFor(given, stream);
  const interruption = interruptions();
  let world: DrillWorld | undefined;
  try {
    screen.stage(
      "Building the platform: two Postgres servers, instances, load balancers, functions",
    );
    let seen: ReturnType<typeof recorder> | undefined;
    world = await buildWorld({
      seed,
      speed,
      transfersPerSecond,
      ...(course.policy ? { policy: course.policy } : {}),
      log: (line) => seen?.line(line),
      onError: interruption.fail,
      observe: {
        before: (...call) => seen?.observe.before(...call),
        after: (...call) => seen?.observe.after(...call),
      },
      onRequest: (request, from) => seen?.request(request, from),
      onEvent: (region, event) => seen?.event(region, event),
    });
    seen = recorder(world.timeline.now, screen.moment);
    const people = given.interactive
      ? peopleAtTerminal(world, screen.say)
      : scriptedPeople(world, seed, course.people);
    const running = conduct(course, world, seen, {
      seed,
      speed,
      onSample: screen.sample,
      onIncident: screen.incident,
    });
    const report = await Promise.race([running, interruption.happened]);
    people.stop();
    const folder = join(reports, `${scenario}-${seed}-${stamp()}`);
    const written = await writeReport(report, folder);
    await writeMarkdown({ ...report, ...written }, folder);
    screen.summary(written);
    if (json) process.stdout.write(`${JSON.stringify(summaryOf(written))}\n`);
    return exitCodeOf(written);
  } finally {
    screen.close();
    await world?.close();
    interruption.stop();
  }
};

const screenFor = (
  { scenario, seed, speed }: DrillArguments,
  stream: NodeJS.WriteStream,
): ReturnType<typeof terminal> => {
  const { primary: home, standby, witness } = operatorsConfig.regions;
  const isTty = stream.isTTY === true;
  const planned = scenarioNamed(scenario).mayLose === "nothing";
  return terminal(
    {
      write: (text) => void stream.write(text),
      columns: Math.min(stream.columns ?? 100, 160),
      isTty,
      colour: isTty && !process.env.NO_COLOR && process.env.TERM !== "dumb",
    },
    { scenario, seed, speed, home, standby, witness, planned },
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
