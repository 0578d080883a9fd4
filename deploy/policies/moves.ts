import type { Policy } from "../policies.ts";
import { kindOf, resourcesOf } from "./resources.ts";

/**
 * What Nightshift changes at night, and what the next deployment therefore must leave as it finds it. A
 * deployment that puts back what it has written first would open a fence, empty the region that serves,
 * or send users to a region that must not write.
 */
export interface Moved {
  kind: string;
  name: RegExp;
  /** Inputs that belong to Nightshift once they have been made. */
  fields: readonly string[];
  /** Who changes them, and when. */
  by: string;
}

const settings = [
  "backupRetentionPeriod",
  "copyTagsToSnapshot",
  "deletionProtection",
  "monitoringInterval",
  "monitoringRoleArn",
  "multiAz",
  "parameterGroupName",
];

export const moved: readonly Moved[] = [
  {
    kind: "rds/instance",
    name: /^PostgresInStandby$/,
    fields: ["replicateSourceDb", ...settings, "identifier", "password"],
    by: "failover promotes it and applies the primary's settings; a rebuild after the way back renames it",
  },
  {
    kind: "rds/instance",
    name: /^PostgresInPrimary$/,
    fields: ["identifier", "replicateSourceDb", "password"],
    by: "a rebuild puts the old primary aside under another name; rotation changes the password",
  },
  {
    kind: "rds/instanceAutomatedBackupsReplication",
    name: /^DatabaseBackupsInStandby$/,
    fields: ["sourceDbInstanceArn"],
    by: "a rebuild renames the instance whose backups they are, and copies those of the new primary itself",
  },
  {
    kind: "autoscaling/group",
    name: /^ApplicationIn/,
    fields: ["minSize", "desiredCapacity", "launchTemplate", "mixedInstancesPolicy"],
    by: "the fence empties the group, failover and scaling fill it; a release gives it a version",
  },
  {
    kind: "ec2/securityGroup",
    name: /^DatabaseGroupIn/,
    fields: ["ingress"],
    by: "the fence takes the application's way in away, and the guard gives it back",
  },
  {
    kind: "lb/listenerRule",
    name: /^RoleRuleIn/,
    fields: ["actions"],
    by: "the guard keeps the word true to the lease",
  },
  {
    kind: "route53/record",
    name: /^PublicNameIn(Primary|Standby)$/,
    fields: ["records", "healthCheckId", "failoverRoutingPolicies"],
    by: "failover's second way to move users writes both records, a rebuild puts the pair back",
  },
  {
    kind: "secretsmanager/secret",
    name: /Secret$/,
    fields: ["replicas"],
    by: "failover lets the replica stand alone, a rebuild replicates the other way",
  },
  {
    kind: "secretsmanager/secretVersion",
    name: /SecretValue$/,
    fields: ["secretString", "versionStages"],
    by: "rotation writes versions, failover puts the region's own address in",
  },
  {
    kind: "secretsmanager/secretRotation",
    name: /SecretRotation$/,
    fields: ["rotationLambdaArn", "rotationRules"],
    by: "after a failover the secret is rotated in the other region, and a rebuild makes a replica of it",
  },
  {
    kind: "elasticache/replicationGroup",
    name: /^CacheIn/,
    fields: ["authToken", "authTokenUpdateStrategy", "engineVersion"],
    by: "rotation changes the token; AWS upgrades the version, and going back would replace the cache",
  },
  {
    kind: "dynamodb/tableItem",
    name: /^FirstLease$/,
    fields: ["item"],
    by: "every move of the lease",
  },
];

const notUndone: Policy = {
  name: "a deployment neither undoes nor destroys what Nightshift has done at night",
  check: ({ resources }) =>
    moved.flatMap(({ kind, name, fields, by }) => {
      const found = resources.filter((each) => kindOf(each.type) === kind && name.test(each.name));
      if (found.length === 0) return [{ resource: String(name), problem: `is not there: ${by}` }];
      return found.flatMap(({ name: resource, ignoreChanges }) =>
        fields
          .filter((field) => !ignoreChanges.includes(field))
          .map((field) => ({ resource, problem: `${field} would be put back, against: ${by}` })),
      );
    }),
};

/** The fence takes a rule away by what it says: one that stands for itself would be made anew. */
const noOwnRule: Policy = {
  name: "the way into the database stands in its group, where a fence can close it for good",
  check: ({ resources }) =>
    resources
      .filter(({ type }) => /securityGroup(Ingress)?Rule:/.test(type))
      .filter(({ inputs }) => /^DatabaseGroupIn/.test(String(inputs.securityGroupId)))
      .map(({ name }) => ({
        resource: name,
        problem: "a refreshed deployment would open it again",
      })),
};

/**
 * Who sizes a group has to know the lease, or to have seen its load. A scheduled action raises the number
 * of instances to its minimum, and a policy of an exact number does the same, behind a fence as well.
 * Source: "Scheduled scaling for Amazon EC2 Auto Scaling", "Scaling adjustment types".
 */
const noClock: Policy = {
  name: "no group is sized by the clock or to a fixed number: a fence would not hold",
  check: (recording) => [
    ...resourcesOf(recording, "autoscaling/schedule").map(({ name }) => ({
      resource: name,
      problem: "would start instances in a region that has lost the lease",
    })),
    ...resourcesOf(recording, "autoscaling/policy")
      .filter(({ inputs }) => inputs.adjustmentType !== "ChangeInCapacity")
      .map(({ name }) => ({ resource: name, problem: "does not go by what runs already" })),
  ],
};

export const movePolicies: readonly Policy[] = [notUndone, noOwnRule, noClock];
