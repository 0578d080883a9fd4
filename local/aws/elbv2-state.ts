import type {
  Action,
  LoadBalancerTypeEnum,
  RuleCondition,
  Tag,
  TargetHealthReasonEnum,
  TargetHealthStateEnum,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { Place } from "../network.ts";
import type { Answers } from "./elbv2-anomalies.ts";
import type { Call, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

export interface LoadBalancerState {
  arn: string;
  name: string;
  region: Place;
  dnsName: string;
  /** What its name resolves to; on the loopback network in a drill. */
  addresses: string[];
  type: LoadBalancerTypeEnum;
  scheme: "internet-facing" | "internal";
  createdAt: Date;
  securityGroups: string[];
  subnets: string[];
  tags: Tag[];
  listeners: ListenerState[];
}

export interface ListenerState {
  arn: string;
  port: number;
  protocol: "HTTP" | "HTTPS";
  /** ARN of the default certificate; only TLS listeners have one. */
  certificate: string | undefined;
  loadBalancer: LoadBalancerState;
  /** By priority; the default rule is last. */
  rules: RuleState[];
}

interface Behaviour {
  conditions: RuleCondition[];
  actions: Action[];
}

export interface RuleState extends Behaviour {
  arn: string;
  /** `Infinity` for the default rule. */
  priority: number;
  /** What the nodes of the load balancer do: a change reaches them a little later. */
  effective: Behaviour | undefined;
}

export interface Target {
  id: string;
  port: number;
  state: TargetHealthStateEnum;
  reason: TargetHealthReasonEnum | undefined;
  description: string | undefined;
  /** Consecutive checks that contradict `state`. */
  streak: number;
  inFlight: number;
  /** Of the last minutes, where somebody counts requests. */
  answers?: Answers[];
}

export interface TargetGroupState {
  arn: string;
  name: string;
  region: Place;
  port: number;
  vpcId: string | undefined;
  path: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthyThreshold: number;
  unhealthyThreshold: number;
  matcher: string;
  deregistrationDelaySeconds: number;
  targets: Map<string, Target>;
  /** Which target had the last request. */
  turn: number;
}

export interface RegionState {
  loadBalancers: Map<string, LoadBalancerState>;
  listeners: Map<string, ListenerState>;
  rules: Map<string, { rule: RuleState; listener: ListenerState }>;
  targetGroups: Map<string, TargetGroupState>;
}

/** Everything, per region, and how to find it. */
export interface Registry {
  region(name: Place): RegionState;
  /** By DNS name, without regard to case and a final dot. */
  byName(dnsName: string): LoadBalancerState | undefined;
  byAddress(address: string): LoadBalancerState | undefined;
  loadBalancers(): LoadBalancerState[];
}

export const registry = (): Registry => {
  const regions = new Map<Place, RegionState>();
  const all = () => [...regions.values()].flatMap((state) => [...state.loadBalancers.values()]);
  const find = (matches: (loadBalancer: LoadBalancerState) => boolean) => {
    for (const { loadBalancers } of regions.values()) {
      for (const loadBalancer of loadBalancers.values()) {
        if (matches(loadBalancer)) return loadBalancer;
      }
    }
    return undefined;
  };
  return {
    region: (name) => {
      let state = regions.get(name);
      if (!state) {
        state = {
          loadBalancers: new Map(),
          listeners: new Map(),
          rules: new Map(),
          targetGroups: new Map(),
        };
        regions.set(name, state);
      }
      return state;
    },
    byName: (dnsName) => {
      const wanted = dnsName.toLowerCase().replace(/\.$/, "");
      return find((loadBalancer) => loadBalancer.dnsName === wanted);
    },
    byAddress: (address) => find(({ addresses }) => addresses.includes(address)),
    loadBalancers: all,
  };
};

export const groupOf = (state: RegionState, arn: string | undefined): TargetGroupState => {
  const group = state.targetGroups.get(arn ?? "");
  if (group) return group;
  throw new AwsError("TargetGroupNotFoundException", `Target groups '${arn}' not found`);
};

/** The target group that a list of actions forwards to, if it does. */
export const forwardedTo = (actions: Action[]): string | undefined => {
  const action = actions.at(-1);
  if (action?.Type !== "forward") return undefined;
  return action.TargetGroupArn ?? action.ForwardConfig?.TargetGroups?.[0]?.TargetGroupArn;
};

/** Targets of a group that no load balancer uses are neither checked nor sent requests. */
export const inUse = (state: RegionState, arn: string): boolean => {
  for (const { rule } of state.rules.values()) {
    if (forwardedTo(rule.actions) === arn) return true;
  }
  return false;
};

/** The load balancers that send requests to a target group. */
export const usersOf = (state: RegionState, arn: string): string[] => [
  ...new Set(
    [...state.rules.values()]
      .filter(({ rule }) => forwardedTo(rule.actions) === arn)
      .map(({ listener }) => listener.loadBalancer.arn),
  ),
];

/** The tail of an ARN. */
export const hex = ({ random }: Surroundings) => random.bytes(8).toString("hex");

export const prefix = ({ region, account }: Call) =>
  `arn:aws:elasticloadbalancing:${region}:${account}`;

export const missing = (shape: string, what: string, arn: string | undefined) =>
  new AwsError(shape, `${what} '${arn}' not found`);
