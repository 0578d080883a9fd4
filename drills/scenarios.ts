import { controlPlaneLoss } from "./control-plane-loss.ts";
import { failback } from "./failback.ts";
import { orchestratorCrash } from "./orchestrator-crash.ts";
import { regionCut } from "./region-cut.ts";
import { regionLoss } from "./region-loss.ts";
import type { Scenario } from "./scenario.ts";
import { switchover } from "./switchover.ts";

/** What `npm run drill -- <name>` knows. */
export const scenarios: readonly Scenario[] = [
  regionLoss,
  regionCut,
  switchover,
  failback,
  controlPlaneLoss,
  orchestratorCrash,
];

/** Throws for a name that is not in the list: the command line is checked before. */
export const scenarioNamed = (name: string): Scenario => {
  const found = scenarios.find((each) => each.name === name);
  if (!found) throw new Error(`there is no scenario "${name}"`);
  return found;
};
