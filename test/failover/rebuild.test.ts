import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Rebuilt } from "../../functions/failover/rebuild.ts";
import { quarantineName } from "../../functions/failover/rebuild-parts.ts";
import { engineId } from "../../local/aws/rds.ts";
import type { Call } from "../../local/aws/service.ts";
import { pause } from "../../shared/pause.ts";
import { config, type Hooks, type HookTools } from "../simulation/world.ts";
import { expectRebuilt, quarantined, stage } from "./rebuild-stage.ts";

describe("redundancy after a failover", () => {
  it("is rebuilt: the old primary is put aside, and a replica stands in its place", async () => {
    const at = await stage();
    await at.lostAndBack();
    expect(await at.guard(at.home.region)).toMatchObject({ decision: "fence" });
    await expectRebuilt(at, await at.rebuild());
    const keys = (await at.journal("rebuild-2-1")).map(({ key }) => key);
    expect(keys).toEqual([
      ...[
        "begin",
        "looked",
        "fenced",
        "position",
        "asked",
        "approved",
        "quarantined",
        "created",
        "replicating",
      ],
      ...["parameters", "secrets", "stand-by", "capacity", "records", "backups", "done"],
    ]);
    const told = at.slack.messages().filter(({ text }) => text.includes("Rebuild redundancy"));
    expect(told).toHaveLength(1);
    expect(told[0]?.text).toMatch(/^✓/);
  });

  it("records how far the old primary's log went beyond the promotion, and touches no row", async () => {
    const at = await stage();
    await at.lostAndBack();
    const before = at.engine.history(at.home.engineId);
    await at.rebuild();
    const position = (await at.journal("rebuild-2-1")).find(({ key }) => key === "position");
    expect(position?.text).toMatch(/at most \d+ bytes of it are not in the new primary/);
    expect(position?.data).toMatchObject({
      position: { known: true, value: { recovery: false } },
      promotedAt: { known: true },
    });
    expect(at.engine.history(engineId(at.home.region, quarantined))).toEqual(before);
  });

  it("lets the platform be moved home again without a lost write", async () => {
    const at = await stage();
    await at.lostAndBack();
    const movedAt = at.timeline.now();
    await expectRebuilt(at, await at.rebuild());
    const overrides = ["block-period"];
    const asked = { kind: "switchover" as const, run: "failover-3-1", overrides };
    const back = await at.run<{ outcome: string; epoch: number }>(at.home.region, asked);
    expect(back).toMatchObject({ outcome: "done", epoch: 3 });
    await at.timeline.advance(180_000);
    expect(at.users.acknowledged.at(-1)?.region).toBe(at.home.region);
    expect(await at.lease()).toMatchObject({ epoch: 3, region: at.home.region, state: "held" });
    const kept = at.transfers(at.home.engineId);
    const since = at.users.acknowledged.filter(({ acknowledgedAt }) => acknowledgedAt > movedAt);
    expect(new Set(since.map(({ region }) => region))).toEqual(
      new Set([at.standby.region, at.home.region]),
    );
    expect(since.length).toBeGreaterThan(100);
    expect(since.filter(({ id }) => !kept.has(id))).toEqual([]);
    const { databases } = at.cloud;
    expect(databases.promotions(at.home.databaseId, at.home.region)).toBe(1);
    expect(databases.promotions(quarantined, at.home.region)).toBe(0);
    expect(await at.guard(at.standby.region)).toMatchObject({ decision: "fence" });
    const { minimum, desired, standbyMinimum } = config.sizes.application;
    expect(await at.group(at.home.region)).toEqual({ MinSize: minimum, DesiredCapacity: desired });
    expect(await at.group(at.standby.region)).toEqual({ MinSize: 0, DesiredCapacity: 0 });
    const rebuilt = await at.run<Rebuilt>(at.home.region, { kind: "rebuild", run: "rebuild-3-1" });
    expect(rebuilt).toMatchObject({ outcome: "done" });
    const left = { MinSize: standbyMinimum, DesiredCapacity: standbyMinimum };
    expect(await at.group(at.standby.region)).toEqual(left);
    expect(at.bugs).toEqual([]);
  });

  it("leaves the region that became standby at a standby's minimum, also where it was higher", async () => {
    const at = await stage();
    const group = { AutoScalingGroupName: names.group, MinSize: 2 };
    await at.cloud.ask("auto-scaling", "UpdateAutoScalingGroup", at.standby.region, group);
    const asked = { kind: "rebuild" as const, run: "rebuild-1-1" };
    expect(await at.run<Rebuilt>(at.home.region, asked)).toMatchObject({ outcome: "done" });
    expect(await at.group(at.standby.region)).toEqual({ MinSize: 1, DesiredCapacity: 1 });
  });

  it("keeps what only the old primary has acknowledged, where people find it", async () => {
    const at = await stage();
    await at.lostAndBack({ state: "cut", usersReachIt: true });
    await expectRebuilt(at, await at.rebuild());
    const position = (await at.journal("rebuild-2-1")).find(({ key }) => key === "position");
    expect(position?.data?.aheadBytes).toBeGreaterThan(0);
    const kept = at.transfers(at.standby.engineId);
    const aside = at.transfers(engineId(at.home.region, quarantined));
    const lost = at.users.acknowledged.filter(({ id }) => !kept.has(id));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.filter(({ id }) => !aside.has(id))).toEqual([]);
  });

  it("is rebuilt after a planned switchover, too", async () => {
    const at = await stage();
    await at.lostAndBack("switchover");
    await expectRebuilt(at, await at.rebuild());
  });

  it("keeps its capacity while the new replica does not answer for a while", async () => {
    const at = await stage();
    await at.lostAndBack();
    await at.rebuild();
    await at.engine.kill(at.home.engineId);
    await at.timeline.advance(180_000);
    expect(await at.guard(at.home.region)).toMatchObject({ decision: "stand-by" });
    expect(await at.group(at.home.region)).toEqual({ MinSize: 1, DesiredCapacity: 1 });
  });

  it("is left alone when the whole of it is there already", async () => {
    const changes: string[] = [];
    const at = await stage(() => ({
      observe: {
        before: ({ operation, service }) => {
          if (service === "rds" && !operation.startsWith("Describe")) changes.push(operation);
          return undefined;
        },
      },
    }));
    const asked = { kind: "rebuild" as const, run: "rebuild-1-1" };
    const result = await at.run<Rebuilt>(at.home.region, asked);
    expect(result).toMatchObject({ outcome: "done", quarantine: null });
    expect(changes).toEqual([]);
  });
});

describe("a rebuild that may not be", () => {
  it("changes nothing while the old region does not answer", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.regions.set(at.home.region, "cut");
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: null });
    at.regions.set(at.home.region, "up");
    expect(await at.describeInstance(at.home.region, at.home.databaseId)).not.toHaveProperty(
      "ReadReplicaSourceDBInstanceIdentifier",
    );
  });

  it("changes nothing in a region whose fence is not closed in every layer", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.faults.add({ match: { operation: "DescribeSecurityGroups" }, kind: "error" });
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "aborted", quarantine: null });
    expect(result.notes.join(" ")).toMatch(/did not report all layers.*security-group/);
  });

  it("is refused while Nightshift is paused, and where the lease is not", async () => {
    const at = await stage();
    await at.lostAndBack();
    const by = { by: "U0ANA", reason: "we look first" };
    await at.timeline.run(
      pause(at.table, { ...by, atMilliseconds: Math.floor(at.timeline.now()) }),
    );
    const paused = await at.rebuild();
    expect(paused.outcome).toBe("aborted");
    expect(paused.notes.join(" ")).toContain("paused by U0ANA");
    const asked = { kind: "rebuild" as const, run: "rebuild-2-2" };
    const elsewhere = await at.run<Rebuilt>(at.home.region, asked);
    expect(elsewhere.outcome).toBe("aborted");
    expect(elsewhere.notes.join(" ")).toContain("is held in eu-west-1");
  });

  it("calls a human when no replica can be made, with the old primary safe in quarantine", async () => {
    const at = await stage();
    await at.lostAndBack();
    const heal = at.faults.add({
      match: { operation: "CreateDBInstanceReadReplica" },
      kind: "error",
    });
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "needs-human", quarantine: quarantined });
    expect(at.slack.messages().filter(({ text }) => text.startsWith("▲ <@"))).toHaveLength(1);
    expect(await at.describeInstance(at.home.region, quarantined)).toMatchObject({
      DeletionProtection: true,
    });
    heal();
    await expectRebuilt(at, await at.rebuild("rebuild-2-2"));
  });
});

/** Dies at the first such call of the run, once armed. */
const killedAt = (phase: "before" | "after", wanted: string) => {
  let killed = true;
  const hook =
    ({ requestOf, kill }: HookTools) =>
    (call: Call, _input: unknown, trace?: string) => {
      if (killed || call.operation !== wanted || !trace?.includes("/failover/")) return undefined;
      const request = requestOf(trace);
      if (request === undefined) throw new Error(`nobody runs in ${trace}`);
      killed = true;
      kill(request);
      return "silence" as const;
    };
  const hooks = (tools: HookTools): Hooks => {
    const act = hook(tools);
    return {
      observe:
        phase === "before"
          ? { before: async (call, input, trace) => act(call, input, trace) }
          : { after: async (call, input, _outcome, trace) => act(call, input, trace) },
    };
  };
  return { hooks, arm: () => void (killed = false), wasKilled: () => killed };
};

describe("a rebuild while something else is broken as well", () => {
  it.each(["ModifyDBInstance", "CreateDBInstanceReadReplica", "ReplicateSecretToRegions"])(
    "ends done when the answer to %s is lost",
    async (operation) => {
      const at = await stage();
      await at.lostAndBack();
      at.faults.add({ match: { operation }, kind: "timeout-after", times: 1 });
      await expectRebuilt(at, await at.rebuild());
    },
  );

  it("ends done with every fifth call throttled", async () => {
    const at = await stage();
    await at.lostAndBack();
    const heal = at.faults.add({ kind: "throttle", probability: 0.2 });
    const result = await at.rebuild();
    heal();
    await expectRebuilt(at, result);
  });

  it("ends done while Slack is silent", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.slack.silence(true);
    at.approveWithoutSlack("U0BEN");
    await expectRebuilt(at, await at.rebuild());
  });

  it("ends done when the old region is lost again for a while in the middle of the rename", async () => {
    const at = await stage();
    await at.lostAndBack();
    at.timeline.after(240_000, () => at.regions.set(at.home.region, "dead"));
    at.timeline.after(540_000, () => at.regions.set(at.home.region, "up"));
    await expectRebuilt(at, await at.rebuild());
  });

  it("stops with a human when somebody throws the brake in the middle", async () => {
    const at = await stage();
    await at.lostAndBack();
    const by = { by: "U0ANA", reason: "enough" };
    at.timeline.after(
      300_000,
      async () =>
        void (await pause(at.table, { ...by, atMilliseconds: Math.floor(at.timeline.now()) })),
    );
    const result = await at.rebuild();
    expect(result).toMatchObject({ outcome: "needs-human", quarantine: quarantined });
    expect(result.notes.join(" ")).toContain("paused by U0ANA");
  });
});

describe("a rebuild whose process is killed", () => {
  it.each([
    "AddTagsToResource",
    "ModifyDBInstance",
    "CreateDBInstanceReadReplica",
    "RebootDBInstance",
    "ReplicateSecretToRegions",
    "StartDBInstanceAutomatedBackupsReplication",
    "UpdateAutoScalingGroup",
  ])("ends done when it dies just after %s", async (operation) => {
    const { hooks, arm, wasKilled } = killedAt("after", operation);
    const at = await stage(hooks);
    await at.lostAndBack();
    arm();
    await expectRebuilt(at, await at.rebuild());
    expect(wasKilled()).toBe(true);
  });

  it.each(["ModifyDBInstance", "CreateDBInstanceReadReplica"])(
    "ends done when it dies just before %s",
    async (operation) => {
      const { hooks, arm, wasKilled } = killedAt("before", operation);
      const at = await stage(hooks);
      await at.lostAndBack();
      arm();
      await expectRebuilt(at, await at.rebuild());
      expect(wasKilled()).toBe(true);
    },
  );

  it("ends done when it is killed before and after each of its checkpoints", async () => {
    let begun = false;
    const killed = new Set<string>();
    const at = await stage(() => ({
      lambda: {
        onCheckpoint: ({ phase, number }) => {
          const key = `${phase} ${number}`;
          if (!begun || killed.has(key)) return undefined;
          killed.add(key);
          return "kill";
        },
      },
    }));
    await at.lostAndBack();
    begun = true;
    await expectRebuilt(at, await at.rebuild());
    expect(killed.size).toBeGreaterThan(60);
  });
});

describe("the name of an old primary in quarantine", () => {
  it("is an identifier that RDS takes, however long the old one was", () => {
    expect(quarantineName("platform-eu-central-1", 2)).toBe(quarantined);
    const long = quarantineName(`a${"-b".repeat(31)}`, 12);
    expect(long).toMatch(/^(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    expect(long.endsWith("-quarantine-12")).toBe(true);
  });
});
