import { assumedBy } from "./job.ts";
import { keepsake } from "./keepsake.ts";
import { accountOf, documentOf } from "./permissions.ts";
import type { Bucket } from "./platform.ts";
import type { Region, Regions } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

export interface Storage {
  logBucket: Bucket;
  evidenceBucket: Bucket;
}

/**
 * Two buckets in each region. Encrypted with S3's own key: load balancers write their logs with no
 * other, and evidence that is locked for years must not be lost with a key. Source: "Enable access logs
 * for your Application Load Balancer", requirements of the bucket.
 */
export const storage = (
  stage: Stage,
  { primary, standby }: Regions,
): { home: Storage; standby: Storage } => {
  const [home, other] = [evidence(stage, primary), evidence(stage, standby)];
  // Both ways: evidence is written where the lease is.
  replicate(stage, primary, home, other);
  replicate(stage, standby, other, home);
  // Whoever is told a bucket's name may use it at once, so its policy has to stand by then.
  const facts = ({ bucket, policy }: Governed): Bucket => ({
    name: $resolve([bucket.bucket, policy.id]).apply(([name]) => name),
    arn: bucket.arn,
  });
  return {
    home: { logBucket: facts(logs(stage, primary)), evidenceBucket: facts(home) },
    standby: { logBucket: facts(logs(stage, standby)), evidenceBucket: facts(other) },
  };
};

interface Kept {
  bucket: aws.s3.Bucket;
  versioning: aws.s3.BucketVersioning;
}

interface Governed extends Kept {
  policy: aws.s3.BucketPolicy;
}

const bucketOf = (stage: Stage, region: Region, what: "Log" | "Evidence"): Kept => {
  const { provider } = region;
  const title = (part: string) => named(`${what}${part}`, region);
  const bucket = new aws.s3.Bucket(
    title("Bucket"),
    {
      // Names of buckets are taken in the whole world, so the account is part of them.
      bucket: $interpolate`${stage.prefix}-${what.toLowerCase()}-${region.name}-${accountOf(region)}`,
      objectLockEnabled: what === "Evidence",
      forceDestroy: !stage.isProduction,
    },
    { provider, ...keepsake(stage) },
  );
  const versioning = new aws.s3.BucketVersioning(
    title("Versions"),
    { bucket: bucket.id, versioningConfiguration: { status: "Enabled" } },
    { provider },
  );
  new aws.s3.BucketServerSideEncryptionConfiguration(
    title("Encryption"),
    {
      bucket: bucket.id,
      rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    },
    { provider },
  );
  new aws.s3.BucketPublicAccessBlock(
    title("NotPublic"),
    {
      bucket: bucket.id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    { provider },
  );
  return { bucket, versioning };
};

/** Refuses whatever comes without TLS, from anybody. */
const onlyWithTls = ({ bucket }: Kept) => ({
  Sid: "OnlyWithTls",
  Effect: "Deny",
  Principal: "*",
  Action: "s3:*",
  Resource: [bucket.arn, $interpolate`${bucket.arn}/*`],
  Condition: { Bool: { "aws:SecureTransport": "false" } },
});

const policyOf = (region: Region, what: string, kept: Kept, statements: object[]) =>
  new aws.s3.BucketPolicy(
    named(`${what}BucketPolicy`, region),
    {
      bucket: kept.bucket.id,
      policy: $jsonStringify({
        Version: "2012-10-17",
        Statement: [onlyWithTls(kept), ...statements],
      }),
    },
    { provider: region.provider },
  );

/** Access logs of load balancers: hot for a while, then in Glacier, then gone. */
const logs = (stage: Stage, region: Region): Governed => {
  const { logsDays, logsToGlacierDays } = stage.config.records;
  const kept = bucketOf(stage, region, "Log");
  const policy = policyOf(region, "Log", kept, [
    {
      // Source: "Enable access logs for your Application Load Balancer", step 2: the path names the
      // account, and a condition that is not in it could keep every log out without a word.
      Sid: "LoadBalancersWrite",
      Effect: "Allow",
      Principal: { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
      Action: "s3:PutObject",
      Resource: $interpolate`${kept.bucket.arn}/balancer/AWSLogs/${accountOf(region)}/*`,
    },
  ]);
  new aws.s3.BucketLifecycleConfiguration(
    named("LogLifecycle", region),
    {
      bucket: kept.bucket.id,
      rules: [
        {
          id: "cool down, then go",
          status: "Enabled",
          filter: {},
          transitions: [{ days: logsToGlacierDays, storageClass: "GLACIER" }],
          expiration: { days: logsDays },
          noncurrentVersionExpiration: { noncurrentDays: 30 },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
      ],
    },
    { provider: region.provider, dependsOn: [kept.versioning] },
  );
  return { ...kept, policy };
};

/**
 * What a run saw, decided and did. In compliance mode nobody shortens a retention or deletes a version,
 * not even the account's root: whoever has to be believed afterwards cannot be the one who may change
 * it. In governance mode a permission is enough, which is for stages that have to be removable. Source:
 * "Locking objects with Object Lock".
 */
const evidence = (stage: Stage, region: Region): Governed => {
  const kept = bucketOf(stage, region, "Evidence");
  new aws.s3.BucketObjectLockConfiguration(
    named("EvidenceLock", region),
    {
      bucket: kept.bucket.id,
      rule: {
        defaultRetention: { mode: stage.evidenceLock, days: stage.config.records.evidenceDays },
      },
    },
    { provider: region.provider, dependsOn: [kept.versioning] },
  );
  return { ...kept, policy: policyOf(region, "Evidence", kept, []) };
};

/** Permissions as in "Setting up permissions for live replication"; a lock travels with its object. */
const replicate = (stage: Stage, region: Region, from: Kept, to: Kept): void => {
  const { provider } = region;
  const role = new aws.iam.Role(
    named("EvidenceReplicationRole", region),
    {
      name: `${stage.prefix}-evidence-${region.name}`,
      assumeRolePolicy: assumedBy("s3.amazonaws.com"),
    },
    { provider },
  );
  const objects = (kept: Kept) => $interpolate`${kept.bucket.arn}/*`;
  new aws.iam.RolePolicy(
    named("EvidenceReplicationMay", region),
    {
      role: role.id,
      name: "may",
      policy: documentOf([
        {
          sid: "SeeWhatIsToBeReplicated",
          actions: ["s3:GetReplicationConfiguration", "s3:ListBucket"],
          resources: [from.bucket.arn],
        },
        {
          sid: "ReadWithItsLock",
          actions: [
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionTagging",
            "s3:GetObjectRetention",
            "s3:GetObjectLegalHold",
          ],
          resources: [objects(from)],
        },
        {
          sid: "WriteOnTheOtherSide",
          actions: ["s3:ReplicateObject", "s3:ReplicateTags"],
          resources: [objects(to)],
        },
      ]),
    },
    { provider },
  );
  new aws.s3.BucketReplicationConfig(
    named("EvidenceReplication", region),
    {
      bucket: from.bucket.id,
      role: role.arn,
      rules: [
        {
          id: "everything",
          status: "Enabled",
          filter: {},
          // Nothing of it is ever deleted, so no mark that says so is either.
          deleteMarkerReplication: { status: "Disabled" },
          destination: { bucket: to.bucket.arn, storageClass: "STANDARD" },
        },
      ],
    },
    { provider, dependsOn: [from.versioning, to.versioning] },
  );
};
