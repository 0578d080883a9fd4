import type { InstanceRefreshStatus, RefreshPreferences } from "@aws-sdk/client-auto-scaling";
import { replacementWarmupSeconds } from "../shared/warmup.ts";

/**
 * Alarms that turn a release round, in the region that they watch: `stacks/alarms/application.ts` makes
 * them.
 */
export const releaseAlarms = (stage: string): string[] =>
  ["error-rate", "latency", "unhealthy-hosts"].map((name) => `nightshift-${stage}-${name}`);

/** A region's group and what it starts instances from, as they are now. */
export interface GroupSeen {
  desired: number;
  template: string;
  /** What new instances are started from, as the group has it: a number, or `$Latest`. */
  version: string;
  /** Of each instance that it has; `unknown` when it was not started from this template. */
  running: string[];
}

/** The newest version of the group's template. */
export interface NewestVersion {
  version: string;
  /** The container that it starts, `repository@digest`. */
  image: string;
}

export interface RefreshSeen {
  id: string;
  status: InstanceRefreshStatus;
  /** The version that it brings; undefined when it brings none. */
  version: string | undefined;
  percent: number;
  toGo: number;
  reason: string | undefined;
}

const bakeSeconds = 600;

/**
 * How instances are replaced. A new one is there before an old one goes, and when all are new their
 * alarms are watched for ten more minutes. The very first release has nothing to go back to: what the
 * group was made with starts an image that nobody had pushed, so nothing serves that could be spared.
 * Instances that were put aside to be looked at are left there: AWS would wait an hour for them, and
 * fail. Source: API reference of RefreshPreferences.
 */
export const preferencesOf = (isFirst: boolean, alarms: string[]): RefreshPreferences =>
  isFirst
    ? {
        MinHealthyPercentage: 0,
        InstanceWarmup: replacementWarmupSeconds,
        SkipMatching: true,
        StandbyInstances: "Ignore",
      }
    : {
        MinHealthyPercentage: 100,
        MaxHealthyPercentage: 110,
        InstanceWarmup: replacementWarmupSeconds,
        SkipMatching: true,
        StandbyInstances: "Ignore",
        AutoRollback: true,
        BakeTime: bakeSeconds,
        AlarmSpecification: { Alarms: alarms },
      };

/** Users meet a new version last: the region that serves them comes after the other. */
export const orderOf = (regions: readonly string[], active: string): string[] =>
  [...regions].sort((one, other) => Number(one === active) - Number(other === active));

const running: readonly InstanceRefreshStatus[] = [
  "Pending",
  "InProgress",
  "Baking",
  "Cancelling",
  "RollbackInProgress",
];

/** What a person reads while it goes on. */
export const lineOf = ({ status, version, percent, toGo, reason }: RefreshSeen): string => {
  const far = `${percent} %, ${toGo} to go`;
  switch (status) {
    case "Pending":
      return "AWS has taken it, and has not begun";
    case "InProgress":
      return `instances are being replaced: ${far}`;
    case "Baking":
      return `every instance is new; its alarms are watched for ${bakeSeconds / 60} minutes more`;
    case "RollbackInProgress":
      return `going back to the version of before: ${far}${reason ? ` (${reason})` : ""}`;
    case "Successful":
      return `every instance is of version ${version ?? "the group's own"}`;
    default:
      return `${status}: ${far}`;
  }
};

export const isRunning = ({ status }: RefreshSeen): boolean => running.includes(status);

/** What is to be done in a region. */
export type Step =
  | { is: "done" }
  /** There is nobody to replace: the version is written into the group. */
  | { is: "save" }
  | { is: "follow"; id: string }
  | { is: "start" }
  | { is: "refused"; why: string };

export const stepOf = (
  group: GroupSeen,
  { version }: NewestVersion,
  latest: RefreshSeen | undefined,
  alarms: ReadonlyMap<string, string | undefined>,
  isFirst: boolean,
): Step => {
  if (latest && isRunning(latest)) {
    // Whoever lost sight of a release gives the same command again.
    if (latest.version === version) return { is: "follow", id: latest.id };
    const what = latest.version ? `version ${latest.version}` : "the version of before";
    return { is: "refused", why: `instances are being replaced by ${what} (${latest.id})` };
  }
  if (group.version === version && group.running.every((each) => each === version)) {
    return { is: "done" };
  }
  if (group.desired === 0 && group.running.length === 0) return { is: "save" };
  if (isFirst) return first(alarms);
  if (group.version.startsWith("$")) {
    const why = `the group starts ${group.version}, which is no version to go back to`;
    return { is: "refused", why };
  }
  return unwatchable(alarms) ?? { is: "start" };
};

/** It takes all instances away at once, which only hurts nobody where none of them serves. */
const first = (alarms: ReadonlyMap<string, string | undefined>): Step => {
  const well = [...alarms].some(
    ([name, state]) => /-unhealthy-hosts$/.test(name) && state === "OK",
  );
  if (!well) return { is: "start" };
  const why = "instances there are well, and --first would take all of them away at once";
  return { is: "refused", why: `${why}: release without it` };
};

/** An alarm that is raised already would turn the release round at once; one that is not there cannot. */
const unwatchable = (alarms: ReadonlyMap<string, string | undefined>): Step | undefined => {
  const named = (state: string | undefined) =>
    [...alarms].filter(([, each]) => each === state).map(([name]) => name);
  const missing = named(undefined);
  if (missing.length > 0) {
    return { is: "refused", why: `there is no alarm ${missing.join(", ")}: deploy first` };
  }
  const raised = named("ALARM");
  if (raised.length === 0) return undefined;
  return { is: "refused", why: `${raised.join(", ")} is raised before anything was replaced` };
};

/** Why a refresh that has ended did not bring the version; undefined when it did. */
export const whyNot = ({ status, reason }: RefreshSeen): string | undefined => {
  if (status === "Successful") return undefined;
  const what =
    {
      RollbackSuccessful: "it was rolled back, and the version of before runs again",
      RollbackFailed: "it was rolled back, and that failed as well: look at the group now",
      Cancelled: "somebody cancelled it: old and new instances are mixed",
    }[status as string] ?? `it ended as ${status}: old and new instances are mixed`;
  return reason ? `${what} (${reason})` : what;
};
