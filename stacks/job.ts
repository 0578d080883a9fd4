import type { Input, Output } from "@pulumi/pulumi";
import { nodejs } from "../bundle.config.ts";
import { stageVariable } from "../shared/stage.ts";
import type { Statement } from "./permissions.ts";
import { accountOf, documentOf, useNetwork } from "./permissions.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

export interface JobOptions {
  /** `guard`: the folder under functions/, and the end of every name. */
  name: string;
  timeoutSeconds: number;
  /** What SST links to it: `linked(runtime, "<name>")` reads it. */
  links: Record<string, Input<Record<string, unknown>>>;
  may: Statement[];
  /**
   * Set off by events, which nobody waits for. One that failed is tried again so often while it is not
   * older than that, and ends in the dead letters. Left out where callers wait and hear of a failure.
   */
  events?: { retries: 0 | 1 | 2; maximumAgeSeconds: number };
  /** A durable function goes on for so long, over many invocations. */
  durable?: { executionTimeoutHours: number };
  /** Answers HTTPS on a URL of its own, without IAM: it verifies every request itself. */
  url?: boolean;
  /** At most so many at once, where a flood would hurt; null leaves it to the account's limit. */
  reservedConcurrency?: number | null;
  memoryMegabytes?: number;
  vpc?: { subnets: Input<string>[]; securityGroups: Input<string>[] };
}

/** A function as the rest of the stacks sees it. */
export interface Job {
  /** `guard`: the same in every region. */
  job: string;
  region: Region;
  /** As it is called in AWS. */
  name: string;
  /**
   * What others call it by. A durable function is asked for by an alias: Lambda takes no unqualified
   * name for one, and a run that is under way goes on with the version that it began with. Source:
   * "Invoking Lambda durable functions", "Qualified ARNs".
   */
  invokedAs: string;
  /** The ARN of what others call, which is also what their permission names. */
  target: Output<string>;
  /** Its ARN without an alias: who asks for its executions of all versions asks for it by that. */
  unqualified: Output<string>;
  /** Every version of it, with its durable executions; null where it is not durable. */
  executions: Output<string> | null;
  role: aws.iam.Role;
  /** What is over its own limit waits in Lambda's queue and is not lost: to be throttled is no failure. */
  queues: boolean;
  /** Where an event ends that has failed for good; null where callers wait. */
  deadLetters: aws.sqs.Queue | null;
  url: Output<string> | null;
  logGroup: Output<string>;
}

/** The alias under which the newest version of a durable function is asked for. */
const alias = "live";

/** Makes one function in one region, with a role that may do just what is named. */
export const job = (stage: Stage, region: Region, options: JobOptions): Job => {
  const { provider } = region;
  const name = jobName(stage, options.name);
  const title = named(capital(options.name), region);
  const deadLetters = options.events ? deadLettersOf(title, name, region) : null;
  const logs = new aws.cloudwatch.LogGroup(
    `${title}Logs`,
    { name: `/aws/lambda/${name}`, retentionInDays: stage.logRetentionDays },
    { provider },
  );
  // Put together, since the role that names it has to be there before the function is.
  const arn = $interpolate`arn:aws:lambda:${region.name}:${accountOf(region)}:function:${name}`;
  const { role, roleArn } = roleOf(stage, region, options, [
    {
      sid: "WriteItsLog",
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [$interpolate`${logs.arn}:*`],
    },
    ...(deadLetters
      ? [{ sid: "GiveUpAnEvent", actions: ["sqs:SendMessage"], resources: [deadLetters.arn] }]
      : []),
    ...(options.durable ? [checkpoint($interpolate`${arn}:*/durable-execution/*`)] : []),
    ...(options.vpc ? useNetwork(arn) : []),
  ]);
  const made = functionOf(stage, title, region, options, { roleArn, logs, deadLetters });
  const live = options.durable
    ? new aws.lambda.Alias(
        `${title}Live`,
        { name: alias, functionName: made.name, functionVersion: made.nodes.function.version },
        { provider },
      )
    : null;
  if (options.events) {
    new aws.lambda.FunctionEventInvokeConfig(
      `${title}Events`,
      {
        functionName: made.name,
        // Its own settings belong to an alias: those of the function do not count for it.
        ...(live ? { qualifier: live.name } : {}),
        maximumRetryAttempts: options.events.retries,
        maximumEventAgeInSeconds: options.events.maximumAgeSeconds,
      },
      { provider },
    );
  }
  return {
    job: options.name,
    region,
    name,
    invokedAs: live ? `${name}:${alias}` : name,
    target: live ? live.arn : made.arn,
    unqualified: arn,
    executions: live ? $interpolate`${arn}:*/durable-execution/*` : null,
    role,
    queues: Boolean(options.events && options.reservedConcurrency),
    deadLetters,
    url: options.url ? made.url : null,
    logGroup: logs.name,
  };
};

export const jobName = ({ prefix }: Stage, name: string): string => `${prefix}-${name}`;

const capital = (text: string) => `${text[0]?.toUpperCase()}${text.slice(1)}`;

const deadLettersOf = (title: string, name: string, { provider }: Region): aws.sqs.Queue =>
  new aws.sqs.Queue(
    `${title}DeadLetters`,
    {
      name: `${name}-dead-letters`,
      // The longest that SQS keeps a message: whoever looks after a weekend finds all of it.
      messageRetentionSeconds: 1_209_600,
      sqsManagedSseEnabled: true,
    },
    { provider },
  );

/** What the durable execution SDK calls for itself. Source: "Execution role permissions" there. */
const checkpoint = (executions: Output<string>): Statement => ({
  sid: "KeepWhatItHasDone",
  actions: ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"],
  resources: [executions],
});

interface Parts {
  roleArn: Output<string>;
  logs: aws.cloudwatch.LogGroup;
  deadLetters: aws.sqs.Queue | null;
}

const functionOf = (
  stage: Stage,
  title: string,
  { provider }: Region,
  options: JobOptions,
  { roleArn, logs, deadLetters }: Parts,
): sst.aws.Function =>
  new sst.aws.Function(
    title,
    {
      name: jobName(stage, options.name),
      handler: `functions/${options.name}/handler.handler`,
      nodejs,
      runtime: "nodejs24.x",
      architecture: "arm64",
      memory: `${options.memoryMegabytes ?? 512} MB`,
      timeout: `${options.timeoutSeconds} seconds`,
      role: roleArn,
      environment: {
        [stageVariable]: stage.name,
        METRIC_NAMESPACE: stage.metricNamespace,
        ...(options.vpc ? trust : {}),
        ...environmentOf(options.links),
      },
      logging: { logGroup: logs.name, format: "json" },
      ...(options.durable
        ? {
            durable: {
              timeout: `${options.durable.executionTimeoutHours} hours`,
              retention: "30 days",
            },
          }
        : {}),
      ...(options.url ? { url: { authorization: "none" as const } } : {}),
      ...(options.reservedConcurrency
        ? { concurrency: { reserved: options.reservedConcurrency } }
        : {}),
      ...(options.vpc
        ? {
            vpc: {
              privateSubnets: options.vpc.subnets,
              securityGroups: options.vpc.securityGroups,
            },
          }
        : {}),
      transform: {
        function: {
          tracingConfig: { mode: "Active" },
          // A queue is what "Best practices for Lambda durable functions" gives a failed execution to.
          ...(deadLetters ? { deadLetterConfig: { targetArn: deadLetters.arn } } : {}),
        },
      },
    },
    { provider },
  );

/**
 * What RDS signs its certificates with is not among the authorities that Node.js brings, and since
 * Node.js 20 Lambda loads its own list only when it is told to. Source: "CA certificate loading" in
 * "Building Lambda functions with Node.js".
 */
const trust = { NODE_EXTRA_CA_CERTS: "/var/runtime/ca-cert.pem" };

/** Links are plain variables: SST's own encrypted file would need its SDK in every bundle. */
const environmentOf = (links: JobOptions["links"]): Record<string, Output<string>> =>
  Object.fromEntries(
    Object.entries(links).map(([name, value]) => [`SST_RESOURCE_${name}`, $jsonStringify(value)]),
  );

/** X-Ray names no resources: "Actions, resources, and condition keys for AWS X-Ray". */
const trace: Statement = {
  sid: "TraceItself",
  actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
  resources: ["*"],
};

/**
 * A role with two policies. What Lambda itself does in its name is a policy of its own, which the ARN
 * waits for: CreateFunction refuses a role that may not send to the dead letters or make network
 * interfaces. What the code calls names other functions and databases, which takes as long as the
 * slowest of them to be there, and nobody waits for that. Source: "Retaining records of asynchronous
 * invocations" and "Giving Lambda functions access to resources in an Amazon VPC".
 */
const roleOf = (
  { prefix }: Stage,
  region: Region,
  { name, may }: JobOptions,
  own: Statement[],
): { role: aws.iam.Role; roleArn: Output<string> } => {
  const title = named(capital(name), region);
  // Roles belong to the whole account, so the region is part of the name.
  const role = new aws.iam.Role(
    `${title}Role`,
    {
      name: `${prefix}-${name}-${region.name}`,
      assumeRolePolicy: assumedBy("lambda.amazonaws.com"),
    },
    { provider: region.provider },
  );
  const policy = (end: string, policyName: string, statements: Statement[]) =>
    new aws.iam.RolePolicy(
      `${title}${end}`,
      { role: role.id, name: policyName, policy: documentOf(statements) },
      { provider: region.provider },
    );
  const run = policy("MayRun", "may-run", [...own, trace]);
  if (may.length > 0) policy("May", "may", may);
  return { role, roleArn: $resolve([role.arn, run.id]).apply(([arn]) => arn) };
};

/** A role's other half: who may take it on. */
export const assumedBy = (service: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" }],
  });
