import type { VerificationRequest } from "../../../functions/verification/request.ts";
import type { Random } from "../../../shared/random.ts";

/** What is the matter with the backups, from a moment on and for good. */
export type Damage = "replication-stopped" | "key-disabled" | "backups-gone";

/** What happens in one night besides faults and crashes. Plain data, so that a failure can be read. */
export interface Scenario {
  /** Besides those that the sweep begins by itself. */
  orders: { age: VerificationRequest["age"]; afterSeconds: number }[];
  damage: { is: Damage; afterSeconds: number } | null;
  /** The home region is lost so long after the beginning; null: it stays. */
  lostAfterSeconds: number | null;
  /** After it was lost. */
  returnsAfterSeconds: number;
  /** Somebody presses the switch so long after the beginning, for as long; null: nobody. */
  paused: { afterSeconds: number; forSeconds: number } | null;
  /** Whether something stands there that is called like a copy and that no journal knows. */
  hasStranger: boolean;
  /** No fault and no crash from then on. */
  healedAfterSeconds: number;
}

export const plain: Scenario = {
  orders: [{ age: { is: "latest" }, afterSeconds: 0 }],
  damage: null,
  lostAfterSeconds: null,
  returnsAfterSeconds: 0,
  paused: null,
  hasStranger: false,
  healedAfterSeconds: 0,
};

const ages: readonly VerificationRequest["age"][] = [{ is: "latest" }, { is: "random" }];
const damages: readonly Damage[] = ["replication-stopped", "key-disabled", "backups-gone"];

export const drawScenario = (random: Random): Scenario => {
  const pick = <T>(from: readonly T[]): T => from[random.integer(0, from.length - 1)] as T;
  const count = random.integer(1, 3);
  const orders = Array.from({ length: count }, (_each, index) => ({
    age: pick(ages),
    afterSeconds: index === 0 ? random.integer(0, 600) : random.integer(0, 9000),
  }));
  const damaged = { is: pick(damages), afterSeconds: random.integer(0, 7200) };
  return {
    orders,
    damage: random.fraction() < 0.4 ? damaged : null,
    lostAfterSeconds: random.fraction() < 0.2 ? random.integer(0, 5400) : null,
    returnsAfterSeconds: random.integer(120, 2400),
    paused:
      random.fraction() < 0.2
        ? { afterSeconds: random.integer(0, 3600), forSeconds: random.integer(300, 3600) }
        : null,
    hasStranger: random.fraction() < 0.5,
    healedAfterSeconds: random.integer(600, 7200),
  };
};
