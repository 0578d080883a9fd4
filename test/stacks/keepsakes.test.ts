import { describe } from "vitest";
import { keepsakePolicies } from "../../deploy/policies/keepsakes.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set, turn, without } from "./breaks.ts";

const keeps = "keeps what holds data";
const looked = "looked at as it was";

const breaks: Break[] = [
  ...[
    "Coordination",
    "FirstLease",
    "CacheInStandby",
    "RepositoryInStandby",
    "DataKeyInPrimary",
    "EvidenceKeyInPrimary",
    "EvidenceKeyInStandby",
    "PostgresInStandby",
    "DatabaseBackupsInStandby",
    "EvidenceBucketInPrimary",
    "EncryptionKeysSecret",
    "EncryptionKeysSecretValue",
  ].flatMap((name): Break[] => [
    {
      what: `that ${name} may be deleted`,
      policy: keeps,
      change: turn(name, { protect: false }),
      says: new RegExp(`${name} a deployment may delete it`),
    },
    {
      what: `that ${name} goes when the stacks forget it`,
      policy: keeps,
      change: turn(name, { retain: false }),
      says: new RegExp(`${name} it goes when`),
    },
  ]),
  {
    what: "a database without deletion protection",
    policy: keeps,
    change: set("PostgresInPrimary", "deletionProtection", false),
    says: /PostgresInPrimary deletionProtection is false/,
  },
  {
    what: "a database whose backups go with it",
    policy: keeps,
    change: set("PostgresInPrimary", "deleteAutomatedBackups", true),
    says: /PostgresInPrimary deleteAutomatedBackups/,
  },
  {
    what: "a table without deletion protection",
    policy: keeps,
    change: set("Journal", "deletionProtectionEnabled", false),
    says: /Journal deletionProtectionEnabled/,
  },
  {
    what: "a key that is gone within a week",
    policy: keeps,
    change: set("SecretsKeyInStandby", "deletionWindowInDays", 7),
    says: /SecretsKeyInStandby deletionWindowInDays is 7/,
  },
  {
    what: "a load balancer without deletion protection",
    policy: keeps,
    change: set("BalancerInPrimary", "enableDeletionProtection", false),
    says: /BalancerInPrimary enableDeletionProtection/,
  },
  {
    what: "that a keepsake is not there at all",
    policy: keeps,
    change: without("DatabaseBackupsInStandby"),
    says: /instanceAutomatedBackupsReplication production has 0/,
  },
  {
    what: "a personal stage that cannot be removed",
    policy: keeps,
    stage: "personal",
    change: turn("PostgresInPrimary", { protect: true }),
    says: /PostgresInPrimary would stay/,
  },
  {
    what: "a table without point-in-time recovery in one region",
    policy: looked,
    change: set("Coordination", "replicas.1.pointInTimeRecovery", false),
    says: /Coordination has no point-in-time recovery in eu-west-2/,
  },
  {
    what: "evidence that an administrator can delete",
    policy: looked,
    change: set("EvidenceLockInPrimary", "rule.defaultRetention.mode", "GOVERNANCE"),
    says: /EvidenceLockInPrimary rule\.defaultRetention\.mode/,
  },
  {
    what: "evidence that is in one region only",
    policy: looked,
    change: without("EvidenceReplicationInStandby"),
    says: /bucketReplicationConfig production has 1/,
  },
  {
    what: "tags of images that can be moved",
    policy: looked,
    change: set("RepositoryInPrimary", "imageTagMutability", "MUTABLE"),
    says: /RepositoryInPrimary imageTagMutability/,
  },
];

describe("keepsakes", () => itHolds(keepsakePolicies, breaks));
