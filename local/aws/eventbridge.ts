import type {
  DescribeRuleCommandInput,
  DescribeRuleCommandOutput,
  ListRulesCommandInput,
  ListRulesCommandOutput,
  PutEventsCommandInput,
  PutEventsCommandOutput,
  PutEventsRequestEntry,
  PutRuleCommandInput,
  PutRuleCommandOutput,
  PutTargetsCommandInput,
  PutTargetsCommandOutput,
  Rule as RuleDescription,
  Target,
} from "@aws-sdk/client-eventbridge";
import type { Place } from "../network.ts";
import { type DeliveryFaults, defaultRetries, deliverer, unreachable } from "./delivery.ts";
import { duration } from "./durations.ts";
import { targetInput } from "./event-input.ts";
import { compilePattern, type Matches } from "./event-pattern.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

type Answer<T> = Omit<T, "$metadata">;

/** Hands an event to a function. An AwsError means that it was not accepted and is tried again. */
export type Invoke = (region: Place, functionArn: string, event: unknown) => void | Promise<void>;

/** What a publisher says; the bus adds the rest. `time` is modelled milliseconds since 1970. */
export interface PublishedEvent {
  source: string;
  "detail-type": string;
  detail: unknown;
  resources?: string[];
  time?: number;
}

/** The envelope that targets get. */
export interface BusEvent {
  version: "0";
  id: string;
  "detail-type": string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

interface Rule {
  name: string;
  bus: string;
  region: Place;
  arn: string;
  description: string | undefined;
  pattern: string;
  matches: Matches;
  enabled: boolean;
  targets: Map<string, Target>;
}

/** An event that could not be delivered within its retry policy. */
export interface Undelivered {
  region: Place;
  rule: string;
  target: string;
  event: BusEvent;
  error: string;
}

/** An event forwarded from bus to bus would go round for ever between two careless rules. */
const mostHops = 5;

const notFound = (name: string): AwsError =>
  new AwsError("ResourceNotFoundException", `Rule ${name} does not exist on EventBus.`, {
    status: 400,
  });

const busName = (bus: string | undefined): string =>
  bus?.startsWith("arn:") ? (bus.split("/").at(-1) ?? "default") : (bus ?? "default");

const regionOf = (arn: string): Place => arn.split(":")[3] ?? "";

const uuid = (bytes: Buffer): string =>
  bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

class Buses {
  readonly #surroundings: Surroundings;
  readonly #invoke: Invoke;
  readonly #rules = new Map<string, Rule>();
  readonly delivery: ReturnType<typeof deliverer>;
  readonly undelivered: Undelivered[] = [];

  constructor(surroundings: Surroundings, invoke: Invoke) {
    this.#surroundings = surroundings;
    this.#invoke = invoke;
    this.delivery = deliverer(surroundings);
  }

  rule(region: Place, bus: string | undefined, name: string | undefined): Rule | undefined {
    return this.#rules.get(`${region}/${busName(bus)}/${name}`);
  }

  rules(region: Place, bus: string | undefined): Rule[] {
    const name = busName(bus);
    return [...this.#rules.values()].filter((rule) => rule.region === region && rule.bus === name);
  }

  put(rule: Rule): void {
    this.#rules.set(`${rule.region}/${rule.bus}/${rule.name}`, rule);
  }

  publish(region: Place, published: PublishedEvent, bus?: string): string {
    const { random, account, timeline } = this.#surroundings;
    const event: BusEvent = {
      version: "0",
      id: uuid(random.bytes(16)),
      "detail-type": published["detail-type"],
      source: published.source,
      account,
      time: `${new Date(published.time ?? timeline.now()).toISOString().slice(0, 19)}Z`,
      region,
      resources: published.resources ?? [],
      detail: published.detail,
    };
    this.#route(region, busName(bus), event, 0);
    return event.id;
  }

  #route(region: Place, bus: string, event: BusEvent, hops: number): void {
    for (const rule of this.#rules.values()) {
      if (rule.region !== region || rule.bus !== bus || !rule.enabled) continue;
      if (!rule.matches(event)) continue;
      for (const target of rule.targets.values()) this.#send(rule, target, event, hops);
    }
  }

  #send(rule: Rule, target: Target, event: BusEvent, hops: number): void {
    const { network, random } = this.#surroundings;
    const arn = target.Arn ?? "";
    const to = regionOf(arn);
    this.delivery.deliver({
      delayMilliseconds: duration(random, "eventbridge.delivery"),
      maximumRetries: target.RetryPolicy?.MaximumRetryAttempts ?? defaultRetries.maximumRetries,
      maximumAgeSeconds:
        target.RetryPolicy?.MaximumEventAgeInSeconds ?? defaultRetries.maximumAgeSeconds,
      attempt: () => {
        if (!network.reachable(rule.region, to)) throw unreachable(to);
        if (!arn.includes(":event-bus/")) return this.#invoke(to, arn, targetInput(target, event));
        if (hops < mostHops) this.#route(to, busName(arn), event, hops + 1);
      },
      dropped: ({ message }) => {
        const region = rule.region;
        this.undelivered.push({ region, rule: rule.name, target: arn, event, error: message });
      },
    });
  }
}

const putRule =
  (buses: Buses) =>
  (input: PutRuleCommandInput, call: Call): Answer<PutRuleCommandOutput> => {
    const { Name: name = "", EventPattern: pattern } = input;
    if (pattern === undefined) {
      throw new AwsError("NotImplemented", "eventbridge: scheduled rules are not modelled", {
        status: 501,
      });
    }
    const matches = compilePattern(pattern);
    if (typeof matches === "string") {
      const message = `Event pattern is not valid. Reason: ${matches}`;
      throw new AwsError("InvalidEventPatternException", message, { status: 400 });
    }
    const bus = busName(input.EventBusName);
    const path = bus === "default" ? name : `${bus}/${name}`;
    const arn = `arn:aws:events:${call.region}:${call.account}:rule/${path}`;
    buses.put({
      name,
      bus,
      region: call.region,
      arn,
      description: input.Description,
      pattern,
      matches,
      enabled: input.State !== "DISABLED",
      targets: buses.rule(call.region, bus, name)?.targets ?? new Map(),
    });
    return { RuleArn: arn };
  };

const putTargets =
  (buses: Buses) =>
  (input: PutTargetsCommandInput, call: Call): Answer<PutTargetsCommandOutput> => {
    const rule = buses.rule(call.region, input.EventBusName, input.Rule);
    if (!rule) throw notFound(input.Rule ?? "");
    for (const target of input.Targets ?? []) {
      const service = target.Arn?.split(":")[2];
      if (service !== "lambda" && service !== "events") {
        const message = `eventbridge: a target of ${service} is not modelled`;
        throw new AwsError("NotImplemented", message, { status: 501 });
      }
      rule.targets.set(target.Id ?? "", target);
    }
    return { FailedEntryCount: 0, FailedEntries: [] };
  };

const described = (rule: Rule): RuleDescription => ({
  Name: rule.name,
  Arn: rule.arn,
  EventPattern: rule.pattern,
  State: rule.enabled ? "ENABLED" : "DISABLED",
  EventBusName: rule.bus,
  ...(rule.description !== undefined && { Description: rule.description }),
});

const listRules =
  (buses: Buses) =>
  (input: ListRulesCommandInput, call: Call): Answer<ListRulesCommandOutput> => {
    const found = buses
      .rules(call.region, input.EventBusName)
      .filter((rule) => rule.name.startsWith(input.NamePrefix ?? ""));
    const from = Number(input.NextToken ?? 0);
    const to = from + (input.Limit ?? 100);
    return {
      Rules: found.slice(from, to).map(described),
      ...(to < found.length && { NextToken: String(to) }),
    };
  };

const describeRule =
  (buses: Buses) =>
  (input: DescribeRuleCommandInput, call: Call): Answer<DescribeRuleCommandOutput> => {
    const rule = buses.rule(call.region, input.EventBusName, input.Name);
    if (!rule) throw notFound(input.Name ?? "");
    return described(rule);
  };

/** What is wrong with an entry of PutEvents; each entry is judged alone. */
const refusal = (
  entry: PutEventsRequestEntry,
): { ErrorCode: string; ErrorMessage: string } | undefined => {
  const malformed = (ErrorMessage: string) => ({ ErrorCode: "MalformedDetail", ErrorMessage });
  if (!entry.Source || !entry.DetailType || entry.Detail === undefined) {
    const ErrorMessage = "Parameter Source, DetailType or Detail is not valid.";
    return { ErrorCode: "InvalidArgument", ErrorMessage };
  }
  if (entry.Source.startsWith("aws.")) {
    const ErrorMessage = "Not authorized for the source.";
    return { ErrorCode: "NotAuthorizedForSourceException", ErrorMessage };
  }
  try {
    const detail: unknown = JSON.parse(entry.Detail);
    const isObject = typeof detail === "object" && detail !== null && !Array.isArray(detail);
    return isObject ? undefined : malformed("Detail is malformed.");
  } catch (error) {
    if (error instanceof SyntaxError) return malformed("Detail is malformed.");
    throw error;
  }
};

const putEvents =
  (buses: Buses) =>
  (input: PutEventsCommandInput, call: Call): Answer<PutEventsCommandOutput> => {
    const entries = (input.Entries ?? []).map((entry) => {
      const refused = refusal(entry);
      if (refused) return refused;
      const event: PublishedEvent = {
        source: entry.Source ?? "",
        "detail-type": entry.DetailType ?? "",
        detail: JSON.parse(entry.Detail ?? "{}"),
        resources: entry.Resources ?? [],
        ...(entry.Time && { time: entry.Time.getTime() }),
      };
      return { EventId: buses.publish(call.region, event, entry.EventBusName) };
    });
    const failed = entries.filter((entry) => "ErrorCode" in entry).length;
    return { FailedEntryCount: failed, Entries: entries };
  };

/**
 * Event buses with rules, delivered at least once after a short delay, tried again for 24 hours.
 * A bus in another region gets its event only while it can be reached.
 */
export const eventbridge = (surroundings: Surroundings, ports: { invoke: Invoke }) => {
  const buses = new Buses(surroundings, ports.invoke);
  const service: Service = {
    name: "eventbridge",
    operations: {
      DescribeRule: describeRule(buses),
      ListRules: listRules(buses),
      PutEvents: putEvents(buses),
      PutRule: putRule(buses),
      PutTargets: putTargets(buses),
    },
  };
  return {
    service,
    /** For AWS's own services: an event on the default bus of a region. Gives the event's id. */
    publish: (region: Place, event: PublishedEvent): string => buses.publish(region, event),
    setDelivery: (faults: DeliveryFaults): void => buses.delivery.setFaults(faults),
    undelivered: (): readonly Undelivered[] => buses.undelivered,
  };
};
