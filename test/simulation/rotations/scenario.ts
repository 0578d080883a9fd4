import { names } from "../../../drills/names.ts";
import type { Random } from "../../../shared/random.ts";

/** What is rotated in a modelled world: logins, the owner, and the ring that rows depend on. */
export const rotatable = [
  names.secrets.application,
  names.rotated.owner,
  names.rotated.encryption,
] as const;
export type Rotatable = (typeof rotatable)[number];

/** What happens in one night besides faults and crashes. Plain data, so that a failure can be read. */
export interface Scenario {
  /** Each is asked for so long after the beginning. */
  orders: { secret: Rotatable; afterSeconds: number }[];
  /** The home region is lost so long after the first order; null: it stays. */
  lostAfterSeconds: number | null;
  /** After it was lost; null: it stays away. */
  returnsAfterSeconds: number | null;
  /** No fault and no crash from then on, after the first order. */
  healedAfterSeconds: number;
}

export const plain: Scenario = {
  orders: [{ secret: names.secrets.application, afterSeconds: 0 }],
  lostAfterSeconds: null,
  returnsAfterSeconds: null,
  healedAfterSeconds: 0,
};

/** Mostly lost in the minutes in which a value is exchanged, or just after it. */
export const drawScenario = (random: Random): Scenario => {
  const pick = <T>(from: readonly T[]): T => from[random.integer(0, from.length - 1)] as T;
  const count = random.integer(1, 3);
  const orders = Array.from({ length: count }, (_each, index) => ({
    secret: pick(rotatable),
    afterSeconds: index === 0 ? 0 : random.integer(0, 5400),
  }));
  const isLost = random.fraction() < 0.5;
  const soon = random.fraction() < 0.7;
  return {
    orders,
    lostAfterSeconds: isLost ? random.integer(0, soon ? 120 : 3000) : null,
    returnsAfterSeconds: isLost && random.fraction() < 0.5 ? random.integer(300, 2400) : null,
    healedAfterSeconds: random.integer(300, 2400),
  };
};
