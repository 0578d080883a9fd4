import type { Policy, Violation } from "../policies.ts";
import type { Grant } from "./grants.ts";
import { grantsOf } from "./grants.ts";

/**
 * Actions for which IAM knows no resource, so that `*` is all that can be said. Source: the column
 * "Resource types" of "Actions, resources, and condition keys" in the Service Authorization Reference,
 * of each service. In November 2026 every action of the stacks was held against it, with the types of its
 * resources and its condition keys: those of durable executions and mute rules stand there as well.
 */
export const withoutResources = new Set([
  "autoscaling:DescribeAutoScalingGroups",
  "autoscaling:DescribeInstanceRefreshes",
  "autoscaling:DescribeScalingActivities",
  "cloudwatch:GetMetricStatistics",
  "cloudwatch:PutMetricData",
  "ec2:DescribeImages",
  "ec2:DescribeLaunchTemplateVersions",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSecurityGroups",
  "ec2:DescribeSubnets",
  "ec2:DescribeTags",
  "ec2messages:AcknowledgeMessage",
  "ec2messages:DeleteMessage",
  "ec2messages:FailMessage",
  "ec2messages:GetEndpoint",
  "ec2messages:GetMessages",
  "ec2messages:SendReply",
  "ecr:GetAuthorizationToken",
  "elasticloadbalancing:DescribeListeners",
  "elasticloadbalancing:DescribeRules",
  "elasticloadbalancing:DescribeTargetHealth",
  "rds:DescribeEvents",
  "ssm:GetCommandInvocation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:OpenControlChannel",
  "xray:PutTelemetryRecords",
  "xray:PutTraceSegments",
]);

/** Actions that know resources, and for which only `*` works all the same. */
export const forced: Readonly<Record<string, string>> = {
  "cloudwatch:DescribeAlarmHistory":
    "composite alarms have a history only for whom all do: DescribeAlarmHistory, CloudWatch API reference",
  "cloudwatch:DescribeAlarms":
    "composite alarms are told of only to whom all are: DescribeAlarms, CloudWatch API reference",
  "cloudwatch:GetMetricData":
    "the resource is a dataset, and the metrics of AWS's services are in none: CloudWatch, Actions",
  "ec2:AssignPrivateIpAddresses": "of an interface that the Lambda service makes itself",
  "ec2:CreateNetworkInterface": "the interface has no id before it is made",
  "ec2:DeleteNetworkInterface":
    "with anything less the function may not reach its VPC: Lambda developer guide, Amazon VPC",
  "ec2:UnassignPrivateIpAddresses": "of an interface that the Lambda service makes itself",
  "ssm:UpdateInstanceInformation":
    "of the instance itself, whose id is not known before it is launched",
};

/** Resources that are named as far as their names are known before they exist. */
export const patterns: readonly { resource: RegExp; action?: RegExp; because: string }[] = [
  {
    resource: /^arn:aws:ec2:[^*]+:instance\/\*$/,
    action: /^ssm:SendCommand$/,
    because: "instances come and go: a condition holds it to those of the application's group",
  },
  {
    resource: /^arn:aws:cloudwatch:[^*]+:alarm-mute-rule:\*$/,
    action: /^cloudwatch:ListAlarmMuteRules$/,
    because: "people mute an alarm by a rule that they name as they like",
  },
  {
    resource: /^arn:aws:rds:[^*]+:auto-backup:\*$/,
    action:
      /^rds:((Describe|Start)DBInstanceAutomatedBackups(Replication)?|RestoreDBInstanceToPointInTime)$/,
    because: "RDS makes up the id of a copy of backups",
  },
  {
    resource: /^arn:aws:rds:[^*]+:db:\*$/,
    action: /^rds:Describe(DBInstanceAutomatedBackups|DBSnapshots)$/,
    because:
      "a look for the backups of whichever database is active, and for snapshots of one put aside",
  },
  {
    resource: /^arn:aws:rds:[^*]+:db:\*$/,
    action: /^rds:DescribeDBInstances$/,
    because:
      "the sweep looks for copies that nobody knows of, and rotation for whatever a row may come back " +
      "from, which takes all databases of a region",
  },
  {
    resource: /^arn:aws:rds:[^*]+:db:[^*]+-verify-\*$/,
    because: "a copy is called by the run that makes it",
  },
  {
    resource: /^arn:aws:rds:[^*]+:snapshot:\*$/,
    action: /^rds:(DescribeDBSnapshots|RestoreDBInstanceFromDBSnapshot)$/,
    because: "RDS, AWS Backup and people each name snapshots in their own way",
  },
  {
    resource: /^arn:aws:logs:[^*]+:log-group:[^*]+:\*$/,
    because: "a log stream is named by Lambda, or by the instance, when it begins to write",
  },
  {
    resource: /^arn:aws:lambda:[^*]+:function:[^*]+:\*\/durable-execution\/\*$/,
    because: "each deploy makes a version, and each run an execution",
  },
  {
    resource: /^arn:aws:rds:[^*]+:db:[^*]+-quarantine-\*$/,
    because: "an old primary is put aside under the epoch at which it was left",
  },
  {
    resource: /^arn:aws:rds:[^*]+:(og:default:postgres-\*|pg:default\.postgres\*)$/,
    because: "the engine's own groups are called by its version, which an upgrade changes",
  },
  {
    resource: /^arn:aws:rds:[^*]+:pg:\*$/,
    action: /^rds:DescribeDBParameter(s|Groups)$/,
    because: "a look for whichever group the active database has: missing is not forbidden",
  },
  {
    resource: /^arn:aws:s3:::[^*]+\/\*$/,
    because: "the objects of one bucket",
  },
];

/** Condition keys that bound what `*` cannot name. */
const bounds: Readonly<Record<string, string>> = {
  "cloudwatch:PutMetricData": "cloudwatch:namespace",
};

const problemOf = ({ effect, action, resource, conditions }: Grant): string | null => {
  // What is forbidden may be forbidden widely.
  if (effect === "Deny") return null;
  if (action.includes("*")) return `${action} is a wildcard`;
  if (resource === "*") {
    if (!withoutResources.has(action) && !(action in forced)) {
      return `${action} is allowed on *, and IAM would take a name`;
    }
    const bound = bounds[action];
    const isBounded = Object.values(conditions).some(
      (keys) => bound !== undefined && bound in keys,
    );
    return bound === undefined || isBounded ? null : `${action} is not bounded by ${bound}`;
  }
  if (!resource.includes("*")) return null;
  return patterns.some(
    (each) => each.resource.test(resource) && (each.action?.test(action) ?? true),
  )
    ? null
    : `${action} on ${resource}: no reason is given for the wildcard`;
};

export const wildcards: Policy = {
  name: "no role may do anything by wildcard where AWS takes a name",
  check: (recording): Violation[] =>
    grantsOf(recording).flatMap((grant) => {
      const problem = problemOf(grant);
      return problem ? [{ resource: grant.policy, problem: `${grant.sid}: ${problem}` }] : [];
    }),
};

/** AWS's own policies give more than a job needs, and change without a deploy. */
export const managedPolicies: Policy = {
  name: "no role holds a policy that AWS manages, but what agents of AWS need",
  check: ({ resources }): Violation[] =>
    resources.flatMap(({ type, name, inputs }) => {
      const arns =
        type === "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
          ? [inputs.policyArn]
          : type === "aws:iam/role:Role"
            ? ((inputs.managedPolicyArns ?? []) as unknown[])
            : [];
      return arns
        .map(String)
        .filter((arn) => arn.startsWith("arn:aws:iam::aws:") && !allowedManaged.has(arn))
        .map((arn) => ({ resource: name, problem: `it holds ${arn}` }));
    }),
};

const allowedManaged = new Set([
  // RDS's own monitoring, which only this policy is made for.
  "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
]);
