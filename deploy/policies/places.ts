import { strongConsistencySet } from "../../shared/regions.ts";
import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";
import { kindOf, listOf, resourcesOf } from "./resources.ts";

type Role = "Primary" | "Standby" | "Witness";

/** The three providers say which regions a stage has. */
export const regionsOf = ({ resources }: Recording): Record<Role, string> => {
  const region = (role: Role) =>
    String(
      resources.find(
        ({ type, name }) =>
          type === "pulumi:providers:aws" && name.toLowerCase() === `in${role.toLowerCase()}`,
      )?.inputs.region,
    );
  return { Primary: region("Primary"), Standby: region("Standby"), Witness: region("Witness") };
};

/** What the witness has: it looks at both others and keeps the third replica, and that is all. */
const inWitness = [
  /^(lambda|scheduler|sqs|sns|iam|cloudwatch|kms)\//,
  // Where SST puts a function's code before it deploys it.
  /^s3\/bucketObjectv2$/,
];

/** What has one place, and is known by more than its name. */
const places: Readonly<Record<string, Role>> = {
  Coordination: "Primary",
  FirstLease: "Primary",
  Journal: "Primary",
  DatabaseBackupsInStandby: "Standby",
};

const placeOf = (name: string): Role | undefined =>
  places[name] ?? (/In(Primary|Standby|Witness)(?![a-z])/.exec(name)?.[1] as Role | undefined);

const asNamed: Policy = {
  name: "everything is in the region that it is designed for",
  check: (recording) => {
    const regions = regionsOf(recording);
    const known = Object.values(regions);
    return recording.resources
      .filter(({ type }) => type.startsWith("aws:"))
      .flatMap(({ name, type, region }) => {
        const role = placeOf(name);
        const problems = [
          ...(known.includes(String(region))
            ? []
            : [`is in ${region}, which is none of the three`]),
          ...(role && regions[role] !== region ? [`is in ${region}, not in ${regions[role]}`] : []),
          ...(region === regions.Witness && !inWitness.some((kind) => kind.test(kindOf(type)))
            ? ["is in the witness region, which only watches"]
            : []),
        ];
        return problems.map((problem) => ({ resource: name, problem }));
      });
  },
};

const arnsIn = (value: unknown): string[] =>
  [...(JSON.stringify(value) ?? "").matchAll(/arn:aws:[a-z0-9-]+:([a-z0-9-]*):/g)].map(
    ([arn]) => arn,
  );

/** Kinds that carry traffic or data: what they lean on has to be in their own region. */
const selfContained = [
  /^(autoscaling|ec2|lb|elasticache|vpc)\//,
  /^ecr\/(?!replicationConfiguration)/,
  /^rds\/(?!instanceAutomatedBackupsReplication)/,
];

/** What leads over on purpose. */
const bridges: Readonly<Record<string, string>> = {
  PostgresInStandby: "replicates the primary's database",
};

const standAlone: Policy = {
  name: "what serves users in a region leans on nothing of another region",
  check: ({ resources }) =>
    resources
      .filter(
        ({ type, name }) => selfContained.some((kind) => kind.test(kindOf(type))) && !bridges[name],
      )
      .flatMap(({ name, region, inputs }) =>
        arnsIn(inputs).flatMap((arn) => {
          const there = arn.split(":")[3];
          return there === "" || there === region
            ? []
            : [{ resource: name, problem: `leans on ${arn}…` }];
        }),
      ),
};

/** Three full replicas of one set of regions, or there is no lease. */
const tables = (recording: Recording): Violation[] => {
  const { Primary, Standby, Witness } = regionsOf(recording);
  const wanted: Record<string, readonly [mode: string, regions: string[]]> = {
    Coordination: ["STRONG", [Standby, Witness]],
    Journal: ["EVENTUAL", [Standby]],
  };
  return Object.entries(wanted).flatMap(([name, [mode, regions]]) => {
    const table = resourcesOf(recording, "dynamodb/table").find((each) => each.name === name);
    if (!table) return [{ resource: name, problem: "is not there" }];
    const replicas = listOf(table.inputs.replicas);
    const found = replicas.map(({ regionName }) => String(regionName)).sort();
    return [
      ...(found.join() === [...regions].sort().join()
        ? []
        : [{ resource: name, problem: `has replicas in ${found.join(" and ") || "no region"}` }]),
      ...replicas
        .filter(({ consistencyMode }) => consistencyMode !== mode)
        .map(({ regionName }) => ({ resource: name, problem: `is not ${mode} in ${regionName}` })),
      ...(name === "Coordination"
        ? [...strongOnly(table), ...sameSet(name, [Primary, Standby, Witness])]
        : []),
    ];
  });
};

/** Such a table has no TTL, and DynamoDB's own witness can be neither read nor written. */
const strongOnly = ({ name, inputs }: Resource): Violation[] =>
  ["ttl", "globalTableWitness", "localSecondaryIndexes"]
    .filter((field) => inputs[field] !== undefined)
    .map((field) => ({ resource: name, problem: `${field} does not go with strong consistency` }));

const sameSet = (resource: string, regions: string[]): Violation[] => {
  const [first = ""] = regions;
  const set = strongConsistencySet(first);
  return regions
    .filter((region) => !set.includes(region))
    .map((region) => ({ resource, problem: `${region} cannot share a table with ${first}` }));
};

const oneLease: Policy = {
  name: "three regions share one strongly consistent table, which begins with one lease",
  check: (recording) => {
    const lease = resourcesOf(recording, "dynamodb/tableItem").find(
      ({ name }) => name === "FirstLease",
    );
    const item = JSON.parse(String(lease?.inputs.item ?? "{}")) as Record<string, unknown>;
    const wanted = {
      id: { S: "lease" },
      epoch: { N: "1" },
      region: { S: regionsOf(recording).Primary },
      state: { S: "held" },
    };
    return [
      ...tables(recording),
      ...Object.entries(wanted)
        .filter(([field, value]) => JSON.stringify(item[field]) !== JSON.stringify(value))
        .map(([field]) => ({ resource: "FirstLease", problem: `${field} is not as it begins` })),
    ];
  },
};

export const placePolicies: readonly Policy[] = [asNamed, standAlone, oneLease];
