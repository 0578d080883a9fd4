import type { Output } from "@pulumi/pulumi";
import { cachePort } from "./groups.ts";
import { keepsake } from "./keepsake.ts";
import type { Network } from "./network.ts";
import type { Keys } from "./platform.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

export interface Cache {
  id: string;
  nodes: string[];
  host: Output<string>;
}

/** AWS's own group for the engine's version. */
export const cacheParameters = "default.valkey8";

/**
 * Each region has a cache of its own, always there: what is in it is not replicated, because a platform
 * that cannot do without its cache cannot fail over without it either.
 */
export const cache = (
  stage: Stage,
  region: Region,
  { network, keys, token }: { network: Network; keys: Keys; token: Output<string> },
): Cache => {
  const { provider } = region;
  const { nodeType, nodes } = stage.config.sizes.cache;
  const id = `${stage.prefix}-cache`;
  const subnets = new aws.elasticache.SubnetGroup(
    named("CacheSubnets", region),
    { name: id, description: "No way out of here", subnetIds: network.isolatedSubnets },
    { provider },
  );
  const isReplicated = nodes > 1;
  const made = new aws.elasticache.ReplicationGroup(
    named("Cache", region),
    {
      replicationGroupId: id,
      description: `${stage.prefix}: sessions and queues`,
      engine: "valkey",
      engineVersion: "8.0",
      nodeType,
      numCacheClusters: nodes,
      multiAzEnabled: isReplicated,
      automaticFailoverEnabled: isReplicated,
      port: cachePort,
      parameterGroupName: cacheParameters,
      subnetGroupName: subnets.name,
      securityGroupIds: [network.groups.cache],
      atRestEncryptionEnabled: true,
      kmsKeyId: keys.data,
      transitEncryptionEnabled: true,
      transitEncryptionMode: "required",
      authToken: token,
      snapshotRetentionLimit: stage.isProduction ? 7 : 0,
      autoMinorVersionUpgrade: true,
      applyImmediately: false,
    },
    // Rotation owns the token after the first deployment, and AWS the version: what it has upgraded by
    // itself, going back to the version above would replace.
    {
      provider,
      ignoreChanges: ["authToken", "authTokenUpdateStrategy", "engineVersion"],
      ...keepsake(stage),
    },
  );
  return {
    id,
    nodes: Array.from(
      { length: nodes },
      (_, index) => `${id}-${String(index + 1).padStart(3, "0")}`,
    ),
    host: made.primaryEndpointAddress,
  };
};
