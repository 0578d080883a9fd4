import {
  DescribeCacheClustersCommand,
  DescribeCacheParametersCommand,
  DescribeReplicationGroupsCommand,
  ElastiCacheClient,
} from "@aws-sdk/client-elasticache";
import { clientOptions } from "../../shared/clients.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { RemediatedLink } from "./aws.ts";
import type { CacheLoadSeen, CacheNodeSeen, CacheSeen } from "./evidence-edge.ts";
import { type Point, type Query, reader } from "./signals-aws.ts";

/** Two of the alarm's periods. */
const minutes = 10;
const minutesBefore = 180;
/** A group of parameters has about a hundred; more than this is another thing. */
const mostPages = 5;

/** Of the metrics of a node, in the order in which they are asked for. */
const metrics = [
  ["DatabaseMemoryUsagePercentage", "Maximum"],
  ["Evictions", "Sum"],
  ["EngineCPUUtilization", "Average"],
  ["CurrConnections", "Maximum"],
] as const;

export const cacheLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const client = new ElastiCacheClient(clientOptions(runtime, region));
  const series = reader(runtime, region);
  const group = async () => {
    const id = link.cache?.group;
    if (!id) throw new Error("no cache is linked to this function");
    const { ReplicationGroups } = await client.send(
      new DescribeReplicationGroupsCommand({ ReplicationGroupId: id }),
    );
    const found = ReplicationGroups?.[0];
    if (!found) throw new Error(`ElastiCache does not know ${id} in ${region}`);
    return { id, found, nodes: found.MemberClusters ?? [] };
  };
  const policyOf = async (node: string | undefined): Promise<string | null> => {
    const { CacheClusters } = await client.send(
      new DescribeCacheClustersCommand({ CacheClusterId: node }),
    );
    const name = CacheClusters?.[0]?.CacheParameterGroup?.CacheParameterGroupName;
    if (name === undefined) return null;
    let marker: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const { Parameters, Marker } = await client.send(
        new DescribeCacheParametersCommand({
          CacheParameterGroupName: name,
          ...(marker === undefined ? {} : { Marker: marker }),
        }),
      );
      const found = Parameters?.find(({ ParameterName }) => ParameterName === "maxmemory-policy");
      if (found) return found.ParameterValue ?? null;
      if (Marker === undefined) return null;
      marker = Marker;
    }
    return null;
  };
  return {
    cache: async (): Promise<CacheSeen> => {
      const { id, found, nodes } = await group();
      return {
        id,
        status: found.Status ?? "unknown",
        nodeType: found.CacheNodeType ?? "",
        nodes,
        policy: nodes.length === 0 ? null : await policyOf(nodes[0]),
      };
    },
    cacheLoad: async (): Promise<CacheLoadSeen> => {
      const { nodes } = await group();
      const queries = nodes.flatMap((node) => metrics.map((metric) => queryOf(node, metric)));
      const points = await series(minutesBefore, queries);
      const split = runtime.clock.now() - minutes * 60_000;
      return {
        minutes,
        minutesBefore,
        nodes: nodes.map((id, index) =>
          nodeOf(id, points.slice(index * metrics.length, (index + 1) * metrics.length), split),
        ),
      };
    },
  };
};

const queryOf = (node: string, [name, statistic]: readonly [string, string]): Query => ({
  namespace: "AWS/ElastiCache",
  name,
  dimension: ["CacheClusterId", node],
  statistic,
  periodSeconds: 300,
});

/** Of the values at hand, or null when there are none. */
const of = (choose: (...values: number[]) => number, points: Point[]): number | null =>
  points.length === 0 ? null : choose(...points.map(({ value }) => value));

const nodeOf = (id: string, series: Point[][], split: number): CacheNodeSeen => {
  const [memory = [], evictions = [], engine = [], connections = []] = series;
  const young = (points: Point[]) => points.filter((point) => point.atMilliseconds >= split);
  const old = (points: Point[]) => points.filter((point) => point.atMilliseconds < split);
  return {
    id,
    memoryPercent: of(Math.max, young(memory)),
    memoryPercentBefore: of(Math.min, old(memory)),
    evictions: young(evictions).reduce((sum, { value }) => sum + value, 0),
    enginePercent: of(Math.max, young(engine)),
    connections: of(Math.max, young(connections)),
    connectionsBefore: of(Math.max, old(connections)),
  };
};
