import type {
  DescribeCacheClustersCommandInput,
  DescribeCacheParametersCommandInput,
  DescribeReplicationGroupsCommandInput,
  ModifyReplicationGroupCommandInput,
  ReplicationGroup,
} from "@aws-sdk/client-elasticache";
import type { Place, RegionState } from "../network.ts";
import type { CacheEngine } from "../redis/engine.ts";
import { duration } from "./durations.ts";
import {
  type CacheGroup,
  type CacheStrain,
  cacheId,
  describedGroup,
  describedNodes,
  type Established,
  newGroup,
} from "./elasticache-groups.ts";
import { changeOf, refuseToken, type TokenChange, type Unknowns } from "./elasticache-token.ts";
import { cacheVitals } from "./elasticache-vitals.ts";
import { pageOf } from "./paging.ts";
import { AwsError, type Call, type Service, type Surroundings } from "./service.ts";

export { cacheId } from "./elasticache-groups.ts";

interface State {
  surroundings: Surroundings;
  engine: CacheEngine;
  /** By engine id. */
  groups: Map<string, CacheGroup>;
  /** Work that goes on when its region is back. */
  sleepers: Map<Place, (() => void)[]>;
  unknowns: () => Unknowns;
}

const invalid = (message: string) => new AwsError("InvalidParameterValueException", message);

const find = (state: State, region: Place, id: string | undefined): CacheGroup => {
  const group = state.groups.get(cacheId(region, id ?? ""));
  if (group) return group;
  throw new AwsError("ReplicationGroupNotFoundFault", `ReplicationGroup ${id} not found.`);
};

const groupsIn = (state: State, region: Place): CacheGroup[] =>
  [...state.groups.values()].filter((group) => group.region === region);

const pageSize = (asked: number | undefined): number => {
  if (asked !== undefined && (asked < 20 || asked > 100)) {
    throw invalid("MaxRecords must be between 20 and 100.");
  }
  return asked ?? 100;
};

const listings = (state: State) => ({
  DescribeReplicationGroups: (input: DescribeReplicationGroupsCommandInput, { region }: Call) => {
    const size = pageSize(input.MaxRecords);
    const id = input.ReplicationGroupId;
    const found = id === undefined ? groupsIn(state, region) : [find(state, region, id)];
    const { items, next } = pageOf(found, input.Marker, size);
    return { ReplicationGroups: items.map(describedGroup), Marker: next };
  },
  DescribeCacheClusters: (input: DescribeCacheClustersCommandInput, { region }: Call) => {
    const size = pageSize(input.MaxRecords);
    const all = groupsIn(state, region).flatMap(describedNodes);
    const id = input.CacheClusterId;
    const found = all.filter(
      ({ CacheClusterId }) => id === undefined || CacheClusterId === id.toLowerCase(),
    );
    if (id !== undefined && found.length === 0) {
      throw new AwsError("CacheClusterNotFoundFault", `CacheCluster ${id} not found.`);
    }
    const { items, next } = pageOf(found, input.Marker, size);
    return { CacheClusters: items, Marker: next };
  },
  DescribeCacheParameters: (input: DescribeCacheParametersCommandInput) => {
    const name = input.CacheParameterGroupName ?? "";
    const known = parameters[name];
    if (!known) {
      throw new AwsError(
        "CacheParameterGroupNotFoundFault",
        `CacheParameterGroup ${name} not found.`,
      );
    }
    const { items, next } = pageOf(known, input.Marker, pageSize(input.MaxRecords));
    return { Parameters: items, Marker: next };
  },
});

/**
 * Of the groups that AWS makes, those whose values matter here. Source: "Valkey and Redis OSS parameters",
 * https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
 */
const usual = [
  { ParameterName: "maxmemory-policy", ParameterValue: "volatile-lru", Source: "system" },
  { ParameterName: "reserved-memory-percent", ParameterValue: "25", Source: "system" },
];
const parameters: Record<string, typeof usual> = {
  "default.valkey8": usual,
  "default.valkey7": usual,
  "default.redis7": usual,
};

/** Resolves as soon as the region of the group lives. */
const awake = async (state: State, region: Place): Promise<void> => {
  while (state.surroundings.network.state(region) === "dead") {
    await new Promise<void>((resolve) => {
      state.sleepers.set(region, [...(state.sleepers.get(region) ?? []), resolve]);
    });
  }
};

const changeToken = async (state: State, group: CacheGroup, change: TokenChange): Promise<void> => {
  const { timeline, random } = state.surroundings;
  group.status = "modifying";
  group.pending = { AuthTokenStatus: change.status };
  const total = duration(random, "elasticache.token");
  // The new token is in force somewhere on the way: whoever sees `modifying` knows nothing of it.
  const before = Math.round(total * random.fraction());
  await timeline.sleep(before);
  await awake(state, group.region);
  group.tokens = change.tokens;
  await state.engine.admit(group.engineId, change.tokens, change.endsSessions);
  await timeline.sleep(total - before);
  await awake(state, group.region);
  Object.assign(group, { status: "available", pending: {}, tokenChanged: timeline.now() });
};

const modify =
  (state: State) =>
  (input: ModifyReplicationGroupCommandInput, { region }: Call) => {
    const group = find(state, region, input.ReplicationGroupId);
    if (group.status !== "available") {
      throw new AwsError(
        "InvalidReplicationGroupStateFault",
        `Replication group ${group.id} must be in available state to be modified.`,
      );
    }
    const { AuthToken, AuthTokenUpdateStrategy, ApplyImmediately, ReplicationGroupId, ...rest } =
      input;
    const others = Object.entries(rest).flatMap(([name, value]) =>
      value === undefined ? [] : name,
    );
    // Not a refusal of AWS's: nobody here asks for more.
    if (others.length > 0) throw new Error(`not modelled: a change of ${others.join(", ")}`);
    if (AuthToken === undefined) {
      throw new AwsError(
        "InvalidParameterCombinationException",
        "AuthTokenUpdateStrategy needs an AuthToken.",
      );
    }
    if (!group.encryptedInTransit) {
      throw invalid("AuthToken needs encryption in transit.");
    }
    const change = changeOf(group.tokens, input, state.unknowns);
    if (ApplyImmediately === true) {
      group.status = "modifying";
      state.surroundings.timeline.after(0, () => changeToken(state, group, change));
    }
    // Else it waits for the maintenance window, which is never in the hours that are modelled here.
    group.pending = { AuthTokenStatus: change.status };
    return { ReplicationGroup: describedGroup(group) };
  };

const drawn = ({ random }: Surroundings): (() => Unknowns) => {
  let known: Unknowns | undefined;
  // Not before somebody rotates: a run that never does draws nothing.
  return () =>
    (known ??= {
      setEndsSessions: random.fraction() < 0.5,
      repeatIsRefused: random.fraction() < 0.5,
    });
};

/** Replication groups of ElastiCache: their token, what is seen of them, and a cache below each. */
export const elasticache = (
  surroundings: Surroundings,
  engine: CacheEngine,
  options: { unknowns?: Unknowns } = {},
) => {
  const { unknowns } = options;
  const state: State = {
    surroundings,
    engine,
    groups: new Map(),
    sleepers: new Map(),
    unknowns: unknowns ? () => unknowns : drawn(surroundings),
  };
  const refusedBefore = new Map<string, number>();
  const newlyRefused = (engineId: string, total: number) => {
    const before = refusedBefore.get(engineId) ?? 0;
    refusedBefore.set(engineId, total);
    return Math.max(0, total - before);
  };
  const service: Service = {
    name: "elasticache",
    operations: { ...listings(state), ModifyReplicationGroup: modify(state) },
  };
  return {
    service,
    /** A group that is there when a run begins. Without AuthToken everybody may come in. */
    establish: async (region: Place, given: Established): Promise<ReplicationGroup> => {
      if (given.AuthToken !== undefined) refuseToken(given.AuthToken);
      const nowhere = { host: "", port: 0 };
      const group = newGroup(region, surroundings.account, given, nowhere);
      const { engineId: id, tokens: admission } = group;
      group.address = await engine.create({ id, region, admission });
      state.groups.set(id, group);
      return describedGroup(group);
    },
    /** Figures that a group shows from now on, instead of its own. */
    strain: (region: Place, id: string, what: CacheStrain): void => {
      const group = find(state, region, id);
      group.strain = { ...group.strain, ...what };
    },
    /** For tests and drills: what the group takes at this moment. */
    tokensOf: (region: Place, id: string) => find(state, region, id).tokens,
    regions: () => [...state.groups.values()].map(({ region }) => region),
    vitals: (region: Place) => cacheVitals(groupsIn(state, region), engine, newlyRefused),
    onRegionChange: async (region: Place, to: RegionState): Promise<void> => {
      const isDown = to === "dead";
      const struck = groupsIn(state, region).filter((group) => group.down !== isDown);
      for (const group of struck) group.down = isDown;
      const power = isDown ? engine.kill : engine.start;
      await Promise.all(struck.map(({ engineId }) => power(engineId)));
      if (isDown) return;
      const resumed = state.sleepers.get(region) ?? [];
      state.sleepers.delete(region);
      for (const resume of resumed) resume();
    },
  };
};
