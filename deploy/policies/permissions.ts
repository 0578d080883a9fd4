import type { Violation } from "../policies.ts";
import type { Recording } from "../recording.ts";
import type { Grant } from "./grants.ts";
import { arnOf, grantsOf } from "./grants.ts";

/** One kind of call that a function makes, as tests hear it in the local AWS. */
export interface CallMade {
  job: string;
  /** As IAM calls it. */
  action: string;
  where: Where;
  /** What kind of thing it is about: `database`, `secret nightshift`, `function guard`. */
  about: string;
}

/** Seen from the function: in its own region, the pair's other one, the witness's, or in no region. */
export type Where = "here" | "there" | "witness" | "nowhere";

export const whereOf = (from: string, to: string, witness: string): Where => {
  if (to === "" || to === "us-east-1") return "nowhere";
  if (to === from) return "here";
  return to === witness ? "witness" : "there";
};

/** What a resource is, by its ARN in a policy of the stacks. The same words as tests find for calls. */
const kinds: readonly [RegExp, string][] = [
  [/^dynamodb table\/.*-(coordination|journal)$/, "table $1"],
  [/^lambda function:[a-z0-9-]*?-([a-z]+):\*\/durable-execution\/\*$/, "execution $1"],
  // IAM compares the request's name with the policy's: one with an alias is another than one without.
  [/^lambda function:[a-z0-9-]*?-([a-z]+):live$/, "alias $1"],
  [/^lambda function:[a-z0-9-]*?-([a-z]+)$/, "function $1"],
  [/^secretsmanager secret:.*\/([a-z-]+?)-(?:\?{6}|[A-Za-z]{6})$/, "secret $1"],
  [/^cloudwatch alarm-mute-rule:/, "mute rules"],
  [/^elasticache (replicationgroup|cluster|parametergroup):/, "cache $1"],
  [/^rds db:.*-quarantine-\*$/, "database quarantined"],
  [/^rds db:.*-verify-\*$/, "database copied"],
  [/^rds snapshot:/, "snapshots"],
  [/^rds db:/, "database"],
  [/^rds auto-backup:/, "backups"],
  [/^rds pg:/, "parameter group"],
  [/^rds (?:subgrp|og):/, "groups of a replica"],
  [/^s3 .*-evidence-.*\/(records|reports)\/\*$/, "evidence $1"],
  [/^s3 .*-evidence-/, "evidence bucket"],
  [/^elasticloadbalancing listener-rule\//, "role rule"],
  [/^autoscaling autoScalingGroup:/, "group"],
  [/^ec2 security-group\//, "security group"],
  [/^route53 hostedzone\//, "zone"],
  [/^route53 healthcheck\//, "health check"],
  [/^acm certificate\//, "certificate"],
  [/^ssm document\/.*-inspect-container$/, "document inspect"],
  [/^ssm document\/.*-restart-container$/, "document restart"],
  [/^ec2 instance\//, "instance"],
  [/^ecr repository\//, "repository"],
  [/^kms key\/mrk-/, "evidence key"],
  [/^kms key\//, "key"],
  [/^iam role\//, "role"],
  [/^logs log-group:/, "log"],
  [/^sqs /, "dead letters"],
];

/** Secrets that the local platform does not have: nobody reads them, and all are compared alike. */
const likeDatabase = /^secret (?:owner|cache|signing-keys|encryption-keys)$/;

export const aboutOf = (resource: string): string => {
  const arn = arnOf(resource);
  if (!arn) return resource;
  const text = `${arn.service} ${arn.rest}`;
  for (const [pattern, kind] of kinds) {
    const found = pattern.exec(text);
    if (found) return kind.replace("$1", found[1] ?? "").replace(likeDatabase, "secret database");
  }
  return `unknown: ${resource}`;
};

/** Permissions that follow from a call, where one call takes more than one. With the source. */
interface Implied {
  call: string;
  takes: string[];
  /** Where, seen from the function; where the call goes, when not given. */
  where?: Where;
  source: string;
}

const implied: readonly Implied[] = [
  {
    call: "rds:DescribeDBInstanceAutomatedBackups",
    takes: ["rds:DescribeDBInstanceAutomatedBackups database"],
    source: "Actions … for Amazon RDS: by either of the two",
  },
  ...Object.entries({
    "rds:RestoreDBInstanceToPointInTime": "backups",
    "rds:RestoreDBInstanceFromDBSnapshot": "snapshots",
  }).map(
    ([call, from]): Implied => ({
      call,
      takes: [
        ...["groups of a replica", "parameter group", from].map((about) => `${call} ${about}`),
        "rds:AddTagsToResource database copied",
        "kms:CreateGrant key",
      ],
      source: "Actions … for Amazon RDS; Authorizing use of a customer managed key",
    }),
  ),
  {
    call: "rds:DescribeDBSnapshots",
    takes: ["rds:DescribeDBSnapshots snapshots"],
    source: "Actions … for Amazon RDS: by either of the two",
  },
  {
    call: "rds:StartDBInstanceAutomatedBackupsReplication",
    takes: ["rds:StartDBInstanceAutomatedBackupsReplication database"],
    where: "here",
    source: "Actions … for Amazon RDS: the source, in its own region",
  },
  {
    call: "secretsmanager:ReplicateSecretToRegions",
    takes: ["kms:Encrypt key", "kms:GenerateDataKey key"],
    where: "there",
    source: "ReplicateSecretToRegions in the API reference of Secrets Manager",
  },
  {
    call: "secretsmanager:GetSecretValue",
    takes: ["kms:Decrypt key"],
    source: "Secret encryption and decryption in AWS Secrets Manager",
  },
  {
    call: "secretsmanager:PutSecretValue",
    takes: ["kms:Decrypt key", "kms:GenerateDataKey key"],
    source: "Secret encryption and decryption in AWS Secrets Manager",
  },
  {
    call: "secretsmanager:RotateSecret",
    takes: ["lambda:InvokeFunction function rotation"],
    source: "RotateSecret in the API reference of Secrets Manager, Required permissions",
  },
  {
    call: "rds:CreateDBInstanceReadReplica",
    takes: [
      "rds:CreateDBInstanceReadReplica groups of a replica",
      "rds:CreateDBInstanceReadReplica parameter group",
      "rds:AddTagsToResource database",
      "kms:CreateGrant key",
      "kms:DescribeKey key",
    ],
    source: "Actions … for Amazon RDS; Authorizing use of a customer managed key",
  },
];

/** Calls that take no permission. With the source. */
const free: readonly { call: string; source: string }[] = [
  { call: "sts:GetCallerIdentity", source: "GetCallerIdentity in the STS API reference" },
];

interface Everywhere {
  about: string;
  where: readonly Where[];
  /** By whom; by anybody when left out. */
  by?: readonly string[];
  because: string;
}

/** What is done in several regions by whoever does it in one. */
const everywhere: readonly Everywhere[] = [
  {
    about: "table coordination",
    where: ["here", "there", "witness"],
    because: "whoever uses it goes on with the other replicas when one does not answer",
  },
  {
    about: "execution remediation",
    where: ["here", "there"],
    because: "a repair runs where its alarm rings, and is answered through any door",
  },
  {
    about: "alias verification",
    where: ["here", "there"],
    by: ["slack", "operators"],
    because: "a restore is tested where users are not, and is asked for through any door",
  },
  {
    about: "function rotation",
    where: ["here", "there"],
    by: ["slack", "operators"],
    because: "secrets are rotated where users are, and are asked for through any door",
  },
];

/** Permissions for what no call of the function's own code asks for. */
const ownServices: readonly { action: string; about: string; because: string }[] = [
  { action: "logs:CreateLogStream", about: "log", because: "Lambda writes its log" },
  { action: "logs:PutLogEvents", about: "log", because: "Lambda writes its log" },
  { action: "sqs:SendMessage", about: "dead letters", because: "Lambda gives an event up" },
  { action: "xray:PutTraceSegments", about: "*", because: "Lambda traces it" },
  { action: "xray:PutTelemetryRecords", about: "*", because: "Lambda traces it" },
  ...[
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ].map((action) => ({ action, about: "*", because: "Lambda places it in the network" })),
  ...["failover", "remediation", "retirement", "verification"].flatMap((job) =>
    ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"].map((action) => ({
      action,
      about: `execution ${job}`,
      because: "the durable SDK's own client, which a simulation replaces",
    })),
  ),
  {
    action: "rds:CreateDBInstanceReadReplica",
    about: "database",
    because: "the source's region is asked by a signature that the SDK puts into the call",
  },
];

interface Held {
  grant: Grant;
  where: Where;
  about: string;
}

const key = (job: string, action: string, where: string, about: string): string =>
  `${job} ${action} ${where} ${about}`;

/** In this region, or in none: a role of IAM is in none, and is passed here. */
const nearness = (where: Where): Where[] => (where === "nowhere" ? ["nowhere", "here"] : [where]);

/** What every function of the stacks may do, seen from itself; both regions of the pair as one. */
const heldBy = (recording: Recording, jobs: ReadonlySet<string>, witness: string): Held[] =>
  grantsOf(recording)
    .filter(({ holder, effect }) => jobs.has(holder) && effect === "Allow")
    .map((grant) => {
      const region = arnOf(grant.resource)?.region ?? "";
      return {
        grant,
        where: whereOf(grant.region, region, witness),
        about: aboutOf(grant.resource),
      };
    });

/**
 * Compares what functions call with what they may: a call that nothing allows, and a permission that
 * nothing uses.
 */
export const comparePermissions = (
  recording: Recording,
  calls: readonly CallMade[],
  witness: string,
): Violation[] => {
  const jobs = new Set(calls.map(({ job }) => job));
  const held = heldBy(recording, jobs, witness);
  const allowed = new Set(
    held.map(({ grant, where, about }) => key(grant.holder, grant.action, where, about)),
  );
  const needed = neededFor(calls);
  const missing = [...needed].flatMap(([wanted, { job, action, where, about }]) => {
    const anywhere = key(job, action, "nowhere", "*");
    const isAllowed = nearness(where).some((near) => allowed.has(key(job, action, near, about)));
    if (isAllowed || allowed.has(anywhere)) return [];
    return [{ resource: job, problem: `calls without permission: ${wanted}` }];
  });
  const used = new Set(needed.keys());
  const usedAnywhere = new Set(calls.map(({ job, action }) => `${job} ${action}`));
  const idle = held.flatMap(({ grant, where, about }) => {
    const { holder, action, policy, sid } = grant;
    if (ownServices.some((each) => each.action === action && each.about === about)) return [];
    const isUsed =
      about === "*"
        ? usedAnywhere.has(`${holder} ${action}`)
        : used.has(key(holder, action, where, about));
    if (isUsed) return [];
    return [{ resource: policy, problem: `${sid}: never used: ${action} ${where} ${about}` }];
  });
  return [...missing, ...idle];
};

/** The calls, and what follows from them. */
const neededFor = (calls: readonly CallMade[]): Map<string, CallMade> => {
  const needed = new Map<string, CallMade>();
  const add = (call: CallMade) =>
    needed.set(key(call.job, call.action, call.where, call.about), call);
  for (const call of calls) {
    if (free.some((each) => each.call === call.action)) continue;
    add(call);
    const wider = everywhere.find(
      ({ about, by }) => about === call.about && (by?.includes(call.job) ?? true),
    );
    for (const where of wider?.where ?? []) add({ ...call, where });
    for (const { call: action, takes, where: elsewhere } of implied) {
      if (action !== call.action) continue;
      for (const taken of takes) {
        const [implies = "", ...words] = taken.split(" ");
        add({ ...call, action: implies, where: elsewhere ?? call.where, about: words.join(" ") });
      }
    }
  }
  return needed;
};
