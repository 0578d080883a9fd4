/** The account that recordings are made in. */
export const account = "123456789012";

/** Its replicas have the same id: "Multi-Region keys in AWS KMS". */
export const multiRegionKey = "mrk-11111111222243338444555555555555";

/** A resource's part of its ARN, after `arn:aws:<service>:<region>:<account>:`. */
const shapes: Readonly<Record<string, readonly [service: string, rest: (id: string) => string]>> = {
  "aws:acm/certificate:Certificate": [
    "acm",
    () => "certificate/11111111-2222-4333-8444-555555555555",
  ],
  "aws:autoscaling/group:Group": [
    "autoscaling",
    (id) => `autoScalingGroup:11111111-2222-4333-8444-555555555555:autoScalingGroupName/${id}`,
  ],
  "aws:cloudwatch/compositeAlarm:CompositeAlarm": ["cloudwatch", (id) => `alarm:${id}`],
  "aws:cloudwatch/eventRule:EventRule": ["events", (id) => `rule/${id}`],
  "aws:cloudwatch/logGroup:LogGroup": ["logs", (id) => `log-group:${id}`],
  "aws:cloudwatch/metricAlarm:MetricAlarm": ["cloudwatch", (id) => `alarm:${id}`],
  "aws:ec2/launchTemplate:LaunchTemplate": ["ec2", (id) => `launch-template/lt-${id}`],
  "aws:ec2/securityGroup:SecurityGroup": ["ec2", (id) => `security-group/sg-${id}`],
  "aws:ecr/repository:Repository": ["ecr", (id) => `repository/${id}`],
  "aws:kms/key:Key": ["kms", () => "key/11111111-2222-4333-8444-555555555555"],
  "aws:kms/replicaKey:ReplicaKey": ["kms", () => `key/${multiRegionKey}`],
  "aws:lambda/function:Function": ["lambda", (id) => `function:${id}`],
  "aws:lb/listener:Listener": [
    "elasticloadbalancing",
    (id) => `listener/app/${id}/0123456789abcdef/0123456789abcdef`,
  ],
  "aws:lb/listenerRule:ListenerRule": [
    "elasticloadbalancing",
    (id) => `listener-rule/app/${id}/0123456789abcdef/0123456789abcdef/0123456789abcdef`,
  ],
  "aws:lb/loadBalancer:LoadBalancer": [
    "elasticloadbalancing",
    (id) => `loadbalancer/app/${id}/0123456789abcdef`,
  ],
  "aws:lb/targetGroup:TargetGroup": [
    "elasticloadbalancing",
    (id) => `targetgroup/${id}/0123456789abcdef`,
  ],
  "aws:rds/instance:Instance": ["rds", (id) => `db:${id}`],
  "aws:rds/parameterGroup:ParameterGroup": ["rds", (id) => `pg:${id}`],
  "aws:rds/subnetGroup:SubnetGroup": ["rds", (id) => `subgrp:${id}`],
  "aws:scheduler/schedule:Schedule": ["scheduler", (id) => `schedule/default/${id}`],
  "aws:sns/topic:Topic": ["sns", (id) => id],
  "aws:sqs/queue:Queue": ["sqs", (id) => id],
};

/**
 * The ARN of a resource as AWS shapes it, where a policy or another resource reads it. Source: "Resource
 * types" of each service in the Service Authorization Reference.
 */
export const arnFor = (type: string, id: string, region: string): string | null => {
  const [service, rest] = shapes[type] ?? [];
  return service && rest ? `arn:aws:${service}:${region}:${account}:${rest(id)}` : null;
};
