import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { isIrreversible } from "../../functions/remediation/actions.ts";
import { decide } from "../../functions/remediation/decide.ts";
import type { Look } from "../../functions/remediation/evidence.ts";
import type { CacheNodeSeen, CacheSeen } from "../../functions/remediation/evidence-edge.ts";
import { cacheMemory } from "../../functions/remediation/playbooks/cache-memory/playbook.ts";
import type { Evidence } from "../../functions/remediation/playbooks.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import { stage } from "./stage.ts";

const cache: CacheSeen = {
  id: "platform-cache",
  status: "available",
  nodeType: "cache.m7g.large",
  nodes: ["platform-cache-001"],
  policy: "volatile-lru",
};
const node: CacheNodeSeen = {
  id: "platform-cache-001",
  memoryPercent: 91,
  memoryPercentBefore: 55,
  evictions: 0,
  enginePercent: 12,
  connections: 40,
  connectionsBefore: 36,
};

interface Different {
  cache?: Partial<CacheSeen> | null;
  node?: Partial<CacheNodeSeen> | null;
}

const verdict = (different: Different) => {
  const fact = (source: string, value: unknown) =>
    value === null
      ? { known: false, why: "silence", source, atMilliseconds: 0 }
      : { known: true, value, source, atMilliseconds: 0 };
  const nodes = [{ ...node, ...different.node }];
  const load = different.node === null ? null : { minutes: 10, minutesBefore: 180, nodes };
  const evidence = {
    cache: fact("ElastiCache", different.cache === null ? null : { ...cache, ...different.cache }),
    cacheLoad: fact("CloudWatch", load),
  } as unknown as Evidence<Look>;
  const subject = {
    ...{ region: "eu-central-1", alarm: "nightshift-cache-memory-1", kind: "cache-memory" },
    ...{ resource: "1", sinceMilliseconds: 0, reason: "" },
  };
  const record = {
    known: true as const,
    value: { demotedBy: null },
    source: "",
    atMilliseconds: 0,
  };
  return decide(playbook(cacheMemory), evidence, subject, {
    ...{ given: "automatic", record, isIrreversible },
  });
};

describe("the playbook cache-memory", () => {
  it.each<[what: string, different: Different, is: string]>([
    ["91 % is in use", {}, "filling"],
    ["there is room again", { node: { memoryPercent: 62 } }, "recovered"],
    ["entries are evicted", { node: { evictions: 40 } }, "evicting"],
    [
      "entries are evicted, and it is not full",
      { node: { memoryPercent: 60, evictions: 3 } },
      "evicting",
    ],
    ["nothing is ever evicted", { cache: { policy: "noeviction" } }, "writes-refused-soon"],
    ["its policy is not known", { cache: { policy: null } }, "filling"],
    ["connections have grown fivefold", { node: { connections: 200 } }, "connections-grew"],
    ["a few connections have come", { node: { connections: 80 } }, "filling"],
    ["somebody changes it", { cache: { status: "modifying" } }, "changing"],
    ["it cannot be seen", { cache: null }, "unknown"],
    ["its metrics cannot be seen", { node: null }, "unknown"],
    ["nobody measures it", { node: { memoryPercent: null } }, "unknown"],
  ])("only says what it finds when %s", (_what, different, is) => {
    expect(verdict(different)).toMatchObject({ finding: { is }, mode: "nothing" });
  });

  it("never advises a test of failover, and leaves the node type to people", () => {
    const { advice } = verdict({ node: { evictions: 40 } }).finding;
    expect(advice.join(" ")).toMatch(/TestFailover is a test and repairs nothing/);
    expect(advice.join(" ")).toMatch(/node type is a decision/);
    expect(cacheMemory.decide).toEqual({});
  });
});

/** The platform with a cache in its home region, filled up by a drill. */
const strained = async (options: Parameters<typeof stage>[0] = {}) => {
  const at = await stage({ rights: { "cache-memory": "automatic" }, ...options });
  await at.cloud.caches.establish(at.region, {
    ReplicationGroupId: names.cache,
    CacheNodeType: "cache.m7g.large",
    NumCacheClusters: 3,
  });
  at.cloud.caches.strain(at.region, names.cache, { memoryPercent: 93, evictionsPerMinute: 12 });
  return at;
};

describe("a cache that is full", () => {
  it("is told of with figures and advice, and nothing of it is changed", async () => {
    const at = await strained();
    const result = await at.ended();
    expect(result).toMatchObject({
      ...{ playbook: "cache-memory", end: "needs-human", code: "not-actionable", acts: 0 },
    });
    const notes = result.notes.join(" ");
    expect(notes).toMatch(/93 % of the memory of platform-cache-00\d is in use/);
    expect(notes).toContain("cache.m7g.large, volatile-lru");
    expect(notes).toContain("TestFailover is a test");
    expect(at.bugs).toEqual([]);
  });

  it("is not understood while ElastiCache does not answer, and told so", async () => {
    const at = await strained();
    at.faults.add({ match: { service: "elasticache" }, kind: "timeout-before", times: 12 });
    expect(await at.ended()).toMatchObject({ end: "nothing", code: "unknown", acts: 0 });
    expect(at.bugs).toEqual([]);
  });
});
