import type { DeliveryFaults } from "../../local/aws/delivery.ts";
import type { FaultKind, FaultRule, Faults } from "../../local/aws/faults.ts";
import type { LambdaOptions } from "../../local/lambda/dispatch.ts";
import type { Random } from "../../shared/random.ts";
import type { HookTools } from "./world.ts";

/** What goes wrong in AWS while a run is not healed. Plain data. */
export interface Weather {
  rules: FaultRule[];
  delivery: DeliveryFaults;
}

/** Which invocations are killed, and where. Plain data. */
export interface Crashes {
  /** Chance, 0 to 1, at each checkpoint of a durable function, before and after. */
  checkpoint: number;
  /** Chance, 0 to 1, at each AWS call of any function, before and after. */
  call: number;
  /** So many in all at most, so that a run is not only killed. */
  most: number;
  /** Exactly there, once each, whatever the chances. */
  exactly: CrashPoint[];
  /** Chance, 0 to 1, that an asynchronous event comes twice. */
  duplicate: number;
}

export type CrashPoint =
  | { at: "checkpoint"; phase: "before" | "after"; number: number }
  | { at: "call"; phase: "before" | "after"; operation: string };

export const fair: Weather = { rules: [], delivery: {} };
export const none: Crashes = { checkpoint: 0, call: 0, most: 0, exactly: [], duplicate: 0 };

const kinds: FaultKind[] = [
  "throttle",
  "error",
  "timeout-before",
  "timeout-after",
  "stale",
  "slow",
];
const services = [
  "rds",
  "dynamodb",
  "lambda",
  "secretsmanager",
  "autoscaling",
  "elasticloadbalancing",
  "monitoring",
  "ec2",
];

/** A swarm: some kinds are off, some rare, some likely, and now and then one service is all but gone. */
export const drawWeather = (random: Random): Weather => {
  const pick = <T>(from: readonly T[]): T => from[random.integer(0, from.length - 1)] as T;
  const rules: FaultRule[] = [];
  for (const kind of kinds) {
    const probability = pick([0, 0, 0.01, 0.04, 0.12]);
    const milliseconds = random.integer(200, 8000);
    if (probability > 0) rules.push({ kind, probability, milliseconds });
  }
  if (random.fraction() < 0.4) {
    const match = { service: pick(services) };
    rules.unshift({ kind: pick(kinds), match, probability: pick([0.4, 0.8, 1]), times: 40 });
  }
  if (random.fraction() < 0.35) {
    const match = { operation: "PromoteReadReplica" };
    rules.unshift({ kind: pick(kinds), match, times: random.integer(1, 3) });
  }
  const delivery = {
    duplicateProbability: pick([0, 0.2, 0.8]),
    lateProbability: pick([0, 0.1, 0.5]),
    lateMilliseconds: random.integer(1000, 90_000),
  };
  return { rules, delivery };
};

export const drawCrashes = (random: Random): Crashes => {
  const pick = (from: number[]) => from[random.integer(0, from.length - 1)] ?? 0;
  const exactly: CrashPoint[] = [];
  if (random.fraction() < 0.3) {
    const phase = random.fraction() < 0.3 ? "before" : "after";
    exactly.push({ at: "call", phase, operation: "PromoteReadReplica" });
  }
  return {
    checkpoint: pick([0, 0, 0.02, 0.1]),
    call: pick([0, 0, 0.01, 0.03]),
    most: random.integer(1, 25),
    exactly,
    duplicate: pick([0, 0.1, 0.5]),
  };
};

/** A kill as it happened. */
export interface Kill {
  where: string;
  atMilliseconds: number;
}

/** Kills and doubles from `begin` to `end`. */
export const executioner = (
  crashes: Crashes,
  random: Random,
  regions: readonly string[],
  tools: HookTools,
) => {
  const kills: Kill[] = [];
  const duplicates: string[] = [];
  const left = [...crashes.exactly];
  let on = false;
  const chance = (probability: number) =>
    on && kills.length < crashes.most && probability > 0 && random.fraction() < probability;
  const exact = (fits: (point: CrashPoint) => boolean): boolean => {
    const index = left.findIndex(fits);
    if (index < 0) return false;
    left.splice(index, 1);
    return true;
  };
  const note = (where: string) => void kills.push({ where, atMilliseconds: tools.now() });
  const atCall = (phase: "before" | "after", name: string, trace: string | undefined) => {
    const region = trace?.split("/", 1)[0] ?? "";
    const requestId = regions.includes(region) ? tools.requestOf(trace) : undefined;
    if (requestId === undefined) return undefined;
    const here = (point: CrashPoint) =>
      point.at === "call" && point.phase === phase && name.endsWith(`.${point.operation}`);
    if (!exact(here) && !chance(crashes.call)) return undefined;
    note(`${phase} ${name} by ${trace?.split("/").slice(0, 2).join("/")}`);
    tools.kill(requestId);
    return "silence" as const;
  };
  const lambda: LambdaOptions = {
    onCheckpoint: ({ phase, number }) => {
      const here = (point: CrashPoint) =>
        point.at === "checkpoint" && point.phase === phase && point.number === number;
      if (!exact(here) && !chance(crashes.checkpoint)) return undefined;
      note(`${phase} checkpoint`);
      return "kill";
    },
    duplicate: ({ name }) => {
      if (!on || crashes.duplicate === 0 || random.fraction() >= crashes.duplicate) return false;
      duplicates.push(name);
      return true;
    },
  };
  return {
    kills: kills as readonly Kill[],
    duplicates: duplicates as readonly string[],
    begin: () => void (on = true),
    end: () => void (on = false),
    atCall,
    lambda,
  };
};

export type Executioner = ReturnType<typeof executioner>;

/** Adds the weather's faults for callers in these regions; what comes back takes them away again. */
export const raise = (
  weather: Weather,
  faults: Faults,
  regions: readonly string[],
  setDelivery: (faults: DeliveryFaults) => void,
): (() => void) => {
  const removals = weather.rules.flatMap((rule) =>
    regions.map((from) => faults.add({ ...rule, match: { ...rule.match, from } })),
  );
  setDelivery(weather.delivery);
  return () => {
    for (const remove of removals) remove();
    setDelivery({});
  };
};
