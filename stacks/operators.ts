import type { Output } from "@pulumi/pulumi";
import type { Directed } from "./permissions.ts";
import { coordinate, directRuns, documentOf } from "./permissions.ts";
import type { Platform } from "./platform.ts";
import type { Stage } from "./stage.ts";

/**
 * What `npm run ops` needs on a night without Slack: for each operator's own identity to be given by
 * hand, since who that is and how they sign in is not for a deployment to decide
 * (docs/runbook/break-glass.md). It depends on no region: IAM answers from each region's own copy.
 */
export const operators = (stage: Stage, platform: Platform, directed: Directed): Output<string> => {
  const may = [coordinate(platform), ...directRuns(platform, directed)];
  return new aws.iam.Policy(
    "OperatorsMay",
    {
      name: `${stage.prefix}-operator`,
      description: "The command line for a night without Slack: see docs/runbook/break-glass.md",
      policy: documentOf(may),
    },
    { provider: platform.standby.region.provider },
  ).arn;
};
