import type { Clock } from "../../shared/clock.ts";
import type { Fact } from "../../shared/outcome.ts";
import { observed } from "../../shared/outcome.ts";

/** One look or one call; what the time that is left does not suffice for is unknown. */
export type Within = <T>(source: string, look: () => Promise<T>) => Promise<Fact<T>>;

/** All calls of one request share its time, so that a slow one is borne when the others are quick. */
export const deadline = ({
  clock,
  answerSeconds,
}: {
  clock: Clock;
  answerSeconds: number;
}): Within => {
  const end = clock.now() + answerSeconds * 1000;
  return (source, look) =>
    observed(source, clock.now, async () => {
      const leftSeconds = Math.max(0.2, (end - clock.now()) / 1000);
      const finished = new AbortController();
      const late = clock.sleep(leftSeconds * 1000, finished.signal).then(() => {
        throw new Error(`no answer within ${Math.round(leftSeconds * 10) / 10} s`);
      });
      try {
        return await Promise.race([look(), late]);
      } finally {
        finished.abort();
      }
    });
};
