import { accountOf } from "./permissions.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** Where a region's alarms go. */
export interface Alerts {
  region: Region;
  topic: aws.sns.Topic;
}

/** Alarms, and what RDS tells of by itself. */
const publishers = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"];

/**
 * A topic in each region, so that an alarm is told of by the region that raises it. Encrypted with a key
 * of its own: what AWS keeps for SNS cannot be used by CloudWatch. Source: "Amazon SNS data encryption",
 * "Enable compatibility between event sources from AWS services and encrypted topics".
 */
export const alerts = (stage: Stage, region: Region): Alerts => {
  const { provider } = region;
  const topic = new aws.sns.Topic(
    named("Alerts", region),
    { name: `${stage.prefix}-alerts`, kmsMasterKeyId: keyOf(stage, region).arn },
    { provider },
  );
  new aws.sns.TopicPolicy(
    named("AlertsPolicy", region),
    {
      arn: topic.arn,
      policy: $jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "AlarmsArePublished",
            Effect: "Allow",
            Principal: { Service: publishers },
            Action: "sns:Publish",
            Resource: topic.arn,
            Condition: fromThisAccount(region),
          },
        ],
      }),
    },
    { provider },
  );
  stage.config.alerts.emails.forEach((endpoint, index) => {
    new aws.sns.TopicSubscription(
      named(`Alerts${index + 1}`, region),
      { topic: topic.arn, protocol: "email", endpoint },
      { provider },
    );
  });
  return { region, topic };
};

const fromThisAccount = (region: Region) => ({
  StringEquals: { "aws:SourceAccount": accountOf(region) },
});

const keyOf = (stage: Stage, region: Region): aws.kms.Key =>
  new aws.kms.Key(
    named("AlertsKey", region),
    {
      description: `${stage.prefix}: what alarms say on their way to people`,
      enableKeyRotation: true,
      policy: $jsonStringify({
        Version: "2012-10-17",
        Statement: [
          {
            Sid: "AccountDecides",
            Effect: "Allow",
            Principal: { AWS: $interpolate`arn:aws:iam::${accountOf(region)}:root` },
            Action: "kms:*",
            Resource: "*",
          },
          {
            Sid: "AlarmsArePublished",
            Effect: "Allow",
            Principal: { Service: "cloudwatch.amazonaws.com" },
            Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            Resource: "*",
            Condition: fromThisAccount(region),
          },
          {
            // Bounded by the topic's policy: a condition that RDS does not bring along would drop
            // every message, and nobody would be told.
            Sid: "EventsOfRdsArePublished",
            Effect: "Allow",
            Principal: { Service: "events.rds.amazonaws.com" },
            Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            Resource: "*",
          },
        ],
      }),
    },
    { provider: region.provider },
  );
