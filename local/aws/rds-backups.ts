import type {
  DBInstanceAutomatedBackup,
  DeleteDBInstanceAutomatedBackupCommandInput,
  DescribeDBInstanceAutomatedBackupsCommandInput,
  StartDBInstanceAutomatedBackupsReplicationCommandInput,
  StopDBInstanceAutomatedBackupsReplicationCommandInput,
} from "@aws-sdk/client-rds";
import type { Place } from "../network.ts";
import { pageOf } from "./paging.ts";
import type { RdsInstance } from "./rds-instance.ts";
import {
  find,
  inBackground,
  invalidParameter,
  invalidState,
  pass,
  type RdsState,
} from "./rds-state.ts";
import { AwsError, type Call } from "./service.ts";

/** Automated backups of an instance, copied to another region. */
export interface BackupCopy {
  region: Place;
  arn: string;
  source: RdsInstance;
  /** As in the examples of Start… and DescribeDBInstanceAutomatedBackups; `retained` once stopped. */
  status: "pending" | "replicating" | "retained";
  retentionDays: number;
  key: string | undefined;
  /** When the first snapshot was here. */
  firstAt: number | undefined;
  /** Since when nothing arrives any more. */
  stalledAt: number | undefined;
}

/** Logs go up every five minutes: the latest restorable time is typically within them (USER_PIT). */
const uploadMilliseconds = 300_000;

/** What can be restored, in modelled milliseconds since 1970. */
export interface RestoreWindow {
  earliest: number;
  latest: number;
}

const day = 86_400_000;

/** Of what had been uploaded until `now`; older than the retention is gone. */
const windowUntil = (now: number, firstAt: number, retentionDays: number): RestoreWindow => ({
  earliest: Math.max(firstAt, now - retentionDays * day),
  latest: Math.max(firstAt, Math.floor(now / uploadMilliseconds) * uploadMilliseconds),
});

/** Undefined as long as nothing has arrived. */
export const windowOfCopy = (state: RdsState, copy: BackupCopy): RestoreWindow | undefined => {
  const { firstAt, retentionDays, stalledAt } = copy;
  const until = stalledAt ?? state.surroundings.timeline.now();
  return firstAt === undefined ? undefined : windowUntil(until, firstAt, retentionDays);
};

/** Of an instance's own backups. */
export const windowOf = (state: RdsState, { details }: RdsInstance): RestoreWindow => {
  const firstAt = details.InstanceCreateTime?.getTime() ?? 0;
  const now = state.surroundings.timeline.now();
  return windowUntil(now, firstAt, details.BackupRetentionPeriod ?? 0);
};

const shownWindow = ({ earliest, latest }: RestoreWindow) => ({
  EarliestTime: new Date(earliest),
  LatestTime: new Date(latest),
});

const newCopy = (
  { surroundings: { account, random } }: RdsState,
  region: Place,
  source: RdsInstance,
  input: StartDBInstanceAutomatedBackupsReplicationCommandInput,
): BackupCopy => ({
  region,
  arn: `arn:aws:rds:${region}:${account}:auto-backup:ab-${random.id().toLowerCase()}`,
  source,
  status: "pending",
  // AWS's default when the caller gives none.
  retentionDays: input.BackupRetentionPeriod ?? 7,
  key: input.KmsKeyId,
  firstAt: undefined,
  stalledAt: undefined,
});

/** To be called when the network or a power switch has changed. */
export const relinkCopies = (state: RdsState, instance: RdsInstance): void => {
  const { network, timeline } = state.surroundings;
  for (const copy of state.copies) {
    if (copy.source !== instance) continue;
    const linked = !instance.down && network.reachable(copy.region, instance.region);
    if (linked) copy.stalledAt = undefined;
    else copy.stalledAt ??= timeline.now();
  }
};

const arrive = (state: RdsState, copy: BackupCopy): void => {
  copy.status = "replicating";
  copy.firstAt = state.surroundings.timeline.now();
};

/** A copy that is there when a run begins. */
export const establishCopy = (
  state: RdsState,
  region: Place,
  source: RdsInstance,
  settings: { BackupRetentionPeriod?: number; KmsKeyId?: string } = {},
): void => {
  const copy = newCopy(state, region, source, { SourceDBInstanceArn: source.arn, ...settings });
  state.copies.push(copy);
  arrive(state, copy);
};

const shown = ({
  details,
}: RdsInstance): Pick<
  DBInstanceAutomatedBackup,
  "AllocatedStorage" | "Engine" | "EngineVersion"
> => {
  const { AllocatedStorage, Engine, EngineVersion } = details;
  return { AllocatedStorage, Engine, EngineVersion };
};

const describeCopy = (state: RdsState, copy: BackupCopy): DBInstanceAutomatedBackup => {
  const { source, status } = copy;
  const window = windowOfCopy(state, copy);
  return {
    ...shown(source),
    DBInstanceAutomatedBackupsArn: copy.arn,
    DBInstanceArn: source.arn,
    DBInstanceIdentifier: source.id,
    DbiResourceId: source.details.DbiResourceId,
    Region: source.region,
    Status: status,
    BackupRetentionPeriod: copy.retentionDays,
    KmsKeyId: copy.key,
    RestoreWindow: window ? shownWindow(window) : {},
  };
};

/** An instance's own backups, in its own region. */
const describeOwn = (state: RdsState, instance: RdsInstance): DBInstanceAutomatedBackup => {
  const { details, region, id, arn } = instance;
  return {
    ...shown(instance),
    DBInstanceArn: arn,
    DBInstanceIdentifier: id,
    DbiResourceId: details.DbiResourceId,
    Region: region,
    Status: "active",
    BackupRetentionPeriod: details.BackupRetentionPeriod,
    KmsKeyId: details.KmsKeyId,
    RestoreWindow: shownWindow(windowOf(state, instance)),
  };
};

const sourceOf = (state: RdsState, arn: string | undefined): RdsInstance => {
  const [, , , region, , , id] = (arn ?? "").split(":");
  if (!region || !id) throw invalidParameter("InvalidParameterValue", `${arn} is not an ARN.`);
  return find(state, region, id);
};

const isOf = (copy: BackupCopy, region: Place, source: RdsInstance): boolean =>
  copy.region === region && copy.source === source && copy.status !== "retained";

const deletion = (state: RdsState) => ({
  /** Of a copy that is not replicating any more: the others are kept as long as their source. */
  DeleteDBInstanceAutomatedBackup: (
    input: DeleteDBInstanceAutomatedBackupCommandInput,
    { region }: Call,
  ) => {
    const { DBInstanceAutomatedBackupsArn: arn } = input;
    const copy = state.copies.find((each) => each.region === region && each.arn === arn);
    if (!copy) throw new AwsError("DBInstanceAutomatedBackupNotFoundFault", `${arn} is not found.`);
    if (copy.status !== "retained") {
      throw new AwsError("InvalidDBInstanceAutomatedBackupStateFault", `${arn} is ${copy.status}.`);
    }
    state.copies.splice(state.copies.indexOf(copy), 1);
    return { DBInstanceAutomatedBackup: { ...describeCopy(state, copy), Status: "deleting" } };
  },
});

export const backupOperations = (state: RdsState) => ({
  ...deletion(state),
  StartDBInstanceAutomatedBackupsReplication: (
    input: StartDBInstanceAutomatedBackupsReplicationCommandInput,
    { region }: Call,
  ) => {
    const source = sourceOf(state, input.SourceDBInstanceArn);
    const { details } = source;
    if (source.region === region) {
      throw invalidParameter("InvalidParameterCombination", "The source is in this region.");
    }
    if (!state.surroundings.network.reachable(region, source.region)) {
      throw new AwsError("InternalFailure", `${source.region} does not answer.`, { status: 500 });
    }
    if (details.DBInstanceStatus !== "available" || (details.BackupRetentionPeriod ?? 0) === 0) {
      throw invalidState(`${source.id} is not available, or keeps no backups.`);
    }
    if (state.copies.some((each) => isOf(each, region, source))) {
      throw new AwsError(
        "InvalidDBInstanceAutomatedBackupStateFault",
        `${source.id} is being replicated to ${region} already.`,
      );
    }
    const copy = newCopy(state, region, source, input);
    state.copies.push(copy);
    inBackground(state, async () => {
      await pass(state, source, "rds.backup-copy");
      if (copy.status === "pending") arrive(state, copy);
    });
    return { DBInstanceAutomatedBackup: describeCopy(state, copy) };
  },
  StopDBInstanceAutomatedBackupsReplication: (
    input: StopDBInstanceAutomatedBackupsReplicationCommandInput,
    { region }: Call,
  ) => {
    const source = sourceOf(state, input.SourceDBInstanceArn);
    const copy = state.copies.find((each) => isOf(each, region, source));
    if (!copy) throw invalidState(`${source.id} is not replicated to ${region}.`);
    const before = describeCopy(state, copy);
    copy.status = "retained";
    copy.stalledAt ??= state.surroundings.timeline.now();
    return { DBInstanceAutomatedBackup: before };
  },
  DescribeDBInstanceAutomatedBackups: (
    input: DescribeDBInstanceAutomatedBackupsCommandInput,
    { region }: Call,
  ) => {
    if (input.Filters?.length || input.DBInstanceAutomatedBackupsArn !== undefined) {
      throw invalidParameter("InvalidParameterValue", "Only by instance or by its resource id.");
    }
    const own = [...state.instances.values()].filter(
      (one) => one.region === region && (one.details.BackupRetentionPeriod ?? 0) > 0,
    );
    const { DbiResourceId: resource, DBInstanceIdentifier: id } = input;
    const found = [
      ...own.map((one) => describeOwn(state, one)),
      ...state.copies.filter((one) => one.region === region).map((one) => describeCopy(state, one)),
    ].filter(
      (one) =>
        (resource === undefined || one.DbiResourceId?.toLowerCase() === resource.toLowerCase()) &&
        (id === undefined || one.DBInstanceIdentifier === id.toLowerCase()),
    );
    if ((resource !== undefined || id !== undefined) && found.length === 0) {
      throw new AwsError("DBInstanceAutomatedBackupNotFoundFault", "No automated backup is found.");
    }
    const { items, next } = pageOf(found, input.Marker, input.MaxRecords ?? 100);
    return { DBInstanceAutomatedBackups: items, Marker: next };
  },
});
