import { titled } from "./alarm.ts";
import type { Job } from "./job.ts";
import { accountOf, documentOf } from "./permissions.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** What the Scheduler does again and again. */
export interface Beat {
  job: Job;
  everyMinutes: number;
  input: object;
}

/** The group that a region's schedules are in, which is what their metrics go by. */
export const scheduleGroup = ({ prefix }: Stage): string => prefix;

/** A region's schedules, with a role that may set off these functions and no other. */
export const schedules = (stage: Stage, region: Region, beats: Beat[]): void => {
  const { provider } = region;
  const role = new aws.iam.Role(
    named("SchedulesRole", region),
    {
      name: `${stage.prefix}-schedules-${region.name}`,
      assumeRolePolicy: assumedByScheduler(region),
    },
    { provider },
  );
  new aws.iam.RolePolicy(
    named("SchedulesMay", region),
    {
      role: role.id,
      name: "may",
      policy: documentOf([
        {
          sid: "SetOffFunctions",
          actions: ["lambda:InvokeFunction"],
          resources: beats.map(({ job }) => job.target),
        },
        {
          sid: "GiveUpAnEvent",
          actions: ["sqs:SendMessage"],
          resources: beats.map(({ job }) => deadLettersOf(job).arn),
        },
      ]),
    },
    { provider },
  );
  const group = new aws.scheduler.ScheduleGroup(
    named("Schedules", region),
    { name: scheduleGroup(stage) },
    { provider },
  );
  for (const { job, everyMinutes, input } of beats) {
    const unit = everyMinutes === 1 ? "minute" : "minutes";
    new aws.scheduler.Schedule(
      named(`${titled(job.job)}Schedule`, region),
      {
        name: job.name,
        groupName: group.name,
        scheduleExpression: `rate(${everyMinutes} ${unit})`,
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: job.target,
          roleArn: role.arn,
          input: JSON.stringify(input),
          // Until the next one is due, which is the least that the Scheduler offers for a minute.
          retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: 60 * everyMinutes },
          deadLetterConfig: { arn: deadLettersOf(job).arn },
        },
      },
      { provider },
    );
  }
};

/** For this account's schedules only. Source: "Cross-service confused deputy prevention" there. */
const assumedByScheduler = (region: Region) =>
  $jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "scheduler.amazonaws.com" },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "aws:SourceAccount": accountOf(region) } },
      },
    ],
  });

const deadLettersOf = ({ name, deadLetters }: Job): aws.sqs.Queue => {
  if (!deadLetters) throw new Error(`${name} takes no events, so nothing can set it off`);
  return deadLetters;
};
