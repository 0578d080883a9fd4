import type { Output } from "@pulumi/pulumi";
import { keepsake } from "./keepsake.ts";
import { accountOf } from "./permissions.ts";
import type { Keys } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/**
 * A region's own keys: nothing that a failover needs is encrypted with a key of another region. AWS
 * rotates them each year under the same ARN.
 */
export const keys = (stage: Stage, region: Region): Keys => ({
  data: keyOf(stage, region, "data", [volumes(region)]),
  secrets: keyOf(stage, region, "secrets", []),
});

/**
 * Signs evidence in either region with one key: a chain of records that a move goes through is proven by
 * one public key. KMS rotates no key that signs. Source: "Multi-Region keys in AWS KMS", "Key spec
 * reference" of KMS.
 */
export const evidenceKeys = (
  stage: Stage,
  { primary, standby }: Regions,
): { home: Output<string>; standby: Output<string> } => {
  const usual = (region: Region) => ({
    description: `${stage.prefix}: signs evidence`,
    deletionWindowInDays: stage.isProduction ? 30 : 7,
    policy: $jsonStringify({ Version: "2012-10-17", Statement: [owner(region)] }),
  });
  const key = new aws.kms.Key(
    named("EvidenceKey", primary),
    {
      ...usual(primary),
      keyUsage: "SIGN_VERIFY",
      customerMasterKeySpec: "ECC_NIST_P256",
      multiRegion: true,
    },
    { provider: primary.provider, ...keepsake(stage) },
  );
  const replica = new aws.kms.ReplicaKey(
    named("EvidenceKey", standby),
    { ...usual(standby), primaryKeyArn: key.arn },
    { provider: standby.provider, ...keepsake(stage) },
  );
  for (const [region, { keyId }] of [[primary, key] as const, [standby, replica] as const]) {
    new aws.kms.Alias(
      named("EvidenceKeyAlias", region),
      { name: `alias/${stage.prefix}-evidence`, targetKeyId: keyId },
      { provider: region.provider },
    );
  }
  return { home: key.arn, standby: replica.arn };
};

interface KeyStatement {
  Sid: string;
  [part: string]: unknown;
}

const keyOf = (stage: Stage, region: Region, name: string, more: KeyStatement[]) => {
  const title = named(`${name === "data" ? "Data" : "Secrets"}Key`, region);
  const key = new aws.kms.Key(
    title,
    {
      description: `${stage.prefix}: ${name} in ${region.name}`,
      enableKeyRotation: true,
      // The longest that KMS waits: a key that is gone takes everything it has encrypted with it.
      deletionWindowInDays: stage.isProduction ? 30 : 7,
      policy: $jsonStringify({ Version: "2012-10-17", Statement: [owner(region), ...more] }),
    },
    { provider: region.provider, ...keepsake(stage) },
  );
  new aws.kms.Alias(
    `${title}Alias`,
    { name: `alias/${stage.prefix}-${name}`, targetKeyId: key.keyId },
    { provider: region.provider },
  );
  return key.arn;
};

/** Leaves it to IAM who may use the key. In a key's policy the resource is the key itself. */
const owner = (region: Region): KeyStatement => ({
  Sid: "LeaveItToTheAccount",
  Effect: "Allow",
  Principal: { AWS: $interpolate`arn:aws:iam::${accountOf(region)}:root` },
  Action: "kms:*",
  Resource: "*",
});

/**
 * Auto Scaling starts instances by roles of its own, which IAM policies cannot give anything. They are
 * named by a condition, since a principal has to exist when the policy is made, and in a new account
 * they do not yet. Source: "Required AWS KMS key policy for use with encrypted volumes" in the guide of
 * EC2 Auto Scaling.
 */
const volumes = (region: Region): KeyStatement => ({
  Sid: "StartInstancesWithEncryptedVolumes",
  Effect: "Allow",
  Principal: { AWS: "*" },
  Action: [
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
  ],
  Resource: "*",
  Condition: {
    StringEquals: { "kms:CallerAccount": accountOf(region) },
    ArnEquals: {
      "aws:PrincipalArn": ["autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", spotRole].map(
        (role) => $interpolate`arn:aws:iam::${accountOf(region)}:role/aws-service-role/${role}`,
      ),
    },
  },
});

const spotRole = "spot.amazonaws.com/AWSServiceRoleForEC2Spot";
