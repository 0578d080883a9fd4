import { observed } from "../../shared/outcome.ts";
import type { Work } from "./remediation.ts";

/** How it has done decides over its right the next time. What cannot be counted stops nothing. */
export const count = async (
  { steps, clock, ports, run, playbook }: Work,
  outcome: "healed" | "ineffective" | "shadowed" | "needless",
): Promise<void> => {
  const counted = await steps.step(`count ${outcome}`, () =>
    observed("coordination table", clock.now, () =>
      ports.countOutcome(playbook.name, run.name, outcome),
    ),
  );
  if (!counted.known) run.unrecorded += 1;
};
