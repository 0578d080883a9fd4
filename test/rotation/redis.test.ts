import { expect, it } from "vitest";
import type { CachePort } from "../../functions/rotation/cache.ts";
import { redisAuth } from "../../functions/rotation/kinds/redis-auth.ts";
import type { SecretValue, Tools } from "../../functions/rotation/kinds.ts";
import { elasticache } from "../../local/aws/elasticache.ts";
import { modelledCaches } from "../../local/redis/modelled.ts";
import { systemRandom } from "../../shared/random.ts";
import type { Marked } from "../../shared/rotation.ts";
import { clockOn } from "../clock.ts";
import { around, asking, home } from "../local/asking.ts";

const ReplicationGroupId = "sessions";
const first = "token-of-the-deployment";

interface Given {
  token?: string | undefined;
  /** What AWS does not say of a repeated ROTATE. */
  repeatIsRefused?: boolean;
}

const standingOf = (ask: ReturnType<typeof asking>) => {
  const { ReplicationGroups } = ask("DescribeReplicationGroups", { ReplicationGroupId });
  const [group] = ReplicationGroups as {
    Status: string;
    AuthTokenEnabled: boolean;
    AuthTokenLastModifiedDate?: Date;
    PendingModifiedValues?: { AuthTokenStatus?: string };
  }[];
  if (!group) throw new Error("there is no such group");
  return {
    status: group.Status,
    isTokenNeeded: group.AuthTokenEnabled,
    isTokenChanging: group.PendingModifiedValues?.AuthTokenStatus !== undefined,
    tokenChangedAtMilliseconds: group.AuthTokenLastModifiedDate?.getTime() ?? null,
  };
};

/** The way to it, on which an answer can be lost. */
const portOf = (local: ReturnType<typeof elasticache>) => {
  const ask = asking(local.service);
  const sent: string[] = [];
  let loses = "";
  const port: CachePort = {
    login: async (given) => {
      const { tokens, withoutToken } = local.tokensOf(home, ReplicationGroupId);
      const isIn = given === null ? withoutToken : tokens.includes(given);
      return isIn ? { is: "in" } : { is: "refused", why: "WRONGPASS" };
    },
    standing: async () => standingOf(ask),
    change: async (AuthToken, AuthTokenUpdateStrategy) => {
      sent.push(AuthTokenUpdateStrategy);
      const lost = loses;
      loses = "";
      if (lost === "before") throw new Error("no answer");
      const change = { AuthToken, AuthTokenUpdateStrategy, ApplyImmediately: true };
      await ask("ModifyReplicationGroup", { ReplicationGroupId, ...change });
      if (lost === "after") throw new Error("no answer");
    },
  };
  return { port, sent, lose: (phase: "before" | "after") => void (loses = phase) };
};

/** Rotation's way to a local cache on virtual time, with the calls that were sent. */
const cache = async ({ token, repeatIsRefused = false }: Given = { token: first }) => {
  const { timeline, surroundings } = around();
  const engine = modelledCaches();
  const unknowns = { setEndsSessions: false, repeatIsRefused };
  const local = elasticache(surroundings, engine, { unknowns });
  await timeline.run(
    Promise.resolve(
      local.establish(home, {
        ReplicationGroupId,
        CacheNodeType: "cache.m7g.large",
        NumCacheClusters: 2,
        ...(token === undefined ? {} : { AuthToken: token }),
      }),
    ),
  );
  const { port, sent, lose } = portOf(local);
  let mark: { token: string; at: number } | undefined;
  const clock = clockOn(timeline);
  const tools = (version: string): Tools => ({
    random: systemRandom,
    now: timeline.now,
    sleep: (milliseconds) => clock.sleep(milliseconds),
    cache: port,
    markSent: async (): Promise<Marked> => {
      if (mark && mark.token !== version) return { refused: { code: "unsettled", reason: "" } };
      const isFirst = mark === undefined;
      mark ??= { token: version, at: timeline.now() };
      return { isFirst, sentAtMilliseconds: mark.at };
    },
    logins: [],
    owner: () => Promise.reject(new Error("a cache has no owner")),
    get database(): never {
      throw new Error("a cache is no database");
    },
  });
  const change = {
    current: { token: first } as SecretValue,
    pending: { token: "token-that-is-new" },
  };
  return {
    timeline,
    sent,
    change,
    tokens: () => local.tokensOf(home, ReplicationGroupId),
    lose,
    set: (version = "v1", values = change) =>
      timeline.run(redisAuth.set(values, tools(version)), 3_600_000),
    test: () => timeline.run(redisAuth.test(change, tools("v1"))),
    retire: () => {
      const values = { current: change.pending, previous: change.current };
      return timeline.run(redisAuth.retire(values, tools("v1")), 3_600_000);
    },
  };
};

it("has both tokens taken until the old one is retired, each change asked for once", async () => {
  const at = await cache();
  expect(await at.set()).toHaveProperty("did");
  expect(await at.set()).toHaveProperty("did");
  expect(await at.test()).toHaveProperty("did");
  expect(at.tokens().tokens).toEqual([first, "token-that-is-new"]);
  expect(await at.retire()).toHaveProperty("did");
  expect(await at.retire()).toHaveProperty("did");
  expect(at.tokens()).toMatchObject({ tokens: ["token-that-is-new"], withoutToken: false });
  expect(at.sent).toEqual(["ROTATE", "SET"]);
});

it.each(["before", "after"] as const)(
  "never pushes out the token in use when the answer of ROTATE is lost %s its effect",
  async (phase) => {
    const at = await cache();
    at.lose(phase);
    await expect(at.set()).rejects.toThrow("no answer");
    expect(await at.set()).toHaveProperty("did");
    expect(at.tokens().tokens).toEqual([first, "token-that-is-new"]);
    expect(at.sent).toHaveLength(phase === "before" ? 2 : 1);
  },
);

it("sends no token for another version while one was sent and never settled", async () => {
  const at = await cache();
  await at.set("v1");
  const other = { ...at.change, pending: { token: "token-that-comes-third" } };
  expect(await at.set("v2", other)).toMatchObject({ refused: { code: "unsettled" } });
  expect(at.tokens().tokens).toContain(first);
});

it("closes a cache that asked for no token, at the end and not before", async () => {
  const at = await cache({ token: undefined });
  expect(await at.set()).toHaveProperty("did");
  expect(await at.test()).toHaveProperty("did");
  expect(at.tokens().withoutToken).toBe(true);
  expect(await at.retire()).toHaveProperty("did");
  expect(at.tokens()).toMatchObject({ tokens: ["token-that-is-new"], withoutToken: false });
});
