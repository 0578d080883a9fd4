import type { CacheLoadSeen, CacheNodeSeen, CacheSeen } from "../../evidence-edge.ts";
import type { Evidence, Finding, Playbook, Verdict } from "../../playbooks.ts";

type Need = "cache" | "cacheLoad";

type Code =
  | "recovered"
  | "changing"
  | "writes-refused-soon"
  | "connections-grew"
  | "evicting"
  | "filling";

/** As `stacks/alarms/data.ts` has it. */
const fullPercent = 80;
/** So many more than before, and twice as many: their buffers are memory as well. */
const manyMoreConnections = 100;

const finding = (is: Code | "unknown", says: string, advice: string[] = []): Finding<Code> => ({
  is,
  says,
  advice,
});

/** Of ElastiCache's own moves, none is for a machine at night. */
const byPeople = [
  "A larger node type is a decision: ModifyReplicationGroup with CacheNodeType, in a quiet hour.",
  "More replicas add no memory for data. TestFailover is a test and repairs nothing.",
];

const diagnose = ({ cache, cacheLoad }: Evidence<Need>): Finding<Code> => {
  if (!cache.known || !cacheLoad.known) {
    const blind = [cache, cacheLoad].flatMap((fact) =>
      fact.known ? [] : [`${fact.source}: ${fact.why}`],
    );
    return finding("unknown", `Not everything could be seen (${blind.join("; ")}).`, byPeople);
  }
  const seen = cache.value;
  const worst = fullest(cacheLoad.value);
  if (worst === null) {
    return finding("unknown", `Nobody measures the memory of ${seen.id}.`, byPeople);
  }
  const evictions = cacheLoad.value.nodes.reduce((sum, node) => sum + node.evictions, 0);
  const says = saying(seen, cacheLoad.value, worst, evictions);
  if (worst.memoryPercent < fullPercent && evictions === 0) return finding("recovered", `${says}.`);
  if (seen.status !== "available") {
    return finding("changing", `${says}; it is ${seen.status}.`, [
      "Somebody or ElastiCache changes it at this moment: wait for it to be available.",
    ]);
  }
  const grown = connectionsGrown(cacheLoad.value);
  if (grown) {
    return finding("connections-grew", `${says}; ${grown}.`, [
      "Connections and their buffers are memory too: what was deployed, and who does not close?",
      ...byPeople,
    ]);
  }
  if (seen.policy === "noeviction") {
    return finding("writes-refused-soon", `${says}; nothing is ever evicted here.`, [
      "When it is full it refuses every write. Entries need an expiry, or the policy is another.",
      ...byPeople,
    ]);
  }
  const without = seen.policy?.startsWith("volatile-")
    ? ["Only entries with an expiry are evicted: look for keys without one (redis-cli --bigkeys)."]
    : [];
  if (evictions > 0) {
    return finding("evicting", `${says}.`, [
      "What is evicted is read from the database again: sessions end, and its load grows.",
      ...without,
      ...byPeople,
    ]);
  }
  return finding("filling", `${says}.`, [
    "Look what fills it: a key without expiry, a queue that nobody reads, the last deploy.",
    ...without,
    ...byPeople,
  ]);
};

type Measured = CacheNodeSeen & { memoryPercent: number };

const fullest = ({ nodes }: CacheLoadSeen): Measured | null => {
  const measured = nodes.flatMap((node): Measured[] =>
    node.memoryPercent === null ? [] : [{ ...node, memoryPercent: node.memoryPercent }],
  );
  return measured.toSorted((a, b) => b.memoryPercent - a.memoryPercent)[0] ?? null;
};

const saying = (
  { nodeType, policy }: CacheSeen,
  { minutes, minutesBefore }: CacheLoadSeen,
  { id, memoryPercent, memoryPercentBefore, connections }: Measured,
  evictions: number,
): string => {
  const before =
    memoryPercentBefore === null
      ? ""
      : ` (${memoryPercentBefore.toFixed(0)} % in the ${minutesBefore / 60} h before)`;
  const kind = `${nodeType}, ${policy ?? "policy unknown"}`;
  return (
    `${memoryPercent.toFixed(0)} % of the memory of ${id} is in use${before}, ` +
    `${evictions} evictions in ${minutes} minutes, ${connections ?? "?"} connections (${kind})`
  );
};

const connectionsGrown = ({ nodes }: CacheLoadSeen): string | null => {
  for (const { id, connections, connectionsBefore } of nodes) {
    if (connections === null || connectionsBefore === null) continue;
    const more = connections - connectionsBefore;
    if (more >= manyMoreConnections && connections >= 2 * connectionsBefore) {
      return `${id} has ${connections} connections, ${connectionsBefore} at most before`;
    }
  }
  return null;
};

const judge = (_before: Evidence<Need>, now: Evidence<Need>): Verdict => {
  const { is, says } = diagnose(now);
  return { is: is === "recovered" ? "healed" : is === "unknown" ? "unknown" : "same", says };
};

/**
 * A cache that is nearly full, or throws entries away. Advice only: nothing that a machine could do makes
 * room without taking something from somebody. Source: "Which Metrics Should I Monitor?" of ElastiCache.
 */
export const cacheMemory: Playbook<Need, Code> = {
  name: "cache-memory",
  rank: 90,
  alarms: ["cache-memory", "cache-evictions"],
  evidence: ["cache", "cacheLoad"],
  diagnose,
  decide: {},
  next: {
    recovered: "passes",
    changing: "again",
    "writes-refused-soon": "people",
    "connections-grew": "people",
    evicting: "people",
    filling: "again",
    unknown: "again",
  },
  proof: {
    what: "less than 80 % of the memory is in use, and nothing is evicted",
    judge,
    withinSeconds: 900,
    holdSeconds: 300,
    everySeconds: 60,
  },
  budget: { perHour: 1, cooldownSeconds: 3600 },
  right: "shadow",
  approvals: 1,
};
