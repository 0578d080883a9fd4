import type {
  CancelInstanceRefreshCommandInput,
  DescribeInstanceRefreshesCommandInput,
  InstanceRefresh,
  InstanceRefreshStatus,
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
import {
  checkRefresh,
  type Watched,
  watchedOf,
  whyNoRollback,
} from "./autoscaling-refresh-input.ts";
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
  alarmState: ScalingPorts["alarmState"];
  hurryWarmups: ScalingPorts["hurryWarmups"];
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
  maximumPercent: number;
  warmupSeconds: number;
  watched: Watched;
  /** When its bake time ends; undefined until every instance is replaced. */
  bakedAt: number | undefined;
  /** Of a cancelled one: instances on their way come up first. */
  waits: boolean;
  timer: Timer | undefined;
  /** What the group is to be started from when it is over; none for the same as before. */
  desired: Blueprint | undefined;
  rollback: RollbackDetails | undefined;
  reason?: string;
}

const active: InstanceRefreshStatus[] = [
  "Pending",
  "InProgress",
  "Baking",
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
      checkRefresh(input, group, rolling);
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
      rollBack(surroundings, running, "Manual rollback was initiated.");
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
  input: StartInstanceRefreshCommandInput,
): Refresh => {
  const { DesiredConfiguration, Preferences = {} } = input;
  const { InstanceWarmup, SkipMatching } = Preferences;
  const template = DesiredConfiguration?.LaunchTemplate;
  const desired = template && {
    launchTemplate: template.LaunchTemplateId ?? template.LaunchTemplateName ?? "",
    templateVersion: template.Version ?? "$Default",
  };
  const old = new Set(
    instancesOf(group)
      .filter((one) => !SkipMatching || !matches(one, desired ?? group))
      .map(({ launched }) => launched.id),
  );
  return {
    id: random.id(),
    group,
    status: "Pending",
    startedAt: timeline.now(),
    endedAt: undefined,
    old,
    total: old.size,
    remaining: old.size,
    minimumPercent: Preferences.MinHealthyPercentage ?? 90,
    maximumPercent: Preferences.MaxHealthyPercentage ?? 100,
    warmupSeconds: InstanceWarmup ?? group.graceSeconds,
    waits: true,
    timer: undefined,
    desired,
    rollback: undefined,
    watched: watchedOf(input),
    bakedAt: undefined,
  };
};

/** By the template as the group names it, and the version by its number. */
const matches = ({ launched }: InstanceState, { launchTemplate, templateVersion }: Blueprint) =>
  launched.launchTemplate === launchTemplate && `${launched.templateVersion}` === templateVersion;

/** Source: API reference of RollbackInstanceRefresh; the words of the refusal are not published. */
const refuseRollback = (rolling: Rolling, { group, desired }: Refresh) => {
  const why = whyNoRollback(group, desired !== undefined, rolling);
  if (why === undefined) return;
  throw new AwsError(
    "IrreversibleInstanceRefreshFault",
    `The instance refresh can not be rolled back: ${why}.`,
  );
};

/** What has been replaced is replaced again, from what the group was started from before. */
const rollBack = ({ timeline }: Surroundings, refresh: Refresh, RollbackReason: string) => {
  const { group, old } = refresh;
  refresh.rollback = {
    RollbackReason,
    RollbackStartTime: new Date(timeline.now()),
    PercentageCompleteOnRollback: percentOf(refresh),
    InstancesToUpdateOnRollback: refresh.remaining,
  };
  const replaced = instancesOf(group).filter(({ launched }) => !old.has(launched.id));
  refresh.old = new Set(replaced.map(({ launched }) => launched.id));
  refresh.total = refresh.old.size;
  refresh.remaining = refresh.total;
  refresh.status = "RollbackInProgress";
  refresh.watched = { ...refresh.watched, alarms: [], bakeSeconds: 0 };
  group.rolling = undefined;
};

/** An alarm ends the refresh, or turns it round; a rollback is not watched by what set it off. */
const heedAlarms = (
  surroundings: Surroundings,
  { alarmState }: Rolling,
  refresh: Refresh,
  end: (status: InstanceRefreshStatus) => void,
) => {
  if (refresh.status !== "InProgress" && refresh.status !== "Baking") return;
  const { alarms, rollsBack } = refresh.watched;
  const raised = alarms.filter((name) => alarmState?.(refresh.group.region, name) === "ALARM");
  if (raised.length === 0) return;
  const why = `CloudWatch alarms in ALARM state: ${raised.join(", ")}`;
  if (rollsBack) return rollBack(surroundings, refresh, `Automatic rollback: ${why}`);
  refresh.reason = why;
  end("Failed");
};

const instancesOf = (group: GroupState): InstanceState[] =>
  [...group.instances.values()].filter(
    ({ lifecycle }) => lifecycle === "Pending" || lifecycle === "InService",
  );

/** One look at the group, and what it allows next. Control loops of a dead region do nothing. */
const advance = (surroundings: Surroundings, rolling: Rolling, refresh: Refresh) => {
  const { group } = refresh;
  const { timeline, network } = surroundings;
  if (network.state(group.region) === "dead") return;
  if (refresh.status === "Pending") refresh.status = "InProgress";
  const end = (status: InstanceRefreshStatus) => finish(timeline.now(), refresh, status);
  heedAlarms(surroundings, rolling, refresh, end);
  if (refresh.endedAt !== undefined) return;
  const present = instancesOf(group);
  const { old } = refresh;
  for (const id of old) if (!present.some(({ launched }) => launched.id === id)) old.delete(id);
  const fresh = present.filter(({ launched }) => !old.has(launched.id));
  const ready = fresh.filter((one) => isReady(rolling, refresh, one, timeline.now()));
  const wanted = group.desired + (group.surge ?? 0);
  const onTheirWay = fresh.length - ready.length + Math.max(0, wanted - present.length);
  refresh.remaining = Math.min(refresh.total, old.size + onTheirWay);
  if (refresh.status === "Cancelling") {
    if (!refresh.waits || onTheirWay === 0) end("Cancelled");
    return;
  }
  if (old.size === 0) {
    if (onTheirWay === 0) bake(timeline.now(), refresh, end);
    return;
  }
  replace(rolling, refresh, present, onTheirWay);
};

/** "The amount of time to wait at the end of an instance refresh before it is considered complete." */
const bake = (now: number, refresh: Refresh, end: (status: InstanceRefreshStatus) => void) => {
  if (refresh.rollback) return end("RollbackSuccessful");
  refresh.group.surge = 0;
  refresh.bakedAt ??= now + refresh.watched.bakeSeconds * 1000;
  if (now >= refresh.bakedAt) end("Successful");
  else refresh.status = "Baking";
};

const finish = (now: number, refresh: Refresh, status: InstanceRefreshStatus) => {
  const { group, desired, timer } = refresh;
  Object.assign(refresh, { status, endedAt: now });
  group.surge = 0;
  // "Once the instance refresh succeeds", the group takes the desired configuration over.
  if (status === "Successful" && desired) Object.assign(group, desired);
  group.rolling = undefined;
  timer?.cancel();
};

const replace = (
  rolling: Rolling,
  { group, old, minimumPercent, maximumPercent }: Refresh,
  present: InstanceState[],
  onTheirWay: number,
) => {
  const oldest = present.filter(({ launched }) => old.has(launched.id));
  const more = Math.max(1, Math.floor((group.desired * (maximumPercent - 100)) / 100));
  if (minimumPercent >= 100 && !group.surge) {
    group.surge = Math.min(more, oldest.length);
    rolling.converge(group, "an instance refresh launches before it terminates");
    return;
  }
  if (minimumPercent >= 100 && onTheirWay > 0) return;
  const surplus = group.surge ?? 0;
  group.surge = 0;
  const kept = Math.ceil((group.desired * minimumPercent) / 100);
  const batch = minimumPercent >= 100 ? surplus : Math.max(1, group.desired - kept);
  const going = oldest.slice(0, Math.max(0, batch - onTheirWay));
  for (const instance of going) rolling.terminate(group, instance, cause);
  if (going.length > 0) rolling.converge(group, cause);
};

/**
 * By Auto Scaling's own opinion, which within the grace period overlooks what the load balancer finds.
 * Only the load balancer's first word is waited for: "insufficient data to evaluate its health with
 * Elastic Load Balancing" is a reason that AWS gives while it waits (re:Post).
 */
const isReady = (
  { targets, hurryWarmups = () => 1 }: Rolling,
  { group, warmupSeconds }: Refresh,
  { lifecycle, inServiceAt, running, launched, healthy }: InstanceState,
  now: number,
): boolean =>
  lifecycle === "InService" &&
  running !== undefined &&
  healthy &&
  now - (inServiceAt ?? now) >= (warmupSeconds * 1000) / hurryWarmups() &&
  group.targetGroups.every((arn) =>
    /^(un)?healthy$/.test(targets.state(group.region, arn, launched.id) ?? ""),
  );

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
  ...(refresh.reason ? { StatusReason: refresh.reason } : {}),
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
    ...refresh.watched.shown,
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
