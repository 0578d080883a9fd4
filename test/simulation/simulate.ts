import { seededRandom } from "../../shared/random.ts";
import { schedule, untilOver } from "./course.ts";
import { type Facts, gather } from "./evidence.ts";
import {
  drawKind,
  drawLoss,
  drawMove,
  type Kind,
  plain,
  planned,
  type Scenario,
} from "./scenario.ts";
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
import { config, type Hooks, type Plant, type WorldOptions, world } from "./world.ts";

export interface Simulation {
  seed: number | string;
  /** What the story is about; drawn by the seed when left out. */
  kind?: Kind;
  /** Drawn by the seed when left out; `{}` is the plain region loss. */
  scenario?: Partial<Scenario>;
  /** Drawn by the seed when left out. */
  weather?: Weather;
  /** Drawn by the seed when left out. */
  crashes?: Partial<Crashes>;
  plant?: Plant;
  /** See `WorldOptions`. */
  looks?: boolean;
  wire?: boolean;
  onDirect?: WorldOptions["onDirect"];
}

export interface Simulated {
  facts: Facts;
  trace: string[];
}

/** Without faults, crashes or surprises. */
export const calm = { scenario: {}, weather: fair, crashes: {} } as const;

/** A planned move without faults, crashes or surprises. */
export const calmMove = { ...calm, scenario: planned } as const;

/** Around the fence of a planned move every modelled second counts. */
const writesPerSecond = ({ incident, move }: Scenario): number =>
  move === "switchover" || incident === "none" ? 1 : 0.2;

/**
 * One move from the seed, to its end. Without the stacks of errors: timeouts and refusals are
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
  const drawn = { loss: drawLoss(random), weather: drawWeather(random) };
  const apart = seededRandom(`move ${wanted.seed}`);
  const kind = drawKind(apart);
  const scenario = wanted.scenario
    ? { ...plain, ...wanted.scenario }
    : drawMove(apart, wanted.kind ?? kind, drawn.loss);
  const weather = wanted.weather ?? drawn.weather;
  const crashes = wanted.crashes ? { ...none, ...wanted.crashes } : drawCrashes(random);
  const made: { watcher?: ReturnType<typeof watch>; executioner?: Executioner } = {};
  const built = await world({
    seed: wanted.seed,
    scripts: scenario.people,
    writesPerSecond: writesPerSecond(scenario),
    ...(wanted.plant ? { plant: wanted.plant } : {}),
    ...(wanted.looks ? { looks: true } : {}),
    ...(wanted.wire ? { wire: true } : {}),
    ...(wanted.onDirect ? { onDirect: wanted.onDirect } : {}),
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
    await schedule(built, scenario, {
      heal: () => {
        heal();
        axe.end();
      },
      write: watcher.write,
      onClaim: watcher.onClaim,
    });
    const operatorAsked = scenario.asksAfterSeconds !== null;
    const { notes, trace } = watcher;
    await untilOver(built, scenario, incidentAt, notes);
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
