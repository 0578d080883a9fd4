import { describe, expect, it } from "vitest";
import { redisAuth } from "../../functions/rotation/kinds/redis-auth.ts";
import { elasticache } from "../../local/aws/elasticache.ts";
import { modelledCaches } from "../../local/redis/modelled.ts";
import { around, home, standby } from "../local/asking.ts";
import { cachesOf, change, first, ReplicationGroupId } from "./caches.ts";

interface Given {
  token?: string | undefined;
  regions?: readonly string[];
  /** What AWS does not say of a repeated ROTATE. */
  repeatIsRefused?: boolean;
}

/** Rotation's way to local caches on virtual time, with the calls that were sent. */
const caches = async (given: Given = {}) => {
  const { regions = [home], repeatIsRefused = false } = given;
  const token = "token" in given ? given.token : first;
  const { timeline, surroundings } = around();
  const unknowns = { setEndsSessions: false, repeatIsRefused };
  const local = elasticache(surroundings, modelledCaches(), { unknowns });
  const size = { CacheNodeType: "cache.m7g.large", NumCacheClusters: 2 };
  const AuthToken = token === undefined ? {} : { AuthToken: token };
  for (const region of regions) {
    const group = { ReplicationGroupId, ...size, ...AuthToken };
    await timeline.run(Promise.resolve(local.establish(region, group)));
  }
  const tokens = (region = home) => local.tokensOf(region, ReplicationGroupId);
  const { ways, tools } = cachesOf({ local, timeline }, regions, async (region, shown) => {
    const { tokens: good, withoutToken } = tokens(region);
    const isIn = shown === null ? withoutToken : good.includes(shown);
    return isIn ? { is: "in" } : { is: "refused", why: "WRONGPASS" };
  });
  const [own = ways[0], far] = ways;
  if (!own) throw new Error("there is no cache");
  const patience = 7_200_000;
  return {
    own,
    far,
    tokens,
    set: (version = "v1", values = change) =>
      timeline.run(redisAuth.set(values, tools(version)), patience),
    test: () => timeline.run(redisAuth.test(change, tools("v1")), patience),
    retire: () => {
      const values = { current: change.pending, previous: change.current };
      return timeline.run(redisAuth.retire(values, tools("v1")), patience);
    },
  };
};

it("has both tokens taken until the old one is retired, each change asked for once", async () => {
  const at = await caches();
  expect(await at.set()).toHaveProperty("did");
  expect(await at.set()).toHaveProperty("did");
  expect(await at.test()).toHaveProperty("did");
  expect(at.tokens().tokens).toEqual([first, "token-that-is-new"]);
  expect(await at.retire()).toHaveProperty("did");
  expect(await at.retire()).toHaveProperty("did");
  expect(at.tokens()).toMatchObject({ tokens: ["token-that-is-new"], withoutToken: false });
  expect(at.own.sent).toEqual(["ROTATE", "SET"]);
});

it.each(["before", "after", "late"] as const)(
  "never pushes out the token in use when the answer of ROTATE is lost: %s",
  async (phase) => {
    const at = await caches();
    at.own.state.loses = phase;
    await expect(at.set()).rejects.toThrow("no answer");
    expect(await at.set()).toHaveProperty("did");
    expect(at.tokens().tokens).toEqual([first, "token-that-is-new"]);
    expect(at.own.sent).toHaveLength(phase === "before" ? 2 : 1);
  },
);

it("sends no token for another version while one was sent and never settled", async () => {
  const at = await caches();
  await at.set("v1");
  const other = { ...change, pending: { token: "token-that-comes-third" } };
  expect(await at.set("v2", other)).toMatchObject({ refused: { code: "unsettled" } });
  expect(at.tokens().tokens).toContain(first);
});

it("closes a cache that asked for no token, at the end and not before", async () => {
  const at = await caches({ token: undefined });
  expect(await at.set()).toHaveProperty("did");
  expect(await at.test()).toHaveProperty("did");
  expect(at.tokens().withoutToken).toBe(true);
  expect(await at.retire()).toHaveProperty("did");
  expect(at.tokens()).toMatchObject({ tokens: ["token-that-is-new"], withoutToken: false });
});

describe("the caches of two regions", () => {
  const regions = [home, standby];

  it("take the new token both, keep the old one both, and lose it both", async () => {
    const at = await caches({ regions });
    expect(await at.set()).toHaveProperty("did");
    expect(await at.test()).toHaveProperty("did");
    for (const region of regions) {
      expect(at.tokens(region).tokens).toEqual([first, "token-that-is-new"]);
    }
    expect(await at.retire()).toHaveProperty("did");
    for (const region of regions) expect(at.tokens(region).tokens).toEqual(["token-that-is-new"]);
    expect([at.own.sent, at.far?.sent]).toEqual([
      ["ROTATE", "SET"],
      ["ROTATE", "SET"],
    ]);
  });

  it.each(regions)("are both left as they are while that of %s cannot be reached", async (away) => {
    const at = await caches({ regions });
    for (const way of [at.own, at.far]) if (way?.port.region === away) way.state.isAway = true;
    expect(await at.set()).toMatchObject({
      refused: { code: "cache-unreachable", reason: expect.stringContaining(away) },
    });
    expect([at.own.sent, at.far?.sent]).toEqual([[], []]);
  });

  it("get no second ROTATE where the first came through, when the other one's answer is lost", async () => {
    const at = await caches({ regions });
    at.own.state.loses = "before";
    await expect(at.set()).rejects.toThrow("no answer");
    expect(await at.test()).toMatchObject({ refused: { code: "new-refused" } });
    expect(await at.set()).toHaveProperty("did");
    expect(at.far?.sent).toEqual(["ROTATE"]);
    expect(await at.test()).toHaveProperty("did");
  });
});
