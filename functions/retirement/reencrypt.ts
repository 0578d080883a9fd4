import type { Clock } from "../../shared/clock.ts";
import { observed } from "../../shared/outcome.ts";
import type { Steps } from "../../shared/steps.ts";
import type { Order, Policy } from "./decide.ts";
import type { Ports } from "./retirement.ts";

/** What is known of the rows that are still sealed by an older key. */
export interface Progress {
  /** The least that was ever left, and when that was first seen, or nobody was last allowed to work. */
  least: number;
  sinceMilliseconds: number;
}

/** An application that has not sealed one row again for so long, while it may, does not know how. */
const stallSeconds = 3600;

/** Pure. Null when nothing was ever seen. */
export const progressed = (
  before: Progress | null,
  seen: { at: number; left: number; isHeld: boolean },
): Progress => {
  if (before === null || seen.left < before.least || seen.isHeld) {
    const least = Math.min(seen.left, before?.least ?? seen.left);
    return { least, sinceMilliseconds: seen.at };
  }
  return before;
};

const waited = (before: Progress | null, at: number): Progress | null =>
  before && { ...before, sinceMilliseconds: at };

export const isStalled = ({ sinceMilliseconds }: Progress, now: number): boolean =>
  now - sinceMilliseconds >= stallSeconds * 1000;

const soonLooks = 30;
const soonSeconds = 20;
/** Shorter than what the application is permitted at a time: functions/rotation/reencrypt.ts. */
const laterSeconds = 240;
/** Two operations each, of the 3,000 that a durable execution keeps: two days and a half. */
const mostLooks = 900;

interface Work {
  steps: Steps;
  ports: Pick<Ports, "ask" | "policy"> & { clock: Clock; policy: Policy };
  order: Order;
  startedAt: number;
}

/**
 * Has the application seal its rows again with the key that has become the primary, until none is left.
 * How far it is stands in the rows and nowhere else: whoever goes on after a death begins by looking.
 * Gives why it did not come to an end, for people; everything can be opened all the same.
 */
export const sealedAgain = async (work: Work, region: string): Promise<string | undefined> => {
  const { steps, ports, order, startedAt } = work;
  const until = startedAt + ports.policy.deadlineSeconds * 1000;
  let progress: Progress | null = null;
  let last = "Nobody was asked.";
  let answeredAt: number | null = null;
  for (let look = 1; look <= mostLooks; look += 1) {
    const seen = await steps.step(`re-encrypt #${look}`, async () => {
      const answer = await observed(region, ports.clock.now, () =>
        ports.ask(region, "reencrypt", order),
      );
      return { at: Math.floor(ports.clock.now()), told: answer.known ? answer.value : answer.why };
    });
    const { at, told } = seen;
    if (typeof told === "string") {
      last = `${region} could not be asked: ${told}.`;
      answeredAt ??= at;
      // Nobody was permitted anything meanwhile: that says nothing of the application.
      progress = waited(progress, at);
      if (at - answeredAt >= stallSeconds * 1000) return `${last} So it has been for an hour.`;
    } else if ("refused" in told) return told.refused.reason;
    else {
      answeredAt = at;
      const { left = 0, isHeld = false } = told;
      if (left === 0) return undefined;
      last = told.did;
      progress = progressed(progress, { at, left, isHeld });
      if (isStalled(progress, at)) return `${last} The application has sealed none for an hour.`;
    }
    if (at >= until) break;
    const pause = look <= soonLooks ? soonSeconds : laterSeconds;
    await steps.rest(`until re-encrypt #${look + 1}`, pause);
  }
  return last;
};
