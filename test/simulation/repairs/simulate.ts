import { refusals } from "../../../drills/alarms.ts";
import type { Result } from "../../../functions/remediation/remediation.ts";
import type { Execution } from "../../../local/lambda/store.ts";
import { type Reservation, readReservations } from "../../../shared/budget.ts";
import type { Incident } from "../../../shared/incident.ts";
import type { Entry } from "../../../shared/journal.ts";
import { seededRandom } from "../../../shared/random.ts";
import { raised, type Stage } from "../../remediation/platform.ts";
import {
  type Crashes,
  type Executioner,
  executioner,
  fair,
  type Kill,
  none,
  raise,
  type Weather,
} from "../storm.ts";
import { config, type Plant } from "../world.ts";
import { type Course, schedule } from "./course.ts";
import { draw, plain, type Scenario } from "./scenario.ts";
import { drawRepairCrashes, drawRepairWeather } from "./storm.ts";
import { type Change, watch } from "./watch.ts";

export interface Repairs {
  seed: number | string;
  /** Drawn by the seed when left out; `{}` is one sick instance. */
  scenario?: Partial<Scenario>;
  weather?: Weather;
  crashes?: Partial<Crashes>;
  plant?: Plant;
}

/** Without faults, crashes or surprises. */
export const calm = { scenario: {}, weather: fair, crashes: {} } as const;

/** All that is left of a night, for whoever judges it. */
export interface Night {
  seed: number | string;
  scenario: Scenario;
  weather: Weather;
  course: Course;
  changes: readonly Change[];
  kills: readonly Kill[];
  duplicates: readonly string[];
  executions: { name: string; status: Execution["status"]; why: string }[];
  results: Result[];
  entries: Entry[];
  incident: Incident | undefined;
  reservations: Reservation[];
  isOver: boolean;
  /** What people were told, and what was logged. */
  said: string[];
  lines: readonly string[];
  secrets: readonly string[];
  bugs: readonly unknown[];
}

/** In modelled time, after the last fault. */
const patienceSeconds = 5 * 3600;
/** So long nothing more has begun, and nothing more will. */
const stillSeconds = 1500;

/** One night from the seed, until every run has ended and nothing more begins. */
export const simulateRepairs = async (
  wanted: Repairs,
): Promise<{ night: Night; trace: string[] }> => {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await lived(wanted);
  } finally {
    Error.stackTraceLimit = depth;
  }
};

const lived = async (wanted: Repairs) => {
  const random = seededRandom(`repairs ${wanted.seed}`);
  const drawn = {
    scenario: draw(random),
    weather: drawRepairWeather(random),
    crashes: drawRepairCrashes(random),
  };
  const scenario = wanted.scenario ? { ...plain, ...wanted.scenario } : drawn.scenario;
  const weather = wanted.weather ?? drawn.weather;
  const crashes = wanted.crashes ? { ...none, ...wanted.crashes } : drawn.crashes;
  const regions = Object.values(config.regions);
  const made: { watcher?: ReturnType<typeof watch>; axe?: Executioner } = {};
  const at = await raised({
    seed: `repairs ${wanted.seed}`,
    rights: scenario.rights,
    people: scenario.people,
    instances: scenario.instances,
    writesPerSecond: 0.2,
    connections: { most: 100, reserved: 6, mayUseReserve: (user) => user.includes("nightshift") },
    config: (one) => ({ ...one, sessions: { forgottenSeconds: 60 } }),
    ...(wanted.plant ? { plant: wanted.plant } : {}),
    hooks: (tools) => {
      const watcher = watch(tools.now);
      const axe = executioner(crashes, seededRandom(`crashes ${wanted.seed}`), regions, tools);
      Object.assign(made, { watcher, axe });
      return hooksOf(watcher, axe);
    },
  });
  const { watcher, axe } = made;
  if (!watcher || !axe) throw new Error("the platform was built without its hooks");
  try {
    watcher.attach(at);
    await prepare(at);
    const heal = raise(weather, at.faults, regions, at.cloud.events.setDelivery);
    axe.begin();
    const course = schedule(at, scenario, random);
    at.timeline.after(1 + scenario.healedAfterSeconds * 1000, () => {
      heal();
      axe.end();
    });
    const isOver = await untilOver(at, scenario);
    const { kills, duplicates } = axe;
    const about = { seed: wanted.seed, scenario, weather, course, kills, duplicates, isOver };
    return { night: { ...about, ...(await gather(at, watcher.changes)) }, trace: watcher.trace };
  } finally {
    await at.leave();
  }
};

/** What a filter on the database's log would have counted. */
const prepare = async ({ cloud, region }: Stage): Promise<void> => {
  await cloud.ask("cloudwatch", "PutMetricData", region, {
    Namespace: refusals.namespace,
    MetricData: [{ MetricName: refusals.name, Value: 0 }],
  });
};

const hooksOf = (watcher: ReturnType<typeof watch>, axe: Executioner) => ({
  observe: {
    before: async (...given: Parameters<typeof watcher.observe.before>) => {
      await watcher.observe.before(...given);
      const [call, , caller] = given;
      return axe.atCall("before", `${call.service}.${call.operation}`, caller);
    },
    after: async (...given: Parameters<typeof watcher.observe.after>) => {
      await watcher.observe.after(...given);
      const [call, , , caller] = given;
      return axe.atCall("after", `${call.service}.${call.operation}`, caller);
    },
  },
  lambda: axe.lambda,
});

/** False when something still runs, or begins again and again, long after the last fault. */
const untilOver = async (at: Stage, scenario: Scenario): Promise<boolean> => {
  const last = [
    scenario.healedAfterSeconds,
    ...scenario.troubles.map(({ afterSeconds }) => afterSeconds),
    ...scenario.meanwhile.map(
      ({ afterSeconds, deed }) => afterSeconds + ("forSeconds" in deed ? deed.forSeconds : 0),
    ),
  ];
  // The slowest alarm takes so long to ring.
  await at.timeline.advance(1000 * (Math.max(...last) + 900));
  const end = at.timeline.now() + patienceSeconds * 1000;
  let seen = { runs: -1, since: at.timeline.now() };
  while (at.timeline.now() < end) {
    const runs = at.executions();
    const isRunning = runs.some(({ status }) => status === "RUNNING");
    if (isRunning || runs.length !== seen.runs) {
      seen = { runs: runs.length, since: at.timeline.now() };
    } else {
      const incident = await at.incident();
      if (!incident || incident.closedAtMilliseconds !== null) return true;
      if (at.timeline.now() - seen.since >= stillSeconds * 1000) return true;
    }
    await at.timeline.advance(60_000);
  }
  return false;
};

const gather = async (at: Stage, changes: readonly Change[]) => ({
  changes,
  executions: at
    .executions()
    .map(({ name, status, error }) => ({ name, status, why: error?.ErrorMessage ?? "" })),
  results: at.results(),
  entries: await at.journal(),
  incident: await at.incident(),
  reservations: await at.timeline.run(readReservations(at.table, at.region)),
  said: at.slack.messages().map((message) => JSON.stringify(message)),
  lines: at.lines,
  secrets: at.secrets,
  bugs: at.bugs,
});
