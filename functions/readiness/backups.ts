import type { Check } from "../../shared/readiness.ts";
import { backupBoundSeconds } from "../../shared/readiness.ts";
import type { BackupsSeen, Facts, Policy } from "./facts.ts";
import { check, minutes, notReady, ready, unknown } from "./judged.ts";

/** Of several, the one that still follows: an older one may be retained beside it. */
const following = (copies: BackupsSeen[]): BackupsSeen | undefined =>
  copies.find(({ status }) => status === "replicating") ?? copies[0];

/** Seconds; null when there is nothing to be restored here, or it could not be asked. */
export const backupAgeOf = ({ backups }: Facts, now: number): number | null => {
  const at = backups.known ? following(backups.value)?.restorableAtMilliseconds : null;
  return at === null || at === undefined ? null : Math.max(0, Math.round((now - at) / 1000));
};

/** For what no move mends: data that was deleted by mistake is deleted in the replica, too. */
export const backupsCheck = (facts: Facts, { here, active }: Policy, now: number): Check => {
  const { backups, footprint } = facts;
  return check("backups", { backups, footprint }, ({ backups: copies, footprint: kept }) => {
    if (!kept?.databaseResource)
      return unknown(`${active} has not told which database is its own.`);
    const at = { seenAtMilliseconds: kept.atMilliseconds };
    const copy = following(copies);
    const what = `backups of ${active}'s database`;
    if (!copy)
      return { ...notReady(`No ${what} come to ${here}: start their replication.`), ...at };
    const { status, restorableAtMilliseconds } = copy;
    if (status !== "replicating" || restorableAtMilliseconds === null) {
      const why = "see the events of RDS, and start their replication anew if it has ended";
      return {
        ...notReady(`The ${what} in ${here} are ${status}, not replicating: ${why}.`),
        ...at,
      };
    }
    const age = minutes(now - restorableAtMilliseconds);
    if (now - restorableAtMilliseconds > backupBoundSeconds * 1000) {
      const text = `The ${what} in ${here} end ${age} min ago: see the events of RDS in ${active}`;
      return { ...notReady(`${text}.`), ...at };
    }
    return {
      ...ready(`${here} could restore ${active}'s database as it was ${age} min ago.`),
      ...at,
    };
  });
};
