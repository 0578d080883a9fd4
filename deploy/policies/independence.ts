import type { Policy, Violation } from "../policies.ts";
import type { Recording, Resource } from "../recording.ts";

/** Where a resource that is needed without the primary region may name it all the same. */
interface Exception {
  /** The resource's name in the stacks, without its region. */
  resource: RegExp;
  /** Where in it; links and statements by their names. */
  at: RegExp;
  because: string;
}

const directRuns = new RegExp(
  `\\.(${[
    "ShowRuns",
    "KeepRefusedAnswers",
    "StartRuns",
    "AskForRotations",
    "SeeWhetherRunsAreAlive",
    "WakeRunsThatWaitForAnAnswer",
  ].join("|")})\\b`,
);

/** What is asked of home, told about home, or done there once it is back: never waited for. */
export const exceptions: readonly Exception[] = [
  {
    resource: /May$/,
    at: /^policy\.AgreeWithTheOtherRegions\b/,
    because: "any of three replicas will do, its own first (shared/coordination.ts)",
  },
  {
    resource: /^Failover/,
    at: /\.(AskGuardsToObey|SST_RESOURCE_GuardFunctions)\b/,
    because: "home's guard is asked once, and its silence is waited out as isolation",
  },
  {
    resource: /^Failover/,
    at: /\.(AskTheDatabaseThere|PutTheOldPrimaryAside|MakeAReplicaThere|EncryptTheReplicaAndBackupsThere)\b/,
    because: "the rebuild, once home is back",
  },
  {
    resource: /^Failover/,
    at: /\.(GiveTheReplicaItsParameters|RestartTheReplica|SeeTheBackupsThere|CopyTheBackupsThere)\b/,
    because: "the rebuild, once home is back",
  },
  {
    resource: /^Failover/,
    at: /\.(EncryptSecretsThere|WarmTheGroupThere|CompareSecretsThere|SST_RESOURCE_OtherRegion)\b/,
    because: "the rebuild, once home is back",
  },
  {
    resource: /^Failover/,
    at: /\.SST_RESOURCE_Standby\.recordSets\b/,
    because: "what home's record is called, of Route 53",
  },
  {
    resource: /^Slack/,
    at: directRuns,
    because: "the way home is started and approved through this door as well",
  },
  { resource: /^OperatorsMay/, at: directRuns, because: "the way home, without Slack" },
  {
    resource: /^Canary/,
    at: /\.SST_RESOURCE_Canary\.(roleUrls|reportTo)\b/,
    because: "home is what it looks at, and one of the two that it tells",
  },
  {
    resource: /^(Detection|Readiness)/,
    at: /\.SST_RESOURCE_(RegionAlarms|Readiness\.loadBalancers)\b/,
    because: "home is what is watched, and what it compares itself with",
  },
  {
    resource: /^(OtherRegionLost|.*Lost.*|NobodyActive.*|PageDue|Dashboard)/,
    at: /^(name|alarmName|alarmRule|alarmDescription|dimensions|dashboardBody|description|eventPattern)\b/,
    because: "home is what is watched",
  },
  {
    resource: /^Retirement/,
    at: /\.(ProveAndRetireInBothRegions|CountTheSessionsOfTheOldLogin|ReplaceInstancesThatReadTheOldValue)\b/,
    because:
      "an overlap ends when both regions have read the new value; until then both stay valid",
  },
  {
    resource: /^Rotation/,
    at: /\.(SeeAndChangeTheCachesTokens|TryTheOtherRegionsCache|ReadVersionsWhereTheyWereMade(Decrypted)?)\b/,
    because: "a token of both caches is changed in both, or in none: no move waits for a rotation",
  },
  {
    resource: /^Rotation/,
    at: /\.(LookForDatabasesPutAside|LookForBackups|LookForSnapshots|SST_RESOURCE_Rotated\.sealed)\b/,
    because: "a key stays in the ring while nobody can say what backups of home need it",
  },
  {
    resource: /^(Verification|Sweep)/,
    at: /\.(See(Backups|Snapshots|TheImage)InBothRegions|SeeWhetherTheKeysAreThere)\b/,
    because: "a restore test asks what it restores, and no move waits for one",
  },
  {
    resource: /^(Verification|Sweep)/,
    at: /\.(CompareTheDatabasesOfBothRegions|CompareTheirParameters|SST_RESOURCE_(Verified|Swept))\b/,
    because: "what would be rebuilt is compared with what it was",
  },
  {
    resource: /^EvidenceReplication/,
    at: /^policy\.WriteOnTheOtherSide\b/,
    because: "copies of evidence wait in their bucket until home takes them",
  },
];

/** Everything in a value that is a text, with the way to it. JSON within a text is looked into. */
const textsOf = (value: unknown, at: string): [at: string, text: string][] => {
  const below = (key: string, each: unknown) => textsOf(each, at === "" ? key : `${at}.${key}`);
  if (typeof value === "string") {
    const inner = /^\s*[[{]/.test(value) ? parsed(value) : undefined;
    return inner === undefined ? [[at, value]] : textsOf(inner, at);
  }
  if (Array.isArray(value)) {
    return value.flatMap((each, index) => below(keyOf(each) ?? String(index), each));
  }
  if (value === null || typeof value !== "object") return [];
  const { Statement } = value as { Statement?: unknown };
  if (Statement !== undefined) return textsOf(Statement, at);
  return Object.entries(value).flatMap(([key, each]) => [
    // A key may be the name of a region as well.
    [at === "" ? key : `${at}.${key}`, key] as [string, string],
    ...below(key, each),
  ]);
};

/** A statement of a policy is known by its name. */
const keyOf = (value: unknown): string | undefined =>
  (value as { Sid?: string } | null)?.Sid ?? undefined;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    // A text that only looks like JSON is a text.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

/** `Nightshift.FailoverInStandbyMay` to `FailoverMay`. */
const withoutRegion = (name: string): string => name.replace(/In(Primary|Standby|Witness)/, "");

/** What of the automation stands in the regions that are left when the primary one is lost. */
const left = ({ resources }: Recording, primary: string): Resource[] =>
  resources.filter(
    ({ type, region }) =>
      type.startsWith("aws:") && region !== null && region !== primary && isAutomation(type),
  );

/** Kinds that are needed at the time of a failover; data that is copied from home names its source. */
const isAutomation = (type: string): boolean =>
  /^aws:(lambda|scheduler|sqs|sns|cloudwatch|iam)\//.test(type);

/** The regions of a stage, by who has a provider. */
const regionOf = ({ resources }: Recording, role: string): string =>
  String(
    resources.find(({ type, name }) => type === "pulumi:providers:aws" && name === `In${role}`)
      ?.inputs.region,
  );

export const independence: Policy = {
  name: "what a failover to the standby region takes does not name the primary region, nor us-east-1",
  check: (recording): Violation[] => {
    const primary = regionOf(recording, "primary");
    const forbidden = [primary, "us-east-1"];
    return left(recording, primary).flatMap((resource) =>
      textsOf(resource.inputs, "")
        .filter(([, text]) => forbidden.some((name) => text.includes(name)))
        .filter(([at]) => !isException(resource, at))
        .map(([at, text]) => ({ resource: resource.name, problem: `${at} is ${text}` })),
    );
  },
};

const isException = ({ name }: Resource, at: string): boolean =>
  exceptions.some((each) => each.resource.test(withoutRegion(name)) && each.at.test(at));

/** Exceptions that nothing makes use of: a reason that is left over would hide the next mistake. */
export const unusedExceptions = (recording: Recording): string[] => {
  const primary = regionOf(recording, "primary");
  const found = left(recording, primary).flatMap((resource) =>
    textsOf(resource.inputs, "")
      .filter(([, text]) => text.includes(primary))
      .map(([at]) => ({ name: withoutRegion(resource.name), at })),
  );
  return exceptions
    .filter((each) => !found.some(({ name, at }) => each.resource.test(name) && each.at.test(at)))
    .map(({ at }) => String(at));
};
