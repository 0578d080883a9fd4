import { describe, expect, it } from "vitest";
import { isIrreversible } from "../../functions/remediation/actions.ts";
import { decide, rightOf } from "../../functions/remediation/decide.ts";
import type { Look, Looks } from "../../functions/remediation/evidence.ts";
import { databaseStorage } from "../../functions/remediation/playbooks/database-storage/playbook.ts";
import { latency } from "../../functions/remediation/playbooks/latency/playbook.ts";
import { unhealthyHost } from "../../functions/remediation/playbooks/unhealthy-host/playbook.ts";
import type { Evidence, Playbook, Right, Subject } from "../../functions/remediation/playbooks.ts";
import { playbook, playbooks } from "../../functions/remediation/playbooks.ts";
import operatorsConfig from "../../nightshift.config.ts";
import type { Fact } from "../../shared/outcome.ts";

const now = Date.UTC(2026, 10, 22, 3, 0, 0);
const minute = 60_000;
const gigabyte = 1024 ** 3;

const subject: Subject = {
  region: "eu-central-1",
  alarm: "nightshift-story",
  kind: "story",
  resource: null,
  sinceMilliseconds: now - minute,
  reason: "story",
};

const target = (id: string, state: string, reason = "") => ({ id, state, reason });
const sick = (id: string) => target(id, "unhealthy", "Target.Timeout");
const instance = (id: string, lifecycle = "InService") => ({
  id,
  zone: "a",
  lifecycle,
  healthy: true,
});

function level(now: number | null, before = now) {
  return { now, before };
}

const looks: Partial<Looks> = {
  targets: [sick("i-1"), target("i-2", "healthy"), target("i-3", "healthy")],
  group: {
    name: "platform",
    minimum: 2,
    desired: 3,
    maximum: 8,
    healthCheckType: "EC2",
    graceSeconds: 300,
    suspended: [],
    instances: [instance("i-1"), instance("i-2"), instance("i-3")],
  },
  deploy: null,
  service: { minutes: 4, requests: 240, errors: 0 },
  load: { slowestSeconds: 1.6, perMinute: 150, perMinuteBefore: 100 },
  database: {
    id: "platform",
    status: "available",
    isReplica: false,
    allocatedGigabytes: 100,
    maximumGigabytes: null,
    limitGigabytes: 500,
    instanceClass: "db.r7g.large",
    storageType: "gp3",
    multiAz: true,
    zone: "eu-central-1a",
    pending: [],
  },
  databaseLoad: {
    ...{ minutes: 5, cpuPercent: level(30), freeMemoryBytes: level(8e9), swapBytes: level(0) },
    ...{ connections: level(40), readsPerSecond: level(100), writesPerSecond: level(100) },
    ...{ queueDepth: level(1), replicaLagSeconds: level(null) },
  },
  storage: { points: [{ atMilliseconds: now, freeBytes: 9 * gigabyte }] },
  databaseEvents: [],
  statements: {},
  lease: { isHere: true, region: "eu-central-1", state: "held", holder: "deploy" },
};

/** What is seen; `undefined` for what cannot be seen. */
const seeing = (different: Partial<Record<Look, unknown>> = {}): Evidence<Look> =>
  Object.fromEntries(
    Object.entries({ ...looks, ...different }).map(([name, value]): [string, Fact<unknown>] => [
      name,
      value === undefined
        ? { known: false, why: "silence", source: name, atMilliseconds: now }
        : { known: true, value, source: name, atMilliseconds: now },
    ]),
  ) as unknown as Evidence<Look>;

const trusted = { known: true as const, value: { demotedBy: null }, source: "", atMilliseconds: 0 };

const verdict = (
  one: Playbook,
  different: Partial<Record<Look, unknown>>,
  about: Partial<Subject> = {},
) => {
  const given = { given: "automatic" as const, record: trusted, isIrreversible };
  return decide(one, seeing(different), { ...subject, ...about }, given);
};

type Case = [what: string, different: Partial<Record<Look, unknown>>, is: string, mode: string];

const groupWith = (more: object) => ({ group: { ...looks.group, ...more } });
const rolling = {
  id: "r-1",
  status: "InProgress",
  startedAtMilliseconds: now,
  endedAtMilliseconds: null,
};

describe("the playbook unhealthy-host", () => {
  const elb = { healthCheckType: "ELB" };
  it.each<Case>([
    ["one of three is sick", {}, "one-sick-host", "act"],
    ["nobody is sick any more", { targets: [target("i-1", "healthy")] }, "recovered", "nothing"],
    [
      "two of three are sick",
      { targets: [sick("i-1"), sick("i-2"), target("i-3", "healthy")] },
      "most-are-sick",
      "nothing",
    ],
    [
      "all are sick",
      { targets: [sick("i-1"), sick("i-2"), sick("i-3")] },
      "most-are-sick",
      "nothing",
    ],
    ["the targets cannot be seen", { targets: undefined }, "unknown", "nothing"],
    ["the group cannot be seen", { group: undefined }, "unknown", "nothing"],
    ["nobody knows of deploys", { deploy: undefined }, "unknown", "nothing"],
    ["there are no targets", { targets: [] }, "unknown", "nothing"],
    [
      "the sick one is none of the group's",
      groupWith({ instances: [instance("i-2"), instance("i-3")] }),
      "recovered",
      "nothing",
    ],
    [
      "the load balancer blames itself",
      { targets: [target("i-1", "unhealthy", "Elb.InternalError"), target("i-2", "healthy")] },
      "recovered",
      "nothing",
    ],
    [
      "it has just started",
      { targets: [target("i-1", "initial"), target("i-2", "healthy")] },
      "recovered",
      "nothing",
    ],
    [
      "the sick one is within the grace period of its group",
      groupWith({
        instances: [{ ...instance("i-1"), isStarting: true }, instance("i-2"), instance("i-3")],
      }),
      "starting",
      "nothing",
    ],
    ["a deploy replaces instances", { deploy: rolling }, "deploy-under-way", "nothing"],
    ["the group replaces it by itself", groupWith(elb), "group-replaces", "nothing"],
    [
      "the group may not replace it",
      groupWith({ ...elb, suspended: ["ReplaceUnhealthy"] }),
      "one-sick-host",
      "act",
    ],
  ])("when %s", (_what, different, is, mode) => {
    expect(verdict(playbook(unhealthyHost), different)).toMatchObject({ finding: { is }, mode });
  });

  it("takes over when the group has not replaced it in five minutes", () => {
    const about = { sinceMilliseconds: now - 6 * minute };
    const found = verdict(playbook(unhealthyHost), groupWith(elb), about);
    expect(found).toMatchObject({ finding: { is: "one-sick-host" }, mode: "act" });
  });

  it("asks when two of five are sick, and names one of them only", () => {
    const ids = ["i-1", "i-2", "i-3", "i-4", "i-5"];
    const targets = ids.map((id, index) => (index < 2 ? sick(id) : target(id, "healthy")));
    const group = { ...looks.group, instances: ids.map((id) => instance(id)) };
    expect(verdict(playbook(unhealthyHost), { targets, group })).toMatchObject({
      finding: { is: "several-sick-hosts" },
      mode: "ask",
      decision: { deed: { target: { instance: "i-1" } } },
    });
  });
});

const database = (more: object) => ({ database: { ...looks.database, ...more } });
const free = (gigabytes: number) => ({
  storage: { points: [{ atMilliseconds: now, freeBytes: gigabytes * gigabyte }] },
});
const grownAgo = (hours: number) => ({
  databaseEvents: [
    {
      atMilliseconds: now - hours * 60 * minute,
      text: "Finished applying modification to allocated storage.",
    },
  ],
});
const filling = (lostGigabytes: number) => ({
  storage: {
    points: [
      { atMilliseconds: now - 60 * minute, freeBytes: (9 + lostGigabytes) * gigabyte },
      { atMilliseconds: now, freeBytes: 9 * gigabyte },
    ],
  },
});

describe("the playbook database-storage", () => {
  it.each<Case>([
    ["9 % is free and RDS does not grow it", {}, "filling", "ask"],
    ["16 % is free again", free(16), "recovered", "nothing"],
    ["nobody measures it", { storage: { points: [] } }, "unknown", "nothing"],
    ["the database cannot be seen", { database: undefined }, "unknown", "nothing"],
    ["its events cannot be seen", { databaseEvents: undefined }, "unknown", "nothing"],
    ["it is a replica", database({ isReplica: true }), "replica", "nothing"],
    [
      "the lease is in the other region, and this one is fenced",
      { lease: { isHere: false, region: "eu-west-1", state: "held", holder: "failover-2-1" } },
      "not-active",
      "nothing",
    ],
    [
      "the lease is on its way here",
      { lease: { isHere: true, region: "eu-central-1", state: "moving", holder: "failover-2-1" } },
      "not-active",
      "nothing",
    ],
    ["nobody knows who may write", { lease: undefined }, "unknown", "nothing"],
    [
      "it is being grown",
      database({ pending: ["AllocatedStorage"] }),
      "growing-already",
      "nothing",
    ],
    [
      "it is optimized after a growth",
      database({ status: "storage-optimization" }),
      "growing-already",
      "nothing",
    ],
    ["it was grown two hours ago", grownAgo(2), "resting", "nothing"],
    ["it was grown seven hours ago", grownAgo(7), "filling", "ask"],
    [
      "the operator's file ends it here",
      database({ limitGigabytes: 105 }),
      "at-the-limit",
      "nothing",
    ],
    ["RDS grows it by itself", database({ maximumGigabytes: 500 }), "rds-grows-it", "nothing"],
    [
      "RDS would, but it is full in an hour",
      { ...database({ maximumGigabytes: 500 }), ...filling(9) },
      "filling",
      "ask",
    ],
  ])("when %s", (_what, different, is, mode) => {
    expect(verdict(playbook(databaseStorage), different)).toMatchObject({ finding: { is }, mode });
  });

  it("grows it by a fifth, and never past the operator's limit", () => {
    const sizes = (more: object) => {
      const { decision } = verdict(playbook(databaseStorage), database(more));
      return decision.kind === "refuse" ? null : decision.deed.target;
    };
    expect(sizes({})).toMatchObject({ fromGigabytes: 100, toGigabytes: 120 });
    expect(sizes({ limitGigabytes: 112 })).toMatchObject({ toGigabytes: 112 });
  });
});

describe("the playbook latency", () => {
  const load = (more: object) => ({ load: { ...looks.load, ...more } });
  it.each<Case>([
    ["the load has grown by half", {}, "load-has-grown", "act"],
    ["it is quick again", load({ slowestSeconds: 0.4 }), "recovered", "nothing"],
    ["the load is what it was", load({ perMinute: 110 }), "slower-alone", "nothing"],
    ["there was no load before", load({ perMinuteBefore: 0 }), "slower-alone", "nothing"],
    [
      "the database is busy, and more instances would make it worse",
      { databaseLoad: { ...looks.databaseLoad, cpuPercent: level(93, 40) } },
      "database-is-the-cause",
      "nothing",
    ],
    [
      "the database's volume has a queue",
      { databaseLoad: { ...looks.databaseLoad, queueDepth: level(64, 2) } },
      "database-is-the-cause",
      "nothing",
    ],
    [
      "the database is being restored",
      { database: { ...looks.database, status: "rebooting" } },
      "database-is-the-cause",
      "nothing",
    ],
    ["the database cannot be seen", { databaseLoad: undefined }, "unknown", "nothing"],
    ["nobody has measured it", load({ slowestSeconds: null }), "unknown", "nothing"],
    ["the load cannot be seen", { load: undefined }, "unknown", "nothing"],
    ["the group is at its maximum", groupWith({ desired: 8 }), "at-maximum", "nothing"],
    ["a deploy is under way", { deploy: rolling }, "deploy-under-way", "nothing"],
  ])("when %s", (_what, different, is, mode) => {
    expect(verdict(playbook(latency), different)).toMatchObject({ finding: { is }, mode });
  });
});

describe("every playbook", () => {
  it("is named in the operator's file, which names no other", () => {
    const named = Object.keys(operatorsConfig.remediation?.playbooks ?? {});
    expect(named.toSorted()).toEqual(playbooks.map(({ name }) => name).toSorted());
  });

  it("has a name of its own, and no kind of alarm is fought over at one rank", () => {
    const named = playbooks.map(({ name }) => name);
    expect(new Set(named).size).toBe(named.length);
    const claims = playbooks.flatMap(({ alarms, rank }) => alarms.map((kind) => `${kind} ${rank}`));
    expect(new Set(claims).size).toBe(claims.length);
  });

  it("acts upon nothing when it sees nothing", () => {
    const blind = Object.fromEntries(
      playbooks.flatMap(({ evidence }) => evidence).map((name) => [name, undefined]),
    );
    for (const one of playbooks) {
      expect(verdict(one, blind), one.name).toMatchObject({
        finding: { is: "unknown" },
        mode: "nothing",
      });
    }
  });

  it("never acts upon a finding that it does not understand, whatever its table says", () => {
    const deed = { do: "replace-instance" as const, target: { group: "g", instance: "i-1" } };
    const careless = {
      ...playbook(unhealthyHost),
      diagnose: () => ({ is: "unknown", says: "?", advice: [] }),
      decide: { unknown: () => ({ kind: "proceed" as const, deed, reasons: [] }) },
    };
    expect(verdict(careless, {})).toMatchObject({ mode: "nothing" });
  });

  it("asks for what cannot be undone, also when it is careless and automatic", () => {
    const target = { database: "platform", fromGigabytes: 100, toGigabytes: 120 };
    const deed = { do: "grow-storage" as const, target };
    const careless = {
      ...playbook(databaseStorage),
      right: "automatic" as const,
      decide: { filling: () => ({ kind: "proceed" as const, deed, reasons: [] }) },
    };
    expect(verdict(careless, {})).toMatchObject({ mode: "ask" });
  });

  it.each<[most: Right, given: Right, demotedBy: string | null, right: Right]>([
    ["automatic", "automatic", null, "automatic"],
    ["ask", "automatic", null, "ask"],
    ["automatic", "shadow", null, "shadow"],
    ["automatic", "off", null, "off"],
    ["automatic", "automatic", "run-3", "ask"],
    ["automatic", "shadow", "run-3", "shadow"],
  ])("of %s, given %s, demoted by %s, may %s", (most, given, demotedBy, right) => {
    const record = { known: true as const, value: { demotedBy }, source: "", atMilliseconds: 0 };
    expect(rightOf(most, given, record)).toBe(right);
  });
});
