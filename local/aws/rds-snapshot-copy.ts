import type { CopyDBSnapshotCommandInput } from "@aws-sdk/client-rds";
import { duration } from "./durations.ts";
import { engineId } from "./rds-instance.ts";
import { inBackground, invalidParameter, type RdsSnapshot, type RdsState } from "./rds-state.ts";
import { AwsError, type Call } from "./service.ts";

/** By its ARN, which names the region that it lies in, or by its name in this one. */
const sourceOf = (state: RdsState, region: string, given: string | undefined): RdsSnapshot => {
  const [, , , from = region, , , id = given ?? ""] = (given ?? "").split(":");
  const found = state.snapshots.get(engineId(from, id));
  if (found) return found;
  throw new AwsError("DBSnapshotNotFoundFault", `DBSnapshot ${given} not found.`);
};

/**
 * A snapshot in another place. An encrypted one needs a key of the region that it goes to, and keeps the time
 * at which it was taken as `OriginalSnapshotCreateTime`. (CopyDBSnapshot; DBSnapshot.)
 */
export const snapshotCopyOperations = (state: RdsState) => ({
  CopyDBSnapshot: (input: CopyDBSnapshotCommandInput, { region }: Call) => {
    const { timeline, account, random, network } = state.surroundings;
    const source = sourceOf(state, region, input.SourceDBSnapshotIdentifier);
    const id = (input.TargetDBSnapshotIdentifier ?? "").toLowerCase();
    const key = engineId(region, id);
    if (state.snapshots.has(key)) {
      throw new AwsError("DBSnapshotAlreadyExistsFault", `There is a snapshot ${id} already.`);
    }
    if (source.region !== region && source.of.details.StorageEncrypted && !input.KmsKeyId) {
      const why = "KmsKeyId is required for a copy of an encrypted snapshot in another region.";
      throw invalidParameter("InvalidParameterCombination", why);
    }
    if (!network.reachable(region, source.region)) {
      throw new AwsError("InternalFailure", `${source.region} does not answer.`, { status: 500 });
    }
    const KmsKeyId = input.KmsKeyId ?? source.of.details.KmsKeyId;
    const arn = `arn:aws:rds:${region}:${account}:snapshot:${id}`;
    const copy: RdsSnapshot = {
      ...{ region, id, arn, engineId: key, tags: input.Tags ?? [] },
      heldAs: source.heldAs ?? source.engineId,
      of: { ...source.of, details: { ...source.of.details, KmsKeyId } },
      details: {
        ...source.details,
        ...{ DBSnapshotIdentifier: id, DBSnapshotArn: arn, KmsKeyId, SourceRegion: source.region },
        ...{ Status: "creating", PercentProgress: 0, SnapshotCreateTime: new Date(timeline.now()) },
      },
    };
    state.snapshots.set(key, copy);
    inBackground(state, async () => {
      await timeline.sleep(duration(random, "rds.backup-copy"));
      Object.assign(copy.details, { Status: "available", PercentProgress: 100 });
    });
    return { DBSnapshot: { ...copy.details } };
  },
});
