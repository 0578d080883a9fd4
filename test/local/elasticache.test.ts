import { afterEach, describe, expect, it } from "vitest";
import { cacheId, elasticache } from "../../local/aws/elasticache.ts";
import type { Unknowns } from "../../local/aws/elasticache-token.ts";
import type { Call } from "../../local/aws/service.ts";
import { network } from "../../local/network.ts";
import { modelledCaches } from "../../local/redis/modelled.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import { seededRandom } from "../../shared/random.ts";
import { connect, kinds } from "./redis-stage.ts";

const region = "eu-west-1";
const minute = 60_000;
const [first, second, third] = ["1", "2", "3"].map((digit) => `token-${digit.repeat(12)}`) as [
  string,
  string,
  string,
];

interface Group {
  Status: string;
  PendingModifiedValues: { AuthTokenStatus?: string };
  AuthTokenLastModifiedDate?: Date;
  AuthTokenEnabled: boolean;
  NodeGroups: { PrimaryEndpoint: { Address: string; Port: number } }[];
  MemberClusters: string[];
}
type Answer = {
  ReplicationGroup: Group;
  ReplicationGroups: Group[];
  CacheClusters: Record<string, unknown>[];
  Parameters: object[];
  Marker?: string;
};

const unknown: Unknowns = { setEndsSessions: false, repeatIsRefused: true };

const platform = async (token: string | undefined, unknowns: Unknowns = unknown) => {
  const timeline = virtualTimeline(Date.parse("2026-03-01T02:00:00Z"));
  const net = network();
  const engine = modelledCaches();
  const surroundings = { timeline, random: seededRandom(1), network: net, account: "1" };
  const service = elasticache(surroundings, engine, { unknowns });
  const given = { ReplicationGroupId: "cache", CacheNodeType: "cache.m7g.large" };
  await service.establish(region, {
    ...{ ...given, NumCacheClusters: 3 },
    ...(token === undefined ? {} : { AuthToken: token }),
  });
  const call = (operation: string, input: object): Answer => {
    const from: Call = { service: "elasticache", operation, region, from: region, account: "1" };
    return service.service.operations[operation]?.(input as never, from) as Answer;
  };
  const change = (AuthTokenUpdateStrategy: string, AuthToken: string, more: object = {}) =>
    call("ModifyReplicationGroup", {
      ...{ ReplicationGroupId: "cache", ApplyImmediately: true, AuthToken },
      ...{ AuthTokenUpdateStrategy, ...more },
    });
  const settle = () => timeline.advance(6 * minute);
  const shown = () => call("DescribeReplicationGroups", {}).ReplicationGroups[0];
  const login = (with_?: string) => engine.login(cacheId(region, "cache"), with_);
  const logins = (...tokens: (string | undefined)[]) => tokens.map(login);
  return { timeline, net, service, call, change, settle, shown, logins };
};

describe("the token of a replication group", () => {
  it("is taken beside the one before after ROTATE, and alone after SET", async () => {
    const { change, settle, shown, logins } = await platform(first);
    expect(change("ROTATE", second).ReplicationGroup).toMatchObject({
      Status: "modifying",
      PendingModifiedValues: { AuthTokenStatus: "ROTATING" },
    });
    await settle();
    expect(shown()).toMatchObject({ Status: "available", PendingModifiedValues: {} });
    expect(shown()?.AuthTokenLastModifiedDate).toBeInstanceOf(Date);
    expect(logins(first, second, third, undefined)).toEqual(["in", "in", "refused", "refused"]);
    expect(change("SET", second).ReplicationGroup.PendingModifiedValues.AuthTokenStatus).toBe(
      "SETTING",
    );
    await settle();
    expect(logins(first, second)).toEqual(["refused", "in"]);
  });

  it("evicts the oldest at a ROTATE with two present", async () => {
    const { change, settle, logins } = await platform(first);
    for (const token of [second, third]) {
      change("ROTATE", token);
      await settle();
    }
    expect(logins(first, second, third)).toEqual(["refused", "in", "in"]);
  });

  it("keeps access without one at the first ROTATE of a group that had none, until SET", async () => {
    const { change, settle, shown, logins } = await platform(undefined);
    expect(shown()?.AuthTokenEnabled).toBe(false);
    change("ROTATE", first);
    await settle();
    expect(logins(undefined, first)).toEqual(["in", "in"]);
    change("SET", first);
    await settle();
    expect(logins(undefined, first)).toEqual(["refused", "in"]);
  });

  it("is refused by SET without a ROTATE before, or when it is another", async () => {
    const { change, settle } = await platform(first);
    expect(() => change("SET", second)).toThrow(/only after ROTATE/);
    change("ROTATE", second);
    await settle();
    expect(() => change("SET", first)).toThrow(/rotated to last/);
  });

  it("either refuses the same ROTATE twice or counts it as another, and AWS does not say which", async () => {
    const refusing = await platform(first);
    refusing.change("ROTATE", second);
    await refusing.settle();
    expect(() => refusing.change("ROTATE", second)).toThrow(/same/);
    const counting = await platform(first, { ...unknown, repeatIsRefused: false });
    counting.change("ROTATE", second);
    await counting.settle();
    counting.change("ROTATE", second);
    await counting.settle();
    expect(counting.logins(first, second)).toEqual(["refused", "in"]);
  });

  it("stays as it is while the change waits for the maintenance window", async () => {
    const { change, settle, shown, logins } = await platform(first);
    change("ROTATE", second, { ApplyImmediately: undefined });
    await settle();
    expect(shown()).toMatchObject({
      Status: "available",
      PendingModifiedValues: { AuthTokenStatus: "ROTATING" },
    });
    expect(logins(first, second)).toEqual(["in", "refused"]);
  });

  it.each([
    ["too short", "fifteen-letters"],
    ["too long", "x".repeat(129)],
    ["a slash in it", "sixteen/letters-1"],
    ["an at in it", "sixteen@letters-1"],
    ["a blank in it", "sixteen letters-1"],
    ["a letter beyond ASCII", "sixteenlätters-12"],
  ])("is refused with %s", async (_why, token) => {
    const { change, shown } = await platform(first);
    expect(() => change("ROTATE", token)).toThrow(/Invalid AuthToken/);
    expect(shown()?.Status).toBe("available");
  });

  it("takes no second change while one lasts, and no change without a token", async () => {
    const { change, call } = await platform(first);
    change("ROTATE", second);
    expect(() => change("ROTATE", third)).toThrow(/available state/);
    const other = await platform(first);
    const input = { ReplicationGroupId: "cache", AuthTokenUpdateStrategy: "ROTATE" };
    expect(() => other.call("ModifyReplicationGroup", input)).toThrow(/needs an AuthToken/);
    expect(() => call("DescribeReplicationGroups", { ReplicationGroupId: "none" })).toThrow(
      expect.objectContaining({ name: "ReplicationGroupNotFoundFault" }),
    );
  });

  it("does not change while its region is lost, and does when it is back", async () => {
    const { change, settle, net, service, shown, logins } = await platform(first);
    change("ROTATE", second);
    net.set(region, "dead");
    await service.onRegionChange(region, "dead");
    await settle();
    expect(logins(first)).toEqual(["away"]);
    net.set(region, "up");
    await service.onRegionChange(region, "up");
    await settle();
    expect(logins(first, second)).toEqual(["in", "in"]);
    expect(shown()?.Status).toBe("available");
  });
});

describe("what is told of a replication group", () => {
  it("is its nodes, and the policy of their parameters", async () => {
    const { call } = await platform(first);
    const { CacheClusters } = call("DescribeCacheClusters", {});
    expect(CacheClusters.map(({ CacheClusterId }) => CacheClusterId)).toEqual([
      "cache-001",
      "cache-002",
      "cache-003",
    ]);
    expect(CacheClusters[0]).toMatchObject({
      CacheNodeType: "cache.m7g.large",
      CacheParameterGroup: { CacheParameterGroupName: "default.valkey8" },
    });
    const named = { CacheParameterGroupName: "default.valkey8" };
    expect(call("DescribeCacheParameters", named).Parameters).toContainEqual(
      expect.objectContaining({
        ParameterName: "maxmemory-policy",
        ParameterValue: "volatile-lru",
      }),
    );
    expect(() => call("DescribeCacheClusters", { CacheClusterId: "none" })).toThrow(/not found/);
  });

  it("is a metric for each node, and logins that were refused only once", async () => {
    const { service, logins } = await platform(first);
    logins(second, second);
    service.strain(region, "cache", { memoryPercent: 91, evictionsPerMinute: 40 });
    const value = async (name: string) =>
      (await service.vitals(region)).flatMap(({ MetricName, Value }) =>
        MetricName === name ? [Value] : [],
      );
    expect(await value("AuthenticationFailures")).toEqual([2, 0, 0]);
    expect(await value("AuthenticationFailures")).toEqual([0, 0, 0]);
    expect(await value("DatabaseMemoryUsagePercentage")).toEqual([91, 91, 91]);
    expect(await value("Evictions")).toEqual([40, 0, 0]);
  });
});

describe.each(kinds)("ElastiCache above $name", ({ make }) => {
  const closing: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it("rotates and sets under a client that stays, and the old token opens nothing any more", async () => {
    const engine = await make();
    closing.push(engine.close);
    const timeline = virtualTimeline(Date.parse("2026-03-01T02:00:00Z"));
    const surroundings = { timeline, random: seededRandom(1), network: network(), account: "1" };
    const service = elasticache(surroundings, engine, { unknowns: unknown });
    await service.establish(region, { ReplicationGroupId: "cache", AuthToken: first });
    const from = { service: "elasticache", operation: "", region, from: region, account: "1" };
    const call = (operation: string, input: object) =>
      service.service.operations[operation]?.(input as never, from) as Answer;
    const shown = () => call("DescribeReplicationGroups", {}).ReplicationGroups[0];
    const endpoint = shown()?.NodeGroups[0]?.PrimaryEndpoint;
    const address = { host: endpoint?.Address ?? "", port: endpoint?.Port ?? 0 };
    const enter = async (token: string) => {
      const client = await connect(address, engine.authority, token);
      closing.push(() => client.destroy());
      return client.ping();
    };
    const user = await connect(address, engine.authority, first);
    closing.push(() => user.destroy());
    const change = async (AuthTokenUpdateStrategy: string) => {
      const input = { AuthToken: second, AuthTokenUpdateStrategy, ApplyImmediately: true };
      call("ModifyReplicationGroup", { ReplicationGroupId: "cache", ...input });
      // The server answers in the machine's time, which virtual time does not wait for.
      await expect
        .poll(() => timeline.advance(minute).then(() => shown()?.Status))
        .toBe("available");
    };
    await change("ROTATE");
    expect([await enter(first), await enter(second)]).toEqual(["PONG", "PONG"]);
    await change("SET");
    expect([await user.ping(), await enter(second)]).toEqual(["PONG", "PONG"]);
    await expect(enter(first)).rejects.toThrow("WRONGPASS");
  });
});
