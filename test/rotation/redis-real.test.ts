import { afterEach, describe, expect, it } from "vitest";
import type { CacheAnswer } from "../../functions/rotation/cache.ts";
import { redisAuth } from "../../functions/rotation/kinds/redis-auth.ts";
import { elasticache } from "../../local/aws/elasticache.ts";
import { network, type Place } from "../../local/network.ts";
import { scaledTimeline } from "../../local/time/scaled.ts";
import { seededRandom } from "../../shared/random.ts";
import { account, home, standby } from "../local/asking.ts";
import { connect, type Kind, kinds } from "../local/redis-stage.ts";
import { cachesOf, change, first, groupIn, ReplicationGroupId } from "./caches.ts";

const regions = [home, standby];

/** Processes that have to end whatever a test finds. */
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A process is told of a token in this machine's time, which a change of a minute has to leave it. */
const speedOf = ({ tellsTokens }: Kind): number => (tellsTokens ? 1200 : 200);

/** Caches that answer on sockets, in hurried time. */
const served = async (kind: Kind, token: string | undefined) => {
  const engine = await kind.make();
  const timeline = scaledTimeline(
    { speed: speedOf(kind), origin: Date.UTC(2026, 10, 22), realStart: Date.now() },
    (error) => {
      throw error;
    },
  );
  const around = { timeline, random: seededRandom("caches"), network: network(), account };
  const unknowns = { setEndsSessions: false, repeatIsRefused: false };
  const local = elasticache(around, engine, { unknowns });
  const size = { CacheNodeType: "cache.m7g.large", NumCacheClusters: 2 };
  const AuthToken = token === undefined ? {} : { AuthToken: token };
  for (const region of regions) {
    await local.establish(region, { ReplicationGroupId, ...size, ...AuthToken });
  }
  const open = (region: Place, shown?: string) => {
    const [node] = groupIn(local, region).NodeGroups;
    if (!node) throw new Error("a group without a node");
    const { Address: host, Port: port } = node.PrimaryEndpoint;
    return connect({ host, port }, engine.authority, shown);
  };
  const login = async (region: Place, shown: string | null): Promise<CacheAnswer> => {
    try {
      const client = await open(region, shown ?? undefined);
      const isIn = await client.ping().finally(() => client.destroy());
      return isIn === "PONG" ? { is: "in" } : { is: "refused", why: isIn };
    } catch (error) {
      const why = String((error as Error).message).split(" ")[0] ?? "";
      return /^(WRONGPASS|NOAUTH|ERR)/.test(why)
        ? { is: "refused", why }
        : { is: "unreachable", why };
    }
  };
  const { ways, tools } = cachesOf({ local, timeline }, regions, login);
  closing.push(async () => {
    timeline.close();
    await engine.close();
  });
  return { open, login, sent: () => ways.map(({ sent }) => sent), tools };
};

describe.each(kinds)("a rotation of the token of $name", (kind) => {
  it("fails no command of clients that are connected, nor a login with the current token", async () => {
    const at = await served(kind, first);
    const clients = await Promise.all(regions.map((region) => at.open(region, first)));
    const counts = { commands: 0, logins: 0, failed: [] as string[] };
    let [isOver, current] = [false, first];
    const work = async (client: (typeof clients)[number], region: Place) => {
      while (!isOver) {
        const shown = current;
        const answer = await at.login(region, shown);
        if (answer.is === "in") counts.logins += 1;
        else counts.failed.push(`${shown} in ${region}: ${answer.why}`);
        await client.incr("count").then(
          () => void (counts.commands += 1),
          (error: unknown) => void counts.failed.push(String(error)),
        );
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    };
    const working = clients.map((client, index) => work(client, regions[index] ?? home));
    expect(await redisAuth.set(change, at.tools("v1"))).toHaveProperty("did");
    expect(await redisAuth.set(change, at.tools("v1"))).toHaveProperty("did");
    expect(await redisAuth.test(change, at.tools("v1"))).toHaveProperty("did");
    current = String(change.pending.token);
    // Whoever has just begun with the old one is in before it goes.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const values = { current: change.pending, previous: change.current };
    expect(await redisAuth.retire(values, at.tools("v1"))).toHaveProperty("did");
    isOver = true;
    await Promise.all(working);
    expect(counts.failed).toEqual([]);
    expect(Math.min(counts.logins, counts.commands)).toBeGreaterThan(10);
    for (const region of regions)
      expect(await at.login(region, first)).toHaveProperty("is", "refused");
    expect(at.sent()).toEqual([
      ["ROTATE", "SET"],
      ["ROTATE", "SET"],
    ]);
    for (const client of clients) client.destroy();
  }, 30_000);

  it("begins with caches that asked for none, and ends with caches that do", async () => {
    const at = await served(kind, undefined);
    const client = await at.open(home);
    expect(await redisAuth.set(change, at.tools("v1"))).toHaveProperty("did");
    expect(await client.ping()).toBe("PONG");
    expect(await at.login(home, null)).toHaveProperty("is", "in");
    const values = { current: change.pending, previous: change.current };
    const told = await redisAuth.retire(values, at.tools("v1"));
    expect(told).toHaveProperty("did");
    for (const region of regions) {
      expect(await at.login(region, null)).toHaveProperty("is", "refused");
      expect(await at.login(region, String(change.pending.token))).toHaveProperty("is", "in");
    }
    client.destroy();
  }, 30_000);
});
