import type { Action, RuleCondition } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { HttpRequest, HttpResponse } from "../http.ts";
import { refused, timedOut } from "../http.ts";
import type { Network, Place } from "../network.ts";
import { internet } from "../network.ts";
import { noteAnswer } from "./elbv2-anomalies.ts";
import type { Served } from "./elbv2-metrics.ts";
import type {
  ListenerState,
  LoadBalancerState,
  Registry,
  RuleState,
  Target,
  TargetGroupState,
} from "./elbv2-state.ts";
import { forwardedTo } from "./elbv2-state.ts";

/** Sends a request to a target. Must settle: `ETIMEDOUT` becomes 504, any other error 502. */
export type SendToTarget = (
  region: Place,
  target: { id: string; port: number },
  request: HttpRequest,
) => Promise<HttpResponse>;

export interface Traffic {
  /**
   * One request to a load balancer, by its DNS name or one of its addresses. Rejects with
   * `ETIMEDOUT` when `from` does not reach its region: waiting that long is the caller's.
   */
  serve(nameOrAddress: string, request: HttpRequest, from?: Place): Promise<HttpResponse>;
}

/** Whoever counts requests; without it nothing is measured. */
export interface Counting {
  now(): number;
  count(served: Served): void;
}

export const traffic = (
  registry: Registry,
  ports: { network: Network; send: SendToTarget; counting?: Counting },
): Traffic => ({
  serve: async (nameOrAddress, request, from = internet) => {
    const loadBalancer = registry.byAddress(nameOrAddress) ?? registry.byName(nameOrAddress);
    if (!loadBalancer) throw refused(nameOrAddress);
    if (!ports.network.reachable(from, loadBalancer.region)) throw timedOut(nameOrAddress);
    const listener = listenerFor(loadBalancer);
    if (!listener) throw refused(nameOrAddress);
    const told = ports.counting && counted(ports.counting, loadBalancer);
    const action = actionFor(listener.rules, request);
    if (action?.Type === "fixed-response") return answered(fixedResponse(action), told);
    const arn = action && forwardedTo([action]);
    const group = arn ? registry.region(loadBalancer.region).targetGroups.get(arn) : undefined;
    return group ? forward(group, request, ports.send, told) : answered(unavailable(), told);
  },
});

type Told = (served: Pick<Served, "chosen" | "status" | "by">) => void;

const counted = ({ now, count }: Counting, loadBalancer: LoadBalancerState): Told => {
  const begunAt = now();
  return (served) => {
    if (served.chosen) noteAnswer(served.chosen.target, now(), served.status >= 500);
    count({ ...served, loadBalancer, seconds: (now() - begunAt) / 1000 });
  };
};

/** What the load balancer says itself. */
const answered = (response: HttpResponse, told: Told | undefined): HttpResponse => {
  told?.({ status: response.status, by: "balancer" });
  return response;
};

const unavailable = () => failure(503, "Service Temporarily Unavailable");

/** With several listeners the one for TLS: here TLS ends before the load balancer. */
const listenerFor = ({ listeners }: LoadBalancerState): ListenerState | undefined =>
  listeners.find(({ protocol }) => protocol === "HTTPS") ?? listeners[0];

const actionFor = (rules: RuleState[], request: HttpRequest): Action | undefined => {
  for (const { effective } of rules) {
    if (effective?.conditions.every((condition) => holds(condition, request))) {
      return effective.actions.at(-1);
    }
  }
  return undefined;
};

const holds = (condition: RuleCondition, request: HttpRequest): boolean => {
  if (condition.Field === "path-pattern") {
    const path = request.path.split("?", 1)[0] ?? "/";
    const patterns = condition.PathPatternConfig?.Values ?? condition.Values ?? [];
    return patterns.some((pattern) => glob(pattern).test(path));
  }
  const host = (request.headers?.host ?? "").split(":", 1)[0]?.toLowerCase() ?? "";
  const patterns = condition.HostHeaderConfig?.Values ?? condition.Values ?? [];
  return patterns.some((pattern) => glob(pattern.toLowerCase()).test(host));
};

const globs = new Map<string, RegExp>();

/** `*` is any number of characters, `?` exactly one; paths are case-sensitive. */
const glob = (pattern: string): RegExp => {
  let expression = globs.get(pattern);
  if (!expression) {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    expression = new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
    globs.set(pattern, expression);
  }
  return expression;
};

const fixedResponse = ({ FixedResponseConfig }: Action): HttpResponse => ({
  status: Number(FixedResponseConfig?.StatusCode ?? 503),
  headers: { "content-type": FixedResponseConfig?.ContentType ?? "text/plain" },
  body: FixedResponseConfig?.MessageBody ?? "",
});

const failure = (status: number, title: string): HttpResponse => ({
  status,
  headers: { "content-type": "text/html", server: "awselb/2.0" },
  body: `<html><head><title>${status} ${title}</title></head></html>`,
});

/**
 * When a group has only unhealthy targets, all of them get requests
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).
 */
const candidates = (group: TargetGroupState): Target[] => {
  const registered = [...group.targets.values()].filter(({ state }) => state !== "draining");
  const healthy = registered.filter(({ state }) => state === "healthy");
  return healthy.length > 0 ? healthy : registered;
};

const forward = async (
  group: TargetGroupState,
  request: HttpRequest,
  send: SendToTarget,
  told: Told | undefined,
): Promise<HttpResponse> => {
  const targets = candidates(group);
  group.turn += 1;
  const target = targets[group.turn % targets.length];
  if (!target) return answered(unavailable(), told);
  const chosen = { group, target };
  target.inFlight += 1;
  try {
    const response = await send(group.region, target, request);
    told?.({ chosen, status: response.status, by: "target" });
    return response;
  } catch (error) {
    const isLate = (error as NodeJS.ErrnoException).code === "ETIMEDOUT";
    const response = isLate ? failure(504, "Gateway Time-out") : failure(502, "Bad Gateway");
    told?.({ chosen, status: response.status, by: "balancer" });
    return response;
  } finally {
    target.inFlight -= 1;
  }
};
