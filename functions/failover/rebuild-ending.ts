import type { Ensured } from "../../shared/ensure.ts";
import type { Refusal } from "../../shared/outcome.ts";
import type { PartEnding, Rebuild } from "./rebuild.ts";

type Stopped = Extract<PartEnding, { is: "stopped" }>;

export const stopped = (text: string): Stopped => ({ is: "stopped", text });

/** What an operator has stopped calls nobody: they know. */
export const stoppedBy = ({ code, reason }: Refusal): Stopped => ({
  ...stopped(reason),
  ...(code === "aborted" ? { by: "people" } : {}),
});

/** What an `ensure` came to that did not reach its end. */
export const unreached = <Seen>(
  ensured: Exclude<Ensured<Seen>, { is: "ensured" }>,
  what: string,
): Stopped => {
  if (ensured.is === "refused") return stoppedBy(ensured.refusal);
  const { last, doubt } = ensured;
  const seen = last.known ? JSON.stringify(last.value) : last.why;
  return stopped(`${what} Last seen: ${seen}.${doubt ? ` ${doubt}` : ""}`);
};

/** From the first order on, whatever came of it, the run has changed something. */
export const noteActs = (run: Rebuild, { acts }: Ensured<unknown>): void => {
  if (acts > 0) run.changed = true;
};
