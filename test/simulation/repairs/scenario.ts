import type { Right } from "../../../functions/remediation/playbooks.ts";
import type { Script } from "../../../local/slack/operators.ts";
import type { Random } from "../../../shared/random.ts";

/** What is wrong with the platform. Plain data. */
export type Trouble =
  | { is: "sick-hosts"; count: number; healsAfterSeconds: number | null }
  | { is: "filling-disk" }
  | { is: "forgotten-sessions"; count: number }
  | { is: "more-users" }
  | { is: "false-alarm"; kind: string; forSeconds: number }
  | { is: "alarm-storm"; count: number };

/** What people and the rest of Nightshift do at the same time. */
export type Meanwhile =
  | { is: "pause"; forSeconds: number }
  | { is: "failover"; forSeconds: number }
  | { is: "deploy" | "maintenance" | "rotation"; forSeconds: number }
  | { is: "by-hand"; what: "ends-the-sick" | "ends-a-healthy" | "grows-group" | "grows-storage" };

export interface Scenario {
  instances: number;
  rights: Record<string, Right>;
  people: Script[];
  troubles: { afterSeconds: number; trouble: Trouble }[];
  meanwhile: { afterSeconds: number; deed: Meanwhile }[];
  /** From then on no call fails and nobody is killed. */
  healedAfterSeconds: number;
}

/** One sick instance, and nothing else. */
export const plain: Scenario = {
  instances: 3,
  rights: {
    "unhealthy-host": "automatic",
    latency: "automatic",
    "database-storage": "ask",
    "database-connections": "automatic",
  },
  people: [{ user: "U0ANA", says: "approve", thinksSeconds: [20, 40] }],
  troubles: [{ afterSeconds: 0, trouble: { is: "sick-hosts", count: 1, healsAfterSeconds: null } }],
  meanwhile: [],
  healedAfterSeconds: 0,
};

const pick = <T>(random: Random, from: readonly T[]): T =>
  from[random.integer(0, from.length - 1)] as T;

const kinds = ["unhealthy-hosts", "database-storage", "database-connections", "latency"];

const troubleOf = (random: Random): Trouble => {
  switch (random.integer(0, 7)) {
    case 0:
    case 1:
      return { is: "sick-hosts", count: 1, healsAfterSeconds: healing(random) };
    case 2:
      return { is: "sick-hosts", count: random.integer(2, 4), healsAfterSeconds: healing(random) };
    case 3:
      return { is: "filling-disk" };
    case 4:
      return { is: "forgotten-sessions", count: random.integer(20, 120) };
    case 5:
      return { is: "more-users" };
    case 6:
      return {
        is: "false-alarm",
        kind: pick(random, kinds),
        forSeconds: random.integer(30, 900),
      };
    default:
      return { is: "alarm-storm", count: random.integer(20, 120) };
  }
};

const healing = (random: Random): number | null =>
  random.fraction() < 0.3 ? random.integer(200, 1200) : null;

const meanwhileOf = (random: Random): Meanwhile => {
  const forSeconds = random.integer(60, 1500);
  switch (random.integer(0, 5)) {
    case 0:
    case 1:
      return { is: "pause", forSeconds };
    case 2:
      return { is: "failover", forSeconds };
    case 3:
      return { is: pick(random, ["deploy", "maintenance", "rotation"] as const), forSeconds };
    default:
      return {
        is: "by-hand",
        what: pick(random, ["ends-the-sick", "ends-a-healthy", "grows-group", "grows-storage"]),
      };
  }
};

const peopleOf = (random: Random): Script[] => {
  const thinksSeconds: [number, number] = pick(random, [
    [20, 60],
    [60, 600],
  ]);
  const says = random.fraction() < 0.75 ? "approve" : "reject";
  return random.fraction() < 0.15 ? [] : [{ user: "U0ANA", says, thinksSeconds }];
};

const rights: readonly Right[] = ["automatic", "automatic", "automatic", "ask", "shadow", "off"];

export const draw = (random: Random): Scenario => ({
  instances: random.integer(2, 5),
  rights: Object.fromEntries(Object.keys(plain.rights).map((name) => [name, pick(random, rights)])),
  people: peopleOf(random),
  troubles: Array.from({ length: random.integer(1, 3) }, (_, index) => ({
    afterSeconds: index === 0 ? 0 : random.integer(0, 1200),
    trouble: troubleOf(random),
  })),
  meanwhile: Array.from({ length: random.integer(0, 2) }, () => ({
    // The first alarm of most troubles comes after three to six minutes, and its repair at once.
    afterSeconds: random.fraction() < 0.5 ? random.integer(280, 420) : random.integer(0, 1800),
    deed: meanwhileOf(random),
  })),
  healedAfterSeconds: random.integer(300, 2400),
});
