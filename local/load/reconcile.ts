import type { AcknowledgedWrite } from "./generator.ts";

export interface Reconciled {
  acknowledged: number;
  /** Acknowledged to a user, and not in the surviving database. */
  lost: AcknowledgedWrite[];
  /**
   * Acknowledged by the old region after the promotion, whether they are found somewhere or not:
   * two databases took writes. Those that are lost are in `lost` too.
   */
  splitBrain: AcknowledgedWrite[];
  /** Lost, and found in the old database: they can be brought back by hand. */
  recoverable: number;
  /**
   * From the acknowledgement of the oldest lost write to the end of the old region's service: the
   * incident, or the last lost acknowledgement when that is later (a region that is cut off goes
   * on serving whoever still reaches it). 0 when nothing is lost.
   */
  rpoSeconds: number;
  /**
   * From the incident to the first acknowledgement by the new region after which no two of its
   * acknowledgements were further apart than `gapSeconds`, up to the end of the load. Undefined
   * when there was no such recovery.
   */
  rtoSeconds: number | undefined;
}

export interface Evidence {
  acknowledged: readonly AcknowledgedWrite[];
  /** Ids in each database, read after the load had ended. */
  held: {
    /** Of the promoted database. */
    surviving: ReadonlySet<string>;
    /** Of the old one, when it could still be read. */
    old?: ReadonlySet<string>;
  };
  oldRegion: string;
  newRegion: string;
  /** Modelled milliseconds since 1970, as all times here. */
  incidentAt: number;
  /** When the database in the new region took its first write at the earliest; absent: never. */
  promotedAt?: number;
  loadEndedAt: number;
  /** Longer silence between two acknowledgements is still an outage. Default 30. */
  gapSeconds?: number;
}

/** What a failover cost, from what users were told and what the databases hold. */
export const reconcile = (evidence: Evidence): Reconciled => {
  const { acknowledged, held, oldRegion, incidentAt, promotedAt } = evidence;
  const lost = acknowledged.filter(({ id }) => !held.surviving.has(id));
  const splitBrain = acknowledged.filter(
    ({ region, acknowledgedAt }) =>
      promotedAt !== undefined && region === oldRegion && acknowledgedAt > promotedAt,
  );
  // Not by spreading the list: a long outage of a busy platform loses more than a call can take.
  const first = lost.reduce((at, write) => Math.min(at, write.acknowledgedAt), Infinity);
  const last = lost.reduce((at, write) => Math.max(at, write.acknowledgedAt), incidentAt);
  return {
    acknowledged: acknowledged.length,
    lost,
    splitBrain,
    recoverable: lost.filter(({ id }) => held.old?.has(id)).length,
    rpoSeconds: lost.length === 0 ? 0 : (last - first) / 1000,
    rtoSeconds: recoverySeconds(evidence),
  };
};

const recoverySeconds = (evidence: Evidence): number | undefined => {
  const { acknowledged, newRegion, incidentAt, loadEndedAt, gapSeconds = 30 } = evidence;
  const times = acknowledged
    .filter(({ region, acknowledgedAt }) => region === newRegion && acknowledgedAt >= incidentAt)
    .map(({ acknowledgedAt }) => acknowledgedAt)
    .sort((a, b) => b - a);
  let recoveredAt: number | undefined;
  let later = loadEndedAt;
  for (const time of times) {
    if (later - time > gapSeconds * 1000) break;
    recoveredAt = time;
    later = time;
  }
  return recoveredAt === undefined ? undefined : (recoveredAt - incidentAt) / 1000;
};
