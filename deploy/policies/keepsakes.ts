import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { present, resourcesOf, unlike } from "./resources.ts";

/** Whatever holds data or keys, by kind, with how many a stage has at least. */
const keepsakes: Readonly<Record<string, number>> = {
  "dynamodb/table": 2,
  "dynamodb/tableItem": 1,
  "ecr/repository": 2,
  "elasticache/replicationGroup": 2,
  "kms/key": 5,
  "kms/replicaKey": 1,
  "rds/instance": 2,
  "rds/instanceAutomatedBackupsReplication": 1,
  "s3/bucket": 4,
  "secretsmanager/secret": 7,
  "secretsmanager/secretVersion": 6,
};

/** Of such a kind, and all the same nothing that anybody would miss. */
const replaceable: readonly { name: RegExp; because: string }[] = [
  { name: /^AlertsKeyIn/, because: "what it encrypts is a message on its way" },
  { name: /^PostgresReader\d/, because: "a reader can be made anew from its source" },
];

const kept = (recording: Recording): Resource[] =>
  resourcesOf(recording, ...Object.keys(keepsakes)).filter(
    (resource) => !replaceable.some(({ name }) => name.test(resource.name)),
  );

/** What AWS itself asks before it deletes: not only Pulumi may be told to. */
const guarded: Readonly<Record<string, Record<string, unknown>>> = {
  "rds/instance": {
    deletionProtection: true,
    skipFinalSnapshot: false,
    deleteAutomatedBackups: false,
  },
  "dynamodb/table": { deletionProtectionEnabled: true },
  "lb/loadBalancer": { enableDeletionProtection: true },
  "kms/key": { deletionWindowInDays: 30 },
  "kms/replicaKey": { deletionWindowInDays: 30 },
  "secretsmanager/secret": { recoveryWindowInDays: 30 },
  "s3/bucket": { forceDestroy: false },
  "ecr/repository": { forceDelete: false },
};

const isReplaceable = ({ name }: Resource) => replaceable.some((each) => each.name.test(name));

const production = (recording: Recording): Violation[] => [
  ...kept(recording).flatMap(({ name, protect, retain }) => [
    ...(protect ? [] : [{ resource: name, problem: "a deployment may delete it" }]),
    ...(retain ? [] : [{ resource: name, problem: "it goes when the stacks no longer name it" }]),
  ]),
  ...Object.entries(guarded).flatMap(([kind, wanted]) =>
    resourcesOf(recording, kind)
      .filter((resource) => !isReplaceable(resource))
      .flatMap((resource) => unlike(resource, wanted)),
  ),
];

/** A personal stage comes and goes: whatever would stay costs money or takes its name. */
const personal = (recording: Recording): Violation[] =>
  recording.resources
    .filter(({ protect, retain }) => protect || retain)
    .map(({ name }) => ({ resource: name, problem: "would stay when the stage is removed" }));

const protectedKeepsakes: Policy = {
  name: "production keeps what holds data or keys, and a personal stage leaves nothing behind",
  check: (recording) => [
    ...present(recording, keepsakes),
    ...(recording.stage === "production" ? production(recording) : personal(recording)),
  ],
};

/** Point-in-time recovery of tables, versions of buckets, immutable tags, locked evidence. */
const history: Policy = {
  name: "what was written can be looked at as it was",
  check: (recording) => [
    ...resourcesOf(recording, "dynamodb/table").flatMap((table) => [
      ...unlike(table, { "pointInTimeRecovery.enabled": true }),
      ...replicasOf(table)
        .filter(({ pointInTimeRecovery }) => pointInTimeRecovery !== true)
        .map(({ regionName }) => ({
          resource: table.name,
          problem: `has no point-in-time recovery in ${regionName}`,
        })),
    ]),
    ...present(recording, {
      "s3/bucketVersioning": resourcesOf(recording, "s3/bucket").length,
      "s3/bucketObjectLockConfiguration": 2,
      "s3/bucketReplicationConfig": 2,
    }),
    ...resourcesOf(recording, "s3/bucketVersioning").flatMap((one) =>
      unlike(one, { "versioningConfiguration.status": "Enabled" }),
    ),
    ...resourcesOf(recording, "s3/bucketObjectLockConfiguration").flatMap((one) =>
      unlike(one, {
        "rule.defaultRetention.mode":
          recording.stage === "production" ? "COMPLIANCE" : "GOVERNANCE",
      }),
    ),
    ...resourcesOf(recording, "ecr/repository").flatMap((one) =>
      unlike(one, {
        imageTagMutability: "IMMUTABLE",
        "imageScanningConfiguration.scanOnPush": true,
      }),
    ),
  ],
};

const replicasOf = ({ inputs }: Resource): Record<string, unknown>[] =>
  Array.isArray(inputs.replicas) ? (inputs.replicas as Record<string, unknown>[]) : [];

export const keepsakePolicies: readonly Policy[] = [protectedKeepsakes, history];
