import type { Job } from "./job.ts";
import type { Watch } from "./observers.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

export const ruleName = ({ prefix }: Stage): string => `${prefix}-region-lost`;

/** Sets detection off at the moment at which the composite alarm begins, in the region of both. */
export const regionLost = (stage: Stage, { composite }: Watch, detection: Job): void => {
  const { region, deadLetters } = detection;
  const { provider } = region;
  if (!deadLetters) throw new Error("detection takes no events");
  const rule = new aws.cloudwatch.EventRule(
    named("RegionLost", region),
    {
      name: ruleName(stage),
      description: `The alarm ${composite} begins`,
      eventPattern: JSON.stringify({
        source: ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        detail: { alarmName: [composite], state: { value: ["ALARM"] } },
      }),
    },
    { provider },
  );
  new aws.lambda.Permission(
    named("RegionLostMay", region),
    {
      action: "lambda:InvokeFunction",
      // By its name, and not before it is there.
      function: detection.target.apply(() => detection.name),
      principal: "events.amazonaws.com",
      sourceArn: rule.arn,
    },
    { provider },
  );
  new aws.sqs.QueuePolicy(
    named("RegionLostDeadLettersPolicy", region),
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
    named("RegionLostTarget", region),
    {
      rule: rule.name,
      targetId: "detection",
      arn: detection.target,
      // Detection looks by itself each minute: what comes later has been seen already.
      retryPolicy: { maximumRetryAttempts: 10, maximumEventAgeInSeconds: 300 },
      deadLetterConfig: { arn: deadLetters.arn },
    },
    { provider },
  );
};
