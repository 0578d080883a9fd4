import {
  DescribeReplicationGroupsCommand,
  ElastiCacheClient,
  ModifyReplicationGroupCommand,
} from "@aws-sdk/client-elasticache";
import { clientOptions } from "../../shared/clients.ts";
import type { Authenticate, Runtime } from "../../shared/runtime.ts";
import type { CachePort } from "./cache.ts";

export interface CacheLink {
  group: string;
  host: string;
  port: number;
}

/** ROTATE may not be sent twice, not even by the client: a second try is ours to decide on. */
const once = { attempts: 1, connectSeconds: 2, answerSeconds: 10 };

/** The replication group of `region`, by the endpoint that was deployed. */
export const cachePort = (
  runtime: Runtime,
  region: string,
  link: CacheLink | undefined,
  authenticate: Authenticate,
): CachePort => {
  const reader = new ElastiCacheClient(clientOptions(runtime, region));
  const changer = new ElastiCacheClient(clientOptions(runtime, region, once));
  const named = (): CacheLink => {
    if (!link) throw new Error("no cache is linked to this function");
    return link;
  };
  return {
    login: (token) => authenticate(named(), token),
    standing: async () => {
      const ReplicationGroupId = named().group;
      const command = new DescribeReplicationGroupsCommand({ ReplicationGroupId });
      const [group] = (await reader.send(command)).ReplicationGroups ?? [];
      if (!group) throw new Error(`ElastiCache does not know ${ReplicationGroupId}`);
      return {
        status: group.Status ?? "unknown",
        isTokenNeeded: group.AuthTokenEnabled === true,
        isTokenChanging: group.PendingModifiedValues?.AuthTokenStatus !== undefined,
        tokenChangedAtMilliseconds: group.AuthTokenLastModifiedDate?.getTime() ?? null,
      };
    },
    change: async (AuthToken, AuthTokenUpdateStrategy) => {
      const ReplicationGroupId = named().group;
      const change = { AuthToken, AuthTokenUpdateStrategy, ApplyImmediately: true };
      await changer.send(new ModifyReplicationGroupCommand({ ReplicationGroupId, ...change }));
    },
  };
};
