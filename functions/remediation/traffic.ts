import type { TrafficMinute, TrafficSeen, ZoneSeen } from "./evidence-application.ts";

/** Fewer requests than that say nothing about a share of them. */
export const tellingRequests = 20;
/** As `stacks/alarms/application.ts` has it for `error-rate`. */
export const alarmingShare = 0.01;
/** And for `zone-errors` and `zone-hosts`. */
export const alarmingInZone = { errors: 0.05, hosts: 0.5 };

/**
 * Of all that users asked; null when they asked too little. What the load balancer answers before it has
 * chosen a target is an error and no request of its metrics.
 */
const shareOf = (requests: number, errors: number): number | null => {
  const asked = Math.max(requests, errors);
  return asked >= tellingRequests ? errors / asked : null;
};

export const errorShare = ({ requests, application, balancer }: TrafficSeen): number | null =>
  shareOf(requests, application + balancer);

/** Over the minutes that began from then on and before `until`. */
export const shareBetween = (
  history: readonly TrafficMinute[],
  from: number,
  until: number,
): number | null => {
  const minutes = history.filter(({ atMilliseconds: at }) => at >= from && at < until);
  const sum = (name: "requests" | "errors") => minutes.reduce((all, each) => all + each[name], 0);
  return shareOf(sum("requests"), sum("errors"));
};

/**
 * States in which RDS answers users: it is at work on the instance, and the instance goes on. Growing storage
 * leaves one of them behind for hours, and each night's backup passes through another. Source: "Viewing
 * Amazon RDS DB instance status" in the user guide.
 */
const answering: ReadonlySet<string> = new Set([
  "available",
  "backing-up",
  "storage-optimization",
  "configuring-enhanced-monitoring",
  "configuring-iam-database-auth",
  "configuring-log-exports",
]);

/** Whether errors of the application can be put down to what RDS says of its database. */
export const isAway = ({ status }: { status: string }): boolean => !answering.has(status);

/**
 * Nothing is healed while the alarm of errors would ring, whatever it was before. Too few requests to tell
 * say nothing against it.
 */
export const isWellFor = ({ requests, errors }: { requests: number; errors: number }): boolean =>
  (shareOf(requests, errors) ?? 0) <= alarmingShare;

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What is wrong with a zone by itself: none, one or both of the signs. */
export const signsOf = ({ requests, errors, healthy, unhealthy }: ZoneSeen): string[] => {
  const hosts = (healthy ?? 0) + (unhealthy ?? 0);
  const share = shareOf(requests, errors);
  const signs: string[] = [];
  if (hosts > 0 && (unhealthy ?? 0) / hosts > alarmingInZone.hosts) {
    signs.push(`${unhealthy} of ${hosts} targets are unhealthy`);
  }
  if (share !== null && share > alarmingInZone.errors) {
    signs.push(`${percent(share)} of its requests fail`);
  }
  return signs;
};

/** A zone that somebody has measured, and that serves users without a sign of trouble. */
export const isWellIn = (zone: ZoneSeen): boolean =>
  zone.healthy !== null && zone.healthy > 0 && signsOf(zone).length === 0;
