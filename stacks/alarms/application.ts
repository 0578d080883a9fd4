import type { AlarmOptions, Metric } from "../alarm.ts";
import { alarm } from "../alarm.ts";
import type { Alerts } from "../alerts.ts";
import type { Site } from "../platform.ts";
import type { Stage } from "../stage.ts";

/** What users feel, and the instances that serve them. */
export const applicationAlarms = (stage: Stage, told: Alerts, site: Site) =>
  [...users(site), ...instances(site), certificate(site)].map((options) =>
    alarm(stage, told, options),
  );

/** Metrics of the load balancer. Source: "CloudWatch metrics for your Application Load Balancer". */
const balancer = ({ balancerSuffix, targetGroupSuffix }: Site) => {
  const namespace = "AWS/ApplicationELB";
  const LoadBalancer = balancerSuffix;
  return {
    whole: (name: string, statistic: Metric["statistic"]): Metric => ({
      namespace,
      name,
      dimensions: { LoadBalancer },
      statistic,
    }),
    targets: (name: string, statistic: Metric["statistic"]): Metric => ({
      namespace,
      name,
      dimensions: { LoadBalancer, TargetGroup: targetGroupSuffix },
      statistic,
    }),
  };
};

const users = (site: Site): AlarmOptions[] => {
  const { whole, targets } = balancer(site);
  return [
    {
      name: "errors",
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

/** Seconds of the longest scale-out that is still right: after it, more instances did not help. */
const scaledOutSeconds = 900;

const instances = ({ group }: Site): AlarmOptions[] => [
  {
    name: "cpu",
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
    name: "memory",
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
const certificate = ({ certificateArn }: Site): AlarmOptions => ({
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
  during: [1, 2],
  silenceIs: "wrong",
});
