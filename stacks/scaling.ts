import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

interface Step {
  name: "ScaleOut" | "ScaleIn";
  comparisonOperator: "GreaterThanThreshold" | "LessThanThreshold";
  threshold: number;
  minutes: number;
  /** Instances: one for each zone out, and one at a time in. */
  change: number;
}

/** Out soon, in late: what is missing hurts users, and what is too much costs a few cents. */
const steps: readonly Step[] = [
  {
    name: "ScaleOut",
    comparisonOperator: "GreaterThanThreshold",
    threshold: 70,
    minutes: 5,
    change: 3,
  },
  {
    name: "ScaleIn",
    comparisonOperator: "LessThanThreshold",
    threshold: 30,
    minutes: 15,
    change: -1,
  },
];

const cooldownSeconds = 300;

/** An empty group has no load to measure, so nothing scales a region that is fenced. */
export const scaling = (stage: Stage, region: Region, group: aws.autoscaling.Group): void => {
  for (const step of steps) scaleBy(stage, region, group, step);
  const { quiet, minimum } = stage.config.sizes.application;
  // Only where users are while nothing is wrong: a night's minimum says nothing about a standby.
  if (!quiet || region.role !== "primary") return;
  const at = (name: string, recurrence: string, minSize: number) =>
    new aws.autoscaling.Schedule(
      named(name, region),
      {
        scheduledActionName: name.toLowerCase(),
        autoscalingGroupName: group.name,
        recurrence,
        timeZone: "Etc/UTC",
        minSize,
        // Left as they are: -1 is the provider's word for it.
        maxSize: -1,
        desiredCapacity: -1,
      },
      { provider: region.provider },
    );
  at("Quiet", quiet.from, quiet.minimum);
  at("Busy", quiet.until, minimum);
};

const scaleBy = (
  stage: Stage,
  region: Region,
  group: aws.autoscaling.Group,
  { name, comparisonOperator, threshold, minutes, change }: Step,
): void => {
  const { provider } = region;
  const policy = new aws.autoscaling.Policy(
    named(name, region),
    {
      name: name.toLowerCase(),
      autoscalingGroupName: group.name,
      policyType: "SimpleScaling",
      adjustmentType: "ChangeInCapacity",
      scalingAdjustment: change,
      cooldown: cooldownSeconds,
    },
    { provider },
  );
  new aws.cloudwatch.MetricAlarm(
    named(`${name}Alarm`, region),
    {
      name: `${stage.prefix}-${name.toLowerCase()}`,
      alarmDescription: `The instances' CPU was on one side of ${threshold} % for ${minutes} minutes`,
      namespace: "AWS/EC2",
      metricName: "CPUUtilization",
      dimensions: { AutoScalingGroupName: group.name },
      statistic: "Average",
      period: 60,
      evaluationPeriods: minutes,
      datapointsToAlarm: minutes,
      threshold,
      comparisonOperator,
      treatMissingData: "notBreaching",
      alarmActions: [policy.arn],
    },
    { provider },
  );
};
