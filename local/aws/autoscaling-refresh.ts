import type {
  CancelInstanceRefreshCommandInput,
  DescribeInstanceRefreshesCommandInput,
  InstanceRefresh,
  InstanceRefreshStatus,
  RefreshPreferences,
  RollbackDetails,
  RollbackInstanceRefreshCommandInput,
  StartInstanceRefreshCommandInput,
} from "@aws-sdk/client-auto-scaling";
import type { Timer } from "../time/timeline.ts";
import type {
  Blueprint,
  GroupState,
  InstanceState,
  ScalingPorts,
} from "./autoscaling-instances.ts";
import { templateShown } from "./autoscaling-shown.ts";
import { duration } from "./durations.ts";
import { pageOf } from "./paging.ts";
import type { Call, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

/** What an instance refresh does to a group; `fleet` has all of it. */
export interface Rolling {
  /** Throws for a group that does not exist. */
  groupOf(call: Call, name: string | undefined): GroupState;
  converge(group: GroupState, cause: string): void;
  terminate(group: GroupState, instance: InstanceState, cause: string): void;
  targets: ScalingPorts["targets"];
  launchData: NonNullable<ScalingPorts["machines"]>["launchData"] | undefined;
}

interface Refresh {
  id: string;
  group: GroupState;
  status: InstanceRefreshStatus;
  startedAt: number;
  endedAt: number | undefined;
  /** Instances that are to be replaced, and are still there. */
  old: Set<string>;
  total: number;
  remaining: number;
  minimumPercent: number;
  warmupSeconds: number;
  /** Of a cancelled one: instances on their way come up first. */
  waits: boolean;
  timer: Timer | undefined;
  /** What the group is to be started from when it is over; none for the same as before. */
  desired: Blueprint | undefined;
  rollback: RollbackDetails | undefined;
}

const active: InstanceRefreshStatus[] = [
  "Pending",
  "InProgress",
  "Cancelling",
  "RollbackInProgress",
];
const cause = "an instance refresh replaces it";
const stepMilliseconds = 5000;
/** Six weeks on AWS; here a number, which is bounded as well. */
const keptPerGroup = 50;

/**
 * Rolling replacement of a group's instances, in batches that leave the minimum healthy percentage in
 * service and one instance at the least; with 100 % a new one is ready before an old one goes. A new
 * instance counts when it is in service, healthy and warm. Source: "How an instance refresh works" in
 * the Auto Scaling user guide. One that never becomes healthy is waited for: when AWS gives up is not
 * published.
 */
export const instanceRefreshes = (surroundings: Surroundings, rolling: Rolling) => {
  const refreshes = new Map<string, Refresh[]>();
  const of = (group: GroupState) => refreshes.get(group.arn) ?? [];
  const underWay = (group: GroupState) => of(group).find(({ status }) => active.includes(status));
  const start = (group: GroupState, input: StartInstanceRefreshCommandInput) => {
    const refresh = newRefresh(surroundings, group, input);
    group.rolling = refresh.desired;
    refreshes.set(group.arn, [refresh, ...of(group)].slice(0, keptPerGroup));
    const step = () => advance(surroundings, rolling, refresh);
    surroundings.timeline.after(duration(surroundings.random, "autoscaling.react"), () => {
      refresh.timer = surroundings.timeline.every(stepMilliseconds, step);
      step();
    });
    return refresh;
  };
  return {
    StartInstanceRefresh: (input: StartInstanceRefreshCommandInput, call: Call) => {
      const group = rolling.groupOf(call, input.AutoScalingGroupName);
      refuseUnmodelled(input);
      const running = underWay(group);
      if (running) throw inProgress(running.id);
      return { InstanceRefreshId: start(group, input).id };
    },
    CancelInstanceRefresh: (input: CancelInstanceRefreshCommandInput, call: Call) => {
      const running = underWay(rolling.groupOf(call, input.AutoScalingGroupName));
      if (!running || running.status === "Cancelling") throw noneActive();
      running.status = "Cancelling";
      running.waits = input.WaitForTransitioningInstances ?? true;
      return { InstanceRefreshId: running.id };
    },
    /** A second one, while the first is under way, finds none: AWS does not say what it answers. */
    RollbackInstanceRefresh: (input: RollbackInstanceRefreshCommandInput, call: Call) => {
      const running = underWay(rolling.groupOf(call, input.AutoScalingGroupName));
      if (!running || running.status === "RollbackInProgress") throw noneActive();
      refuseRollback(rolling, running);
      rollBack(surroundings, running);
      return { InstanceRefreshId: running.id };
    },
    DescribeInstanceRefreshes: (input: DescribeInstanceRefreshesCommandInput, call: Call) => {
      const ids = input.InstanceRefreshIds ?? [];
      const found = of(rolling.groupOf(call, input.AutoScalingGroupName)).filter(
        ({ id }) => ids.length === 0 || ids.includes(id),
      );
      const page = pageOf(found, input.NextToken, input.MaxRecords ?? 50);
      return { InstanceRefreshes: page.items.map(shown), NextToken: page.next };
    },
  };
};

const newRefresh = (
  { random, timeline }: Surroundings,
  group: GroupState,
  { Preferences = {}, DesiredConfiguration }: StartInstanceRefreshCommandInput,
): Refresh => {
  const { MinHealthyPercentage, InstanceWarmup }: RefreshPreferences = Preferences;
  const template = DesiredConfiguration?.LaunchTemplate;
  const old = new Set(instancesOf(group).map(({ launched }) => launched.id));
  return {
    id: random.id(),
    group,
    status: "Pending",
    startedAt: timeline.now(),
    endedAt: undefined,
    old,
    total: old.size,
    remaining: old.size,
    minimumPercent: MinHealthyPercentage ?? 90,
    warmupSeconds: InstanceWarmup ?? group.graceSeconds,
    waits: true,
    timer: undefined,
    desired: template && {
      launchTemplate: template.LaunchTemplateId ?? template.LaunchTemplateName ?? "",
      templateVersion: template.Version ?? "$Default",
    },
    rollback: undefined,
  };
};

/**
 * What a rollback goes back to has to be fixed: a desired configuration was given, and the group's own
 * version is a number whose image is named by its id. Source: API reference of RollbackInstanceRefresh;
 * the words of the refusal are not published.
 */
const refuseRollback = ({ launchData }: Rolling, { group, desired }: Refresh) => {
  const { launchTemplate, templateVersion } = group;
  const image = launchData?.(group.region, launchTemplate, templateVersion)?.ImageId;
  const why = !desired
    ? "no desired configuration was specified for it"
    : templateVersion.startsWith("$")
      ? `the Auto Scaling group uses the launch template's ${templateVersion} version`
      : image?.startsWith("resolve:ssm:")
        ? "the launch template names its image by a parameter"
        : undefined;
  if (why === undefined) return;
  throw new AwsError(
    "IrreversibleInstanceRefreshFault",
    `The instance refresh can not be rolled back: ${why}.`,
  );
};

/** What has been replaced is replaced again, from what the group was started from before. */
const rollBack = ({ timeline }: Surroundings, refresh: Refresh) => {
  const { group, old } = refresh;
  refresh.rollback = {
    RollbackReason: "Manual rollback was initiated.",
    RollbackStartTime: new Date(timeline.now()),
    PercentageCompleteOnRollback: percentOf(refresh),
    InstancesToUpdateOnRollback: refresh.remaining,
  };
  const replaced = instancesOf(group).filter(({ launched }) => !old.has(launched.id));
  refresh.old = new Set(replaced.map(({ launched }) => launched.id));
  refresh.total = refresh.old.size;
  refresh.remaining = refresh.total;
  refresh.status = "RollbackInProgress";
  group.rolling = undefined;
};

const instancesOf = (group: GroupState): InstanceState[] =>
  [...group.instances.values()].filter(
    ({ lifecycle }) => lifecycle === "Pending" || lifecycle === "InService",
  );

/** One look at the group, and what it allows next. Control loops of a dead region do nothing. */
const advance = (surroundings: Surroundings, rolling: Rolling, refresh: Refresh) => {
  const { group, old } = refresh;
  const { timeline, network } = surroundings;
  if (network.state(group.region) === "dead") return;
  if (refresh.status === "Pending") refresh.status = "InProgress";
  const present = instancesOf(group);
  for (const id of old) if (!present.some(({ launched }) => launched.id === id)) old.delete(id);
  const fresh = present.filter(({ launched }) => !old.has(launched.id));
  const ready = fresh.filter((one) => isReady(rolling, refresh, one, timeline.now()));
  const wanted = group.desired + (group.surge ?? 0);
  const onTheirWay = fresh.length - ready.length + Math.max(0, wanted - present.length);
  refresh.remaining = Math.min(refresh.total, old.size + onTheirWay);
  const end = (status: InstanceRefreshStatus) => {
    Object.assign(refresh, { status, endedAt: timeline.now() });
    group.surge = 0;
    // "Once the instance refresh succeeds", the group takes the desired configuration over.
    if (status === "Successful" && refresh.desired) Object.assign(group, refresh.desired);
    group.rolling = undefined;
    refresh.timer?.cancel();
  };
  if (refresh.status === "Cancelling") {
    if (!refresh.waits || onTheirWay === 0) end("Cancelled");
    return;
  }
  if (old.size === 0) {
    if (onTheirWay === 0) end(refresh.rollback ? "RollbackSuccessful" : "Successful");
    return;
  }
  replace(rolling, refresh, present, onTheirWay);
};

const replace = (
  rolling: Rolling,
  { group, old, minimumPercent }: Refresh,
  present: InstanceState[],
  onTheirWay: number,
) => {
  const oldest = present.filter(({ launched }) => old.has(launched.id));
  if (minimumPercent >= 100 && !group.surge) {
    group.surge = 1;
    rolling.converge(group, "an instance refresh launches before it terminates");
    return;
  }
  if (minimumPercent >= 100 && onTheirWay > 0) return;
  group.surge = 0;
  const kept = Math.ceil((group.desired * minimumPercent) / 100);
  const batch = minimumPercent >= 100 ? 1 : Math.max(1, group.desired - kept);
  const going = oldest.slice(0, Math.max(0, batch - onTheirWay));
  for (const instance of going) rolling.terminate(group, instance, cause);
  if (going.length > 0) rolling.converge(group, cause);
};

const isReady = (
  { targets }: Rolling,
  { group, warmupSeconds }: Refresh,
  { lifecycle, inServiceAt, running, launched }: InstanceState,
  now: number,
): boolean =>
  lifecycle === "InService" &&
  running !== undefined &&
  now - (inServiceAt ?? now) >= warmupSeconds * 1000 &&
  group.targetGroups.every((arn) => targets.state(group.region, arn, launched.id) === "healthy");

const percentOf = ({ total, remaining }: Refresh): number =>
  total === 0 ? 100 : Math.floor(100 * (1 - remaining / total));

const shown = (refresh: Refresh): InstanceRefresh => ({
  InstanceRefreshId: refresh.id,
  AutoScalingGroupName: refresh.group.name,
  Status: refresh.status,
  StartTime: new Date(refresh.startedAt),
  ...(refresh.endedAt === undefined ? {} : { EndTime: new Date(refresh.endedAt) }),
  PercentageComplete: percentOf(refresh),
  InstancesToUpdate: refresh.remaining,
  Strategy: "Rolling",
  ...(refresh.rollback ? { RollbackDetails: refresh.rollback } : {}),
  ...(refresh.desired
    ? {
        DesiredConfiguration: {
          LaunchTemplate: templateShown(
            refresh.desired.launchTemplate,
            refresh.desired.templateVersion,
          ),
        },
      }
    : {}),
  Preferences: {
    MinHealthyPercentage: refresh.minimumPercent,
    InstanceWarmup: refresh.warmupSeconds,
  },
});

const inProgress = (id: string) =>
  new AwsError(
    "InstanceRefreshInProgressFault",
    `An Instance Refresh is already in progress and blocks the execution of this Instance Refresh: ${id}`,
  );

const noneActive = () =>
  new AwsError(
    "ActiveInstanceRefreshNotFoundFault",
    "No in progress or pending Instance Refresh found",
  );

const modelledPreferences = ["MinHealthyPercentage", "InstanceWarmup", "SkipMatching"];

const refuseUnmodelled = ({
  Strategy,
  DesiredConfiguration,
  Preferences = {},
}: StartInstanceRefreshCommandInput) => {
  const given = Object.entries(Preferences).filter(([, value]) => value !== undefined);
  const other = given.map(([name]) => name).find((name) => !modelledPreferences.includes(name));
  const what = Strategy === "ReplaceRootVolume" ? Strategy : other;
  const unmodelled =
    what ??
    (DesiredConfiguration?.MixedInstancesPolicy ? "MixedInstancesPolicy" : undefined) ??
    (Preferences.SkipMatching ? "SkipMatching" : undefined);
  if (!unmodelled) return;
  const message = `auto-scaling: an instance refresh with ${unmodelled} is not modelled`;
  throw new AwsError("NotImplemented", message, { status: 501 });
};
