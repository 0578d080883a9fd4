import type { FaultKind } from "../../../local/aws/faults.ts";
import type { Random } from "../../../shared/random.ts";
import { type Crashes, drawCrashes, drawWeather, type Weather } from "../storm.ts";

const deeds = ["TerminateInstanceInAutoScalingGroup", "SetDesiredCapacity", "ModifyDBInstance"];
const kinds: FaultKind[] = [
  "throttle",
  "error",
  "timeout-before",
  "timeout-after",
  "timeout-after",
];

const pick = <T>(random: Random, from: readonly T[]): T =>
  from[random.integer(0, from.length - 1)] as T;

/** As for every job, and more often than by chance at the very calls that change something. */
export const drawRepairWeather = (random: Random): Weather => {
  const weather = drawWeather(random);
  const times = random.integer(1, 4);
  const own = deeds.map((operation) => ({
    kind: pick(random, kinds),
    match: { operation },
    times,
  }));
  const rules = weather.rules.filter(({ match }) => match?.operation !== "PromoteReadReplica");
  return random.fraction() < 0.4
    ? { ...weather, rules: [...own, ...rules] }
    : { ...weather, rules };
};

export const drawRepairCrashes = (random: Random): Crashes => {
  const crashes = drawCrashes(random);
  const phase = random.fraction() < 0.3 ? "before" : "after";
  const exactly = deeds.map((operation) => ({ at: "call" as const, phase, operation }) as const);
  return { ...crashes, exactly: random.fraction() < 0.4 ? exactly : [] };
};
