import type { Contact } from "./contact.ts";
import type { Coordination } from "./coordination.ts";
import type { Lease } from "./lease.ts";
import type { Refusal } from "./outcome.ts";

/**
 * The name of the run that rebuilds redundancy, from every door: started twice it is one durable
 * execution. An attempt that has ended leaves its name for ever, so the next one gets another.
 */
export const rebuildRun = (epoch: number, attempt: number): string => `rebuild-${epoch}-${attempt}`;

const attemptId = (epoch: number) => `rebuild#${epoch}`;

/** The attempt at `epoch` that is under way, or that would be the next. Throws when the table is silent. */
export const readAttempt = async (table: Coordination, epoch: number): Promise<number> =>
  Number((await table.read(attemptId(epoch)))?.attempt ?? 1);

/** Makes room for the next attempt once `attempt` has ended. Safe to repeat. */
export const closeRebuild = async (
  table: Coordination,
  epoch: number,
  attempt: number,
): Promise<void> => {
  await table.write(attemptId(epoch), {
    set: { attempt: attempt + 1 },
    onlyIf: "attribute_not_exists(#attempt) OR #attempt = :attempt",
    values: { attempt },
  });
};

/** A guard's word that is older than this is nobody's word about the region as it is now. */
const freshSeconds = 180;

/**
 * Refuses what no rebuild could carry out. `contact` is the last word of the other region's guard: the
 * region has to be back and to obey this very epoch, and before the first attempt no layer of its fence
 * may be open. Later the guard may have no database to close, since it was put aside; the run looks.
 */
export const judgeRebuild = (
  lease: Lease,
  away: string,
  contact: Contact | undefined,
  isFirst: boolean,
  nowMilliseconds: number,
): Refusal | undefined => {
  if (lease.state === "moving") {
    const reason =
      `Run ${lease.holder} is moving the lease to ${lease.region} (epoch ${lease.epoch}). ` +
      "Let it end, or abort it.";
    return { code: "another-run", reason };
  }
  const silentSeconds = (nowMilliseconds - (contact?.contactAtMilliseconds ?? 0)) / 1000;
  if (!contact || contact.epoch !== lease.epoch || silentSeconds > freshSeconds) {
    const last = contact
      ? `${Math.round(silentSeconds)} s ago, at epoch ${contact.epoch}`
      : "never heard of";
    const reason =
      `${away} is not back: its guard has not said lately that it obeys epoch ${lease.epoch} ` +
      `(${last}). A rebuild waits for a region that answers.`;
    return { code: "old-region-silent", reason };
  }
  if (!isFirst) return undefined;
  const open = (contact.fence ?? []).filter(({ result }) => result !== "fenced");
  if (open.length === 0) return undefined;
  const layers = open.map(({ layer, result, detail }) => `${layer} ${result} (${detail})`);
  const reason = `The fence of ${away} is not closed: ${layers.join(", ")}.`;
  return { code: "fence-open", reason };
};
