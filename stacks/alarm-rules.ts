import type { Job } from "./job.ts";
import { named } from "./regions.ts";

/** What of an alarm's name sets a function off at the moment at which it begins. */
export interface AlarmRule {
  /** `RegionLost`: how its parts are called in the stacks. */
  title: string;
  /** Its name in AWS. */
  name: string;
  description: string;
  alarmName: string | { prefix: string };
}

/**
 * Sets a function off when an alarm of its own region begins. Another region's alarms may be forwarded to
 * this one's bus, so the region is part of the pattern.
 */
export const onAlarm = (job: Job, { title, name, description, alarmName }: AlarmRule): void => {
  const { region, deadLetters } = job;
  const { provider } = region;
  if (!deadLetters) throw new Error(`${job.name} takes no events`);
  const rule = new aws.cloudwatch.EventRule(
    named(title, region),
    {
      name,
      description,
      eventPattern: JSON.stringify({
        source: ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        region: [region.name],
        detail: { alarmName: [alarmName], state: { value: ["ALARM"] } },
      }),
    },
    { provider },
  );
  new aws.lambda.Permission(
    named(`${title}May`, region),
    {
      action: "lambda:InvokeFunction",
      // By its name, and not before it is there.
      function: job.target.apply(() => job.name),
      principal: "events.amazonaws.com",
      sourceArn: rule.arn,
    },
    { provider },
  );
  new aws.sqs.QueuePolicy(
    named(`${title}DeadLettersPolicy`, region),
    {
      queueUrl: deadLetters.url,
      policy: $jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "RuleGivesUp",
            Effect: "Allow",
            Principal: { Service: "events.amazonaws.com" },
            Action: "sqs:SendMessage",
            Resource: deadLetters.arn,
            Condition: { ArnEquals: { "aws:SourceArn": rule.arn } },
          },
        ],
      }),
    },
    { provider },
  );
  new aws.cloudwatch.EventTarget(
    named(`${title}Target`, region),
    {
      rule: rule.name,
      targetId: job.job,
      arn: job.target,
      // The function looks by itself each minute: what comes later has been seen already.
      retryPolicy: { maximumRetryAttempts: 10, maximumEventAgeInSeconds: 300 },
      deadLetterConfig: { arn: deadLetters.arn },
    },
    { provider },
  );
};
