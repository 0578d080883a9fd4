import type { Input, Output } from "@pulumi/pulumi";
import type { Job } from "./job.ts";
import type { Named, Platform, Site } from "./platform.ts";
import type { Region } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** What a role may do, by name. `deploy/policies/` refuses a wildcard that AWS does not force. */
export interface Statement {
  /** The reason, in camel case: docs/permissions.md shows it as words. */
  sid: string;
  effect?: "Deny";
  actions: string[];
  resources: Input<string>[];
  conditions?: Record<string, Record<string, Input<string | string[]>>>;
}

/** Statements as the document that IAM takes. */
export const documentOf = (statements: Statement[]): Output<string> =>
  $jsonStringify({
    Version: "2012-10-17",
    Statement: statements.map(({ sid, effect, actions, resources, conditions }) => ({
      Sid: sid,
      Effect: effect ?? "Allow",
      Action: actions,
      Resource: resources,
      ...(conditions ? { Condition: conditions } : {}),
    })),
  });

/** Any replica will do: whoever does not reach the nearest one goes on with the others. */
export const coordinate = ({ coordination }: Platform): Statement => ({
  sid: "AgreeWithTheOtherRegions",
  actions: ["dynamodb:GetItem", "dynamodb:UpdateItem"],
  resources: Object.values(coordination.arns),
});

/** A region's replica of the journal. Entries are put and read; nobody may change or delete one. */
export const journal = (
  { journal: { arns } }: Platform,
  sid: string,
  regions: string[],
  actions: ("dynamodb:PutItem" | "dynamodb:Query")[],
): Statement => ({ sid, actions, resources: regions.map((region) => given(arns[region], region)) });

const given = (arn: Output<string> | undefined, region: string): Output<string> => {
  if (!arn) throw new Error(`the journal has no replica in ${region}`);
  return arn;
};

/** Calls other functions of Nightshift, and waits or does not. */
export const call = (sid: string, ...jobs: Pick<Job, "target">[]): Statement => ({
  sid,
  actions: ["lambda:InvokeFunction"],
  resources: jobs.map(({ target }) => target),
});

/** What people start, watch and wake. */
export interface Directed {
  failovers: Job[];
  repairs: Job[];
  restoreTests: Job[];
  rotations: Job[];
}

/**
 * Starts, watches and wakes moves in either region, wakes repairs, starts restore tests and rotations, and
 * keeps in their journals whose answer did not count: what both doors do (`runsOf` in
 * functions/slack/aws.ts).
 * Executions are listed of all versions, which takes the function's name without an alias, in the request
 * and here. Source: "Fine-tuning the Resources and Conditions sections of policies" of Lambda, "Referencing
 * durable executions".
 */
export const directRuns = (
  platform: Platform,
  { failovers, repairs, restoreTests, rotations }: Directed,
): Statement[] => {
  const pair = [platform.home.region.name, platform.standby.region.name];
  return [
    journal(platform, "ShowRuns", pair, ["dynamodb:Query"]),
    journal(platform, "KeepRefusedAnswers", pair, ["dynamodb:PutItem"]),
    call("StartRuns", ...failovers, ...restoreTests),
    call("AskForRotations", ...rotations),
    {
      sid: "SeeWhetherRunsAreAlive",
      actions: ["lambda:ListDurableExecutionsByFunction"],
      resources: failovers.map(({ unqualified }) => unqualified),
    },
    {
      sid: "WakeRunsThatWaitForAnAnswer",
      actions: ["lambda:SendDurableExecutionCallbackSuccess"],
      resources: [...failovers, ...repairs].flatMap(({ executions }) => executions ?? []),
    },
  ];
};

type Keyed = Pick<Site, "keys" | "region">;

/**
 * Reads the value of secrets, which takes the key that they are encrypted with, and that only by way
 * of Secrets Manager. Source: "Secret encryption and decryption in AWS Secrets Manager".
 */
export const readSecrets = (sid: string, site: Keyed, secrets: Named[]): Statement[] => [
  {
    sid,
    actions: ["secretsmanager:GetSecretValue"],
    resources: secrets.map(({ arn }) => arn),
  },
  throughSecretsManager(`${sid}Decrypted`, site, ["kms:Decrypt"]),
];

/** The region's key, and only when it is Secrets Manager that asks for it. */
export const throughSecretsManager = (
  sid: string,
  { keys, region }: Keyed,
  actions: string[],
): Statement => ({
  sid,
  actions,
  resources: [keys.secrets],
  conditions: {
    StringEquals: { "kms:ViaService": `secretsmanager.${region.name}.amazonaws.com` },
  },
});

/** Rules by which people have muted an alarm: they name them as they like. */
export const seeMuted = (region: Region): Statement => ({
  sid: "SeeWhatIsMuted",
  actions: ["cloudwatch:ListAlarmMuteRules"],
  resources: [
    $interpolate`arn:aws:cloudwatch:${region.name}:${accountOf(region)}:alarm-mute-rule:*`,
  ],
});

/** Metrics have no ARN, but the namespace can be named: "Actions … for Amazon CloudWatch". */
export const measure = (sid: string, { metricNamespace }: Stage): Statement => ({
  sid,
  actions: ["cloudwatch:PutMetricData"],
  resources: ["*"],
  conditions: { StringEquals: { "cloudwatch:namespace": metricNamespace } },
});

/**
 * Network interfaces, which the Lambda service makes with the function's own role and before they have
 * a name. The function's code is kept from all of it. Source: "Giving Lambda functions access to
 * resources in an Amazon VPC", "Required IAM permissions" and "Security best practices".
 */
export const useNetwork = (functionArn: Output<string>): Statement[] => {
  const actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ];
  return [
    { sid: "BePlacedInTheNetwork", actions, resources: ["*"] },
    {
      sid: "OnlyByTheLambdaServiceItself",
      effect: "Deny",
      actions,
      resources: ["*"],
      conditions: { ArnEquals: { "lambda:SourceFunctionArn": functionArn } },
    },
  ];
};

/** The account that everything is in: part of the ARN of what is not at hand as a resource. */
export const accountOf = ({ provider }: Region): Output<string> =>
  aws.getCallerIdentityOutput({}, { provider }).accountId;

/** `sg-…` by its ARN. */
export const securityGroupArn = (region: Region, id: Input<string>): Output<string> =>
  $interpolate`arn:aws:ec2:${region.name}:${accountOf(region)}:security-group/${id}`;
