import {
  CallbackTimeoutError,
  type DurableContext,
  StepSemantics,
} from "@aws/durable-execution-sdk-js";
import type { Steps } from "./steps.ts";

/**
 * A failed step is tried again after 2, 4, 8, 16 and 32 s. Everything in a step bears repeating, and
 * a minute outlasts the usual throttling; what fails for longer is for a human.
 */
const retryStrategy = (_error: Error, attempt: number) =>
  attempt < 6 ? { shouldRetry: true, delay: { seconds: 2 ** attempt } } : { shouldRetry: false };

/**
 * Steps of a Lambda durable function. Semantics and retries are given explicitly: the SDK's text and
 * code have disagreed about its default semantics.
 */
export const durableSteps = (context: DurableContext): Steps => ({
  step: (name, act) =>
    context.step(name, act, { semantics: StepSemantics.AtLeastOncePerRetry, retryStrategy }),
  rest: (name, seconds) => context.wait(name, { seconds: Math.max(1, Math.ceil(seconds)) }),
  awaken: async (name, seconds, submit) => {
    const [answered, id] = await context.createCallback(name, { timeout: { seconds } });
    const options = { semantics: StepSemantics.AtLeastOncePerRetry, retryStrategy };
    if (await context.step(`${name}: who wakes it`, () => submit(id), options)) return "woken";
    try {
      await answered;
      return "woken";
    } catch (error) {
      if (error instanceof CallbackTimeoutError) return "timed-out";
      throw error;
    }
  },
});
