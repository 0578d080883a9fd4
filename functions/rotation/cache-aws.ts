import {
  DescribeReplicationGroupsCommand,
  ElastiCacheClient,
  ModifyReplicationGroupCommand,
} from "@aws-sdk/client-elasticache";
import { clientOptions } from "../../shared/clients.ts";
import { sentence } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { CacheAnswer, CachePort } from "./cache.ts";
import { digestOf } from "./cache.ts";
import type { Told } from "./kinds.ts";

export interface CacheLink {
  group: string;
  host: string;
  port: number;
}

/** ROTATE may not be sent twice, not even by the client: a second try is ours to decide on. */
const once = { attempts: 1, connectSeconds: 2, answerSeconds: 10 };

/** How somebody gets in at the cache of another region: its own rotation function is in its network. */
export const loginElsewhere =
  (
    ask: (question: object) => Promise<Told>,
    { secret, token: version }: { secret: string; token: string },
  ): Login =>
  async (_link, token) => {
    const digest = token === null ? null : digestOf(version, token);
    try {
      const told = await ask({ do: "login", secret, token: version, digest });
      if ("did" in told) return { is: "in" };
      const { code, reason } = told.refused;
      return { is: code === "refused" ? "refused" : "unreachable", why: reason };
    } catch (error) {
      return { is: "unreachable", why: sentence(error) };
    }
  };

type Login = (link: CacheLink, token: string | null) => Promise<CacheAnswer>;

/** The replication group of `region`, which has the same name in each. */
export const cachePort = (
  runtime: Runtime,
  region: string,
  link: CacheLink | undefined,
  login: Login,
): CachePort => {
  const reader = new ElastiCacheClient(clientOptions(runtime, region));
  const changer = new ElastiCacheClient(clientOptions(runtime, region, once));
  const named = (): CacheLink => {
    if (!link) throw new Error("no cache is linked to this function");
    return link;
  };
  return {
    region,
    login: (token) => login(named(), token),
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
