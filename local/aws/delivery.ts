import type { Random } from "../../shared/random.ts";
import { AwsError, type Surroundings } from "./service.ts";

/** How badly events and schedules are delivered, on top of the usual short delay. */
export interface DeliveryFaults {
  /** Chance, 0 to 1, that a delivery that succeeded is made a second time. */
  duplicateProbability?: number;
  /** Chance, 0 to 1, that a delivery is late by up to `lateMilliseconds`; this also reorders. */
  lateProbability?: number;
  lateMilliseconds?: number;
}

export interface Delivery {
  delayMilliseconds: number;
  /** An AwsError from it means "not accepted, try again"; anything else is a bug and ends the run. */
  attempt: () => void | Promise<void>;
  /** What AWS's RetryPolicy bounds: attempts after the first, and the age of the event. */
  maximumRetries: number;
  maximumAgeSeconds: number;
  dropped: (error: AwsError) => void;
}

/** EventBridge and its scheduler: 185 retries and 24 hours unless the target says otherwise. */
export const defaultRetries = { maximumRetries: 185, maximumAgeSeconds: 86_400 };

const longestPauseMilliseconds = 600_000;

/** Exponential, with jitter, as AWS documents it without figures; the figures are assumptions. */
const pause = (random: Random, failures: number): number =>
  Math.min(longestPauseMilliseconds, 1000 * 2 ** failures) * (0.5 + random.fraction() / 2);

/** At-least-once delivery on the timeline. */
export const deliverer = ({ timeline, random }: Surroundings) => {
  let faults: DeliveryFaults = {};

  const run = async (delivery: Delivery, since: number, failures: number): Promise<void> => {
    const error = await refusal(delivery);
    if (!error) return;
    const wait = pause(random, failures);
    const age = timeline.now() + wait - since;
    if (failures >= delivery.maximumRetries || age > delivery.maximumAgeSeconds * 1000) {
      delivery.dropped(error);
      return;
    }
    timeline.after(wait, () => run(delivery, since, failures + 1));
  };

  const chance = (probability = 0) => probability > 0 && random.fraction() < probability;
  const late = () =>
    chance(faults.lateProbability) ? random.fraction() * (faults.lateMilliseconds ?? 0) : 0;

  return {
    setFaults: (next: DeliveryFaults): void => void (faults = next),
    deliver: (delivery: Delivery): void => {
      const since = timeline.now();
      const copies = chance(faults.duplicateProbability) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        const delay = delivery.delayMilliseconds + late() + copy * random.fraction() * 2000;
        timeline.after(delay, () => run(delivery, since, 0));
      }
    },
  };
};

const refusal = async (delivery: Delivery): Promise<AwsError | undefined> => {
  try {
    await delivery.attempt();
    return undefined;
  } catch (error) {
    if (error instanceof AwsError) return error;
    throw error;
  }
};

/** What a delivery meets when its way is blocked; the next attempt may find it open. */
export const unreachable = (place: string): AwsError =>
  new AwsError("InternalException", `${place} did not answer`, { status: 500 });
