import { seededRandom } from "../shared/random.ts";
import { check } from "./checks.ts";
import { approvers } from "./people.ts";
import { lose, openLost } from "./region-loss.ts";
import type { Check } from "./report.ts";
import type { Scenario, Stage } from "./scenario.ts";
import type { DrillWorld } from "./world.ts";

/** Modelled seconds between two kills by the clock; a new process needs some only to start. */
const between = { least: 12, most: 45 };
/** While the run sleeps there is no process, and one that has just started has done nothing yet. */
const againSeconds = { least: 2, most: 15 };
const byTheClock = 5;
/** Short states are over before the clock strikes, so an entry in the journal may bring a kill too. */
const afterEntry = { chance: 0.5, withinSeconds: 3, most: 6 };
const leastKills = 5;

/** The process that leads the failover dies again and again while the region is lost. */
export const orchestratorCrash: Scenario = {
  name: "orchestrator-crash",
  about: "as region-loss, while the orchestrator's process is killed at random instants",
  people: approvers,
  mayLose: "objective",
  strike: async (stage) => {
    const incident = lose(stage);
    const killer = executioner(stage);
    return { ...incident, stop: killer.stop, checks: killer.checks };
  },
  openOld: openLost,
};

type Kills = Record<"clock" | "entry" | "promotion", number>;

/** Kills at seeded instants, and once between the promotion's effect and its checkpoint. */
const executioner = ({ world, seen, seed }: Stage) => {
  const { timeline } = world;
  const random = seededRandom(`kills ${seed}`);
  const kills: Kills = { clock: 0, entry: 0, promotion: 0 };
  let stopped = false;

  const kill = (why: keyof Kills, when: string): boolean => {
    if (stopped || !killOrchestrator(world)) return false;
    kills[why] += 1;
    const ordinal = kills.clock + kills.entry + kills.promotion;
    seen.see("world", "fault", `Kill ${ordinal}: the orchestrator's process dies ${when}`);
    return true;
  };
  const next = (seconds: number) => {
    timeline.after(seconds * 1000, () => {
      if (stopped || kills.clock >= byTheClock) return;
      const killed = kill("clock", "at a random instant");
      const { least, most } = killed ? between : againSeconds;
      next(random.integer(least, most));
    });
  };
  next(between.least);
  const forget = seen.intercept(({ service, operation }) => {
    if (
      service === "dynamodb" &&
      operation === "PutItem" &&
      random.fraction() < afterEntry.chance
    ) {
      timeline.after(random.fraction() * afterEntry.withinSeconds * 1000, () => {
        if (kills.entry < afterEntry.most) kill("entry", "at a random instant after a step");
      });
    }
    if (service !== "rds" || operation !== "PromoteReadReplica" || kills.promotion > 0) return;
    if (kill("promotion", "after the promotion has begun, before it knows")) return "silence";
  });
  return {
    stop: () => {
      stopped = true;
      forget();
    },
    checks: (): Check[] => checksOf(kills),
  };
};

/** Whether there was a process to kill. */
const killOrchestrator = ({ cloud, platform }: DrillWorld): boolean => {
  const { region } = platform.standby;
  const victim = cloud.functions
    .running()
    .find(({ definition }) => definition.name === "failover" && definition.region === region);
  if (victim) cloud.functions.kill(victim.requestId);
  return victim !== undefined;
};

const checksOf = ({ clock, entry, promotion }: Kills): Check[] => {
  const all = clock + entry + promotion;
  return [
    check(
      "the orchestrator was killed throughout",
      all >= leastKills,
      `at least ${leastKills} times`,
      `${all} times: ${clock} by the clock, ${entry} after a step, ${promotion} while promoting`,
    ),
    check(
      "it was killed between the promotion and its checkpoint",
      promotion === 1,
      "1 time",
      `${promotion} times`,
    ),
  ];
};
