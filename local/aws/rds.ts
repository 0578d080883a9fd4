import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type {
  AddTagsToResourceCommandInput,
  CreateDBInstanceCommandInput,
  CreateDBInstanceReadReplicaCommandInput,
  CreateDBSnapshotCommandInput,
  DBInstance,
  DBSnapshot,
  DeleteDBInstanceCommandInput,
  DescribeDBInstancesCommandInput,
  DescribeDBSnapshotsCommandInput,
  DescribeEventsCommandInput,
  ListTagsForResourceCommandInput,
  ModifyDBInstanceCommandInput,
  PromoteReadReplicaCommandInput,
  RebootDBInstanceCommandInput,
  RestoreDBInstanceFromDBSnapshotCommandInput,
  Tag,
} from "@aws-sdk/client-rds";
import type { Place, RegionState } from "../network.ts";
import type { Address, DatabaseEngine } from "../postgres/engine.ts";
import { duration } from "./durations.ts";
import { pageOf } from "./paging.ts";
import { backupOperations, establishCopy } from "./rds-backups.ts";
import { forceFailover } from "./rds-failover.ts";
import {
  describeInstance,
  engineId,
  newPrimary,
  newReplica,
  type RdsInstance,
} from "./rds-instance.ts";
import {
  bringUp,
  build,
  cutPower,
  destroy,
  promote,
  reboot,
  relink,
  restorePower,
  startBackup,
  takeSnapshot,
} from "./rds-lifecycle.ts";
import { modify } from "./rds-modify.ts";
import { archive, automatedSnapshots, restoreOperations } from "./rds-restore.ts";
import { snapshotCopyOperations } from "./rds-snapshot-copy.ts";
import {
  alreadyExists,
  find,
  findAvailable,
  findDeletable,
  findModifiable,
  inBackground,
  invalidParameter,
  invalidState,
  pageSize,
  type RdsSnapshot,
  type RdsState,
  wake,
} from "./rds-state.ts";
import { settle } from "./rds-storage.ts";
import { upkeep } from "./rds-upkeep.ts";
import { databaseData, type Strain, strain } from "./rds-vitals.ts";
import { AwsError, type Call, type Operation, type Service, type Surroundings } from "./service.ts";

export { engineId } from "./rds-instance.ts";

export interface Rds
  extends Pick<ReturnType<typeof upkeep>, "establishParameterGroup" | "planMaintenance"> {
  service: Service;
  /** An instance that is there when a run begins: built by the engine, without modelled time. */
  establish(region: Place, input: EstablishedInstance): Promise<DBInstance>;
  establishReplica(
    region: Place,
    input: CreateDBInstanceReadReplicaCommandInput,
  ): Promise<DBInstance>;
  /** Copies of an instance's backups that are there, and follow, when a run begins. */
  establishBackupCopy(
    region: Place,
    source: { region: Place; id: string },
    settings?: { BackupRetentionPeriod?: number; KmsKeyId?: string },
  ): void;
  /** From now on an instance is too busy for its daily snapshot. */
  skipSnapshots(region: Place, id: string): void;
  /** To be called after the network has changed. Resolves when what dies is dead. */
  onRegionChange(region: Place, state: RegionState): Promise<void>;
  /** The nightly backup of an available instance, now. */
  startBackup(region: Place, id: string): void;
  /** How often the promotion of an instance has taken effect, in all regions when none is given. */
  promotions(id: string, region?: Place): number;
  /** Fills its volume, or keeps its processor busy. */
  strain(region: Place, id: string, what: Strain): void;
  /** What RDS would put into CloudWatch now. */
  vitals(region: Place): Promise<MetricDatum[]>;
  regions(): Place[];
  /** The security groups in force, so that others can hold connections to them. */
  securityGroups(region: Place, id: string): string[];
}

export type EstablishedInstance = Omit<CreateDBInstanceCommandInput, "Engine">;

/** RDS for PostgreSQL, single instances and their cross-region replicas. */
export const rds = (
  surroundings: Surroundings,
  engine: DatabaseEngine,
  isKeyUsable: RdsState["isKeyUsable"] = () => true,
): Rds => {
  const state = newState(surroundings, engine, isKeyUsable);
  const { operations: upkeepOperations, ...planned } = upkeep();
  const established = async (instance: RdsInstance, make: () => Promise<Address>) => {
    state.instances.set(instance.engineId, instance);
    await build(state, instance, make);
    await archive(state, instance);
    instance.details.DBInstanceStatus = "available";
    return described(state, instance);
  };
  return {
    service: {
      name: "rds",
      operations: {
        ...instanceOperations(state),
        ...snapshotOperations(state),
        ...snapshotCopyOperations(state),
        ...listings(state),
        ...backupOperations(state),
        ...restoreOperations(state, {
          described: (instance) => described(state, instance),
          tagged: (region, arn) => tagged(state, region, arn),
        }),
        ...upkeepOperations,
      } as Record<string, Operation>,
    },
    ...planned,
    establish: (region, input) => {
      const instance = newPrimary(surroundings, region, input);
      return established(instance, () => engine.create(wantedOf(instance, input)));
    },
    establishReplica: (region, input) => {
      const source = sourceOf(state, region, input.SourceDBInstanceIdentifier);
      const instance = newReplica(surroundings, region, source, input);
      return established(instance, () => engine.replicate(source.engineId, placeOf(instance)));
    },
    establishBackupCopy: (region, source, settings) =>
      establishCopy(state, region, find(state, source.region, source.id), settings),
    skipSnapshots: (region, id) =>
      void state.skipping.set(find(state, region, id), surroundings.timeline.now()),
    onRegionChange: async (region, next) => {
      const there = [...state.instances.values()].filter((one) => one.region === region);
      if (next === "dead") await Promise.all(there.map((one) => cutPower(state, one)));
      else for (const one of there) if (one.down) restorePower(state, one);
      engine.reconsider();
      for (const instance of state.instances.values()) relink(state, instance);
      if (next !== "dead") wake(state, region);
    },
    strain: (region, id, what) => strain(state, find(state, region, id), what),
    vitals: (region) => databaseData(state, region),
    regions: () => [...state.instances.values()].map(({ region }) => region),
    startBackup: (region, id) => startBackup(state, findAvailable(state, region, id)),
    promotions: (id, region) =>
      [...state.instances.values()]
        .filter((one) => one.id === id && (region === undefined || one.region === region))
        .reduce((sum, one) => sum + one.promotions, 0),
    securityGroups: (region, id) =>
      (find(state, region, id).details.VpcSecurityGroups ?? []).flatMap(
        ({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? [],
      ),
  };
};

const newState = (
  surroundings: Surroundings,
  engine: DatabaseEngine,
  isKeyUsable: RdsState["isKeyUsable"],
): RdsState => ({
  surroundings,
  engine,
  instances: new Map(),
  snapshots: new Map(),
  copies: [],
  skipping: new Map(),
  isKeyUsable,
  events: [],
  sleepers: new Map(),
  errorNoticedAfterMilliseconds: duration(surroundings.random, "rds.replica-error"),
});

const described = (state: RdsState, instance: RdsInstance): DBInstance => {
  settle(state, instance);
  return describeInstance(
    instance,
    state.instances.values(),
    state.surroundings.timeline.now(),
    state.errorNoticedAfterMilliseconds,
  );
};

const placeOf = ({ engineId: id, region }: RdsInstance) => ({ id, region });

const wantedOf = (instance: RdsInstance, input: EstablishedInstance) => ({
  ...placeOf(instance),
  masterUser: instance.details.MasterUsername ?? "postgres",
  masterPassword: input.MasterUserPassword ?? "",
  database: instance.details.DBName ?? "postgres",
});

/** A source in another region is named by its ARN, one in the same region by its identifier. */
const sourceOf = (state: RdsState, region: Place, name: string | undefined): RdsInstance => {
  const [, , , sourceRegion, , , id] = (name ?? "").split(":");
  return find(state, sourceRegion ?? region, id ?? name);
};

const refuseExisting = (state: RdsState, region: Place, id: string | undefined): void => {
  if (!id) throw invalidParameter("InvalidParameterValue", "DBInstanceIdentifier is required.");
  if (state.instances.has(engineId(region, id))) throw alreadyExists();
};

const instanceOperations = (state: RdsState) => ({
  CreateDBInstance: (input: CreateDBInstanceCommandInput, { region }: Call) => {
    refuseExisting(state, region, input.DBInstanceIdentifier);
    if (input.Engine !== "postgres") {
      throw invalidParameter("InvalidParameterValue", `Only postgres is here: ${input.Engine}`);
    }
    const instance = newPrimary(state.surroundings, region, input);
    bringUp(state, instance, "rds.create", () => state.engine.create(wantedOf(instance, input)));
    return { DBInstance: described(state, instance) };
  },
  CreateDBInstanceReadReplica: (
    input: CreateDBInstanceReadReplicaCommandInput,
    { region }: Call,
  ) => {
    refuseExisting(state, region, input.DBInstanceIdentifier);
    const source = sourceOf(state, region, input.SourceDBInstanceIdentifier);
    if (!state.surroundings.network.reachable(region, source.region)) {
      throw new AwsError("InternalFailure", `${source.region} does not answer.`, { status: 500 });
    }
    if (source.details.DBInstanceStatus !== "available") {
      throw invalidState(`Source DB instance ${source.id} is not in available state.`);
    }
    if ((source.details.BackupRetentionPeriod ?? 0) === 0) {
      throw invalidState(`Automated backups are not enabled for ${source.id}.`);
    }
    const instance = newReplica(state.surroundings, region, source, input);
    bringUp(state, instance, "rds.replica", () =>
      state.engine.replicate(source.engineId, placeOf(instance)),
    );
    return { DBInstance: described(state, instance) };
  },
  PromoteReadReplica: (input: PromoteReadReplicaCommandInput, { region }: Call) => {
    const instance = findAvailable(state, region, input.DBInstanceIdentifier);
    promote(state, instance, input);
    return { DBInstance: described(state, instance) };
  },
  ModifyDBInstance: (input: ModifyDBInstanceCommandInput, { region }: Call) => {
    const instance = findModifiable(state, region, input.DBInstanceIdentifier);
    if (instance.source && input.MasterUserPassword !== undefined) {
      throw invalidState(`${instance.id} is a read replica: change the password on its source.`);
    }
    if (input.BackupRetentionPeriod === 0 && hasReplica(state, instance)) {
      throw invalidState(`${instance.id} has read replicas and needs its backups.`);
    }
    modify(state, instance, input);
    return { DBInstance: described(state, instance) };
  },
  RebootDBInstance: (input: RebootDBInstanceCommandInput, { region }: Call) => {
    const instance = findModifiable(state, region, input.DBInstanceIdentifier);
    if (input.ForceFailover) forceFailover(state, instance);
    else reboot(state, instance);
    return { DBInstance: described(state, instance) };
  },
  DeleteDBInstance: (input: DeleteDBInstanceCommandInput, { region }: Call) => {
    const instance = findDeletable(state, region, input.DBInstanceIdentifier);
    const final = input.FinalDBSnapshotIdentifier;
    const refuse = (why: string) => invalidParameter("InvalidParameterCombination", why);
    if (instance.details.DeletionProtection) {
      throw refuse("Cannot delete protected DB Instance, please disable deletion protection");
    }
    if (input.SkipFinalSnapshot !== true && final === undefined) {
      throw refuse("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.");
    }
    const wanted = input.SkipFinalSnapshot === true ? undefined : final;
    destroy(state, instance, wanted ? newSnapshot(state, instance, wanted, []) : undefined);
    return { DBInstance: described(state, instance) };
  },
});

const hasReplica = (state: RdsState, instance: RdsInstance): boolean =>
  [...state.instances.values()].some(({ source }) => source === instance);

const newSnapshot = (state: RdsState, of: RdsInstance, name: string, tags: Tag[]): RdsSnapshot => {
  const id = name.toLowerCase();
  const { region, details } = of;
  const key = engineId(region, id);
  if (state.snapshots.has(key)) {
    throw new AwsError("DBSnapshotAlreadyExistsFault", `Cannot create the snapshot ${id} twice.`);
  }
  const { account, timeline } = state.surroundings;
  const arn = `arn:aws:rds:${region}:${account}:snapshot:${id}`;
  const { Engine, EngineVersion, AllocatedStorage, MasterUsername } = details;
  const taken = {
    DBSnapshotIdentifier: id,
    DBSnapshotArn: arn,
    DBInstanceIdentifier: of.id,
    SnapshotType: "manual",
    Status: "creating",
    PercentProgress: 0,
    SnapshotCreateTime: new Date(timeline.now()),
    OriginalSnapshotCreateTime: new Date(timeline.now()),
  };
  const facts = {
    KmsKeyId: details.KmsKeyId,
    Engine,
    EngineVersion,
    AllocatedStorage,
    MasterUsername,
  };
  const frozen = { ...of, details: { ...details } };
  return { region, id, engineId: key, arn, details: { ...facts, ...taken }, tags, of: frozen };
};

const snapshotOperations = (state: RdsState) => ({
  CreateDBSnapshot: (input: CreateDBSnapshotCommandInput, { region }: Call) => {
    const instance = findAvailable(state, region, input.DBInstanceIdentifier);
    const name = input.DBSnapshotIdentifier ?? "";
    const snapshot = newSnapshot(state, instance, name, input.Tags ?? []);
    instance.details.DBInstanceStatus = "backing-up";
    state.snapshots.set(snapshot.engineId, snapshot);
    inBackground(state, async () => {
      await takeSnapshot(state, instance, snapshot);
      instance.details.DBInstanceStatus = "available";
    });
    return { DBSnapshot: { ...snapshot.details } };
  },
  DescribeDBSnapshots: (input: DescribeDBSnapshotsCommandInput, { region }: Call) => {
    const { DBSnapshotIdentifier: id, DBInstanceIdentifier: of } = input;
    const own = [...state.instances.values()].filter((one) => one.region === region);
    const all: DBSnapshot[] = [
      ...[...state.snapshots.values()]
        .filter((one) => one.region === region)
        .map((one) => ({ ...one.details, TagList: [...one.tags] })),
      ...own.flatMap((one) => automatedSnapshots(state, one)),
    ];
    const found = all.filter(
      (one) =>
        [undefined, one.SnapshotType].includes(input.SnapshotType) &&
        (id === undefined ||
          one.DBSnapshotIdentifier === id.toLowerCase() ||
          one.DBSnapshotArn === id) &&
        (of === undefined || one.DBInstanceIdentifier === of.toLowerCase()),
    );
    if (id !== undefined && found.length === 0) {
      throw new AwsError("DBSnapshotNotFoundFault", `DBSnapshot ${id} not found.`);
    }
    const { items, next } = pageOf(found, input.Marker, pageSize(input.MaxRecords));
    return { DBSnapshots: items, Marker: next };
  },
  RestoreDBInstanceFromDBSnapshot: (
    input: RestoreDBInstanceFromDBSnapshotCommandInput,
    { region }: Call,
  ) => {
    refuseExisting(state, region, input.DBInstanceIdentifier);
    const name = input.DBSnapshotIdentifier ?? "";
    const snapshot = state.snapshots.get(engineId(region, name.split(":").at(-1) ?? ""));
    if (!snapshot) throw new AwsError("DBSnapshotNotFoundFault", `DBSnapshot ${name} not found.`);
    if (snapshot.details.Status !== "available") {
      throw new AwsError("InvalidDBSnapshotStateFault", `DBSnapshot ${name} is not available.`);
    }
    const { DBInstanceClass, EngineVersion, AllocatedStorage, MasterUsername, DBName } =
      snapshot.of.details;
    const { BackupRetentionPeriod, StorageEncrypted, KmsKeyId } = snapshot.of.details;
    const kept = { DBInstanceClass, EngineVersion, AllocatedStorage, MasterUsername };
    const instance = newPrimary(state.surroundings, region, {
      ...{ ...kept, DBName, BackupRetentionPeriod, StorageEncrypted, KmsKeyId },
      ...Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)),
      DBInstanceIdentifier: input.DBInstanceIdentifier,
      DBInstanceClass: input.DBInstanceClass ?? DBInstanceClass,
    });
    instance.details.DBSubnetGroup = { DBSubnetGroupName: input.DBSubnetGroupName ?? "default" };
    bringUp(state, instance, "rds.restore", () =>
      state.engine.restore(snapshot.heldAs ?? snapshot.engineId, placeOf(instance)),
    );
    return { DBInstance: described(state, instance) };
  },
});

const listings = (state: RdsState) => ({
  DescribeDBInstances: (input: DescribeDBInstancesCommandInput, { region }: Call) => {
    const size = pageSize(input.MaxRecords);
    if (input.DBInstanceIdentifier !== undefined) {
      const id = input.DBInstanceIdentifier.split(":").at(-1);
      return { DBInstances: [described(state, find(state, region, id))] };
    }
    const wanted = wantedIds(input);
    const found = [...state.instances.values()].filter(
      (one) => one.region === region && (wanted?.has(one.id) ?? true),
    );
    const { items, next } = pageOf(found, input.Marker, size);
    return { DBInstances: items.map((one) => described(state, one)), Marker: next };
  },
  DescribeEvents: (input: DescribeEventsCommandInput, { region }: Call) => {
    const end = input.EndTime?.getTime() ?? state.surroundings.timeline.now();
    const start = input.StartTime?.getTime() ?? end - (input.Duration ?? 60) * 60_000;
    const { SourceIdentifier: wanted, SourceType: type, EventCategories: kinds } = input;
    if (wanted !== undefined && type === undefined) {
      throw invalidParameter("InvalidParameterCombination", "SourceIdentifier needs a SourceType.");
    }
    const found = state.events.filter((event) => {
      const time = event.Date?.getTime() ?? 0;
      return (
        event.region === region &&
        time >= start &&
        time <= end &&
        [undefined, event.SourceIdentifier].includes(wanted) &&
        [undefined, event.SourceType].includes(type) &&
        (!kinds?.length || event.EventCategories?.some((kind) => kinds.includes(kind)))
      );
    });
    const { items, next } = pageOf(found, input.Marker, pageSize(input.MaxRecords));
    return { Events: items.map(({ region: _, ...event }) => event), Marker: next };
  },
  ListTagsForResource: (input: ListTagsForResourceCommandInput, { region }: Call) => ({
    TagList: [...tagged(state, region, input.ResourceName).tags],
  }),
  AddTagsToResource: (input: AddTagsToResourceCommandInput, { region }: Call) => {
    const resource = tagged(state, region, input.ResourceName);
    const added = input.Tags ?? [];
    const kept = resource.tags.filter(({ Key }) => !added.some((tag) => tag.Key === Key));
    resource.tags = [...kept, ...added];
    return {};
  },
});

const wantedIds = (input: DescribeDBInstancesCommandInput): Set<string> | undefined => {
  const [filter, ...more] = input.Filters ?? [];
  if (!filter) return undefined;
  if (filter.Name !== "db-instance-id" || more.length > 0) {
    throw invalidParameter("InvalidParameterValue", `Unrecognized filter name: ${filter.Name}`);
  }
  return new Set(filter.Values?.map((value) => value.split(":").at(-1)?.toLowerCase() ?? ""));
};

const tagged = (state: RdsState, region: Place, arn: string | undefined): { tags: Tag[] } => {
  const [, , , , , kind, id] = (arn ?? "").split(":");
  if (kind !== "snapshot") return find(state, region, id);
  const snapshot = state.snapshots.get(engineId(region, id ?? ""));
  if (!snapshot) throw new AwsError("DBSnapshotNotFoundFault", `DBSnapshot ${id} not found.`);
  return snapshot;
};
