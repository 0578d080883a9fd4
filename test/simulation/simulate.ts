import { seededRandom } from "../../shared/random.ts";
import { schedule, strike, untilOver } from "./course.ts";
import { type Facts, gather } from "./evidence.ts";
import { drawScenario, plain, type Scenario } from "./scenario.ts";
import {
  type Crashes,
  drawCrashes,
  drawWeather,
  type Executioner,
  executioner,
  fair,
  none,
  raise,
  type Weather,
} from "./storm.ts";
import { watch } from "./watch.ts";
import { config, type Hooks, type Plant, world } from "./world.ts";

export interface Simulation {
  seed: number | string;
  /** Drawn by the seed when left out; `{}` is the plain region loss. */
  scenario?: Partial<Scenario>;
  /** Drawn by the seed when left out. */
  weather?: Weather;
  /** Drawn by the seed when left out. */
  crashes?: Partial<Crashes>;
  plant?: Plant;
}

export interface Simulated {
  facts: Facts;
  trace: string[];
}

/** Without faults, crashes or surprises. */
export const calm = { scenario: {}, weather: fair, crashes: {} } as const;

/**
 * One region loss from the seed, to its end. Without the stacks of errors: timeouts and refusals are
 * errors by the hundred here, and their stacks a seventh of all the work.
 */
export const simulate = async (wanted: Simulation): Promise<Simulated> => {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await lived(wanted);
  } finally {
    Error.stackTraceLimit = depth;
  }
};

const lived = async (wanted: Simulation): Promise<Simulated> => {
  const random = seededRandom(`scenario ${wanted.seed}`);
  const drawn = { scenario: drawScenario(random), weather: drawWeather(random) };
  const scenario = wanted.scenario ? { ...plain, ...wanted.scenario } : drawn.scenario;
  const weather = wanted.weather ?? drawn.weather;
  const crashes = wanted.crashes ? { ...none, ...wanted.crashes } : drawCrashes(random);
  const made: { watcher?: ReturnType<typeof watch>; executioner?: Executioner } = {};
  const built = await world({
    seed: wanted.seed,
    scripts: scenario.people,
    ...(wanted.plant ? { plant: wanted.plant } : {}),
    hooks: (tools) => {
      made.watcher = watch(tools);
      const chance = seededRandom(`crashes ${wanted.seed}`);
      made.executioner = executioner(crashes, chance, stormy(scenario), tools);
      return hooksOf(made.watcher, made.executioner);
    },
  });
  const { watcher, executioner: axe } = made;
  if (!watcher || !axe) throw new Error("the world was built without its hooks");
  try {
    watcher.attach(built);
    const { users, timeline, platform } = built;
    built.engine.delayReplay(platform.standby.engineId, scenario.replayDelaySeconds * 1000);
    users.start();
    await timeline.advance(scenario.baselineSeconds * 1000);
    const incidentAt = timeline.now();
    const healedAt = incidentAt + scenario.healedAfterSeconds * 1000;
    const heal = raise(weather, built.faults, stormy(scenario), built.cloud.events.setDelivery);
    axe.begin();
    watcher.write(`incident ${scenario.incident}`);
    strike(built, scenario);
    schedule(built, scenario, () => {
      heal();
      axe.end();
      watcher.write("healed");
    });
    const operatorAsked = scenario.asksAfterSeconds !== null;
    await untilOver(built, scenario, incidentAt);
    const { notes, trace } = watcher;
    const { kills, duplicates } = axe;
    const about = { scenario, weather, crashes, incidentAt, healedAt, notes, kills, duplicates };
    const facts = await gather(built, { seed: wanted.seed, ...about, operatorAsked });
    return { facts, trace };
  } finally {
    await built.close();
  }
};

/**
 * Where calls fail and invocations die. Not in a home region that is cut off: that it fences itself
 * in time rests on its guard being able to run once a minute, which no fence can do without.
 */
const stormy = ({ incident }: Scenario): string[] => {
  const { primary, standby, witness } = config.regions;
  return incident.startsWith("cut") ? [standby, witness] : [primary, standby, witness];
};

const hooksOf = (watcher: ReturnType<typeof watch>, axe: Executioner): Hooks => ({
  observe: {
    before: async (call, _input, trace) => {
      await watcher.beforeCall(call);
      return axe.atCall("before", `${call.service}.${call.operation}`, trace);
    },
    after: async (call, input, outcome, trace) => {
      await watcher.afterCall(call, input, outcome);
      return axe.atCall("after", `${call.service}.${call.operation}`, trace);
    },
  },
  lambda: { ...axe.lambda, observe: watcher.onInvocation },
  onPromoted: watcher.onPromoted,
});
