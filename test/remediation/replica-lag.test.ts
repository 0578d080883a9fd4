import { describe, expect, it } from "vitest";
import type { LossStatement } from "../../functions/failover/decide.ts";
import type {
  ActivitySeen,
  DatabaseLoadSeen,
  SourceSeen,
  StandbySeen,
} from "../../functions/remediation/evidence-database.ts";
import { replicaLag } from "../../functions/remediation/playbooks/replica-lag/playbook.ts";
import { playbook } from "../../functions/remediation/playbooks.ts";
import type { Result } from "../../functions/remediation/remediation.ts";
import { outcomeOf, type Seen, verdictOf } from "./facts.ts";
import { stage } from "./stage.ts";

const one = playbook(replicaLag);
const none = { now: null, before: null };
const gigabyte = 1024 ** 3;

const loss = (verdict: LossStatement["verdict"], lagSeconds: number | null): LossStatement => ({
  verdict,
  lagSeconds,
  replayedUntilMilliseconds: 0,
  boundSeconds: 300,
  lsn: "0/1",
  text: `It was ${lagSeconds} s behind.`,
});

const standby = (more: Partial<StandbySeen> = {}): Seen => ({
  standby: {
    id: "platform",
    status: "available",
    isReplica: true,
    replication: { status: "replicating", message: "" },
    loss: loss("over", 240),
    limitSeconds: 60,
    sourceGuardSeconds: 9,
    ...more,
  },
});

const load = (more: Partial<DatabaseLoadSeen> = {}): Seen => ({
  databaseLoad: {
    minutes: 5,
    cpuPercent: { now: 12, before: 10 },
    freeMemoryBytes: none,
    swapBytes: none,
    connections: none,
    readsPerSecond: none,
    writesPerSecond: none,
    queueDepth: { now: 0.4, before: 0.3 },
    replicaLagSeconds: { now: 250, before: 1 },
    ...more,
  },
});

const source = (more: Partial<SourceSeen> = {}): Seen => ({
  source: {
    region: "eu-central-1",
    id: "platform",
    cpuPercent: none,
    slotLagBytes: { now: 0.2 * gigabyte, before: 0 },
    logBytes: { now: 0.4 * gigabyte, before: 0 },
    writesPerSecond: { now: 900, before: 300 },
    ...more,
  },
});

const reading = (transactionSeconds: number) =>
  ({
    pid: 7,
    application: "report",
    user: "app_a",
    transactionSeconds,
  }) as unknown as NonNullable<
    Extract<ActivitySeen["transactions"], { known: true }>
  >["value"]["rows"][0];

const inside = (more: Partial<ActivitySeen> = {}): Seen => ({
  activity: {
    transactions: { known: true, value: { rows: [], more: false } },
    slots: { known: true, value: { rows: [], more: false } },
    ...more,
  },
});

const slot = (name: string, active: boolean, gigabytes: number): Seen =>
  inside({
    slots: {
      known: true,
      value: {
        rows: [
          {
            name,
            type: "physical",
            active,
            status: "extended",
            retainedBytes: gigabytes * gigabyte,
            safeBytes: null,
          },
        ],
        more: false,
      },
    },
  });

const lagging: Seen = { ...standby(), ...load(), ...inside(), ...source() };

describe("the playbook replica-lag", () => {
  const then: Record<string, string> = {
    recovered: "passed",
    "idle-source": "passed",
    "not-a-replica": "passed",
    "slot-keeps-log": "people",
    "replication-stopped": "people",
    "log-piles-up": "people",
  };

  it.each<[what: string, different: Seen, is: string, kind?: string]>([
    ["replay is behind for no reason that is seen", {}, "behind"],
    ["the source writes nothing", standby({ loss: loss("within", 8) }), "idle-source"],
    [
      "it has caught up",
      { ...standby({ loss: loss("within", 8) }), ...load({ replicaLagSeconds: none }) },
      "recovered",
    ],
    ["the replica cannot be seen", { standby: undefined }, "unknown"],
    ["it stands on its own", standby({ isReplica: false }), "not-a-replica"],
    ["it is rebooting", standby({ status: "rebooting" }), "replica-not-available"],
    [
      "replication has stopped",
      standby({ replication: { status: "error", message: "could not connect" } }),
      "replication-stopped",
    ],
    ["the other region's guard is silent", standby({ sourceGuardSeconds: 900 }), "source-silent"],
    ["the heartbeats cannot be compared", standby({ loss: loss("unknown", null) }), "behind"],
    ["the replica is busy", load({ cpuPercent: { now: 95, before: 20 } }), "replica-busy"],
    ["its volume is slow", load({ queueDepth: { now: 60, before: 2 } }), "replica-busy"],
    [
      "a report reads on it",
      inside({ transactions: { known: true, value: { rows: [reading(400)], more: false } } }),
      "held-up-by-a-query",
    ],
    [
      "log piles up at the source",
      source({ slotLagBytes: { now: 12 * gigabyte, before: 0 } }),
      "log-piles-up",
    ],
    ["the source's numbers cannot be read", { source: undefined }, "behind"],
    [
      "neither the inside nor the numbers can be seen",
      { activity: undefined, databaseLoad: undefined },
      "behind",
    ],
    [
      "log is kept for the replica",
      slot("rds_eu_west_1_db_1", true, 12),
      "slot-keeps-log",
      "replica-slot-lag",
    ],
    ["no log is kept", {}, "recovered", "replica-slot-lag"],
    ["the slots cannot be seen", { activity: undefined }, "unknown", "replica-slot-lag"],
  ])("when %s", (_what, different, is, kind = "replica-lag") => {
    expect(outcomeOf(one, { ...lagging, ...different }, { kind })).toEqual([
      is,
      then[is] ?? "nothing",
    ]);
  });

  it("says what it means for a failover now", () => {
    const says = (more: Partial<StandbySeen>) =>
      verdictOf(one, { ...lagging, ...standby(more) }, { kind: "replica-lag" }).finding.says;
    expect(says({})).toMatch(/It was 240 s behind\..*asked for a yes to that/);
    expect(says({ loss: loss("unknown", null) })).toContain("accepts an unknown loss by its name");
    expect(says({ loss: loss("within", 8) })).toContain("within the limit of 60 s");
  });

  it("names a slot that nobody reads, and that the replica's own is nobody's to drop", () => {
    const advice = (seen: Seen) =>
      verdictOf(one, { ...lagging, ...seen }, { kind: "replica-slot-lag" }).finding.advice.join(
        " ",
      );
    expect(advice(slot("report_feed", false, 40))).toContain("find its owner");
    expect(advice(slot("rds_eu_west_1_db_1", false, 40))).not.toContain("find its owner");
    expect(advice(slot("rds_eu_west_1_db_1", false, 40))).toContain("nobody else may");
  });

  it("never holds anybody back: users feel nothing of a replica", () => {
    expect(replicaLag.decide).toEqual({});
  });
});

describe("a replica that is cut off from its source", () => {
  it("is looked at in its own region, told with what a failover would lose, and left alone", async () => {
    const at = await stage({ rights: { "replica-lag": "automatic" } });
    const { region: standby } = at.platform.standby;
    at.regions.set(at.region, "cut", { usersReachIt: true });
    const done = () => at.cloud.functions.executions(standby, "remediation");
    await at.until("somebody has looked", () =>
      done().some(({ status }) => status === "SUCCEEDED"),
    );
    const result = JSON.parse(done()[0]?.result ?? "{}") as Result;
    expect(result).toMatchObject({ playbook: "replica-lag", end: "needs-human", acts: 0 });
    expect(result.notes[0]).toMatch(/replication-stopped|source-silent/);
    expect(at.bugs).toEqual([]);
  });
});
