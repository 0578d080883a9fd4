import type { DnsAnswer } from "./route53-answers.ts";
import { answers } from "./route53-answers.ts";
import type { Probe } from "./route53-health.ts";
import { healthChecks } from "./route53-health.ts";
import { recordKeeper } from "./route53-records.ts";
import type { Service, Surroundings } from "./service.ts";

export interface Route53Ports {
  /** One request of one health checker, from the internet. */
  probe: Probe;
  /** Addresses of a load balancer by its DNS name; empty for any other name. */
  addressesOf(dnsName: string): string[];
  /** For aliases with EvaluateTargetHealth; absent: always healthy. */
  targetHealthy?(dnsName: string): boolean;
}

export interface Route53 {
  service: Service;
  /** What the name servers say at this moment. Works while the control plane is silent. */
  answer(name: string, type: string): DnsAnswer;
  /** What DNS goes by, inversion included. */
  healthy(healthCheckId: string): boolean;
}

/**
 * Hosted zones, health checks and the answers that follow from both. The state is global; whether
 * the API answers is the endpoint's concern, health checks and answers never stop.
 */
export const route53 = (
  surroundings: Surroundings,
  ports: Route53Ports,
  options: { checkers?: number } = {},
): Route53 => {
  const health = healthChecks(surroundings, ports.probe, { checkers: options.checkers ?? 3 });
  const keeper = recordKeeper(surroundings, health.exists);
  const answer = answers({
    zones: keeper.zones,
    random: surroundings.random,
    healthy: health.healthy,
    addressesOf: ports.addressesOf,
    targetHealthy: (dnsName) => ports.targetHealthy?.(dnsName) ?? true,
  });
  return {
    service: { name: "route-53", operations: { ...keeper.operations, ...health.operations } },
    answer,
    healthy: health.healthy,
  };
};
