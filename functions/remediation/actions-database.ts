import type { Action } from "./actions.ts";

/** A Multi-AZ database as RDS has it now, and what its events say of failovers. */
export interface FailoverStanding {
  status: string;
  multiAz: boolean;
  isReplica: boolean;
  instanceClass: string;
  /** RDS may show the old one for minutes after a failover. */
  zone: string;
  /** By the events of the last hour; null when there was none. */
  startedAtMilliseconds: number | null;
  completedAtMilliseconds: number | null;
  /** RDS has turned a request down, since a failover was not long ago. */
  abandonedAtMilliseconds: number | null;
}

export interface FailoverTarget {
  database: string;
  /** Where it runs when the plan is made. */
  zone: string;
  /** Only a failover that comes after this is the one that was meant. */
  plannedAtMilliseconds: number;
}

/**
 * Whoever was writing is cut off, and where the database runs is another zone afterwards. RDS takes the
 * request in status `available` only, and needs 60 to 120 seconds, longer with large transactions to
 * recover. Sources: RebootDBInstance in the API reference; "Failing over a Multi-AZ DB instance" in the RDS
 * user guide.
 */
export const rebootWithFailover = {
  irreversible: true,
  takesFromFleet: false,
  says: ({ database, zone }) =>
    `reboot ${database} with failover, away from ${zone}: nobody is served for a minute or two`,
  resource: ({ database }) => `database:${database}`,
  malformed: ({ database, zone, plannedAtMilliseconds }) =>
    database !== "" && zone !== "" && plannedAtMilliseconds > 0
      ? null
      : `"${database}" of "${zone}"`,
  // The moment of the plan differs each time it is made, and means the same.
  isStillMeant: (planned, now) => planned.database === now.database && planned.zone === now.zone,
  declares: ["status", "zone", "failover"],
  observe: async (hands, { database, zone, plannedAtMilliseconds }) => {
    const seen = await hands.failover(database);
    const { startedAtMilliseconds: started, completedAtMilliseconds: completed } = seen;
    const isLater = (at: number | null): boolean => at !== null && at > plannedAtMilliseconds;
    const isDone =
      seen.status === "available" &&
      (isLater(completed) || (seen.zone !== zone && seen.zone !== ""));
    const isUnderWay =
      !isDone && (seen.status === "rebooting" || (isLater(started) && !isLater(completed)));
    return {
      fields: {
        status: seen.status,
        zone: seen.zone,
        failover: completed,
        multiAz: seen.multiAz,
        isReplica: seen.isReplica,
        instanceClass: seen.instanceClass,
      },
      isDone,
      isUnderWay,
      changed: isDone || isUnderWay ? null : changed(database, seen, isLater),
    };
  },
  perform: (hands, { database }) => hands.rebootWithFailover(database),
  // An event may come later than the failover itself, and a second failover would be a second outage.
  againSeconds: 300,
  withinSeconds: 900,
} satisfies Action<"reboot-with-failover">;

const changed = (
  database: string,
  { status, multiAz, isReplica, abandonedAtMilliseconds }: FailoverStanding,
  isLater: (at: number | null) => boolean,
): string | null => {
  if (isReplica) return `${database} is a replica by now.`;
  if (!multiAz) return `${database} has no standby in another zone by now.`;
  if (isLater(abandonedAtMilliseconds)) {
    return `RDS has turned the failover of ${database} down: there was one not long ago.`;
  }
  return status === "available" ? null : `${database} is ${status} by now.`;
};
