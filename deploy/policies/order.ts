import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { inputOf, present, resourcesOf, statementsOf } from "./resources.ts";

/** Everything that is there before a resource is begun, by urn: what it depends on, and what that does. */
const waitedFor = ({ resources }: Recording): ((resource: Resource) => Set<string>) => {
  const dependencies = new Map(resources.map((each) => [each.urn, each.dependencies]));
  return ({ urn }) => {
    const found = new Set<string>();
    const open = [urn];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const each of dependencies.get(next) ?? []) {
        if (found.has(each)) continue;
        found.add(each);
        open.push(each);
      }
    }
    return found;
  };
};

const roleNamed = (recording: Recording, arn: unknown): Resource | undefined =>
  resourcesOf(recording, "iam/role").find(({ inputs }) =>
    String(arn).endsWith(`:role/${inputs.name}`),
  );

const lists = (value: unknown, wanted: string): boolean => [value].flat().includes(wanted);

/** What the service looks for in the function's role before it makes the function. */
const neededBy = (made: Resource): { action: string; on: string }[] => {
  const letters = inputOf(made, "deadLetterConfig.targetArn");
  return [
    ...(letters ? [{ action: "sqs:SendMessage", on: String(letters) }] : []),
    ...(made.inputs.vpcConfig ? [{ action: "ec2:CreateNetworkInterface", on: "*" }] : []),
  ];
};

/**
 * CreateFunction refuses a role that may not do at once what the service will do in its name. Source:
 * "Retaining records of asynchronous invocations" and "Giving Lambda functions access to resources in an
 * Amazon VPC" in the developer guide of Lambda.
 */
const permittedFirst: Policy = {
  name: "a function is made after its role may send to its dead letters and join its network",
  check: (recording): Violation[] => {
    const before = waitedFor(recording);
    return [
      ...present(recording, { "lambda/function": 15 }),
      ...resourcesOf(recording, "lambda/function").flatMap((made) => {
        const role = roleNamed(recording, made.inputs.role);
        const early = resourcesOf(recording, "iam/rolePolicy").filter(
          ({ urn, inputs }) => inputs.role === `${role?.name}-id` && before(made).has(urn),
        );
        return neededBy(made)
          .filter(
            ({ action, on }) =>
              !early
                .flatMap((policy) => statementsOf(policy))
                .some(
                  ({ Effect, Action, Resource: resource }) =>
                    Effect === "Allow" && lists(Action, action) && lists(resource, on),
                ),
          )
          .map(({ action, on }) => ({
            resource: made.name,
            problem: `may be made before its role may ${action} on ${on}`,
          }));
      }),
    ];
  },
};

/** Where a name stands, and what has to be there by then. RDS, Lambda and CloudWatch look it up. */
const namings: readonly { kind: string; path: string; names: string; by: string }[] = [
  { kind: "rds/eventSubscription", path: "sourceIds", names: "rds/instance", by: "identifier" },
  { kind: "rds/instance", path: "replicateSourceDb", names: "rds/instance", by: "identifier" },
  {
    kind: "rds/instanceAutomatedBackupsReplication",
    path: "sourceDbInstanceArn",
    names: "rds/instance",
    by: "identifier",
  },
  {
    kind: "rds/proxyTarget",
    path: "dbInstanceIdentifier",
    names: "rds/instance",
    by: "identifier",
  },
  { kind: "lambda/permission", path: "function", names: "lambda/function", by: "name" },
  { kind: "lambda/alias", path: "functionName", names: "lambda/function", by: "name" },
  {
    kind: "lambda/functionEventInvokeConfig",
    path: "functionName",
    names: "lambda/function",
    by: "name",
  },
  { kind: "scheduler/schedule", path: "target.arn", names: "lambda/function", by: "name" },
  { kind: "cloudwatch/eventTarget", path: "arn", names: "lambda/function", by: "name" },
  {
    kind: "cloudwatch/logMetricFilter",
    path: "logGroupName",
    names: "cloudwatch/logGroup",
    by: "name",
  },
  // A log group that the service makes for itself is kept for ever, and stands in the stack's way.
  {
    kind: "lambda/function",
    path: "loggingConfig.logGroup",
    names: "cloudwatch/logGroup",
    by: "name",
  },
];

/** A name or an ARN, of a function with its alias or without, to a name and where it is. */
const partsOf = (text: string, own: string | null): { name: string; region: string | null } => {
  const [, region, name] = /^arn:aws:[^:]*:([^:]*):[^:]*:(?:function|db):([^:]+)/.exec(text) ?? [];
  return region !== undefined && name !== undefined
    ? { name, region }
    : { name: text, region: own };
};

/** AWS gives every region a bus of that name. */
const isThere = (text: string): boolean => text.endsWith(":event-bus/default");

const namedFirst: Policy = {
  name: "what is named by its name is there before whoever names it",
  check: (recording): Violation[] => {
    const before = waitedFor(recording);
    return [
      ...present(recording, { "rds/eventSubscription": 2, "lambda/permission": 2 }),
      ...namings.flatMap(({ kind, path, names, by }) =>
        resourcesOf(recording, kind).flatMap((resource) =>
          [inputOf(resource, path)]
            .flat()
            .filter((text) => text !== undefined && !isThere(String(text)))
            .flatMap((text) => {
              const { name, region } = partsOf(String(text), resource.region);
              const target = resourcesOf(recording, names).find(
                (each) => each.region === region && each.inputs[by] === name,
              );
              if (!target) return [{ resource: resource.name, problem: `nobody makes ${name}` }];
              if (before(resource).has(target.urn)) return [];
              return [{ resource: resource.name, problem: `does not wait for ${target.name}` }];
            }),
        ),
      ),
    ];
  },
};

/** RDS looks into the role for enhanced monitoring when it is told of it. */
const monitoredFirst = (recording: Recording): Violation[] => {
  const before = waitedFor(recording);
  return resourcesOf(recording, "rds/instance")
    .filter(({ inputs }) => inputs.monitoringRoleArn !== undefined)
    .filter((made) => {
      const role = roleNamed(recording, made.inputs.monitoringRoleArn);
      return !resourcesOf(recording, "iam/rolePolicyAttachment").some(
        ({ urn, inputs }) => inputs.role === role?.inputs.name && before(made).has(urn),
      );
    })
    .map(({ name }) => ({ resource: name, problem: "may be made before its role may monitor it" }));
};

const monitored: Policy = {
  name: "a database is made after its role may monitor it",
  check: (recording) => [
    ...present(recording, { "rds/instance": 2 }),
    ...monitoredFirst(recording),
  ],
};

/** What has an address of the internet: what AWS makes in no network that has no gateway. */
const reached = (recording: Recording): Resource[] => [
  ...resourcesOf(recording, "ec2/natGateway", "ec2/eip"),
  ...resourcesOf(recording, "lb/loadBalancer").filter(({ inputs }) => inputs.internal === false),
  ...resourcesOf(recording, "ec2/instance").filter(
    ({ inputs }) => inputs.associatePublicIpAddress === true,
  ),
];

/**
 * Source: "Internet gateways" in the guide of VPC, AllocateAddress in the API reference of EC2,
 * CreateLoadBalancer (InvalidSubnet) in that of Elastic Load Balancing.
 */
const gatewayFirst: Policy = {
  name: "what the internet reaches, or reaches it, is made after the way to it",
  check: (recording): Violation[] => {
    const before = waitedFor(recording);
    const gateways = resourcesOf(recording, "ec2/internetGateway");
    const routes = resourcesOf(recording, "ec2/route").filter(
      (route) => route.inputs.gatewayId !== undefined,
    );
    return [
      ...present(recording, { "ec2/internetGateway": 2, "ec2/route": 2, "lb/loadBalancer": 2 }),
      ...reached(recording).flatMap((made) =>
        // An address is of no use before it is given to something, which waits for the route.
        (made.type.includes("eip") ? gateways : [...gateways, ...routes])
          .filter(({ region, urn }) => region === made.region && !before(made).has(urn))
          .map(({ name }) => ({ resource: made.name, problem: `does not wait for ${name}` })),
      ),
    ];
  },
};

/** Pulumi begins what depends on nothing at once, so an order that nobody names is none. */
export const orderPolicies: readonly Policy[] = [
  permittedFirst,
  namedFirst,
  monitored,
  gatewayFirst,
];
