import type { Steps } from "../../shared/steps.ts";
import type { Result, Run, Work } from "./failover.ts";
import { newRun, record, walk } from "./failover.ts";
import type { Ports } from "./ports.ts";
import type { CarryOnRequest } from "./request.ts";

/**
 * Goes on with a run that has ended with a human after its claim: the same run and the same lease, by a
 * durable execution of its own. What to do comes from the world as it is now; the journal is asked only
 * for what the world cannot show.
 */
export const carryOn = async (
  steps: Steps,
  ports: Ports,
  { run: name, again, move, trigger }: CarryOnRequest,
): Promise<Result> => {
  const { clock, policy } = ports;
  const startedAtMilliseconds = await steps.step("begin", async () => Math.floor(clock.now()));
  const first = newRun({ run: name, kind: move, trigger }, policy, startedAtMilliseconds);
  const run: Run = { ...first, again, state: "carried-on" };
  const work: Work = { steps, clock, ports, run };
  await record(work, "begin", {
    kind: "saw",
    text: `Carried on by ${trigger.who}: ${trigger.reason || "no reason given"}`,
    data: { kind: move, trigger, to: run.state },
  });
  return walk(work);
};
