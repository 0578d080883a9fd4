import type { ResourceRecordSet } from "@aws-sdk/client-route-53";
import type { Random } from "../../shared/random.ts";
import type { ZoneState } from "./route53-records.ts";
import { canonicalName, policyOf } from "./route53-records.ts";

export interface DnsRecord {
  /** Without the final dot. */
  name: string;
  type: string;
  ttlSeconds: number;
  /** As in a zone file: an address, a name, a text in quotes. */
  value: string;
}

/**
 * - `records`: there is something of this type, CNAMEs on the way included.
 * - `no-data`: the name exists, without this type.
 * - `no-name`: the name does not exist (NXDOMAIN).
 * - `not-ours`: no zone here is asked for it.
 */
export interface DnsAnswer {
  outcome: "records" | "no-data" | "no-name" | "not-ours";
  records: DnsRecord[];
  /** How long the answer may be kept: the smallest of its records, or the zone's negative one. */
  ttlSeconds: number;
}

export interface AnswerPorts {
  zones: Map<string, ZoneState>;
  random: Random;
  healthy(healthCheckId: string): boolean;
  /** Of a load balancer; empty for any other name. */
  addressesOf(dnsName: string): string[];
  /** Whether a load balancer has somebody to send requests to, for EvaluateTargetHealth. */
  targetHealthy(dnsName: string): boolean;
}

/** The time to live of the addresses of a load balancer, which aliases to it inherit. */
const loadBalancerTtlSeconds = 60;
/** Route 53's default SOA: the lower of its TTL (900) and its minimum (86400). */
const negativeTtlSeconds = 900;
/** More steps than this are a loop. */
const chaseLimit = 8;

const bare = (name: string) => name.toLowerCase().replace(/\.$/, "");

/** Answers of the name servers; the health of endpoints is known already, nothing is probed. */
export const answers = (ports: AnswerPorts) => {
  const answer = (name: string, type: string, steps = 0): DnsAnswer => {
    const wanted = bare(name);
    const addresses = ports.addressesOf(wanted);
    if (addresses.length > 0) {
      const ttlSeconds = loadBalancerTtlSeconds;
      if (type !== "A") return { outcome: "no-data", records: [], ttlSeconds };
      return found(addresses.map((value) => ({ name: wanted, type, ttlSeconds, value })));
    }
    const zone = zoneFor(ports.zones, wanted);
    if (!zone) return { outcome: "not-ours", records: [], ttlSeconds: 0 };
    const sets = setsFor(zone, wanted);
    if (sets.length === 0) {
      return { outcome: "no-name", records: [], ttlSeconds: negativeTtlSeconds };
    }
    const chosen = choose(ports, typed(sets, type) ?? typed(sets, "CNAME") ?? []);
    if (!chosen || steps > chaseLimit) {
      return { outcome: "no-data", records: [], ttlSeconds: negativeTtlSeconds };
    }
    const next = (target: string) => answer(target, type, steps + 1);
    return chosen.AliasTarget
      ? throughAlias(wanted, next(chosen.AliasTarget.DNSName ?? ""))
      : direct(wanted, type, chosen, next);
  };
  return (name: string, type: string): DnsAnswer => answer(name, type);
};

const found = (records: DnsRecord[]): DnsAnswer => ({
  outcome: "records",
  records,
  ttlSeconds: Math.min(...records.map(({ ttlSeconds }) => ttlSeconds)),
});

/** An alias shows the records of its target under its own name. */
const throughAlias = (name: string, target: DnsAnswer): DnsAnswer => {
  if (target.outcome !== "records") {
    return { outcome: "no-data", records: [], ttlSeconds: negativeTtlSeconds };
  }
  const last = target.records.filter(({ type }) => type !== "CNAME");
  return found(last.map((record) => ({ ...record, name })));
};

const direct = (
  name: string,
  type: string,
  set: ResourceRecordSet,
  next: (target: string) => DnsAnswer,
): DnsAnswer => {
  const records = (set.ResourceRecords ?? []).map(({ Value = "" }) => ({
    name,
    type: set.Type ?? type,
    ttlSeconds: Number(set.TTL ?? 0),
    value: Value,
  }));
  const target = records[0]?.value;
  if (set.Type !== "CNAME" || type === "CNAME" || target === undefined) return found(records);
  // A resolver that asks for addresses gets the whole chain as far as these servers know it.
  return found([...records, ...next(target).records]);
};

const zoneFor = (zones: Map<string, ZoneState>, name: string): ZoneState | undefined => {
  let best: ZoneState | undefined;
  for (const zone of zones.values()) {
    const own = bare(zone.name);
    const within = name === own || name.endsWith(`.${own}`);
    if (within && zone.name.length > (best?.name.length ?? 0)) best = zone;
  }
  return best;
};

/** All record sets of a name; those of the wildcard beside it when it has none. */
const setsFor = (zone: ZoneState, name: string): ResourceRecordSet[] => {
  const of = (wanted: string) => {
    const canonical = canonicalName(wanted);
    return [...zone.published.values()].filter((set) => set.Name === canonical);
  };
  const exact = of(name);
  return exact.length > 0 ? exact : of(`*${name.slice(name.indexOf("."))}`);
};

const typed = (sets: ResourceRecordSet[], type: string): ResourceRecordSet[] | undefined => {
  const matching = sets.filter((set) => set.Type === type);
  return matching.length > 0 ? matching : undefined;
};

const choose = (ports: AnswerPorts, sets: ResourceRecordSet[]): ResourceRecordSet | undefined => {
  const [first] = sets;
  if (!first) return undefined;
  const policy = policyOf(first);
  if (policy === "failover") return chooseFailover(ports, sets);
  return policy === "weighted" ? chooseWeighted(ports, sets) : first;
};

const isHealthy = (ports: AnswerPorts, { HealthCheckId, AliasTarget }: ResourceRecordSet) =>
  (!HealthCheckId || ports.healthy(HealthCheckId)) &&
  (!AliasTarget?.EvaluateTargetHealth || ports.targetHealthy(AliasTarget.DNSName ?? ""));

/**
 * The primary while it is healthy, else the secondary if that is healthy, else the primary again.
 * A secondary without a health check counts as healthy:
 * https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html (Failover)
 */
const chooseFailover = (
  ports: AnswerPorts,
  sets: ResourceRecordSet[],
): ResourceRecordSet | undefined => {
  const primary = sets.find(({ Failover }) => Failover === "PRIMARY");
  const secondary = sets.find(({ Failover }) => Failover === "SECONDARY");
  if (primary && isHealthy(ports, primary)) return primary;
  if (secondary && isHealthy(ports, secondary)) return secondary;
  return primary ?? secondary;
};

/** When every record of some weight is unhealthy, health no longer counts. */
const chooseWeighted = (
  ports: AnswerPorts,
  sets: ResourceRecordSet[],
): ResourceRecordSet | undefined => {
  const weighted = sets.filter(({ Weight = 0 }) => Weight > 0);
  const base = weighted.length > 0 ? weighted : sets;
  const healthy = base.filter((set) => isHealthy(ports, set));
  const eligible = healthy.length > 0 ? healthy : base;
  const weightOf = ({ Weight = 0 }: ResourceRecordSet) => (weighted.length > 0 ? Weight : 1);
  const total = eligible.reduce((sum, set) => sum + weightOf(set), 0);
  let point = ports.random.fraction() * total;
  for (const set of eligible) {
    point -= weightOf(set);
    if (point < 0) return set;
  }
  return eligible.at(-1);
};
