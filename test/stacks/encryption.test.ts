import { describe } from "vitest";
import { encryptionPolicies } from "../../deploy/policies/encryption.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set, without } from "./breaks.ts";

const lies = "where it lies";
const way = "on its way";

const breaks: Break[] = [
  {
    what: "a database in clear text",
    policy: lies,
    change: set("PostgresInPrimary", "storageEncrypted", false),
    says: /PostgresInPrimary storageEncrypted is false/,
  },
  {
    what: "a replica whose key lies in the region that may be lost",
    policy: lies,
    change: set("PostgresInStandby", "kmsKeyId", "arn:aws:kms:eu-central-1:123456789012:key/1"),
    says: /PostgresInStandby kmsKeyId is no key of eu-west-1/,
  },
  {
    what: "a replicated secret without a key of its region",
    policy: lies,
    change: set("DatabaseSecret", "replicas.0.kmsKeyId", undefined),
    says: /DatabaseSecret has no key of eu-west-1 there/,
  },
  {
    what: "a volume in clear text",
    policy: lies,
    change: set("LaunchTemplateInStandby", "blockDeviceMappings.0.ebs.encrypted", "false"),
    says: /LaunchTemplateInStandby has a volume/,
  },
  {
    what: "a template without any volume of its own",
    policy: lies,
    change: set("LaunchTemplateInStandby", "blockDeviceMappings", undefined),
    says: /LaunchTemplateInStandby has a volume/,
  },
  {
    what: "a cache in clear text",
    policy: lies,
    change: set("CacheInPrimary", "atRestEncryptionEnabled", undefined),
    says: /CacheInPrimary atRestEncryptionEnabled is not given/,
  },
  {
    what: "a bucket in clear text",
    policy: lies,
    change: without("EvidenceEncryptionInPrimary"),
    says: /EvidenceBucketInPrimary has no encryption/,
  },
  {
    what: "a queue in clear text",
    policy: lies,
    change: set("GuardInPrimaryDeadLetters", "sqsManagedSseEnabled", false),
    says: /GuardInPrimaryDeadLetters keeps messages as they are/,
  },
  {
    what: "evidence that is signed with another key in each region",
    policy: lies,
    change: set("EvidenceKeyInPrimary", "multiRegion", false),
    says: /EvidenceKeyInPrimary multiRegion is false/,
  },
  {
    what: "a key that is never renewed",
    policy: lies,
    change: set("SecretsKeyInPrimary", "enableKeyRotation", false),
    says: /SecretsKeyInPrimary enableKeyRotation/,
  },
  {
    what: "a listener with an old TLS",
    policy: way,
    change: set("HttpsInPrimary", "sslPolicy", "ELBSecurityPolicy-2016-08"),
    says: /HttpsInPrimary sslPolicy is "ELBSecurityPolicy-2016-08"/,
  },
  {
    what: "a listener that Route 53's checkers cannot speak with",
    policy: way,
    change: set("HttpsInPrimary", "sslPolicy", "ELBSecurityPolicy-TLS13-1-3-2021-06"),
    says: /HttpsInPrimary sslPolicy/,
  },
  {
    what: "a listener without a certificate",
    policy: way,
    change: set("HttpsInStandby", "certificateArn", undefined),
    says: /HttpsInStandby has no certificate of eu-west-1/,
  },
  {
    what: "a listener that answers without TLS",
    policy: way,
    change: set("HttpInPrimary", "defaultActions.0.type", "forward"),
    says: /HttpInPrimary answers without TLS/,
  },
  {
    what: "a database that takes clients without TLS",
    policy: way,
    change: set("DatabaseParametersInStandby", "parameters.0.value", "0"),
    says: /DatabaseParametersInStandby lets clients in without TLS/,
  },
  {
    what: "a cache that takes clients without TLS",
    policy: way,
    change: set("CacheInStandby", "transitEncryptionMode", "preferred"),
    says: /CacheInStandby transitEncryptionMode is "preferred"/,
  },
  {
    what: "a cache without a token",
    policy: way,
    change: set("CacheInStandby", "authToken", undefined),
    says: /CacheInStandby lets in whoever reaches it/,
  },
  {
    what: "a bucket that takes requests without TLS",
    policy: way,
    change: without("LogBucketPolicyInPrimary"),
    says: /LogBucketInPrimary takes requests without TLS/,
  },
  {
    what: "a health check in clear text",
    policy: way,
    change: set("HomeSaysRenounced", "type", "HTTP_STR_MATCH"),
    says: /HomeSaysRenounced type is "HTTP_STR_MATCH"/,
  },
  {
    what: "containers that reach the instance's credentials",
    policy: "credentials",
    change: set("LaunchTemplateInPrimary", "metadataOptions.httpPutResponseHopLimit", 2),
    says: /LaunchTemplateInPrimary metadataOptions\.httpPutResponseHopLimit is 2/,
  },
];

describe("encryption", () => itHolds(encryptionPolicies, breaks));
