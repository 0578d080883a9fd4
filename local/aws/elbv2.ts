import type {
  CreateListenerCommandInput,
  CreateLoadBalancerCommandInput,
  CreateRuleCommandInput,
  DescribeListenersCommandInput,
  DescribeLoadBalancersCommandInput,
  DescribeRulesCommandInput,
  Listener,
  LoadBalancer,
  ModifyRuleCommandInput,
  Rule,
  RuleCondition,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { Place } from "../network.ts";
import { duration } from "./durations.ts";
import { groupOperations, targetOperations } from "./elbv2-groups.ts";
import type {
  ListenerState,
  LoadBalancerState,
  RegionState,
  Registry,
  RuleState,
  TargetGroupState,
} from "./elbv2-state.ts";
import { forwardedTo, groupOf, hex, missing, prefix, registry } from "./elbv2-state.ts";
import { targetKeeper } from "./elbv2-targets.ts";
import type { Counting, SendToTarget } from "./elbv2-traffic.ts";
import { traffic } from "./elbv2-traffic.ts";
import { pageOf } from "./paging.ts";
import type { Call, Service, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

export interface LoadBalancingOptions {
  /** The addresses of a new load balancer; `ordinal` counts all of them from 1. */
  addresses?: (loadBalancer: { name: string; region: Place; ordinal: number }) => string[];
}

/** Application load balancers: their API, their health checks and the requests through them. */
export const elbv2 = (
  surroundings: Surroundings,
  ports: { send: SendToTarget; counting?: Counting },
  options: LoadBalancingOptions = {},
) => {
  const all = registry();
  const targets = targetKeeper(surroundings, all, ports.send);
  const { serve } = traffic(all, { network: surroundings.network, ...ports });
  const service: Service = {
    name: "elastic-load-balancing-v2",
    operations: {
      ...loadBalancerOperations(surroundings, all, options),
      ...listenerOperations(surroundings, all),
      ...ruleOperations(surroundings, all),
      ...groupOperations(surroundings, all),
      ...targetOperations(surroundings, all, targets),
    },
  };
  const group = (region: Place, arn: string) => groupOf(all.region(region), arn);
  return {
    service,
    serve,
    /** For the Auto Scaling groups and whoever else watches targets. */
    targets: {
      register: (region: Place, arn: string, id: string) =>
        targets.register(group(region, arn), [{ Id: id }]),
      deregister: (region: Place, arn: string, id: string) =>
        targets.deregister(group(region, arn), [{ Id: id }]),
      state: (region: Place, arn: string, id: string) =>
        [...group(region, arn).targets.values()].find((target) => target.id === id)?.state,
      onChange: targets.onChange,
    },
    /** Empty for a name that is not a load balancer's. */
    addressesOf: (dnsName: string): string[] => all.byName(dnsName)?.addresses ?? [],
    /** Which load balancer answers at an address, for whoever listens there. */
    at: (address: string) => all.byAddress(address),
    loadBalancers: all.loadBalancers,
    /** Everything that a region has, for whoever measures it. */
    inRegion: all.region,
    /**
     * What Route 53 takes from an alias with EvaluateTargetHealth: every target group that has
     * targets has a healthy one
     * (https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html).
     */
    healthy: (dnsName: string): boolean => {
      const loadBalancer = all.byName(dnsName);
      if (!loadBalancer || surroundings.network.state(loadBalancer.region) === "dead") return false;
      return groupsBehind(all.region(loadBalancer.region), loadBalancer).every(
        ({ targets: members }) =>
          members.size === 0 || [...members.values()].some(({ state }) => state === "healthy"),
      );
    },
  };
};

const groupsBehind = (state: RegionState, loadBalancer: LoadBalancerState): TargetGroupState[] =>
  loadBalancer.listeners
    .flatMap(({ rules }) => rules)
    .flatMap(({ actions }) => state.targetGroups.get(forwardedTo(actions) ?? "") ?? []);

const loadBalancerOperations = (
  surroundings: Surroundings,
  all: Registry,
  options: LoadBalancingOptions,
) => ({
  CreateLoadBalancer: (input: CreateLoadBalancerCommandInput, call: Call) => {
    const { loadBalancers } = all.region(call.region);
    const { Name: name = "" } = input;
    if ([...loadBalancers.values()].some((other) => other.name === name)) {
      const message = `A load balancer with the same name '${name}' exists`;
      throw new AwsError("DuplicateLoadBalancerNameException", message);
    }
    const ordinal = all.loadBalancers().length + 1;
    const place = { name, region: call.region, ordinal };
    const number = surroundings.random.integer(100_000_000, 1_999_999_999);
    const created: LoadBalancerState = {
      arn: `${prefix(call)}:loadbalancer/app/${name}/${hex(surroundings)}`,
      name,
      region: call.region,
      dnsName: `${name}-${number}.${call.region}.elb.amazonaws.com`.toLowerCase(),
      addresses: options.addresses?.(place) ?? [`127.0.${ordinal}.10`],
      type: "application",
      scheme: input.Scheme ?? "internet-facing",
      createdAt: new Date(surroundings.timeline.now()),
      securityGroups: input.SecurityGroups ?? [],
      subnets: input.Subnets ?? [],
      tags: input.Tags ?? [],
      listeners: [],
    };
    loadBalancers.set(created.arn, created);
    return { LoadBalancers: [loadBalancerShown(created)] };
  },
  DescribeLoadBalancers: (input: DescribeLoadBalancersCommandInput, call: Call) => {
    const { loadBalancers } = all.region(call.region);
    const known = [...loadBalancers.values()];
    for (const arn of input.LoadBalancerArns ?? []) balancerOf(all.region(call.region), arn);
    for (const name of input.Names ?? []) {
      if (known.some((one) => one.name === name)) continue;
      throw missing("LoadBalancerNotFoundException", "Load balancers", `[${name}]`);
    }
    const found = known.filter(
      ({ arn, name }) =>
        (!input.LoadBalancerArns?.length || input.LoadBalancerArns.includes(arn)) &&
        (!input.Names?.length || input.Names.includes(name)),
    );
    const page = pageOf(found, input.Marker, input.PageSize ?? 400);
    return { LoadBalancers: page.items.map(loadBalancerShown), NextMarker: page.next };
  },
});

const balancerOf = (state: RegionState, arn: string | undefined): LoadBalancerState => {
  const found = state.loadBalancers.get(arn ?? "");
  if (found) return found;
  throw missing("LoadBalancerNotFoundException", "Load balancer", arn);
};

const loadBalancerShown = (one: LoadBalancerState): LoadBalancer => ({
  LoadBalancerArn: one.arn,
  LoadBalancerName: one.name,
  DNSName: one.dnsName,
  CanonicalHostedZoneId: "Z215JYRZR1TBD5",
  CreatedTime: one.createdAt,
  Scheme: one.scheme,
  Type: one.type,
  State: { Code: "active" },
  SecurityGroups: one.securityGroups,
  AvailabilityZones: one.subnets.map((SubnetId) => ({ SubnetId })),
  IpAddressType: "ipv4",
});

const listenerOperations = (surroundings: Surroundings, all: Registry) => ({
  CreateListener: (input: CreateListenerCommandInput, call: Call) => {
    const state = all.region(call.region);
    const loadBalancer = balancerOf(state, input.LoadBalancerArn);
    const { Port: port = 80, Protocol = "HTTP" } = input;
    if (Protocol !== "HTTP" && Protocol !== "HTTPS") {
      throw new AwsError("UnsupportedProtocolException", `Protocol ${Protocol} is not modelled`);
    }
    if (loadBalancer.listeners.some((other) => other.port === port)) {
      const message = "A listener already exists on this port for this load balancer";
      throw new AwsError("DuplicateListenerException", message);
    }
    const tail = loadBalancer.arn.split(":loadbalancer/")[1] ?? "";
    const actions = input.DefaultActions ?? [];
    const arn = `${prefix(call)}:listener/${tail}/${hex(surroundings)}`;
    const certificate = Protocol === "HTTPS" ? input.Certificates?.[0]?.CertificateArn : undefined;
    const listener: ListenerState = {
      arn,
      port,
      protocol: Protocol,
      certificate,
      loadBalancer,
      rules: [],
    };
    const effective = { conditions: [], actions };
    addRule(surroundings, state, listener, { ...effective, priority: Infinity, effective });
    loadBalancer.listeners.push(listener);
    state.listeners.set(listener.arn, listener);
    return { Listeners: [listenerShown(listener)] };
  },
  DescribeListeners: (input: DescribeListenersCommandInput, call: Call) => {
    const state = all.region(call.region);
    const found = input.ListenerArns?.length
      ? input.ListenerArns.map((arn) => listenerOf(state, arn))
      : balancerOf(state, input.LoadBalancerArn).listeners;
    const page = pageOf(found, input.Marker, input.PageSize ?? 400);
    return { Listeners: page.items.map(listenerShown), NextMarker: page.next };
  },
});

const listenerOf = (state: RegionState, arn: string | undefined): ListenerState => {
  const found = state.listeners.get(arn ?? "");
  if (found) return found;
  throw missing("ListenerNotFoundException", "Listener", arn);
};

const listenerShown = (one: ListenerState): Listener => ({
  ListenerArn: one.arn,
  LoadBalancerArn: one.loadBalancer.arn,
  Port: one.port,
  Protocol: one.protocol,
  ...(one.certificate ? { Certificates: [{ CertificateArn: one.certificate }] } : {}),
  DefaultActions: one.rules.at(-1)?.actions ?? [],
});

const addRule = (
  surroundings: Surroundings,
  state: RegionState,
  listener: ListenerState,
  rule: Omit<RuleState, "arn">,
): RuleState => {
  const arn = `${listener.arn.replace(":listener/", ":listener-rule/")}/${hex(surroundings)}`;
  const added = { ...rule, arn };
  listener.rules.push(added);
  listener.rules.sort((a, b) => a.priority - b.priority);
  state.rules.set(arn, { rule: added, listener });
  return added;
};

const modelledFields = ["path-pattern", "host-header"];

const checkConditions = (conditions: RuleCondition[]) => {
  for (const { Field = "" } of conditions) {
    if (modelledFields.includes(Field)) continue;
    const message = `The condition field '${Field}' is not modelled`;
    throw new AwsError("InvalidConfigurationRequestException", message);
  }
};

/** The API shows a change at once, the nodes of the load balancer follow. */
const takeEffect = ({ timeline, random }: Surroundings, rule: RuleState) => {
  const { conditions, actions } = rule;
  timeline.after(duration(random, "elbv2.rule"), () => {
    // Of two changes in a row the older one may not win because its delay was the longer.
    if (rule.actions === actions && rule.conditions === conditions) {
      rule.effective = { conditions, actions };
    }
  });
};

const ruleOperations = (surroundings: Surroundings, all: Registry) => ({
  CreateRule: (input: CreateRuleCommandInput, call: Call) => {
    const state = all.region(call.region);
    const listener = listenerOf(state, input.ListenerArn);
    const { Priority: priority = 1, Conditions: conditions = [], Actions: actions = [] } = input;
    checkConditions(conditions);
    if (listener.rules.some((rule) => rule.priority === priority)) {
      throw new AwsError("PriorityInUseException", `Priority '${priority}' is currently in use`);
    }
    const values = { priority, conditions, actions, effective: undefined };
    const rule = addRule(surroundings, state, listener, values);
    takeEffect(surroundings, rule);
    return { Rules: [ruleShown(rule)] };
  },
  ModifyRule: (input: ModifyRuleCommandInput, call: Call) => {
    const { rule } = ruleOf(all.region(call.region), input.RuleArn);
    if (rule.priority === Infinity) {
      throw new AwsError("OperationNotPermittedException", "Default rules cannot be modified");
    }
    checkConditions(input.Conditions ?? []);
    if (input.Conditions?.length) rule.conditions = input.Conditions;
    if (input.Actions?.length) rule.actions = input.Actions;
    takeEffect(surroundings, rule);
    return { Rules: [ruleShown(rule)] };
  },
  DescribeRules: (input: DescribeRulesCommandInput, call: Call) => {
    const state = all.region(call.region);
    const found = input.RuleArns?.length
      ? input.RuleArns.map((arn) => ruleOf(state, arn).rule)
      : listenerOf(state, input.ListenerArn).rules;
    const page = pageOf(found, input.Marker, input.PageSize ?? 400);
    return { Rules: page.items.map(ruleShown), NextMarker: page.next };
  },
});

const ruleOf = (state: RegionState, arn: string | undefined) => {
  const found = state.rules.get(arn ?? "");
  if (found) return found;
  throw missing("RuleNotFoundException", "Rule", arn);
};

const ruleShown = (rule: RuleState): Rule => ({
  RuleArn: rule.arn,
  Priority: rule.priority === Infinity ? "default" : String(rule.priority),
  Conditions: rule.conditions,
  Actions: rule.actions,
  IsDefault: rule.priority === Infinity,
});
