import type { Clock } from "../../shared/clock.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import type { Facts } from "./decide.ts";

/** What a plan rests on and could not be read. */
export const unread = ({ pause, ...facts }: Facts): string[] => {
  const { lease, replica, position, contact, readiness, upheavals } = facts;
  const known = { lease, replica, position, contact, readiness, upheavals };
  const missing = Object.entries(known).flatMap(([name, fact]) => (fact.known ? [] : [name]));
  return pause.is === "unknown" ? [...missing, "pause"] : missing;
};

/** Which facts a refusal may be wanting; what is not here forbids the move by what is known. */
const wanting: Record<string, readonly string[]> = {
  "lease-unknown": ["lease"],
  "pause-unknown": ["pause"],
  "replica-unknown": ["replica"],
  "contact-unknown": ["contact"],
  "lag-unknown": ["position", "contact"],
  lag: ["position", "contact"],
  "not-ready": ["readiness"],
};

/** Whether nothing known forbids it: each refusal is for want of a fact that another look may give. */
export const isForWant = (refusals: readonly Refusal[], facts: Facts): boolean => {
  const missing = unread(facts);
  return refusals.every(({ code }) => wanting[code]?.some((fact) => missing.includes(fact)));
};

const everySeconds = 10;

interface Look {
  /** Something could not be read, and it is worth another look. */
  again: boolean;
}

/**
 * Looks until everything could be read, for `seconds` at most: one call that failed says nothing about
 * the world. Each look is a step of its own, and between them nothing runs.
 */
export const untilRead = async <Seen extends Look>(
  { steps, clock }: { steps: Steps; clock: Clock },
  name: string,
  seconds: number,
  look: () => Promise<Seen>,
): Promise<Seen> => {
  const most = Math.ceil(seconds / everySeconds) + 1;
  let until: number | undefined;
  for (let number = 1; ; number += 1) {
    const called = number === 1 ? name : `${name}, look ${number}`;
    const { seen, from, to } = await steps.step(called, async () => {
      const from = Math.floor(clock.now());
      return { from, seen: await look(), to: Math.floor(clock.now()) };
    });
    until ??= from + seconds * 1000;
    if (!seen.again || number >= most || to >= until) return seen;
    await steps.rest(`${called}: look again`, everySeconds);
  }
};
