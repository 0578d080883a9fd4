import { describe, expect, expectTypeOf, it } from "vitest";
import type { Deed, IrreversibleName, Order } from "../../functions/remediation/actions.ts";
import { orderOf, resourceOf } from "../../functions/remediation/actions.ts";
import type { GroupSeen } from "../../functions/remediation/evidence.ts";
import type { GuardFacts } from "../../functions/remediation/guardrails.ts";
import { objections } from "../../functions/remediation/guardrails.ts";
import { Warrant } from "../../functions/remediation/warrant.ts";
import { judgeReservation, type Limits, type Reservation } from "../../shared/budget.ts";
import type { Fact } from "../../shared/outcome.ts";

const seen = <T>(value: T): Fact<T> => ({
  known: true,
  value,
  source: "a look",
  atMilliseconds: 0,
});
const blind: Fact<never> = { known: false, why: "silence", source: "a look", atMilliseconds: 0 };

const id = (number: number) => `i-0000000000000000${number}`;

const deed: Deed = { do: "replace-instance", target: { group: "platform", instance: id(1) } };

interface Fleet {
  healthy: number;
  sick: number;
  coming?: number;
  minimum?: number;
}

const fleet = ({ healthy, sick, coming = 0, minimum = 2 }: Fleet): GuardFacts["fleet"] => {
  const ids = Array.from({ length: sick + healthy }, (_, index) => id(index + 1));
  const pending = Array.from({ length: coming }, (_, index) => `i-pending${index}`);
  const instance = (lifecycle: string) => (each: string) => ({
    id: each,
    zone: "a",
    lifecycle,
    healthy: true,
  });
  return {
    targets: seen(
      ids.map((each, index) => ({
        id: each,
        state: index < sick ? "unhealthy" : "healthy",
        reason: "Target.Timeout",
      })),
    ),
    group: seen({
      name: "platform",
      minimum,
      desired: ids.length,
      maximum: 10,
      healthCheckType: "EC2",
      graceSeconds: 0,
      suspended: [],
      instances: [...ids.map(instance("InService")), ...pending.map(instance("Pending"))],
    }),
    deploy: seen(null),
  };
};

const well: GuardFacts = {
  pause: { is: "running" },
  freezes: seen([]),
  alarm: seen({ state: "ALARM", key: "arn@1", held: null }),
  fleet: fleet({ healthy: 3, sick: 1 }),
};

const rolling = {
  id: "r",
  status: "InProgress",
  startedAtMilliseconds: 0,
  endedAtMilliseconds: null,
};

const codes = (facts: Partial<GuardFacts>, one: Deed = deed) =>
  objections(one, { ...well, ...facts }, { key: "arn@1", despite: [] }).map(({ code }) => code);

describe("a deed that would replace an instance", () => {
  it("meets no objection when one of four is sick and all else is well", () => {
    expect(codes({})).toEqual([]);
  });

  it.each<[string, Partial<GuardFacts>, string]>([
    [
      "the switch is on",
      { pause: { is: "paused", by: "a", reason: "b", atMilliseconds: 0 } },
      "paused",
    ],
    ["the switch cannot be read", { pause: { is: "unknown", why: "silence" } }, "pause-unknown"],
    ["nobody knows what else is under way", { freezes: blind }, "freeze-unknown"],
    [
      "a rotation is under way",
      { freezes: seen([{ what: "rotation", by: "r", reason: "x", untilMilliseconds: null }]) },
      "frozen",
    ],
    ["the alarm cannot be read again", { alarm: blind }, "alarm-unknown"],
    ["the alarm is well", { alarm: seen({ state: "OK", key: "arn@2", held: null }) }, "superseded"],
    [
      "the alarm was well in between",
      { alarm: seen({ state: "ALARM", key: "arn@2", held: null }) },
      "superseded",
    ],
    ["the alarm is held", { alarm: seen({ state: "ALARM", key: "arn@1", held: "muted" }) }, "held"],
    ["the fleet cannot be seen", { fleet: null }, "fleet-unknown"],
    [
      "the group has nobody in service",
      { fleet: fleet({ healthy: 0, sick: 0 }) },
      "empty-selector",
    ],
    ["most of the fleet is sick", { fleet: fleet({ healthy: 1, sick: 3 }) }, "fleet-wide"],
    [
      "more than the sick one is missing of the group's minimum",
      { fleet: fleet({ healthy: 2, sick: 2, minimum: 4 }) },
      "minimum-healthy",
    ],
    [
      "it serves by now, and without it the others are fewer than the minimum",
      { fleet: fleet({ healthy: 2, sick: 0, minimum: 2 }) },
      "minimum-healthy",
    ],
    ["all that are sick are in one zone of two", { fleet: zoned() }, "one-zone"],
    ["it has only just been put into service", { fleet: started() }, "starting"],
    ["the group would start no other", { fleet: fleetThatStartsNone() }, "no-replacement"],
    [
      "nobody else serves",
      { fleet: fleet({ healthy: 0, sick: 1, minimum: 1 }) },
      "minimum-healthy",
    ],
    [
      "another is on its way",
      { fleet: fleet({ healthy: 3, sick: 1, coming: 1 }) },
      "exchange-under-way",
    ],
    ["a deploy rolls the group", { fleet: { ...fleetOf(), deploy: seen(rolling) } }, "frozen"],
  ])("is refused when %s", (_what, facts, code) => {
    expect(codes(facts)).toContain(code);
  });

  it.each([
    ["", id(1)],
    ["platform", ""],
    ["platform", "*"],
    ["platform", "i-*"],
  ])("is refused for an empty or unclear target: group %j, instance %j", (group, instance) => {
    expect(codes({}, { do: "replace-instance", target: { group, instance } })).toContain(
      "empty-selector",
    );
  });
});

function fleetOf(): NonNullable<GuardFacts["fleet"]> {
  const one = fleet({ healthy: 3, sick: 1 });
  if (!one) throw new Error("a fleet is made above");
  return one;
}

/** Four in two zones, of which both in the second are sick. */
function zoned(): GuardFacts["fleet"] {
  const one = members(fleet({ healthy: 2, sick: 2 }), (each) => ({
    ...each,
    zone: [id(1), id(2)].includes(each.id) ? "b" : "a",
  }));
  return one;
}

function started(): GuardFacts["fleet"] {
  return members(fleetOf(), (each) => ({ ...each, isStarting: each.id === id(1) }));
}

type Member = GroupSeen["instances"][number];

function members(one: GuardFacts["fleet"], change: (each: Member) => Member): GuardFacts["fleet"] {
  if (!one?.group.known) throw new Error("a fleet is made above");
  const { value } = one.group;
  return { ...one, group: seen({ ...value, instances: value.instances.map(change) }) };
}

function fleetThatStartsNone(): GuardFacts["fleet"] {
  const one = fleetOf();
  if (!one.group.known) throw new Error("a fleet is made above");
  return { ...one, group: seen({ ...one.group.value, suspended: ["Launch"] }) };
}

describe("a fleet in which not all serve and nothing is wrong", () => {
  it("lets one host be exchanged while another stands by on purpose", () => {
    const standby = members(fleet({ healthy: 3, sick: 1, coming: 1 }), (each) =>
      each.lifecycle === "Pending" ? { ...each, lifecycle: "Standby" } : each,
    );
    expect(codes({ fleet: standby })).toEqual([]);
  });

  it("does not take those for sick that have only just been put into service", () => {
    const young = members(fleet({ healthy: 2, sick: 3, minimum: 2 }), (each) => ({
      ...each,
      isStarting: each.id === id(2) || each.id === id(3),
    }));
    expect(codes({ fleet: young })).toEqual([]);
  });

  it("is judged host by host when the sick ones are in two zones", () => {
    const apart = members(fleet({ healthy: 3, sick: 2 }), (each) => ({
      ...each,
      zone: each.id === id(1) ? "b" : "a",
    }));
    expect(codes({ fleet: apart })).toEqual([]);
  });
});

describe("a deed that would exchange the one sick instance", () => {
  it.each([
    [1, 1, 2],
    [2, 1, 3],
    [1, 1, 1],
  ])(
    "meets no objection when %d others serve of a minimum with it: %d sick, minimum %d",
    (healthy, sick, minimum) => {
      expect(codes({ fleet: fleet({ healthy, sick, minimum }) })).toEqual([]);
    },
  );

  it("meets none where it serves and the others are as many as the minimum", () => {
    expect(codes({ fleet: fleet({ healthy: 3, sick: 0, minimum: 2 }) })).toEqual([]);
  });
});

describe("a deed that cannot be undone", () => {
  const grow: Deed = {
    do: "grow-storage",
    target: { database: "platform", fromGigabytes: 100, toGigabytes: 120 },
  };

  it("is no order without a warrant, in the types and when it comes from a checkpoint", () => {
    type Unwarranted = { deed: Deed<"grow-storage">; warrant: null };
    expectTypeOf<Unwarranted>().not.toExtend<Order>();
    expectTypeOf<{ deed: Deed<"grow-storage">; warrant: Warrant }>().toExtend<Order>();
    expectTypeOf<"grow-storage">().toExtend<IrreversibleName>();
    // A literal with the same fields is none either: only Warrant.of makes one.
    expectTypeOf<{
      planHash: string;
      approvedBy: string[];
      evidence: { run: string; sequence: number; hash: string };
      isGenuine: boolean;
    }>().not.toExtend<Warrant>();
    expect(orderOf(grow, null)).toMatchObject({ code: "no-warrant" });
  });

  it("gets its warrant of an approval that this run has used and of evidence in the journal", () => {
    const spent = { planHash: "h", approvedBy: ["U0ANA"], usedBy: "run-1" };
    const saved = { run: "run-1", sequence: 2, hash: "e" };
    expect(Warrant.of("run-1", spent, saved)).toBeInstanceOf(Warrant);
    expect(Warrant.of("run-2", spent, saved)).toMatchObject({ code: "not-approved" });
    expect(Warrant.of("run-1", { ...spent, approvedBy: [] }, saved)).toMatchObject({
      code: "not-approved",
    });
    expect(Warrant.of("run-1", spent, null)).toMatchObject({ code: "no-evidence" });
  });
});

describe("the budget of a region", () => {
  const now = 10_000_000_000;
  const ago = (minutes: number, more: Partial<Reservation> = {}): Reservation => ({
    id: `run-${minutes}`,
    by: "unhealthy-host",
    resource: id(minutes),
    fleet: "platform",
    atMilliseconds: now - minutes * 60_000,
    ...more,
  });
  const deed = "replace-instance";
  const wanted = ago(0, { id: "wanted", deed, resource: "i-wanted" });
  const limits: Limits = {
    regionPerHour: 6,
    perHour: 3,
    cooldownSeconds: 3600,
    fleet: { size: 12, share: 0.34 },
  };

  it.each<[string, Reservation[], string | undefined]>([
    ["nothing was done", [], undefined],
    ["three were done by it in the hour", [ago(1), ago(2), ago(59)], "budget"],
    ["the third was 61 minutes ago", [ago(1), ago(2), ago(61)], undefined],
    [
      "people and other playbooks have done six",
      [1, 2, 3, 4, 5, 6].map((minutes) => ago(minutes, { by: "operator", fleet: null })),
      "budget",
    ],
    [
      "the same resource was changed by a person",
      [ago(30, { by: "operator", resource: "i-wanted" })],
      "cooldown",
    ],
    [
      "something else was done to it five minutes ago, which still has to show",
      [ago(5, { deed: "restart-container", resource: "i-wanted" })],
      "cooldown",
    ],
    [
      "that was ten minutes ago",
      [ago(10, { deed: "restart-container", resource: "i-wanted" })],
      undefined,
    ],
    [
      "the same was done to it by another playbook",
      [ago(30, { by: "error-rate", deed: "replace-instance", resource: "i-wanted" })],
      "cooldown",
    ],
    ["that was two hours ago", [ago(120, { by: "operator", resource: "i-wanted" })], undefined],
    [
      "a third of the fleet was taken by others",
      [1, 2, 3, 4].map((minutes) => ago(minutes, { by: "another" })),
      "fleet-share",
    ],
  ])("when %s", (_what, before, code) => {
    expect(judgeReservation(before, wanted, limits)?.code).toBe(code);
  });

  it("minds what was done without it, and counts it to nobody's hour", () => {
    const others = [1, 2, 3, 4, 5, 6, 7].map((minutes) => ago(minutes, { fleet: null }));
    expect(judgeReservation([], wanted, limits, others)).toBeUndefined();
    const same = ago(20, { by: "a deploy", resource: "i-wanted" });
    expect(judgeReservation([], wanted, limits, [same])?.code).toBe("cooldown");
  });

  it.each<[string, Deed[]]>([
    [
      "instance:i-0abc0000",
      [
        { do: "replace-instance", target: { group: "platform", instance: "i-0abc0000" } },
        {
          do: "restart-container",
          target: { group: "platform", instance: "i-0abc0000", startedAt: "x" },
        },
      ],
    ],
    [
      "database:platform",
      [
        { do: "grow-storage", target: { database: "platform", fromGigabytes: 1, toGigabytes: 2 } },
        {
          do: "end-sessions",
          target: { database: "platform", sessions: [], atMost: 1, idleSeconds: 300 },
        },
        {
          do: "reboot-with-failover",
          target: { database: "platform", zone: "a", plannedAtMilliseconds: 1 },
        },
      ],
    ],
  ])("knows one thing by one name, whatever is done to it: %s", (name, deeds) => {
    expect(new Set(deeds.map(resourceOf))).toEqual(new Set([name]));
  });
});
