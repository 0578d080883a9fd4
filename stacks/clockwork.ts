import { lookEverySeconds } from "../shared/readiness.ts";

/** What runs by the clock, with what it is told. */
export const clockwork: Record<string, { everyMinutes: number; input: object }> = {
  guard: { everyMinutes: 1, input: { do: "watch" } },
  canary: { everyMinutes: 1, input: {} },
  detection: { everyMinutes: 1, input: { do: "recheck" } },
  triage: { everyMinutes: 1, input: { do: "recheck" } },
  sweep: { everyMinutes: 60, input: {} },
  readiness: { everyMinutes: lookEverySeconds / 60, input: {} },
};
