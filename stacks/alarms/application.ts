import type { AlarmOptions, Calculated, Metric } from "./options.ts";

/** What serves users, as metrics know it. */
export interface Serving<Text> {
  /** `app/<name>/<id>`: the dimension LoadBalancer. */
  balancerSuffix: Text;
  /** `targetgroup/<name>/<id>`: the dimension TargetGroup. */
  targetGroupSuffix: Text;
  group: Text;
  /** Names of the zones that instances are in. */
  zones: readonly Text[];
  certificateArn: Text;
}

/** What users feel, and the instances that serve them. */
export const applicationAlarms = <Text>(serving: Serving<Text>): AlarmOptions<Text>[] => [
  ...users(serving),
  ...zones(serving),
  ...instances(serving),
  certificate(serving),
];

/** Metrics of the load balancer. Source: "CloudWatch metrics for your Application Load Balancer". */
const balancer = <Text>({ balancerSuffix, targetGroupSuffix }: Serving<Text>) => {
  const namespace = "AWS/ApplicationELB";
  type Statistic = Metric["statistic"];
  const of =
    (dimensions: Record<string, Text>) =>
    (name: string, statistic: Statistic): Metric<Text> => ({
      namespace,
      name,
      dimensions,
      statistic,
    });
  const LoadBalancer = balancerSuffix;
  const TargetGroup = targetGroupSuffix;
  return {
    whole: of({ LoadBalancer }),
    targets: of({ LoadBalancer, TargetGroup }),
    wholeIn: (AvailabilityZone: Text) => of({ LoadBalancer, AvailabilityZone }),
    targetsIn: (AvailabilityZone: Text) => of({ LoadBalancer, TargetGroup, AvailabilityZone }),
  };
};

const users = <Text>(serving: Serving<Text>): AlarmOptions<Text>[] => {
  const { whole, targets } = balancer(serving);
  return [
    {
      name: "error-rate",
      says: "More than 1 % of requests end with a 5xx, of the application or for want of one.",
      of: {
        metrics: {
          application: whole("HTTPCode_Target_5XX_Count", "Sum"),
          balancer: whole("HTTPCode_ELB_5XX_Count", "Sum"),
          requests: whole("RequestCount", "Sum"),
        },
        // Without requests nothing is reported at all, and requests that no target got count as well.
        result: "100 * (FILL(application, 0) + FILL(balancer, 0)) / FILL(requests, 1)",
        label: "errors in percent",
      },
      when: { above: 1 },
      periodSeconds: 60,
      during: [3, 5],
      silenceIs: "well",
    },
    {
      name: "requests",
      says: "Far more or far fewer requests than usual at this hour: an attack, or users cannot come.",
      of: whole("RequestCount", "Sum"),
      when: { unusual: 4 },
      periodSeconds: 300,
      during: [3, 3],
      // The region that stands by has none.
      silenceIs: "well",
    },
    {
      name: "latency",
      says: "One request in twenty takes longer than a second.",
      of: whole("TargetResponseTime", "p95"),
      when: { above: 1 },
      periodSeconds: 60,
      during: [3, 5],
      silenceIs: "well",
    },
    {
      name: "unhealthy-hosts",
      says: "The load balancer finds an instance that is not ready.",
      of: targets("UnHealthyHostCount", "Maximum"),
      when: { above: 0 },
      periodSeconds: 60,
      during: [5, 5],
      silenceIs: "well",
    },
  ];
};

/**
 * Two signs for each zone, which have to agree before anybody says that a zone is impaired. A zone is
 * named in the alarm's dimension: which letters there are, AWS knows for each account.
 */
const zones = <Text>(serving: Serving<Text>): AlarmOptions<Text>[] => {
  const { wholeIn, targetsIn } = balancer(serving);
  const shared = {
    periodSeconds: 60,
    during: [3, 5] as [number, number],
    silenceIs: "well" as const,
  };
  return serving.zones.flatMap((zone, index): AlarmOptions<Text>[] => {
    const hosts: Calculated<Text> = {
      metrics: {
        unhealthy: targetsIn(zone)("UnHealthyHostCount", "Maximum"),
        healthy: targetsIn(zone)("HealthyHostCount", "Minimum"),
      },
      // One that is sick is no sick zone, however few a zone has: it does not count on either side.
      // Without the condition a zone that has no instance at all, 0 of 0, would be 100 % sick.
      result: "IF(unhealthy > 1, 100 * (unhealthy - 1) / (unhealthy + healthy - 1), 0)",
      label: "unhealthy hosts in percent",
    };
    const errors: Calculated<Text> = {
      metrics: {
        application: wholeIn(zone)("HTTPCode_Target_5XX_Count", "Sum"),
        requests: wholeIn(zone)("RequestCount", "Sum"),
      },
      result: "100 * FILL(application, 0) / requests",
      label: "errors in percent",
    };
    const says = (what: string) => `${what}: a zone is impaired where the other sign agrees.`;
    return [
      {
        name: `zone-hosts-${index + 1}`,
        says: says("More than half of the instances in one zone are not ready"),
        of: hosts,
        when: { above: 50 },
        ...shared,
      },
      {
        name: `zone-errors-${index + 1}`,
        says: says("More than 5 % of the requests that one zone answers end with a 5xx"),
        of: errors,
        when: { above: 5 },
        ...shared,
      },
    ];
  });
};

/** Seconds of the longest scale-out that is still right: after it, more instances did not help. */
const scaledOutSeconds = 900;

const instances = <Text>({ group }: Serving<Text>): AlarmOptions<Text>[] => [
  {
    name: "instance-cpu",
    says: "Instances are busy, and what Auto Scaling has added does not help.",
    of: {
      namespace: "AWS/EC2",
      name: "CPUUtilization",
      dimensions: { AutoScalingGroupName: group },
      statistic: "Average",
    },
    when: { above: 85 },
    periodSeconds: 300,
    during: [scaledOutSeconds / 300, scaledOutSeconds / 300],
    silenceIs: "well",
  },
  {
    name: "instance-memory",
    says: "Instances run out of memory: the container is about to be killed.",
    // Put by the CloudWatch agent of the instances, for the whole group.
    of: {
      namespace: "CWAgent",
      name: "mem_used_percent",
      dimensions: { AutoScalingGroupName: group },
      statistic: "Maximum",
    },
    when: { above: 85 },
    periodSeconds: 300,
    during: [2, 3],
    silenceIs: "well",
  },
];

/**
 * ACM renews 60 days before the end, and tells the rest twice a day until the end. Source: "Supported
 * CloudWatch metrics" of ACM. 21 days are what readiness asks for.
 */
const certificate = <Text>({ certificateArn }: Serving<Text>): AlarmOptions<Text> => ({
  name: "certificate",
  says: "The certificate was not renewed: look at its validation record in the zone.",
  of: {
    namespace: "AWS/CertificateManager",
    name: "DaysToExpiry",
    dimensions: { CertificateArn: certificateArn },
    statistic: "Minimum",
  },
  when: { below: 21 },
  periodSeconds: 86_400,
  during: [1, 1],
  // A new one is silent for hours, and one that has ended for ever.
  silenceIs: "as before",
});
