import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { inputOf, listOf, present, resourcesOf, statementsOf, unlike } from "./resources.ts";

/** A key of the region itself: one of another region is not there when it is needed. */
const ownKey = (resource: Resource, path: string): Violation[] => {
  const key = String(inputOf(resource, path) ?? "");
  return key.startsWith(`arn:aws:kms:${resource.region}:`)
    ? []
    : [{ resource: resource.name, problem: `${path} is no key of ${resource.region}` }];
};

/** What each kind has to say. Queues and topics are those of the automation. */
const atRest: Readonly<Record<string, (resource: Resource) => Violation[]>> = {
  "rds/instance": (one) => [
    ...unlike(one, { storageEncrypted: true }),
    // A reader in the region of its source takes the source's key, and may not name one.
    ...(one.name.includes("Reader") ? [] : ownKey(one, "kmsKeyId")),
  ],
  "rds/instanceAutomatedBackupsReplication": (one) => ownKey(one, "kmsKeyId"),
  "elasticache/replicationGroup": (one) => [
    ...unlike(one, { atRestEncryptionEnabled: true }),
    ...ownKey(one, "kmsKeyId"),
  ],
  "secretsmanager/secret": (one) => [
    ...ownKey(one, "kmsKeyId"),
    ...listOf(one.inputs.replicas)
      .filter(({ region, kmsKeyId }) => !String(kmsKeyId).startsWith(`arn:aws:kms:${region}:`))
      .map(({ region }) => ({ resource: one.name, problem: `has no key of ${region} there` })),
  ],
  "ec2/launchTemplate": (one) =>
    volumesOf(one).flatMap((ebs) =>
      ebs.encrypted === "true" && String(ebs.kmsKeyId).startsWith(`arn:aws:kms:${one.region}:`)
        ? []
        : [
            {
              resource: one.name,
              problem: "has a volume that is not encrypted with a key of its region",
            },
          ],
    ),
  "ec2/instance": (one) => unlike(one, { "rootBlockDevice.encrypted": true }),
  "ecr/repository": (one) =>
    listOf(one.inputs.encryptionConfigurations).length > 0
      ? []
      : [{ resource: one.name, problem: "says nothing of encryption" }],
  "sqs/queue": (one) =>
    one.inputs.sqsManagedSseEnabled === true || one.inputs.kmsMasterKeyId !== undefined
      ? []
      : [{ resource: one.name, problem: "keeps messages as they are" }],
  "sns/topic": (one) =>
    one.inputs.kmsMasterKeyId !== undefined
      ? []
      : [{ resource: one.name, problem: "keeps messages as they are" }],
  // KMS rotates no key that signs, and a signature of years ago has to be verified with it.
  "kms/key": (one) =>
    unlike(one, one.inputs.keyUsage === "SIGN_VERIFY" ? signs : { enableKeyRotation: true }),
};

const signs = { customerMasterKeySpec: "ECC_NIST_P256", multiRegion: true };

const volumesOf = (one: Resource) => {
  const volumes = listOf(one.inputs.blockDeviceMappings).map(
    ({ ebs }) => (ebs ?? {}) as Record<string, unknown>,
  );
  return volumes.length > 0 ? volumes : [{} as Record<string, unknown>];
};

const encryptedAtRest: Policy = {
  name: "everything is encrypted where it lies, with a key of its own region",
  check: (recording) => [
    ...present(recording, {
      "rds/instance": 2,
      "elasticache/replicationGroup": 2,
      "ec2/launchTemplate": 2,
      "secretsmanager/secret": 7,
      "kms/key": 5,
    }),
    ...Object.entries(atRest).flatMap(([kind, check]) =>
      resourcesOf(recording, kind).flatMap(check),
    ),
    ...bucketsWithout(recording, "s3/bucketServerSideEncryptionConfiguration", "no encryption"),
  ],
};

const bucketsWithout = (recording: Recording, kind: string, problem: string): Violation[] => {
  const have = new Set(resourcesOf(recording, kind).map(({ inputs }) => inputs.bucket));
  return resourcesOf(recording, "s3/bucket")
    .filter(({ name }) => !have.has(`${name}-id`))
    .map(({ name }) => ({ resource: name, problem: `has ${problem}` }));
};

/**
 * TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers. Source: "Security policies for your
 * Application Load Balancer". A misspelt name would be found by AWS only.
 */
const tlsPolicies = [
  "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
  "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
];

const listeners = (recording: Recording): Violation[] =>
  resourcesOf(recording, "lb/listener").flatMap((one) => {
    if (one.inputs.protocol === "HTTPS") {
      const certificate = String(one.inputs.certificateArn ?? "");
      return [
        ...unlike(one, { port: 443, sslPolicy: tlsPolicies }),
        ...(certificate.startsWith(`arn:aws:acm:${one.region}:`)
          ? []
          : [{ resource: one.name, problem: `has no certificate of ${one.region}` }]),
      ];
    }
    return [
      ...unlike(one, { port: 80, protocol: "HTTP" }),
      ...listOf(one.inputs.defaultActions).flatMap(({ type, redirect }) =>
        type === "redirect" && (redirect as Record<string, unknown>)?.protocol === "HTTPS"
          ? []
          : [{ resource: one.name, problem: "answers without TLS" }],
      ),
    ];
  });

const forcedTls = (recording: Recording): Violation[] =>
  resourcesOf(recording, "rds/parameterGroup").flatMap((group) =>
    listOf(group.inputs.parameters).some(
      ({ name, value }) => name === "rds.force_ssl" && value === "1",
    )
      ? []
      : [{ resource: group.name, problem: "lets clients in without TLS" }],
  );

const bucketsOnlyTls = (recording: Recording): Violation[] => {
  const refusing = new Set(
    resourcesOf(recording, "s3/bucketPolicy")
      .filter((policy) =>
        statementsOf(policy).some(
          ({ Effect, Condition }) =>
            Effect === "Deny" &&
            JSON.stringify(Condition)?.includes('"aws:SecureTransport":"false"'),
        ),
      )
      .map(({ inputs }) => inputs.bucket),
  );
  return resourcesOf(recording, "s3/bucket")
    .filter(({ name }) => !refusing.has(`${name}-id`))
    .map(({ name }) => ({ resource: name, problem: "takes requests without TLS" }));
};

const encryptedInTransit: Policy = {
  name: "everything is encrypted on its way, up to the load balancer's own network",
  check: (recording) => [
    ...present(recording, { "lb/listener": 4, "rds/parameterGroup": 2 }),
    ...listeners(recording),
    ...forcedTls(recording),
    ...bucketsOnlyTls(recording),
    ...resourcesOf(recording, "elasticache/replicationGroup").flatMap((one) => [
      ...unlike(one, { transitEncryptionEnabled: true, transitEncryptionMode: "required" }),
      ...(one.inputs.authToken === undefined
        ? [{ resource: one.name, problem: "lets in whoever reaches it, without a token" }]
        : []),
    ]),
    ...resourcesOf(recording, "route53/healthCheck")
      .filter(({ inputs }) => inputs.type !== "CALCULATED")
      .flatMap((one) => unlike(one, { type: "HTTPS_STR_MATCH", enableSni: true, port: 443 })),
  ],
};

/** Session tokens, and not for whoever is one hop further away than the instance. */
const metadata: Policy = {
  name: "an instance's credentials are only for itself",
  check: (recording) =>
    resourcesOf(recording, "ec2/launchTemplate", "ec2/instance").flatMap((one) =>
      unlike(one, {
        "metadataOptions.httpTokens": "required",
        "metadataOptions.httpPutResponseHopLimit": 1,
      }),
    ),
};

export const encryptionPolicies: readonly Policy[] = [
  encryptedAtRest,
  encryptedInTransit,
  metadata,
];
