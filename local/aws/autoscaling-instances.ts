import type {
  Activity,
  LifecycleState,
  ScalingActivityStatusCode,
} from "@aws-sdk/client-auto-scaling";
import type { HttpRequest, HttpResponse } from "../http.ts";
import { refused, timedOut } from "../http.ts";
import type { Place, RegionState } from "../network.ts";
import { type Ailments, ailments, type Patient } from "./ailments.ts";
import { duration } from "./durations.ts";
import type { Machine } from "./ec2.ts";
import type { Surroundings } from "./service.ts";

/** What an instance is started with. */
export interface LaunchedInstance extends Machine {
  groupName: string;
  /** Id or name of the launch template. */
  launchTemplate: string;
  /** Unknown where there is no such template. */
  templateVersion: number | undefined;
}

/** The application on an instance. */
export interface RunningInstance {
  /** Must settle. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Power off, without a farewell. Safe to call twice. */
  stop(): Promise<void>;
}

/** What Auto Scaling needs of the load balancers; `elbv2(…).targets` is one. */
export interface TargetsPort {
  register(region: Place, targetGroupArn: string, instanceId: string): void;
  deregister(region: Place, targetGroupArn: string, instanceId: string): void;
  state(region: Place, targetGroupArn: string, instanceId: string): string | undefined;
  onChange(
    listener: (change: {
      region: Place;
      targetGroupArn: string;
      targetId: string;
      state: string;
    }) => void,
  ): void;
}

export interface ScalingPorts {
  /**
   * Starts the application. Called when the machine runs and the application's modelled boot time
   * is over; a rejection is a failed launch, and another one follows.
   */
  launch(instance: LaunchedInstance): Promise<RunningInstance>;
  targets: TargetsPort;
  /** The list of machines of EC2, where there is one. */
  machines?: {
    track(machine: Machine, state: "pending" | "running" | "shutting-down" | "terminated"): void;
    launchData(
      region: Place,
      template: string,
      version?: string,
    ): { SecurityGroupIds?: string[]; InstanceType?: string; ImageId?: string } | undefined;
    /** The number that a version stands for now: `$Default`, `$Latest` or a number. */
    templateVersion?(region: Place, template: string, version: string): number | undefined;
  };
  /** Of the alarm of that name; undefined when there is none. What an instance refresh heeds. */
  alarmState?: (region: Place, name: string) => string | undefined;
  /** How many times sooner than asked for the warm-up of a replacement is over. 1 when left out. */
  hurryWarmups?: (() => number) | undefined;
}

/** What new instances are started from. */
export interface Blueprint {
  launchTemplate: string;
  /** A number, `$Default` or `$Latest`, as it was asked for. */
  templateVersion: string;
}

export interface GroupState extends Blueprint {
  arn: string;
  name: string;
  region: Place;
  minimum: number;
  maximum: number;
  desired: number;
  /** Instances above the desired capacity while an instance refresh launches before it terminates. */
  surge?: number;
  /** What an instance refresh starts new instances from, as long as it lasts. */
  rolling?: Blueprint | undefined;
  zones: string[];
  subnets: string;
  targetGroups: string[];
  healthCheckType: string;
  graceSeconds: number;
  cooldownSeconds: number;
  createdAt: Date;
  tags: Record<string, string>;
  /** Names of the metrics whose collection is enabled. */
  collected: Set<string>;
  instances: Map<string, InstanceState>;
  /** Newest first, bounded. */
  activities: Activity[];
}

export interface InstanceState {
  launched: LaunchedInstance;
  lifecycle: LifecycleState;
  healthy: boolean;
  inServiceAt: number | undefined;
  running: RunningInstance | undefined;
}

const activityLimit = 100;
const retryMilliseconds = 60_000;

const alive = ({ lifecycle }: InstanceState) =>
  lifecycle === "Pending" || lifecycle === "InService";

/** The machines of Auto Scaling groups: started, watched, replaced, ended. */
export const fleet = (surroundings: Surroundings, ports: ScalingPorts) => {
  const { timeline, random, network } = surroundings;
  const groups = new Map<Place, Map<string, GroupState>>();
  const inRegion = (region: Place) => {
    let found = groups.get(region);
    if (!found) {
      found = new Map();
      groups.set(region, found);
    }
    return found;
  };
  const context: Context = { surroundings, ports, closed: false };
  const sick = ailments(timeline);
  const converge = (group: GroupState, cause: string) => {
    // Control loops of a dead region do nothing; its return converges every group again.
    if (network.state(group.region) === "dead") return;
    timeline.after(duration(random, "autoscaling.react"), () => reconcile(context, group, cause));
  };
  const unhealthy = (group: GroupState, instance: InstanceState, cause: string) => {
    if (instance.lifecycle !== "InService") return;
    instance.healthy = false;
    terminate(context, group, instance, cause);
    converge(group, cause);
  };
  heedLoadBalancers(context, inRegion, unhealthy);
  return {
    inRegion,
    regions: () => groups.keys(),
    converge,
    terminate: (group: GroupState, instance: InstanceState, cause: string) =>
      terminate(context, group, instance, cause),
    record: (group: GroupState, description: string, cause: string) => {
      const end = record(context, group, description, cause);
      return () => end("Successful");
    },
    /** What a custom health check says. Until somebody acts on it, it can be taken back. */
    setHealth: (group: GroupState, instance: InstanceState, healthy: boolean) => {
      instance.healthy = healthy;
      if (healthy) return;
      timeline.after(duration(random, "autoscaling.react"), () => {
        if (instance.healthy || network.state(group.region) === "dead") return;
        const cause = "an instance was taken out of service in response to a user health-check.";
        unhealthy(group, instance, cause);
      });
    },
    ail: sick.ail,
    ailmentsOf: (launched: LaunchedInstance) => sick.of(patientOf(launched)),
    find: (region: Place, id: string) => instanceIn(inRegion(region), id),
    /** Where load balancers and health checks send requests for an instance. */
    send: (region: Place, id: string, request: HttpRequest): Promise<HttpResponse> => {
      const instance = instanceIn(inRegion(region), id);
      if (!instance) return Promise.reject(timedOut(id));
      if (!instance.running) return Promise.reject(refused(id));
      return through(sick, instance, instance.running, request);
    },
    onRegionChange: (region: Place, state: RegionState): Promise<void> => {
      if (state === "dead") return stopAll([...inRegion(region).values()]);
      if (state === "up") returned(context, [...inRegion(region).values()], converge);
      return Promise.resolve();
    },
    close: () => {
      context.closed = true;
      return stopAll([...groups.values()].flatMap((found) => [...found.values()]));
    },
  };
};

interface Context {
  surroundings: Surroundings;
  ports: ScalingPorts;
  /** After the end nothing may be started any more, not even what is on its way. */
  closed: boolean;
}

type Groups = Map<string, GroupState>;
type Unhealthy = (group: GroupState, instance: InstanceState, cause: string) => void;

/** An instance that the load balancer finds unhealthy is replaced, once its grace period is over. */
const heedLoadBalancers = (
  { surroundings: { timeline, network }, ports: { targets } }: Context,
  inRegion: (region: Place) => Groups,
  unhealthy: Unhealthy,
) =>
  targets.onChange(({ region, targetGroupArn, targetId, state }) => {
    if (state !== "unhealthy") return;
    for (const group of inRegion(region).values()) {
      if (group.healthCheckType !== "ELB" || !group.targetGroups.includes(targetGroupArn)) continue;
      const instance = group.instances.get(targetId);
      if (!instance) continue;
      const judge = () => {
        if (network.state(region) === "dead") return;
        if (targets.state(region, targetGroupArn, targetId) !== "unhealthy") return;
        const cause = "an instance was taken out of service in response to an ELB health check";
        unhealthy(group, instance, `${cause} failure.`);
      };
      const graceEnd = (instance.inServiceAt ?? timeline.now()) + group.graceSeconds * 1000;
      if (timeline.now() >= graceEnd) judge();
      else timeline.after(graceEnd - timeline.now(), judge);
    }
  });

const instanceIn = (groups: Groups, id: string): InstanceState | undefined => {
  for (const { instances } of groups.values()) {
    const instance = instances.get(id);
    if (instance) return instance;
  }
  return undefined;
};

const patientOf = (launched: LaunchedInstance): Patient => {
  const { region, id: instanceId, availabilityZone, launchTemplate, templateVersion } = launched;
  return { region, instanceId, availabilityZone, launchTemplate, templateVersion };
};

const through = (
  sick: Ailments,
  { launched }: InstanceState,
  running: RunningInstance,
  request: HttpRequest,
): Promise<HttpResponse> =>
  sick.isAnybody()
    ? sick.through(patientOf(launched), request, running.send)
    : running.send(request);

const stopAll = async (groups: GroupState[]): Promise<void> => {
  const running: RunningInstance[] = [];
  for (const { instances } of groups) {
    for (const instance of instances.values()) {
      if (instance.running) running.push(instance.running);
      instance.running = undefined;
    }
  }
  await Promise.all(running.map((one) => one.stop()));
};

/** Machines that lost their power fail their status checks: each is replaced by a new one. */
const returned = (
  context: Context,
  groups: GroupState[],
  converge: (group: GroupState, cause: string) => void,
) => {
  for (const group of groups) {
    let lost = 0;
    for (const instance of [...group.instances.values()]) {
      if (instance.running) continue;
      forget(context, group, instance);
      lost += 1;
    }
    if (lost > 0) converge(group, "instances failed EC2 status checks after a loss of power");
  }
};

const forget = ({ ports }: Context, group: GroupState, { launched }: InstanceState) => {
  group.instances.delete(launched.id);
  for (const arn of group.targetGroups) ports.targets.deregister(group.region, arn, launched.id);
  ports.machines?.track(launched, "terminated");
};

const reconcile = (context: Context, group: GroupState, cause: string) => {
  if (context.surroundings.network.state(group.region) === "dead") return;
  const current = [...group.instances.values()].filter(alive);
  const wanted = group.desired + (group.surge ?? 0);
  for (let count = current.length; count < wanted; count += 1) {
    launch(context, group, cause);
  }
  for (let count = current.length; count > wanted; count -= 1) {
    const surplus = nextToGo([...group.instances.values()].filter(alive));
    if (surplus) terminate(context, group, surplus, cause);
  }
};

const perZone = (instances: InstanceState[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { launched } of instances) {
    counts.set(launched.availabilityZone, (counts.get(launched.availabilityZone) ?? 0) + 1);
  }
  return counts;
};

/** The default policy, as far as it shows here: the fullest zone, and in it the oldest instance. */
const nextToGo = (instances: InstanceState[]): InstanceState | undefined => {
  const counts = perZone(instances);
  const fullest = Math.max(...counts.values());
  return instances.find(({ launched }) => counts.get(launched.availabilityZone) === fullest);
};

const emptiestZone = (group: GroupState): string => {
  const counts = perZone([...group.instances.values()].filter(alive));
  const [first = `${group.region}a`, ...others] = group.zones;
  return others.reduce(
    (best, zone) => ((counts.get(zone) ?? 0) < (counts.get(best) ?? 0) ? zone : best),
    first,
  );
};

const launch = (context: Context, group: GroupState, cause: string) => {
  const { surroundings, ports } = context;
  const { timeline, random } = surroundings;
  const { launchTemplate, templateVersion: version } = group.rolling ?? group;
  const data = ports.machines?.launchData(group.region, launchTemplate, version);
  const launched: LaunchedInstance = {
    id: `i-0${random.bytes(8).toString("hex")}`,
    region: group.region,
    availabilityZone: emptiestZone(group),
    groupName: group.name,
    launchTemplate,
    templateVersion: ports.machines?.templateVersion?.(group.region, launchTemplate, version),
    securityGroupIds: data?.SecurityGroupIds ?? [],
    instanceType: data?.InstanceType ?? "m7g.large",
    launchedAt: new Date(timeline.now()),
    tags: { ...group.tags, "aws:autoscaling:groupName": group.name },
  };
  const instance: InstanceState = {
    launched,
    lifecycle: "Pending",
    healthy: true,
    inServiceAt: undefined,
    running: undefined,
  };
  group.instances.set(launched.id, instance);
  ports.machines?.track(launched, "pending");
  const done = record(context, group, `Launching a new EC2 instance: ${launched.id}`, cause);
  timeline.after(duration(random, "autoscaling.launch"), () => {
    if (gone(context, group, instance)) return;
    instance.lifecycle = "InService";
    instance.inServiceAt = timeline.now();
    ports.machines?.track(launched, "running");
    for (const arn of group.targetGroups) ports.targets.register(group.region, arn, launched.id);
    done("Successful");
    timeline.after(duration(random, "application.boot"), () => boot(context, group, instance));
  });
};

const gone = (
  { surroundings, closed }: Context,
  group: GroupState,
  instance: InstanceState,
): boolean =>
  closed ||
  group.instances.get(instance.launched.id) !== instance ||
  !alive(instance) ||
  surroundings.network.state(group.region) === "dead";

const boot = async (context: Context, group: GroupState, instance: InstanceState) => {
  if (gone(context, group, instance)) return;
  let running: RunningInstance;
  try {
    running = await context.ports.launch(instance.launched);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const cause = `the application did not start: ${message}`;
    record(
      context,
      group,
      `Launching a new EC2 instance: ${instance.launched.id}`,
      cause,
    )("Failed");
    forget(context, group, instance);
    const { timeline } = context.surroundings;
    timeline.after(retryMilliseconds, () => reconcile(context, group, cause));
    return;
  }
  // The region, the group or the instance may have gone while the application started.
  if (gone(context, group, instance)) await running.stop();
  else instance.running = running;
};

const terminate = (context: Context, group: GroupState, instance: InstanceState, cause: string) => {
  if (!alive(instance) && instance.lifecycle !== "Standby") return;
  const { surroundings, ports } = context;
  const { launched } = instance;
  instance.lifecycle = "Terminating";
  for (const arn of group.targetGroups) ports.targets.deregister(group.region, arn, launched.id);
  ports.machines?.track(launched, "shutting-down");
  const done = record(context, group, `Terminating EC2 instance: ${launched.id}`, cause);
  const end = duration(surroundings.random, "autoscaling.terminate");
  surroundings.timeline.after(end, async () => {
    if (group.instances.get(launched.id) !== instance) return;
    await instance.running?.stop();
    instance.running = undefined;
    forget(context, group, instance);
    done("Successful");
  });
};

/** Adds an activity and returns the way to end it. */
const record = (
  { surroundings }: Context,
  group: GroupState,
  Description: string,
  cause: string,
): ((status: ScalingActivityStatusCode) => void) => {
  const StartTime = new Date(surroundings.timeline.now());
  const activity: Activity = {
    ActivityId: surroundings.random.id(),
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: group.arn,
    Description,
    Cause: `At ${StartTime.toISOString()} ${cause}`,
    StartTime,
    StatusCode: "InProgress",
    Progress: 50,
  };
  group.activities.unshift(activity);
  group.activities.length = Math.min(group.activities.length, activityLimit);
  return (StatusCode) => {
    const EndTime = new Date(surroundings.timeline.now());
    Object.assign(activity, { StatusCode, EndTime, Progress: 100 });
  };
};
