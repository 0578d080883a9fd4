import type { Output } from "@pulumi/pulumi";
import type { Quarantine } from "./quarantine.ts";
import type { Region } from "./regions.ts";

/** What every secret is for; `<prefix>/<name>` in AWS, the same in both regions. */
export const secretNames = [
  "database",
  "nightshift",
  "owner",
  "cache",
  "signing-keys",
  "encryption-keys",
  "slack",
] as const;
export type SecretName = (typeof secretNames)[number];

/** A thing that is told to others by its name, and allowed by its ARN. */
export interface Named {
  name: string;
  arn: Output<string>;
}

/** Its name holds the account's number. */
export interface Bucket {
  name: Output<string>;
  arn: Output<string>;
}

/** As it is called in this region: a replica's ARN names its own region. */
export type Secret = Named;

/** ARNs of a region's keys, by what they protect. */
export interface Keys {
  /** Databases, caches and the volumes of instances. */
  data: Output<string>;
  secrets: Output<string>;
}

/** One region of the platform, as far as Nightshift's functions, alarms and dashboards need it. */
export interface Site {
  region: Region;
  keys: Keys;

  databaseId: string;
  databaseArn: Output<string>;
  databaseHost: Output<string>;
  databasePort: 5432;
  databaseSecurityGroup: Output<string>;
  /** The same name in both regions: what failover applies here is what it was over there. */
  databaseParameterGroup: Named;
  /** Where a replica that a rebuild makes anew is placed. */
  databaseSubnetGroup: Named;
  /** The role by which RDS writes enhanced monitoring: whoever re-applies it has to pass it. */
  monitoringRoleArn: Output<string>;
  /** `/aws/rds/instance/<id>/postgresql`, once it exists: alarms count refused connections in it. */
  databaseLogGroup: Output<string>;

  /** With the next one, what lets a request through: repairs look whether it still does. */
  balancerSecurityGroup: Output<string>;
  cacheSecurityGroup: Output<string>;
  applicationSecurityGroup: Output<string>;
  /** Of the two functions that talk to the database, and where they run. */
  functionSecurityGroup: Output<string>;
  functionSubnets: Output<string>[];

  /** Names of the zones that instances are in. */
  zones: Output<string>[];
  /** The Auto Scaling group. */
  group: string;
  groupArn: Output<string>;
  launchTemplate: { id: Output<string>; arn: Output<string> };

  balancerArn: Output<string>;
  /** `…elb.amazonaws.com`: where `regionalName` leads to. */
  balancerName: Output<string>;
  /** `app/<name>/<id>`: the dimension LoadBalancer of its metrics. */
  balancerSuffix: Output<string>;
  targetGroupArn: Output<string>;
  /** `targetgroup/<name>/<id>`: the dimension TargetGroup. */
  targetGroupSuffix: Output<string>;
  listenerArn: Output<string>;
  roleRuleArn: Output<string>;
  certificateArn: Output<string>;
  /**
   * `<region>.<domain>`: this region's load balancer under a name that its certificate is for. It is
   * the value of the public record, the host of the health checks, what canaries ask, and what readiness
   * and failover are linked as `loadBalancers`, `regionalName`.
   */
  regionalName: string;

  /** The replication group; its nodes are `<id>-001`, `<id>-002`, … */
  cacheId: string;
  cacheNodes: string[];
  /** The primary's endpoint. */
  cacheHost: Output<string>;
  repository: Named;
  secrets: Record<SecretName, Secret>;
  logBucket: Bucket;
  evidenceBucket: Bucket;
  /** ARN of this region's half of the key that signs evidence. */
  evidenceKey: Output<string>;
  /** Where a restore test puts what it restores. */
  quarantine: Quarantine;
}

/** A table of Nightshift; a replica's ARN differs from the others' by its region only. */
export interface GlobalTable {
  name: string;
  arns: Record<string, Output<string>>;
}

/** What is deployed for the application, and what Nightshift looks after. */
export interface Platform {
  home: Site;
  standby: Site;
  /** PostgreSQL's name of the database, and the application's two logins, which alternate. */
  database: { name: string; logins: string[] };
  /** `https://<domain>` */
  publicUrl: string;
  zoneId: Output<string>;
  /** Set identifiers of the public name's records: PRIMARY, SECONDARY. */
  recordSets: [string, string];
  /** Secrets by ARN, known once they have their first value. Slack's has none: people bring it. */
  firstValues: Record<Exclude<SecretName, "slack">, Output<string>>;
  /** The checks that move the public name: the calculated one, and the two below it. */
  healthChecks: {
    moved: Output<string>;
    standbySaysActive: Output<string>;
    homeSaysRenounced: Output<string>;
  };
  /** Strongly consistent, by region: primary, standby and witness. */
  coordination: GlobalTable;
  /** By region: primary and standby. */
  journal: GlobalTable;
}
