import type { CacheAnswer, CachePort } from "../../functions/rotation/cache.ts";
import type { SecretValue, Tools } from "../../functions/rotation/kinds.ts";
import type { elasticache } from "../../local/aws/elasticache.ts";
import type { Place } from "../../local/network.ts";
import type { Timeline } from "../../local/time/timeline.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Marked } from "../../shared/rotation.ts";
import { clockOn } from "../clock.ts";
import { asking } from "../local/asking.ts";

export const ReplicationGroupId = "sessions";
export const first = "token-of-the-deployment";
export const change = {
  current: { token: first } as SecretValue,
  pending: { token: "token-that-is-new" } as SecretValue,
};

type Local = ReturnType<typeof elasticache>;

interface Group {
  Status: string;
  AuthTokenEnabled: boolean;
  AuthTokenLastModifiedDate?: Date;
  PendingModifiedValues?: { AuthTokenStatus?: string };
  NodeGroups: { PrimaryEndpoint: { Address: string; Port: number } }[];
}

export const groupIn = (local: Local, region: Place): Group => {
  const asked = { ReplicationGroupId };
  const { ReplicationGroups } = asking(local.service)("DescribeReplicationGroups", asked, region);
  const [group] = ReplicationGroups as Group[];
  if (!group) throw new Error("there is no such group");
  return group;
};

const standingOf = (group: Group) => ({
  status: group.Status,
  isTokenNeeded: group.AuthTokenEnabled,
  isTokenChanging: group.PendingModifiedValues?.AuthTokenStatus !== undefined,
  tokenChangedAtMilliseconds: group.AuthTokenLastModifiedDate?.getTime() ?? null,
});

type Login = (region: Place, token: string | null) => Promise<CacheAnswer>;

interface Around {
  local: Local;
  timeline: Timeline;
}

/** A call that its sender has given up, and that comes through all the same. */
const lateMilliseconds = 20_000;

/** The way to the cache of a region, on which an answer can be lost. */
const portOf = ({ local, timeline }: Around, region: Place, login: Login) => {
  const sent: string[] = [];
  const state = { loses: "", isAway: false };
  const port: CachePort = {
    region,
    login: async (token) =>
      state.isAway ? { is: "unreachable", why: "no answer" } : login(region, token),
    standing: async () => {
      if (state.isAway) throw new Error("no answer");
      return standingOf(groupIn(local, region));
    },
    change: async (AuthToken, AuthTokenUpdateStrategy) => {
      sent.push(AuthTokenUpdateStrategy);
      const lost = state.loses;
      state.loses = "";
      if (lost === "before") throw new Error("no answer");
      const wanted = { AuthToken, AuthTokenUpdateStrategy, ApplyImmediately: true };
      const ask = asking(local.service);
      const act = () => ask("ModifyReplicationGroup", { ReplicationGroupId, ...wanted }, region);
      if (lost === "late") {
        timeline.after(lateMilliseconds, async () => void (await act()));
        throw new Error("no answer");
      }
      await act();
      if (lost === "after") throw new Error("no answer");
    },
  };
  return { port, sent, state };
};

/** What rotation reaches the caches of some regions with; the first is its own. */
export const cachesOf = (around: Around, regions: readonly Place[], login: Login) => {
  const ways = regions.map((region) => portOf(around, region, login));
  const [own] = ways;
  if (!own) throw new Error("there is no cache");
  const { timeline } = around;
  const clock = clockOn(timeline);
  const marks = new Map<string, { token: string; at: number }>();
  const tools = (version: string): Tools => ({
    random: systemRandom,
    now: timeline.now,
    sleep: (milliseconds) => clock.sleep(milliseconds),
    cache: own.port,
    caches: async () => ways.map(({ port }) => port),
    sessionSeconds: 60,
    markSent: async (region): Promise<Marked> => {
      const mark = marks.get(region);
      if (mark && mark.token !== version) return { refused: { code: "unsettled", reason: "" } };
      const kept = mark ?? { token: version, at: timeline.now() };
      marks.set(region, kept);
      return { isFirst: mark === undefined, sentAtMilliseconds: kept.at };
    },
    logins: [],
    owner: () => Promise.reject(new Error("a cache has no owner")),
    get ciphertexts(): never {
      throw new Error("a cache keeps nothing that is sealed");
    },
    get database(): never {
      throw new Error("a cache is no database");
    },
  });
  return { ways, tools };
};
