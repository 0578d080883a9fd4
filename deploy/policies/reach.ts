import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { grantsOf } from "./grants.ts";
import { inputOf, listOf, present, resourcesOf, statementsOf, unlike } from "./resources.ts";

const everywhere = ["0.0.0.0/0", "::/0"];

interface Way {
  resource: string;
  group: string;
  from: string;
  port: number;
  toPort: number;
}

/** Every way into a security group, whether it stands in the group or in a rule of its own. */
const waysIn = (recording: Recording): Way[] => [
  ...resourcesOf(recording, "ec2/securityGroup", "ec2/defaultSecurityGroup").flatMap((group) =>
    listOf(group.inputs.ingress).flatMap((rule) =>
      [
        ...texts(rule.cidrBlocks),
        ...texts(rule.ipv6CidrBlocks),
        ...texts(rule.securityGroups),
        ...(rule.self === true ? [`${group.name}-id`] : []),
      ].map((from) => ({
        resource: group.name,
        group: group.name,
        from,
        port: Number(rule.fromPort),
        toPort: Number(rule.toPort),
      })),
    ),
  ),
  ...resourcesOf(recording, "vpc/securityGroupIngressRule", "ec2/securityGroupRule").map(
    (rule) => ({
      resource: rule.name,
      group: String(rule.inputs.securityGroupId).replace(/-id$/, ""),
      from: String(
        rule.inputs.cidrIpv4 ?? rule.inputs.cidrIpv6 ?? rule.inputs.referencedSecurityGroupId,
      ),
      port: Number(rule.inputs.fromPort),
      toPort: Number(rule.inputs.toPort),
    }),
  ),
];

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

/** What the internet may reach, with the reason. */
const publicFunctions: Readonly<Record<string, string>> = {
  Slack: "Slack calls it from anywhere, and it verifies every request by its signature",
};

const publicGroups = (recording: Recording): Violation[] =>
  waysIn(recording).flatMap(({ resource, group, from, port, toPort }) => {
    if (!everywhere.includes(from)) return [];
    const isDoor = group.startsWith("BalancerGroupIn") && port === toPort;
    if (isDoor && (port === 443 || port === 80)) return [];
    return [{ resource, problem: `lets ${from} into ${group} on ${port} to ${toPort}` }];
  });

/** A network interface with a public address: only where traffic leaves a personal stage. */
const publicAddresses = (recording: Recording): Violation[] => [
  ...resourcesOf(recording, "ec2/subnet").flatMap((one) =>
    unlike(one, { mapPublicIpOnLaunch: false }),
  ),
  ...resourcesOf(recording, "ec2/launchTemplate").flatMap((one) =>
    listOf(one.inputs.networkInterfaces)
      .filter(({ associatePublicIpAddress }) => associatePublicIpAddress !== "false")
      .map(() => ({ resource: one.name, problem: "gives instances public addresses" })),
  ),
  ...resourcesOf(recording, "ec2/instance").flatMap((one) =>
    one.inputs.associatePublicIpAddress === true && !one.name.startsWith("NatInstanceIn")
      ? [{ resource: one.name, problem: "is an instance with a public address" }]
      : [],
  ),
  ...resourcesOf(recording, "rds/instance").flatMap((one) =>
    unlike(one, { publiclyAccessible: false }),
  ),
];

const publicBalancers = (recording: Recording): Violation[] => {
  const seen = new Map<string | null, number>();
  return resourcesOf(recording, "lb/loadBalancer").flatMap((one) => {
    seen.set(one.region, (seen.get(one.region) ?? 0) + 1);
    const groups = texts(one.inputs.securityGroups);
    const own = groups.length > 0 && groups.every((id) => id.startsWith("BalancerGroupIn"));
    return [
      ...((seen.get(one.region) ?? 0) > 1
        ? [{ resource: one.name, problem: `is a second load balancer in ${one.region}` }]
        : []),
      ...(own
        ? []
        : [{ resource: one.name, problem: "is in another security group than its own" }]),
    ];
  });
};

const publicBuckets = (recording: Recording): Violation[] => {
  const blocks = new Map(
    resourcesOf(recording, "s3/bucketPublicAccessBlock").map((one) => [one.inputs.bucket, one]),
  );
  return resourcesOf(recording, "s3/bucket").flatMap((bucket) => {
    const block = blocks.get(`${bucket.name}-id`);
    if (!block) return [{ resource: bucket.name, problem: "nothing keeps it from being public" }];
    return unlike(block, {
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
  });
};

const publicFunctionUrls = (recording: Recording): Violation[] =>
  resourcesOf(recording, "lambda/functionUrl").flatMap((url) =>
    url.inputs.authorizationType === "AWS_IAM" ||
    Object.keys(publicFunctions).some((name) => url.name.startsWith(`${name}In`))
      ? []
      : [{ resource: url.name, problem: "is a public URL, and not one of the reasoned ones" }],
  );

/** `Principal: "*"` without a condition that names who. */
const publicDocuments = (recording: Recording): Violation[] =>
  recording.resources.flatMap((resource) =>
    statementsOf(resource)
      .filter((statement) => statement.Effect === "Allow" && isAnybody(statement.Principal))
      .filter(({ Condition }) => !/PrincipalArn|CallerAccount|SourceAccount/.test(json(Condition)))
      .map(({ Sid }) => ({ resource: resource.name, problem: `${Sid} allows anybody` })),
  );

const json = (value: unknown) => JSON.stringify(value) ?? "";
const isAnybody = (principal: unknown) =>
  /^("\*"|\{"AWS":(\["\*"\]|"\*")\})$/.test(json(principal));

const nothingPublic: Policy = {
  name: "the internet reaches the load balancers and Slack's door, and nothing else",
  check: (recording) => [
    ...present(recording, { "lb/loadBalancer": 2, "rds/instance": 2, "s3/bucket": 4 }),
    ...publicGroups(recording),
    ...publicAddresses(recording),
    ...publicBalancers(recording),
    ...publicBuckets(recording),
    ...publicFunctionUrls(recording),
    ...publicDocuments(recording),
  ],
};

/** Who may come in where, by region: `group: [from, port]`. The application's port is its own. */
const doors: Readonly<Record<string, readonly [from: string, port: number | "application"][]>> = {
  BalancerGroup: [
    ["0.0.0.0/0", 443],
    ["0.0.0.0/0", 80],
  ],
  ApplicationGroup: [["BalancerGroup", "application"]],
  DatabaseGroup: [
    ["ApplicationGroup", 5432],
    ["FunctionGroup", 5432],
  ],
  CacheGroup: [
    ["ApplicationGroup", 6379],
    ["FunctionGroup", 6379],
  ],
  FunctionGroup: [],
  CopyGroup: [["VerificationGroup", 5432]],
  VerificationGroup: [],
  NoGroup: [],
};

const portOfApplication = (recording: Recording, suffix: string): number =>
  Number(
    resourcesOf(recording, "lb/targetGroup").find(({ name }) => name.endsWith(suffix))?.inputs.port,
  );

const onlyDoors: Policy = {
  name: "each security group lets in whom the design names, by reference",
  check: (recording) =>
    ["InPrimary", "InStandby"].flatMap((suffix) =>
      Object.entries(doors).flatMap(([name, wanted]) => {
        const group = `${name}${suffix}`;
        const expected = wanted.map(([from, port]) => {
          const source = from.endsWith("Group") ? `${from}${suffix}-id` : from;
          return `${source}:${port === "application" ? portOfApplication(recording, suffix) : port}`;
        });
        const found = waysIn(recording)
          .filter((way) => way.group === group && way.port === way.toPort)
          .map(({ from, port }) => `${from}:${port}`);
        const wide = waysIn(recording).filter(
          (way) => way.group === group && way.port !== way.toPort,
        );
        return [
          ...difference(group, found, expected),
          ...wide.map(({ from }) => ({ resource: group, problem: `lets ${from} into many ports` })),
        ];
      }),
    ),
};

const difference = (resource: string, found: string[], expected: string[]): Violation[] => [
  ...found
    .filter((way) => !expected.includes(way))
    .map((way) => ({ resource, problem: `lets in ${way}` })),
  ...expected
    .filter((way) => !found.includes(way))
    .map((way) => ({ resource, problem: `does not let in ${way}` })),
];

/** Databases and caches: no route leads from where they are to anywhere else. */
const isolated: Policy = {
  name: "data lies in subnets without a way out",
  check: (recording) => {
    const tables = new Set(
      resourcesOf(recording, "ec2/route").map(({ inputs }) => String(inputs.routeTableId)),
    );
    const reaching = new Set(
      resourcesOf(recording, "ec2/routeTableAssociation")
        .filter(({ inputs }) => tables.has(String(inputs.routeTableId)))
        .map(({ inputs }) => String(inputs.subnetId)),
    );
    return [
      ...present(recording, { "rds/subnetGroup": 2, "elasticache/subnetGroup": 2 }),
      ...resourcesOf(recording, "rds/subnetGroup", "elasticache/subnetGroup").flatMap((group) =>
        zonesProblem(group, reaching),
      ),
      ...resourcesOf(recording, "rds/instance")
        .filter(({ name }) => !name.includes("Reader"))
        .filter((one) => inputOf(one, "dbSubnetGroupName") === undefined)
        .map(({ name }) => ({ resource: name, problem: "is in no subnet group" })),
    ];
  },
};

const zonesProblem = (group: Resource, reaching: Set<string>): Violation[] => {
  const subnets = texts(group.inputs.subnetIds);
  const out = subnets.filter((id) => reaching.has(id));
  return [
    ...out.map((id) => ({ resource: group.name, problem: `${id} has a way out` })),
    ...(subnets.length === 3
      ? []
      : [{ resource: group.name, problem: `is in ${subnets.length} zones, not in three` }]),
  ];
};

/** A command's document runs over the control channel: only a session has data of its own. */
const channels = /^ssmmessages:(Create|Open)DataChannel$/;

/**
 * Whoever may open a session on an instance that serves users could read every secret of the application
 * there. The one way in is a machine that is made for an hour: docs/DEPLOY.md, the database's logins.
 */
const noSessions: Policy = {
  name: "nobody can log in to a machine: no key, and no role that Session Manager needs",
  check: (recording) => [
    ...resourcesOf(recording, "ec2/launchTemplate", "ec2/instance")
      .filter(({ inputs }) => inputs.keyName !== undefined)
      .map(({ name }) => ({ resource: name, problem: "lets in whoever has its key" })),
    ...grantsOf(recording)
      .filter(({ action, effect }) => effect === "Allow" && channels.test(action))
      .map(({ policy, action }) => ({ resource: policy, problem: `${action} lets sessions in` })),
    ...resourcesOf(recording, "iam/rolePolicyAttachment")
      .filter(({ inputs }) => /AmazonSSM|AmazonEC2RoleforSSM/.test(String(inputs.policyArn)))
      .map(({ name }) => ({ resource: name, problem: "lets sessions in" })),
  ],
};

/** Every way out of a security group, as `waysIn` has the ways in. */
const waysOut = (recording: Recording): { group: string; to: string }[] => [
  ...resourcesOf(recording, "ec2/securityGroup").flatMap((group) =>
    listOf(group.inputs.egress).flatMap((rule) =>
      [...texts(rule.cidrBlocks), ...texts(rule.ipv6CidrBlocks), ...texts(rule.securityGroups)].map(
        (to) => ({ group: group.name, to }),
      ),
    ),
  ),
  ...resourcesOf(recording, "vpc/securityGroupEgressRule").map(({ inputs }) => ({
    group: String(inputs.securityGroupId).replace(/-id$/, ""),
    to: String(inputs.cidrIpv4 ?? inputs.cidrIpv6 ?? inputs.referencedSecurityGroupId),
  })),
];

/** A copy of production's data, which nobody serves and nobody watches. */
const quarantined: Policy = {
  name: "copies of backups reach nothing, and only who looks into them reaches them",
  check: (recording) =>
    ["InPrimary", "InStandby"].flatMap((suffix) => {
      const [copies, looking] = [`CopyGroup${suffix}`, `VerificationGroup${suffix}`];
      const group = resourcesOf(recording, "ec2/securityGroup").find(({ name }) => name === copies);
      // Left out, AWS's own rule stays, which lets everything out.
      const isShut = Array.isArray(group?.inputs.egress);
      const members = resourcesOf(
        recording,
        "lambda/function",
        "rds/instance",
        "ec2/launchTemplate",
      )
        .filter(({ inputs }) =>
          [copies, looking].some((id) => JSON.stringify(inputs).includes(`"${id}-id"`)),
        )
        .map(({ name }) => name);
      return [
        ...(isShut ? [] : [{ resource: copies, problem: "does not say that nothing gets out" }]),
        ...waysOut(recording)
          .filter((way) => way.group === copies)
          .map(({ to }) => ({ resource: copies, problem: `lets copies reach ${to}` })),
        ...waysOut(recording)
          .filter((way) => way.to === `${copies}-id` && way.group !== looking)
          .map((way) => ({ resource: way.group, problem: "reaches copies of backups" })),
        ...members
          .filter((name) => name !== `Verification${suffix}Function`)
          .map((resource) => ({ resource, problem: "is in the quarantine of copies" })),
      ];
    }),
};

export const reachPolicies: readonly Policy[] = [
  nothingPublic,
  onlyDoors,
  isolated,
  noSessions,
  quarantined,
];
