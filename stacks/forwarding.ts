import { alarm } from "./alarm.ts";
import type { Alerts } from "./alerts.ts";
import { assumedBy } from "./job.ts";
import { accountOf, documentOf } from "./permissions.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** Later it is no news any more: the other region looks each minute by itself. */
const longestAgeSeconds = 300;

/**
 * Tells another region's event bus of every change of this region's alarms. Whoever listens there must
 * not wait for it: a region that is lost tells nothing, and its observers see that from outside. Each
 * rule that sets a function off therefore names its own region. There is no way back that a forwarded
 * alarm could take: EventBridge passes nothing on to a third bus. Sources: "Expanding cross-Region event
 * routing with Amazon EventBridge", "Sending events between event buses".
 */
export const forwarding = (stage: Stage, told: Alerts, to: Region) => {
  const { region } = told;
  const { provider } = region;
  const name = `${stage.prefix}-alarms-to-${to.name}`;
  const bus = $interpolate`arn:aws:events:${to.name}:${accountOf(region)}:event-bus/default`;
  const rule = new aws.cloudwatch.EventRule(
    named("ForwardAlarms", region),
    {
      name,
      description: `Alarms of ${region.name}, for ${to.name}`,
      eventPattern: JSON.stringify({
        source: ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        region: [region.name],
        detail: { alarmName: [{ prefix: `${stage.prefix}-` }] },
      }),
    },
    { provider },
  );
  const deadLetters = deadLettersOf(stage, region, rule);
  new aws.cloudwatch.EventTarget(
    named("ForwardAlarmsTarget", region),
    {
      rule: rule.name,
      targetId: "other-region",
      arn: bus,
      roleArn: senderOf(stage, region, bus),
      retryPolicy: { maximumRetryAttempts: 10, maximumEventAgeInSeconds: longestAgeSeconds },
      deadLetterConfig: { arn: deadLetters.arn },
    },
    { provider },
  );
  return alarm(stage, told, {
    name: "forwarding-dead-letters",
    says: `Alarms of ${region.name} do not reach ${to.name}: nothing there waits for them.`,
    of: {
      namespace: "AWS/SQS",
      name: "ApproximateNumberOfMessagesVisible",
      dimensions: { QueueName: deadLetters.name },
      statistic: "Maximum",
    },
    when: { above: 0 },
    periodSeconds: 60,
    during: [1, 1],
    silenceIs: "well",
  });
};

const deadLettersOf = (
  stage: Stage,
  region: Region,
  rule: aws.cloudwatch.EventRule,
): aws.sqs.Queue => {
  const { provider } = region;
  const queue = new aws.sqs.Queue(
    named("ForwardAlarmsDeadLetters", region),
    {
      name: `${stage.prefix}-forwarding-dead-letters`,
      messageRetentionSeconds: 1_209_600,
      sqsManagedSseEnabled: true,
    },
    { provider },
  );
  new aws.sqs.QueuePolicy(
    named("ForwardAlarmsDeadLettersPolicy", region),
    {
      queueUrl: queue.url,
      policy: $jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "RuleGivesUp",
            Effect: "Allow",
            Principal: { Service: "events.amazonaws.com" },
            Action: "sqs:SendMessage",
            Resource: queue.arn,
            Condition: { ArnEquals: { "aws:SourceArn": rule.arn } },
          },
        ],
      }),
    },
    { provider },
  );
  return queue;
};

/** Events to a bus of another region are sent in a role's name. */
const senderOf = (stage: Stage, region: Region, bus: ReturnType<typeof accountOf>) => {
  const { provider } = region;
  const role = new aws.iam.Role(
    named("ForwardAlarmsRole", region),
    {
      name: `${stage.prefix}-forwarding-${region.name}`,
      assumeRolePolicy: assumedBy("events.amazonaws.com"),
    },
    { provider },
  );
  const may = new aws.iam.RolePolicy(
    named("ForwardAlarmsMay", region),
    {
      role: role.id,
      name: "may",
      policy: documentOf([
        { sid: "TellTheOtherRegion", actions: ["events:PutEvents"], resources: [bus] },
      ]),
    },
    { provider },
  );
  return $resolve([role.arn, may.id]).apply(([arn]) => arn);
};
