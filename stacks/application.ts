import { readFileSync } from "node:fs";
import type { Input, Output } from "@pulumi/pulumi";
import { graceSeconds } from "../shared/warmup.ts";
import { cachePort, databasePort } from "./groups.ts";
import { assumedBy } from "./job.ts";
import { machineImage } from "./machine.ts";
import type { Network } from "./network.ts";
import type { Statement } from "./permissions.ts";
import { documentOf, readSecrets } from "./permissions.ts";
import type { Keys, Secret, SecretName } from "./platform.ts";
import { hasProxy } from "./proxy.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Repository } from "./registry.ts";
import { scaling } from "./scaling.ts";
import type { Stage } from "./stage.ts";

/** The instances that run the application's image. */
export interface Application {
  group: string;
  groupArn: Output<string>;
  launchTemplate: { id: Output<string>; arn: Output<string> };
}

interface Parts {
  network: Network;
  keys: Keys;
  repository: Repository;
  secrets: Record<SecretName, Secret>;
  databaseHost: Output<string>;
  cacheHost: Output<string>;
  targetGroupArn: Output<string>;
}

/** Which container a template starts, `repository@digest`: what readiness compares between regions. */
const imageTag = "nightshift:image";

/** The secrets that an instance reads, and no others. */
const read: readonly SecretName[] = ["database", "cache", "signing-keys", "encryption-keys"];

export const application = (stage: Stage, region: Region, parts: Parts): Application => {
  const { provider } = region;
  const group = `${stage.prefix}-app`;
  const logs = new aws.cloudwatch.LogGroup(
    named("ApplicationLog", region),
    { name: `/${stage.prefix}/application`, retentionInDays: stage.logRetentionDays },
    { provider },
  );
  const template = launchTemplate(stage, region, parts, logs);
  const { application: size } = stage.config.sizes;
  const isHome = region.role === "primary";
  const made = new aws.autoscaling.Group(
    named("Application", region),
    {
      name: group,
      minSize: isHome ? size.minimum : size.standbyMinimum,
      desiredCapacity: isHome ? size.desired : size.standbyMinimum,
      maxSize: size.maximum,
      vpcZoneIdentifiers: parts.network.privateSubnets,
      targetGroupArns: [parts.targetGroupArn],
      healthCheckType: "ELB",
      healthCheckGracePeriod: graceSeconds,
      defaultCooldown: 300,
      defaultInstanceWarmup: 180,
      terminationPolicies: ["OldestLaunchTemplate", "OldestInstance"],
      // Readiness reads how many were in service: Auto Scaling measures it only when asked to.
      enabledMetrics: ["GroupInServiceInstances", "GroupDesiredCapacity", "GroupTotalInstances"],
      metricsGranularity: "1Minute",
      ...launch(stage, template),
      tags: [{ key: "Name", value: group, propagateAtLaunch: true }],
      // A deployment does not wait for an application that it cannot help.
      waitForCapacityTimeout: "0",
    },
    // The fence empties the group and failover fills it; a release gives it a version of its template,
    // once that version has shown itself: see the README of this folder.
    {
      provider,
      ignoreChanges: ["minSize", "desiredCapacity", "launchTemplate", "mixedInstancesPolicy"],
    },
  );
  scaling(stage, region, made);
  return {
    group,
    groupArn: made.arn,
    launchTemplate: { id: template.id, arn: template.arn },
  };
};

/**
 * What the group begins with, a version by its number: a rollback needs to know which one it goes back
 * to. A later deployment only makes versions. The provider would save a new one in the group before it
 * starts a refresh, which would then roll back to the new one (terraform-provider-aws#34189).
 */
const launch = (stage: Stage, template: aws.ec2.LaunchTemplate) => {
  const { spot } = stage.config.sizes.application;
  const version = template.latestVersion.apply(String);
  if (!spot) return { launchTemplate: { id: template.id, version } };
  return {
    capacityRebalance: true,
    mixedInstancesPolicy: {
      instancesDistribution: {
        onDemandBaseCapacity: spot.onDemandBase,
        onDemandPercentageAboveBaseCapacity: 0,
        spotAllocationStrategy: "price-capacity-optimized",
      },
      launchTemplate: {
        launchTemplateSpecification: { launchTemplateId: template.id, version },
        overrides: spot.instanceTypes.map((instanceType) => ({ instanceType })),
      },
    },
  };
};

const launchTemplate = (
  stage: Stage,
  region: Region,
  parts: Parts,
  logs: aws.cloudwatch.LogGroup,
): aws.ec2.LaunchTemplate => {
  const { provider } = region;
  const { instanceType } = stage.config.sizes.application;
  const image = `${parts.repository.name}@${stage.config.application.image}`;
  const tags = { [imageTag]: image, Name: `${stage.prefix}-app` };
  return new aws.ec2.LaunchTemplate(
    named("LaunchTemplate", region),
    {
      name: `${stage.prefix}-app`,
      imageId: machineImage(region, instanceType),
      instanceType,
      iamInstanceProfile: { arn: profile(stage, region, parts, logs).arn },
      // Session tokens only, and none for the container: it is one hop further away, and gets what it
      // needs as its environment. Source: "Use the Instance Metadata Service", hop limit.
      metadataOptions: {
        httpEndpoint: "enabled",
        httpTokens: "required",
        httpPutResponseHopLimit: 1,
        instanceMetadataTags: "disabled",
      },
      networkInterfaces: [
        {
          associatePublicIpAddress: "false",
          deleteOnTermination: "true",
          securityGroups: [parts.network.groups.application],
        },
      ],
      blockDeviceMappings: [
        {
          deviceName: "/dev/xvda",
          ebs: {
            volumeType: "gp3",
            volumeSize: 30,
            encrypted: "true",
            kmsKeyId: parts.keys.data,
            deleteOnTermination: "true",
          },
        },
      ],
      // By the minute: scaling looks at five of them.
      monitoring: { enabled: true },
      userData: userData(stage, region, parts, logs.name),
      updateDefaultVersion: true,
      tagSpecifications: ["instance", "volume"].map((resourceType) => ({ resourceType, tags })),
    },
    { provider },
  );
};

/** The script, with what it has to know above it. Names and addresses: nothing that must not be read. */
const userData = (
  stage: Stage,
  region: Region,
  { repository, databaseHost, cacheHost }: Parts,
  logGroup: Output<string>,
): Output<string> => {
  const script = readFileSync(`${$cli.paths.root}/stacks/boot.sh`, "utf8");
  const variables: Record<string, Input<string>> = {
    region: region.name,
    prefix: stage.prefix,
    image: $interpolate`${repository.url}@${stage.config.application.image}`,
    port: String(stage.config.application.port),
    database_host: databaseHost,
    database_port: String(databasePort),
    cache_host: cacheHost,
    cache_port: String(cachePort),
    behind_proxy: hasProxy(stage, region) ? "yes" : "",
    log_group: logGroup,
  };
  return $resolve(variables).apply((known) =>
    Buffer.from(
      [
        "#!/bin/bash",
        ...Object.entries(known).map(([name, value]) => `${name}='${value}'`),
        script,
      ].join("\n"),
    ).toString("base64"),
  );
};

const profile = (
  stage: Stage,
  region: Region,
  { repository, secrets, keys }: Parts,
  logs: aws.cloudwatch.LogGroup,
): aws.iam.InstanceProfile => {
  const { provider } = region;
  const name = `${stage.prefix}-application-${region.name}`;
  const role = new aws.iam.Role(
    named("ApplicationRole", region),
    { name, assumeRolePolicy: assumedBy("ec2.amazonaws.com") },
    { provider },
  );
  const may = new aws.iam.RolePolicy(
    named("ApplicationMay", region),
    {
      role: role.id,
      name: "may",
      policy: documentOf(permissions(region, { repository, secrets, keys }, logs)),
    },
    { provider },
  );
  return new aws.iam.InstanceProfile(
    named("ApplicationProfile", region),
    { name, role: role.name },
    // The first thing that an instance does is to read its secrets.
    { provider, dependsOn: [may] },
  );
};

const permissions = (
  region: Region,
  { repository, secrets, keys }: Pick<Parts, "repository" | "secrets" | "keys">,
  logs: aws.cloudwatch.LogGroup,
): Statement[] => [
  ...readSecrets(
    "ReadWhatItsEnvironmentIsMadeOf",
    { keys, region },
    read.map((name) => secrets[name]),
  ),
  {
    sid: "PullTheImage",
    actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    resources: [repository.arn],
  },
  // The login is to the registry, which has no ARN: "Actions … for Amazon ECR".
  { sid: "LogInToTheRegistry", actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
  {
    sid: "WriteItsLog",
    actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
    resources: [$interpolate`${logs.arn}:*`],
  },
  {
    sid: "MeasureItsMemory",
    actions: ["cloudwatch:PutMetricData"],
    resources: ["*"],
    conditions: { StringEquals: { "cloudwatch:namespace": "CWAgent" } },
  },
  // Commands of Nightshift's two documents, and no shell: a session takes a data channel as well. Source:
  // "ec2messages, ssmmessages, and other API operations" in the Systems Manager user guide.
  {
    sid: "TakeCommands",
    actions: [
      "ec2messages:AcknowledgeMessage",
      "ec2messages:DeleteMessage",
      "ec2messages:FailMessage",
      "ec2messages:GetEndpoint",
      "ec2messages:GetMessages",
      "ec2messages:SendReply",
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:OpenControlChannel",
    ],
    resources: ["*"],
  },
  // The agent asks for the group's name, and describing instances knows no resources.
  { sid: "KnowItsGroup", actions: ["ec2:DescribeTags"], resources: ["*"] },
];
