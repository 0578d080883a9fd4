/**
 * `npm run release -- [--stage NAME] [--region REGION] [--first]`: replaces the application's instances by
 * ones of the template's newest version, which the last deployment made. Ends with 1 when it was refused
 * or turned round, and with 2 when it was not understood.
 */
import { parseArgs } from "node:util";
import config from "../nightshift.config.ts";
import { type Clock, isoSeconds } from "../shared/clock.ts";
import { type Coordination, coordination } from "../shared/coordination.ts";
import { readLease } from "../shared/lease.ts";
import { sentence } from "../shared/outcome.ts";
import { readPause, whilePaused } from "../shared/pause.ts";
import { processRuntime, type Runtime } from "../shared/runtime.ts";
import { stageVariable } from "../shared/stage.ts";
import { type Fleet, fleetOf } from "./release-aws.ts";
import {
  isRunning,
  lineOf,
  orderOf,
  preferencesOf,
  releaseAlarms,
  stepOf,
  whyNot,
} from "./release-plan.ts";

/** Where somebody releases from, and to what. */
export interface Release {
  clock: Clock;
  table: Coordination;
  fleet(region: string): Fleet;
  regions: readonly string[];
  /** What turns a release round, by its name in every region. */
  alarms: string[];
  isFirst: boolean;
  /** Somebody has no more patience. AWS goes on with what was begun. */
  signal: AbortSignal;
  tell(line: string): void;
}

/** Why it went no further; undefined when every region runs the newest version. */
export const release = async (given: Release): Promise<string | undefined> => {
  const refused = await whyNotNow(given);
  if (refused) return refused;
  const { region: active } = await readLease(given.table);
  const done: string[] = [];
  for (const region of orderOf(given.regions, active)) {
    // Between two regions there is time enough for a failover to begin.
    const why = (await whyNotNow(given)) ?? (await releaseTo(given, region));
    if (why) return [`${region}: ${why}.`, ...aftermath(done)].join(" ");
    done.push(region);
  }
  return undefined;
};

const aftermath = (done: string[]): string[] =>
  done.length === 0
    ? []
    : [
        `${done.join(", ")} runs the new version by now. Give the command again for the rest. To go back, ` +
          "put the older digest into the file, deploy, and release.",
      ];

/** Whoever moves users between regions must find them as they are. */
const whyNotNow = async ({ table, signal }: Release): Promise<string | undefined> => {
  if (signal.aborted) return "it was stopped before anything was begun";
  const paused = whilePaused(await readPause(table));
  if (paused) return paused.reason;
  const { state, holder } = await readLease(table);
  return state === "moving" ? `${holder} is moving users to another region` : undefined;
};

const releaseTo = async (given: Release, region: string): Promise<string | undefined> => {
  const { isFirst } = given;
  const fleet = given.fleet(region);
  const [group, newest, latest, alarms] = await Promise.all([
    fleet.group(),
    fleet.newest(),
    fleet.refresh(),
    fleet.alarms(given.alarms),
  ]);
  const { version } = newest;
  const tell = (line: string) => given.tell(`${timeOf(given.clock)}  ${region}  ${line}`);
  tell(`version ${version} of ${group.template} starts ${newest.image}`);
  const step = stepOf(group, newest, latest, alarms, isFirst);
  switch (step.is) {
    case "refused":
      return step.why;
    case "done":
      tell(`every instance is of version ${version} already`);
      return undefined;
    case "save":
      await fleet.save(version);
      tell(`nothing runs there; what starts next is of version ${version}`);
      return undefined;
    case "follow":
      tell(`it is under way as ${step.id}`);
      return follow(given, region, { fleet, id: step.id, tell });
    case "start": {
      const id = await fleet.start(version, preferencesOf(isFirst, given.alarms));
      tell(`from version ${group.version} to ${version} as ${id}`);
      return follow(given, region, { fleet, id, tell });
    }
  }
};

const lookMilliseconds = 15_000;
/** Thirty instances one by one, six minutes each, and the end of it. */
const patienceMilliseconds = 4 * 3_600_000;

const timeOf = (clock: Clock): string => isoSeconds(clock.now()).slice(11, 19);

interface Followed {
  fleet: Fleet;
  id: string;
  tell(line: string): void;
}

const follow = async (
  { clock, table, signal }: Release,
  region: string,
  { fleet, id, tell }: Followed,
): Promise<string | undefined> => {
  const end = clock.now() + patienceMilliseconds;
  let told = "";
  for (;;) {
    const seen = await fleet.refresh(id);
    if (!seen) return `${id} is not to be found any more`;
    const line = lineOf(seen);
    if (line !== told) tell(line);
    told = line;
    if (!isRunning(seen)) return whyNot(seen);
    const { state } = await readLease(table);
    if (state === "moving") return `a failover has begun; ${id} is left to AWS: ${line}`;
    if (clock.now() >= end) return `${id} goes on after 4 hours; give the command again to follow`;
    if (signal.aborted || !(await slept(clock, signal))) return leftAlone(region, fleet, id);
  }
};

/** Whether it has slept to the end. */
const slept = (clock: Clock, signal: AbortSignal): Promise<boolean> =>
  clock.sleep(lookMilliseconds, signal).then(
    () => true,
    (error: unknown) => {
      if (signal.aborted) return false;
      throw error;
    },
  );

const leftAlone = (region: string, { name }: Fleet, id: string): string =>
  `nobody looks any more, and AWS goes on with ${id}. Give the command again to follow it. To go back: ` +
  `aws autoscaling rollback-instance-refresh --region ${region} --auto-scaling-group-name ${name}`;

const usage = "usage: npm run release -- [--stage NAME] [--region REGION] [--first]";

/** What is to be released, by the names that the stage has in the account. Throws for a wrong line. */
export const releaseOf = (
  args: string[],
  made: (stage: string) => Runtime,
): Omit<Release, "tell" | "signal"> => {
  const { stage, region, first } = optionsOf(args);
  const runtime = made(stage);
  const { primary, standby } = runtime.config.regions;
  const regions = [standby, primary].filter((each) => region === undefined || each === region);
  if (regions.length === 0) throw new Error(`${region} is neither ${primary} nor ${standby}`);
  const here: Runtime = {
    ...runtime,
    environment: {
      ...runtime.environment,
      AWS_REGION: standby,
      SST_RESOURCE_CoordinationTable: JSON.stringify({ name: `nightshift-${stage}-coordination` }),
    },
  };
  return {
    clock: runtime.clock,
    table: coordination(here),
    fleet: (each) => fleetOf(here, each, `nightshift-${stage}-app`),
    regions,
    alarms: releaseAlarms(stage),
    isFirst: first,
  };
};

const optionsOf = (args: string[]) => {
  try {
    const { values } = parseArgs({
      args,
      options: {
        stage: { type: "string", default: "production" },
        region: { type: "string" },
        first: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}`);
  }
};

const main = async (): Promise<number> => {
  const tell = (line: string) => void process.stdout.write(`${line}\n`);
  const complain = (line: string) => void process.stderr.write(`${line}\n`);
  let given: Omit<Release, "tell" | "signal">;
  try {
    given = releaseOf(process.argv.slice(2), (stage) => ({
      ...processRuntime({ ...process.env, [stageVariable]: stage }, config),
      // Here a person sits: the SDK finds their credentials where the AWS command line does.
      aws: () => ({ credentials: undefined }),
    }));
  } catch (error) {
    complain((error as Error).message);
    return 2;
  }
  const control = new AbortController();
  // A terminal tells npm and this process, and npm tells it once more.
  process.on("SIGINT", () => control.abort());
  const why = await release({ ...given, tell, signal: control.signal }).catch(
    (error: unknown) => `${sentence(error)}. How far it came is not certain: give it again.`,
  );
  if (why === undefined) tell("released");
  else complain(`not released: ${why}`);
  return why === undefined ? 0 : 1;
};

if (import.meta.main) process.exitCode = await main();
