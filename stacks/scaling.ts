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

/**
 * An empty group has no load to measure, so nothing scales a region that is fenced. Nothing does by the
 * clock either: a scheduled action with a minimum starts instances wherever fewer are wanted, so the
 * quiet hours are kept by the guard, which knows the lease (functions/guard/guard.ts).
 */
export const scaling = (stage: Stage, region: Region, group: aws.autoscaling.Group): void => {
  for (const step of steps) scaleBy(stage, region, group, step);
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
