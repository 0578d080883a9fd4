import type { Config } from "./config.ts";
import type { Coordination } from "./coordination.ts";

/** A database as RDS describes it, by what a rebuild of it would need. */
export interface DatabaseSeen {
  region: string;
  id: string;
  instanceClass: string;
  storageGigabytes: number;
  maximumStorageGigabytes: number;
  /** `18.1`: the part before the dot is the major version. */
  engineVersion: string;
  isEncrypted: boolean;
  isPublic: boolean;
  isProtected: boolean;
  multiAz: boolean;
  retentionDays: number;
  parameterGroup: string;
  /** Set by somebody, by name; RDS's own defaults are the same everywhere. */
  parameters: Record<string, string>;
  /** Who may come in: `tcp 5432-5432 from a group`, sorted. */
  ingress: string[];
}

/** One setting that is not what it should be. */
export interface Difference {
  name: string;
  region: string;
  expected: string;
  actual: string;
  /** Whether the platform could not be rebuilt, or would not run as it was, before it is put right. */
  blocks: boolean;
}

interface Seen {
  active: DatabaseSeen;
  /** Null while there is none: after a move and before the rebuild. */
  standby: DatabaseSeen | null;
}

type Wanted = Config["sizes"]["database"];

/** What differs between the two regions, and between them and the operator's file. */
export const driftOf = ({ active, standby }: Seen, wanted: Wanted): Difference[] => [
  ...fromConfig(active, wanted),
  ...(standby ? betweenRegions(active, standby) : []),
  ...[active, ...(standby ? [standby] : [])].flatMap(unsafe),
];

const differ = (
  region: string,
  name: string,
  expected: unknown,
  actual: unknown,
  blocks = false,
): Difference[] =>
  expected === actual
    ? []
    : [{ name, region, expected: String(expected), actual: String(actual), blocks }];

const atLeast = (
  region: string,
  name: string,
  expected: number,
  actual: number,
  blocks = false,
): Difference[] =>
  actual >= expected
    ? []
    : [{ name, region, expected: `${expected} or more`, actual: String(actual), blocks }];

/** The source of all backups: what it is short of, every copy of it is short of. */
const fromConfig = (seen: DatabaseSeen, wanted: Wanted): Difference[] => {
  const { region } = seen;
  const { instanceClass, storageGigabytes, maximumStorageGigabytes, multiAz } = wanted;
  return [
    ...differ(region, "instance class", instanceClass, seen.instanceClass),
    ...atLeast(region, "storage", storageGigabytes, seen.storageGigabytes),
    ...differ(
      region,
      "storage autoscaling",
      Math.max(maximumStorageGigabytes, seen.storageGigabytes),
      Math.max(seen.maximumStorageGigabytes, seen.storageGigabytes),
    ),
    ...differ(region, "two zones", multiAz, seen.multiAz),
    ...atLeast(region, "backup retention", 1, seen.retentionDays, true),
    ...(seen.retentionDays > 0
      ? atLeast(region, "backup retention", wanted.backupRetentionDays, seen.retentionDays)
      : []),
    ...differ(region, "deletion protection", true, seen.isProtected),
  ];
};

const major = (version: string): string => version.split(".")[0] ?? version;

const betweenRegions = (active: DatabaseSeen, standby: DatabaseSeen): Difference[] => {
  const { region } = standby;
  const isOtherMajor = major(active.engineVersion) !== major(standby.engineVersion);
  return [
    ...differ(region, "instance class", active.instanceClass, standby.instanceClass),
    ...atLeast(region, "storage", active.storageGigabytes, standby.storageGigabytes, true),
    ...differ(region, "engine", active.engineVersion, standby.engineVersion, isOtherMajor),
    ...differ(region, "parameter group", active.parameterGroup, standby.parameterGroup),
    ...parametersDiffer(active, standby),
    // Rules that are missing are the guard's fence: a region without the lease lets nobody in.
    ...standby.ingress
      .filter((rule) => !active.ingress.includes(rule))
      .flatMap((rule) => differ(region, "who may come in", `as in ${active.region}`, rule)),
  ];
};

/** A value that is set on one side only is as much of a difference as another one. */
const parametersDiffer = (active: DatabaseSeen, standby: DatabaseSeen): Difference[] => {
  const names = [
    ...new Set([...Object.keys(active.parameters), ...Object.keys(standby.parameters)]),
  ];
  return names
    .sort()
    .flatMap((name) =>
      differ(
        standby.region,
        `parameter ${name}`,
        active.parameters[name] ?? "RDS's own",
        standby.parameters[name] ?? "RDS's own",
      ),
    );
};

const world = /\b(0\.0\.0\.0\/0|::\/0)$/;

const unsafe = ({ region, isEncrypted, isPublic, ingress }: DatabaseSeen): Difference[] => [
  // A backup of what is not encrypted is not encrypted either, and the key checks see nothing.
  ...differ(region, "encryption at rest", true, isEncrypted, true),
  ...differ(region, "a public address", false, isPublic),
  ...ingress
    .filter((rule) => world.test(rule))
    .flatMap((rule) => differ(region, "who may come in", "nobody from everywhere", rule)),
];

/** One line for each, for people; the same text as long as nothing changes. */
export const driftLines = (differences: readonly Difference[]): string[] =>
  differences.map(
    ({ name, region, expected, actual, blocks }) =>
      `${name} in ${region}: ${actual}, and should be ${expected}` +
      `${blocks ? ". A rebuild is not possible like that" : ""}.`,
  );

const driftId = (region: string) => `drift#${region}`;

/**
 * Keeps what a region has told of settings that differ, as one text. True when it is another one than
 * before: so each change is told once, whoever looks and however often.
 */
export const isNewDrift = async (
  table: Coordination,
  region: string,
  text: string,
  atMilliseconds: number,
): Promise<boolean> => {
  const before = await table.read(driftId(region));
  if (String(before?.text ?? "") === text) return false;
  const { written } = await table.write(driftId(region), {
    set: { text, atMilliseconds },
    onlyIf: "attribute_not_exists(#text) OR #text = :before",
    values: { before: String(before?.text ?? "") },
  });
  return written;
};
