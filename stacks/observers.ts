import { alarm } from "./alarm.ts";
import type { Alerts } from "./alerts.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** What is seen of one region of the pair, in the other one, which would take over. */
export interface Watch {
  watched: string;
  /** The names of the composite alarm, and of those below it by observer. */
  composite: string;
  observers: Record<string, { unreachable: string; idle: string }>;
}

/** The names, which functions are told before the alarms exist. */
export const watchOf = ({ prefix }: Stage, watched: Region, observers: Region[]): Watch => ({
  watched: watched.name,
  composite: `${prefix}-region-lost-${watched.name}`,
  observers: Object.fromEntries(
    observers.map(({ name }) => [
      name,
      {
        unreachable: `${prefix}-${watched.name}-lost-from-${name}`,
        idle: `${prefix}-nobody-active-from-${name}`,
      },
    ]),
  ),
});

/** Somebody has to look, whether Slack has taken the message or not: this is the other way. */
export const pageDue = (stage: Stage, alerts: Alerts, { watched }: Watch) =>
  alarm(stage, alerts, {
    name: "page-due",
    says: `Nightshift is in doubt about ${watched} and moves nothing: look at Slack, or npm run ops.`,
    of: {
      namespace: stage.metricNamespace,
      name: "PageDue",
      dimensions: { Region: watched },
      statistic: "Sum",
    },
    when: { above: 0 },
    periodSeconds: 60,
    during: [1, 1],
    silenceIs: "well",
  });

/**
 * Each observer has alarms of its own, and the composite one needs all of them to say the same. All of
 * it is in the region that would take over, since the other one may be gone.
 */
export const observers = (
  stage: Stage,
  alerts: Alerts,
  { watched, composite, observers: byRegion }: Watch,
): aws.cloudwatch.CompositeAlarm => {
  const seen = Object.entries(byRegion).map(([observer, names]) => ({
    lost: observation(stage, alerts, names.unreachable, {
      says: `${observer} does not reach the load balancer of ${watched}.`,
      metric: "RegionReachable",
      dimensions: { Region: watched, Observer: observer },
    }),
    idle: observation(stage, alerts, names.idle, {
      says: `${observer} finds no region that says it is active.`,
      metric: "SomebodyActive",
      dimensions: { Observer: observer },
    }),
  }));
  const all = (kind: "lost" | "idle") =>
    $resolve(seen.map((each) => each[kind].name)).apply(
      (names) => `(${names.map((name) => `ALARM("${name}")`).join(" AND ")})`,
    );
  return new aws.cloudwatch.CompositeAlarm(
    named("OtherRegionLost", alerts.region),
    {
      alarmName: composite,
      alarmDescription:
        `Every observer says that ${watched} is lost. Detection proposes a failover where that ` +
        "region is active: look at Slack, and docs/runbook/failover.md.",
      alarmRule: $interpolate`${all("lost")} OR ${all("idle")}`,
      alarmActions: [alerts.topic.arn],
      okActions: [alerts.topic.arn],
    },
    { provider: alerts.region.provider },
  );
};

const observation = (
  stage: Stage,
  alerts: Alerts,
  name: string,
  seen: { says: string; metric: string; dimensions: Record<string, string> },
) =>
  alarm(stage, alerts, {
    name: name.slice(stage.prefix.length + 1),
    says: seen.says,
    of: {
      namespace: stage.metricNamespace,
      name: seen.metric,
      dimensions: seen.dimensions,
      statistic: "Maximum",
    },
    when: { below: 1 },
    periodSeconds: 60,
    during: [2, 2],
    // A silent observer is no witness of anything: it must not help to declare a region lost.
    silenceIs: "unknown",
    tells: false,
  });
