import type { Output } from "@pulumi/pulumi";
import type { Network } from "./network.ts";
import type { Bucket } from "./platform.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** The only thing of a region that the internet reaches. */
export interface Balancer {
  arn: Output<string>;
  /** `…elb.amazonaws.com` */
  dnsName: Output<string>;
  /** Of that name, for an alias. */
  dnsZoneId: Output<string>;
  suffix: Output<string>;
  targetGroup: { arn: Output<string>; suffix: Output<string> };
  listenerArn: Output<string>;
  roleRuleArn: Output<string>;
}

/** What a health check of Route 53 reads, and a guard keeps true to the lease. */
export const rolePath = "/.well-known/nightshift/role";

/**
 * TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers only. Not 1.3 alone: of an endpoint
 * that it checks Route 53 says that it "must support TLS v1.0, v1.1, or v1.2" (HealthCheckConfig in its
 * API reference), and a check that cannot connect never hears a word. AWS' own recommendation: "Security
 * policies for your Application Load Balancer".
 */
export const tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09";

export const balancer = (
  stage: Stage,
  region: Region,
  parts: { network: Network; logBucket: Bucket; certificateArn: Output<string> },
): Balancer => {
  const { provider } = region;
  // Load balancers and target groups have names of 32 characters at most.
  const name = `${stage.prefix}-app`;
  const { network, logBucket, certificateArn } = parts;
  const made = new aws.lb.LoadBalancer(
    named("Balancer", region),
    {
      name,
      loadBalancerType: "application",
      internal: false,
      subnets: network.publicSubnets,
      securityGroups: [network.groups.balancer],
      enableDeletionProtection: stage.isProduction,
      dropInvalidHeaderFields: true,
      // Off by AWS's default; without it nobody can take a sick zone away at night.
      enableZonalShift: true,
      idleTimeout: 60,
      accessLogs: { enabled: true, bucket: logBucket.name, prefix: "balancer" },
    },
    { provider },
  );
  const targets = targetGroup(stage, region, network, name);
  const listener = new aws.lb.Listener(
    named("Https", region),
    {
      loadBalancerArn: made.arn,
      protocol: "HTTPS",
      port: 443,
      sslPolicy: tlsPolicy,
      certificateArn,
      defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
    },
    { provider },
  );
  new aws.lb.Listener(
    named("Http", region),
    {
      loadBalancerArn: made.arn,
      protocol: "HTTP",
      port: 80,
      defaultActions: [
        {
          type: "redirect",
          redirect: { protocol: "HTTPS", port: "443", statusCode: "HTTP_301" },
        },
      ],
    },
    { provider },
  );
  return {
    arn: made.arn,
    dnsName: made.dnsName,
    dnsZoneId: made.zoneId,
    suffix: made.arnSuffix,
    targetGroup: { arn: targets.arn, suffix: targets.arnSuffix },
    listenerArn: listener.arn,
    roleRuleArn: roleRule(region, listener).arn,
  };
};

/** HTTP from here to the instances: the application ends no TLS, and the way is inside the network. */
const targetGroup = (
  stage: Stage,
  region: Region,
  { vpcId }: Network,
  name: string,
): aws.lb.TargetGroup =>
  new aws.lb.TargetGroup(
    named("Targets", region),
    {
      name,
      vpcId,
      targetType: "instance",
      protocol: "HTTP",
      port: stage.config.application.port,
      // What is open when an instance goes may take so long to end.
      deregistrationDelay: 30,
      healthCheck: {
        path: "/health/ready",
        protocol: "HTTP",
        port: "traffic-port",
        matcher: "200",
        interval: 10,
        timeout: 5,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
      },
    },
    { provider: region.provider },
  );

/**
 * Which region serves, in one word, from the load balancer itself: no instance has to be alive for it.
 * Only the first word is ours: from then on guards change it, and no deployment puts it back.
 */
const roleRule = (region: Region, listener: aws.lb.Listener): aws.lb.ListenerRule =>
  new aws.lb.ListenerRule(
    named("RoleRule", region),
    {
      listenerArn: listener.arn,
      priority: 1,
      conditions: [{ pathPattern: { values: [rolePath] } }],
      actions: [
        {
          type: "fixed-response",
          fixedResponse: {
            statusCode: "200",
            contentType: "text/plain",
            messageBody: region.role === "primary" ? "active" : "renounced",
          },
        },
      ],
    },
    { provider: region.provider, ignoreChanges: ["actions"] },
  );
