import { ensure } from "../../shared/ensure.ts";
import type { Instance, PartEnding, RebuildWork } from "./rebuild.ts";
import { permitted } from "./rebuild.ts";
import { noteActs, stoppedBy } from "./rebuild-ending.ts";

/** What a replica lacks that the one before it had. Nothing of it keeps it from being promoted. */
export interface DatabasePorts {
  /** The parameter group of the other region's database; null when it has the engine's own. */
  parameterGroup: string | null;
  /** Takes effect at the next restart only. */
  setParameterGroup(instance: Instance, group: string): Promise<void>;
  restartAway(instance: Instance): Promise<void>;
  /** How the copies in the other region are, of the backups of a database: by its resource id. */
  backupsAway(resourceId: string): Promise<string[]>;
  replicateBackups(primary: Instance): Promise<void>;
}

const left = (what: string): PartEnding => {
  const note = `Left: ${what}`;
  return { is: "reached", text: note, notes: [note] };
};

/**
 * RDS gives a replica from another region the engine's own parameters. It is restarted for its own ones
 * now, when nobody uses it: a promotion would else be the first to try them.
 */
export const parameters = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const { parameterGroup: group, awayId } = ports;
  if (group === null)
    return { is: "reached", text: "The replica has the engine's own parameters." };
  const given = await ensure(steps, clock, {
    name: "parameters",
    observe: () => ports.awayInstance(awayId),
    satisfied: (seen) =>
      seen?.status === "available" &&
      seen.parameters.group === group &&
      seen.parameters.status === "in-sync" &&
      seen.replicating,
    // Only ever a replica: whatever else has this name serves somebody.
    due: (seen) =>
      seen?.status === "available" &&
      seen.sourceArn !== null &&
      (seen.parameters.group !== group || seen.parameters.status === "pending-reboot"),
    act: async (seen) => {
      if (!seen) return;
      if (seen.parameters.group !== group) await ports.setParameterGroup(seen, group);
      else await ports.restartAway(seen);
    },
    permitted: () => permitted(work),
    within: { seconds: 1200, everySeconds: 15, actAgainAfterSeconds: 90 },
  });
  noteActs(run, given);
  if (given.is === "refused") return stoppedBy(given.refusal);
  if (given.is === "late") return left(`${awayId} in ${run.to} does not run with ${group} yet.`);
  return { is: "reached", text: `${awayId} in ${run.to} runs with ${group}.` };
};

/** On the way or there. Of what was stopped, the old backups are kept beside the new. */
const follows = (statuses: string[]): boolean => statuses.some((status) => status !== "retained");

/**
 * What was deleted by mistake is deleted in the replica, too: the new primary's backups have to be in
 * the other region as the old one's were. The first snapshot may take hours, and is not waited for:
 * readiness says when it is there. The old primary's own copies stay as they are.
 */
export const backups = async (work: RebuildWork): Promise<PartEnding> => {
  const { steps, clock, ports, run } = work;
  const copied = await ensure(steps, clock, {
    name: "backups",
    observe: async () => {
      const primary = await ports.primary();
      return { primary, statuses: await ports.backupsAway(primary.resourceId) };
    },
    satisfied: ({ statuses }) => follows(statuses),
    due: ({ primary, statuses }) =>
      !follows(statuses) && primary.status === "available" && primary.backupRetentionDays > 0,
    act: ({ primary }) => ports.replicateBackups(primary),
    permitted: () => permitted(work),
    within: { seconds: 600, everySeconds: 15, actAgainAfterSeconds: 60 },
  });
  noteActs(run, copied);
  if (copied.is === "refused") return stoppedBy(copied.refusal);
  if (copied.is === "late") return left(`the backups of ${run.from} are not copied to ${run.to}.`);
  const { statuses } = copied.seen;
  return {
    is: "reached",
    text: `The backups of ${run.from} in ${run.to}: ${statuses.join(", ")}.`,
  };
};
