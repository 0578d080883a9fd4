import type {
  CacheCluster,
  CreateReplicationGroupCommandInput,
  ReplicationGroup,
} from "@aws-sdk/client-elasticache";
import type { Place } from "../network.ts";
import type { CacheAddress } from "../redis/engine.ts";
import type { Tokens } from "./elasticache-token.ts";

/** What a drill makes of a group, besides taking its region away. */
export interface CacheStrain {
  memoryPercent?: number;
  evictionsPerMinute?: number;
  cpuPercent?: number;
  connections?: number;
}

export interface CacheGroup {
  region: Place;
  id: string;
  /** Among the caches below. */
  engineId: string;
  arn: string;
  address: CacheAddress;
  nodeType: string;
  /** Ids, the primary first. */
  nodes: string[];
  engine: string;
  engineVersion: string;
  parameterGroup: string;
  encryptedInTransit: boolean;
  status: "available" | "modifying";
  tokens: Tokens;
  tokenChanged: number | undefined;
  pending: NonNullable<ReplicationGroup["PendingModifiedValues"]>;
  strain: CacheStrain;
  /** Without power. */
  down: boolean;
}

export const cacheId = (region: Place, id: string): string => `${region}/${id}`;

export type Established = Pick<
  CreateReplicationGroupCommandInput,
  | "ReplicationGroupId"
  | "CacheNodeType"
  | "NumCacheClusters"
  | "Engine"
  | "EngineVersion"
  | "CacheParameterGroupName"
  | "AuthToken"
  | "TransitEncryptionEnabled"
>;

/** With the defaults of a group that the platform creates. */
export const newGroup = (
  region: Place,
  account: string,
  given: Established,
  address: CacheAddress,
): CacheGroup => {
  const id = given.ReplicationGroupId ?? "";
  const engine = given.Engine ?? "valkey";
  return {
    region,
    id,
    engineId: cacheId(region, id),
    arn: `arn:aws:elasticache:${region}:${account}:replicationgroup:${id}`,
    address,
    nodeType: given.CacheNodeType ?? "cache.t4g.micro",
    nodes: Array.from(
      { length: given.NumCacheClusters ?? 1 },
      (_, index) => `${id}-${String(index + 1).padStart(3, "0")}`,
    ),
    engine,
    engineVersion: given.EngineVersion ?? "8.0",
    parameterGroup: given.CacheParameterGroupName ?? `default.${engine}8`,
    encryptedInTransit: given.TransitEncryptionEnabled ?? true,
    status: "available",
    tokens: {
      tokens: given.AuthToken === undefined ? [] : [given.AuthToken],
      withoutToken: given.AuthToken === undefined,
      last: "created",
    },
    tokenChanged: undefined,
    pending: {},
    strain: {},
    down: false,
  };
};

/** All nodes answer at one address here: there is one server for a group. */
const endpointOf = ({ address }: CacheGroup) => ({ Address: address.host, Port: address.port });

export const describedGroup = (group: CacheGroup): ReplicationGroup => ({
  ReplicationGroupId: group.id,
  Description: group.id,
  ARN: group.arn,
  Status: group.status,
  PendingModifiedValues: { ...group.pending },
  MemberClusters: [...group.nodes],
  NodeGroups: [
    {
      NodeGroupId: "0001",
      Status: group.status,
      PrimaryEndpoint: endpointOf(group),
      ReaderEndpoint: endpointOf(group),
      NodeGroupMembers: group.nodes.map((CacheClusterId, index) => ({
        CacheClusterId,
        CacheNodeId: "0001",
        ReadEndpoint: endpointOf(group),
        CurrentRole: index === 0 ? "primary" : "replica",
      })),
    },
  ],
  AutomaticFailover: group.nodes.length > 1 ? "enabled" : "disabled",
  MultiAZ: group.nodes.length > 1 ? "enabled" : "disabled",
  ClusterEnabled: false,
  CacheNodeType: group.nodeType,
  Engine: group.engine,
  AuthTokenEnabled: group.tokens.tokens.length > 0,
  ...(group.tokenChanged === undefined
    ? {}
    : { AuthTokenLastModifiedDate: new Date(group.tokenChanged) }),
  TransitEncryptionEnabled: group.encryptedInTransit,
  AtRestEncryptionEnabled: true,
});

export const describedNodes = (group: CacheGroup): CacheCluster[] =>
  group.nodes.map((CacheClusterId) => ({
    CacheClusterId,
    ReplicationGroupId: group.id,
    CacheClusterStatus: group.status,
    CacheNodeType: group.nodeType,
    Engine: group.engine,
    EngineVersion: group.engineVersion,
    NumCacheNodes: 1,
    CacheParameterGroup: {
      CacheParameterGroupName: group.parameterGroup,
      ParameterApplyStatus: "in-sync",
    },
    AuthTokenEnabled: group.tokens.tokens.length > 0,
    TransitEncryptionEnabled: group.encryptedInTransit,
  }));
