import type {
  TargetDescription,
  TargetHealthReasonEnum,
  TargetHealthStateEnum,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { HttpResponse } from "../http.ts";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import { duration } from "./durations.ts";
import type { Registry, Target, TargetGroupState } from "./elbv2-state.ts";
import { inUse } from "./elbv2-state.ts";
import type { SendToTarget } from "./elbv2-traffic.ts";
import type { Surroundings } from "./service.ts";

export interface TargetChange {
  region: Place;
  targetGroupArn: string;
  targetId: string;
  state: TargetHealthStateEnum;
}

export interface Targets {
  register(group: TargetGroupState, targets: TargetDescription[]): void;
  deregister(group: TargetGroupState, targets: TargetDescription[]): void;
  onChange(listener: (change: TargetChange) => void): void;
}

export const targetKey = (id: string, port: number) => `${id}:${port}`;

/** How often it is looked whether a draining target still has requests. */
const drainCheckMilliseconds = 5000;

interface Keeper {
  surroundings: Surroundings;
  registry: Registry;
  send: SendToTarget;
  announce(group: TargetGroupState, target: Target): void;
}

/** Registration, health checks and draining of targets. One timer per group that has targets. */
export const targetKeeper = (
  surroundings: Surroundings,
  registry: Registry,
  send: SendToTarget,
): Targets => {
  const listeners: ((change: TargetChange) => void)[] = [];
  const timers = new Map<string, Timer>();
  const keeper: Keeper = {
    surroundings,
    registry,
    send,
    announce: (group, target) => {
      const { region, arn: targetGroupArn } = group;
      const change = { region, targetGroupArn, targetId: target.id, state: target.state };
      for (const listener of listeners) listener(change);
    },
  };
  const keepChecking = (group: TargetGroupState) => {
    if (timers.has(group.arn)) return;
    let busy = false;
    const check = async () => {
      if (group.targets.size === 0) {
        timers.get(group.arn)?.cancel();
        timers.delete(group.arn);
        return;
      }
      // A round that has not ended yet (real targets, fast time) is not joined by a second one.
      if (busy) return;
      busy = true;
      try {
        await checkAll(keeper, group);
      } finally {
        busy = false;
      }
    };
    timers.set(group.arn, surroundings.timeline.every(group.intervalSeconds * 1000, check));
  };
  return {
    register: (group, targets) => {
      for (const { Id = "", Port: port = group.port } of targets) {
        registerOne(keeper, group, Id, port);
      }
      keepChecking(group);
    },
    deregister: (group, targets) => {
      for (const { Id, Port } of targets) {
        for (const target of group.targets.values()) {
          const meant = target.id === Id && (Port === undefined || Port === target.port);
          if (meant) drain(keeper, group, target);
        }
      }
    },
    onChange: (listener) => void listeners.push(listener),
  };
};

const registerOne = (keeper: Keeper, group: TargetGroupState, id: string, port: number) => {
  const { timeline, random } = keeper.surroundings;
  const key = targetKey(id, port);
  const known = group.targets.get(key);
  if (known && known.state !== "draining") return;
  const target: Target = {
    id,
    port,
    state: "initial",
    reason: "Elb.RegistrationInProgress",
    description: "Target registration is in progress",
    streak: 0,
    inFlight: 0,
  };
  group.targets.set(key, target);
  timeline.after(duration(random, "elbv2.register"), async () => {
    if (group.targets.get(key) !== target || target.state !== "initial") return;
    target.reason = "Elb.InitialHealthChecking";
    target.description = "Initial health checks in progress";
    await check(keeper, group, target);
  });
};

/** Gone at once without requests in flight, else at the latest after the deregistration delay. */
const drain = (keeper: Keeper, group: TargetGroupState, target: Target) => {
  const { timeline } = keeper.surroundings;
  const key = targetKey(target.id, target.port);
  if (target.state === "draining") return;
  become(keeper, group, target, "draining", {
    reason: "Target.DeregistrationInProgress",
    description: "Target deregistration is in progress",
  });
  const until = timeline.now() + group.deregistrationDelaySeconds * 1000;
  const settle = () => {
    if (group.targets.get(key) !== target) return;
    if (target.inFlight === 0 || timeline.now() >= until) group.targets.delete(key);
    else timeline.after(drainCheckMilliseconds, settle);
  };
  settle();
};

const checkAll = async (keeper: Keeper, group: TargetGroupState): Promise<void> => {
  const { network } = keeper.surroundings;
  if (network.state(group.region) === "dead") return;
  if (!inUse(keeper.registry.region(group.region), group.arn)) return;
  const due = [...group.targets.values()].filter(
    ({ state, reason }) => state !== "draining" && reason !== "Elb.RegistrationInProgress",
  );
  await Promise.all(due.map((target) => check(keeper, group, target)));
};

interface Finding {
  reason: TargetHealthReasonEnum;
  description: string;
}

const check = async (keeper: Keeper, group: TargetGroupState, target: Target): Promise<void> => {
  if (keeper.surroundings.network.state(group.region) === "dead") return;
  const headers = { host: `${target.id}:${target.port}`, "user-agent": "ELB-HealthChecker/2.0" };
  const request = { method: "GET" as const, path: group.path, headers };
  const finding = await keeper.send(group.region, target, request).then(
    (response) => judge(group, response),
    (error: NodeJS.ErrnoException): Finding =>
      error.code === "ETIMEDOUT"
        ? { reason: "Target.Timeout", description: "Request timed out" }
        : { reason: "Target.FailedHealthChecks", description: "Health checks failed" },
  );
  if (group.targets.get(targetKey(target.id, target.port)) !== target) return;
  if (target.state !== "draining") weigh(keeper, group, target, finding);
};

const judge = (group: TargetGroupState, response: HttpResponse): Finding | undefined =>
  codesMatch(group.matcher, response.status)
    ? undefined
    : {
        reason: "Target.ResponseCodeMismatch",
        description: `Health checks failed with these codes: [${response.status}]`,
      };

/** `200`, `200,202` or `200-299`. */
const codesMatch = (matcher: string, status: number): boolean =>
  matcher.split(",").some((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return from !== undefined && to !== undefined && status >= from && status <= to;
  });

/** A new target is healthy after its first passed check; after that the thresholds count. */
const weigh = (
  keeper: Keeper,
  group: TargetGroupState,
  target: Target,
  failed: Finding | undefined,
) => {
  const fits = failed ? target.state === "unhealthy" : target.state === "healthy";
  target.streak = fits ? 0 : target.streak + 1;
  if (fits) return;
  if (failed) {
    // An initial target keeps waiting for its first success until it has failed often enough.
    if (target.streak >= group.unhealthyThreshold) {
      become(keeper, group, target, "unhealthy", failed);
    }
  } else if (target.state === "initial" || target.streak >= group.healthyThreshold) {
    become(keeper, group, target, "healthy", undefined);
  }
};

const become = (
  keeper: Keeper,
  group: TargetGroupState,
  target: Target,
  state: TargetHealthStateEnum,
  why: Finding | undefined,
) => {
  target.state = state;
  target.streak = 0;
  target.reason = why?.reason;
  target.description = why?.description;
  keeper.announce(group, target);
};
