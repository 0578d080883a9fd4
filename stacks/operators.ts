import type { Output } from "@pulumi/pulumi";
import type { Job } from "./job.ts";
import type { Statement } from "./permissions.ts";
import { coordinate, documentOf, journal } from "./permissions.ts";
import type { Platform } from "./platform.ts";
import type { Stage } from "./stage.ts";

/**
 * What `npm run ops` needs on a night without Slack: for each operator's own identity to be given by
 * hand, since who that is and how they sign in is not for a deployment to decide
 * (docs/runbook/break-glass.md). It depends on no region: IAM answers from each region's own copy.
 */
export const operators = (stage: Stage, platform: Platform, failovers: Job[]): Output<string> => {
  const { home, standby } = platform;
  const lists = failovers.map(({ executions }) => executions).filter((each) => each !== null);
  const may: Statement[] = [
    coordinate(platform),
    journal(platform, "ReadRuns", [home.region.name, standby.region.name], ["dynamodb:Query"]),
    {
      sid: "StartRuns",
      actions: ["lambda:InvokeFunction"],
      resources: failovers.map(({ target }) => target),
    },
    {
      sid: "SeeWhetherRunsAreAlive",
      actions: ["lambda:ListDurableExecutionsByFunction"],
      resources: failovers.map(({ target }) => target),
    },
    {
      sid: "WakeRunsThatWaitForAnAnswer",
      actions: ["lambda:SendDurableExecutionCallbackSuccess"],
      resources: lists,
    },
  ];
  return new aws.iam.Policy(
    "OperatorsMay",
    {
      name: `${stage.prefix}-operator`,
      description: "The command line for a night without Slack: see docs/runbook/break-glass.md",
      policy: documentOf(may),
    },
    { provider: standby.region.provider },
  ).arn;
};
