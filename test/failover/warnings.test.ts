import { describe, expect, it } from "vitest";
import type { Facts } from "../../functions/failover/decide.ts";
import { evidenceOf, judge } from "../../functions/failover/decide.ts";
import type { Override, Wish } from "../../functions/failover/request.ts";
import { blockersOf, checksOfHome, secondsUntil } from "../../functions/failover/warnings.ts";
import { planHash } from "../../shared/approval.ts";
import type { Check } from "../../shared/readiness.ts";
import { seen } from "../readiness/facts.ts";
import { known, lost, now, policy, ready, second, trigger, unknown, wish } from "./facts.ts";

/** A home region that is well, as a planned move wants it. */
const well = (): Facts => {
  const facts = lost();
  if (facts.contact.known && facts.contact.value) {
    facts.contact.value.heartbeatAtMilliseconds = now - 2 * second;
  }
  if (facts.position.known && facts.position.value.heartbeat) {
    facts.position.value.heartbeat.writtenAtMilliseconds = now - 12 * second;
  }
  return facts;
};

const judged = (facts: Facts, kind: Wish["kind"], overrides: Override[] = []) =>
  judge(facts, policy, wish({ ...trigger, overrides }, kind), now);

const planOf = (facts: Facts, kind: Wish["kind"] = "emergency") => {
  const decision = judged(facts, kind, ["readiness"]);
  if (decision.kind !== "proceed") throw new Error(JSON.stringify(decision.refusals));
  return decision.plan;
};

const withChecks = (facts: Facts, checks: Check[]): Facts => {
  const kept = { region: policy.here, atMilliseconds: now, checks };
  return { ...facts, readiness: known(kept) };
};

const red = (name: string): Check => ({ ...ready(name), verdict: "not-ready", detail: "mend it" });
const stale = (name: string): Check => ({
  ...ready(name),
  seenAtMilliseconds: now - 1000 * second,
});

describe("the readiness of the region that is to be active", () => {
  it.each<[string, (facts: Facts) => Facts, RegExp]>([
    ["is red", (facts) => withChecks(facts, [ready("lag"), red("image")]), /image \(not-ready\)/],
    ["is old", (facts) => withChecks(facts, [stale("image")]), /image \(stale, 17 min old\)/],
    ["was never looked at", (facts) => ({ ...facts, readiness: known(null) }), /never looked at/],
    ["has no check", (facts) => withChecks(facts, []), /never looked at/],
    [
      "cannot be read",
      (facts) => ({ ...facts, readiness: unknown("no answer") }),
      /cannot be read \(no answer\)/,
    ],
  ])("refuses a planned move when it %s, unless that is accepted by name", (_how, change, why) => {
    const decision = judged(change(well()), "switchover");
    expect(decision).toMatchObject({ kind: "refuse", refusals: [{ code: "not-ready" }] });
    expect(JSON.stringify(decision)).toMatch(why);
    expect(judged(change(well()), "switchover", ["block-period"]).kind).toBe("refuse");
    expect(judged(change(well()), "switchover", ["readiness"]).kind).toBe("proceed");
  });

  it.each(["emergency", "rehearsal"] as const)("never refuses an %s", (kind) => {
    const facts = kind === "emergency" ? lost() : well();
    const plan = planOf(withChecks(facts, [red("image"), stale("secrets"), ready("lag")]), kind);
    expect(judged(withChecks(facts, [red("image")]), kind).kind).toBe("proceed");
    expect(plan.warnings).toEqual([
      "Readiness: image is not-ready, looked at 3 min ago in test: mend it",
      expect.stringMatching(/^Readiness: secrets is stale .*17 min ago/),
    ]);
  });

  it("is said to be unknown when nobody has looked, or the table does not tell", () => {
    expect(planOf({ ...lost(), readiness: known(null) }).warnings).toEqual([
      "Readiness was never looked at.",
    ]);
    expect(planOf({ ...lost(), readiness: unknown("throttled") }).warnings).toEqual([
      "Whether eu-west-1 is ready is unknown (throttled).",
    ]);
  });
});

describe("the capacity that is wanted", () => {
  const demand = (peakInstances: number, hoursAgo = 0) =>
    known({
      region: policy.home,
      peakInstances,
      atMilliseconds: now - hoursAgo * 3600 * second,
    });

  it("is what users needed at their peak, where that is more than the file says", () => {
    const plan = planOf({ ...lost(), demand: demand(6) });
    expect(plan.capacity).toBe(6);
    expect(plan.capacityWhy).toMatch(/^6, since eu-central-1 had 6 in service at its peak/);
    expect(plan.warnings).toEqual([]);
  });

  it.each<[string, Facts["demand"], RegExp]>([
    ["was less", demand(2), /at its peak in the 24 h before/],
    ["was last looked at 26 hours ago", demand(9, 26), /too long ago/],
    ["was never kept", known(null), /nobody has kept/],
    ["cannot be read", unknown("throttled"), /cannot be read \(throttled\)/],
  ])("is the operator's number where the peak %s, and that is said", (_how, peak, why) => {
    const plan = planOf({ ...lost(), demand: peak });
    expect(plan.capacity).toBe(3);
    expect(plan.capacityWhy).toMatch(/^3 by the operator's file: /);
    expect(plan.capacityWhy).toMatch(why);
  });

  it("is said not to be there when the group may not run so many", () => {
    expect(planOf({ ...lost(), demand: demand(12) }).warnings).toEqual([
      "eu-west-1 may run 8 instances, and 12 are wanted.",
    ]);
  });
});

describe("what else is done to the old region", () => {
  const deploy = {
    region: policy.home,
    kind: "deploy" as const,
    by: "release",
    reason: "version 7",
    sinceMilliseconds: now - 600 * second,
    untilMilliseconds: now + 600 * second,
  };

  it("is named as what the observers may see, and forbids nothing", () => {
    expect(planOf({ ...lost(), upheavals: known([deploy]) }).warnings).toEqual([
      "A deploy of eu-central-1 is under way since 2026-11-22T02:50:00Z (by release: version 7): " +
        "it may be what the observers see.",
    ]);
  });

  it("is not named once it is over, and is when it cannot be known", () => {
    const over = { ...deploy, untilMilliseconds: now };
    expect(planOf({ ...lost(), upheavals: known([over]) }).warnings).toEqual([]);
    expect(planOf({ ...lost(), upheavals: unknown("throttled") }).warnings).toEqual([
      "Whether eu-central-1 is being deployed or maintained is unknown (throttled).",
    ]);
  });
});

describe("what keeps a promotion waiting", () => {
  const replica = { id: "standby", status: "available", isReplica: true, replicating: true };

  it.each<[string, object, RegExp[]]>([
    ["nothing", {}, []],
    ["a backup", { status: "backing-up" }, [/is backing-up: the promotion will wait/]],
    [
      "pending changes",
      { pending: ["MultiAZ", "EngineVersion"] },
      [/pending \(MultiAZ, EngineVersion\): the promotion will wait/],
    ],
    // `now` is Sunday, 03:00 UTC.
    ["a window in an hour", { maintenanceWindow: "sun:04:00-sun:04:30" }, [/opens in 60 min/]],
    ["an open window", { maintenanceWindow: "sat:23:00-sun:03:01" }, [/is open/]],
    ["a window that is over", { maintenanceWindow: "sun:02:00-sun:03:00" }, []],
    ["a window on another day", { maintenanceWindow: "wed:03:00-wed:04:00" }, []],
    ["a window that nobody understands", { maintenanceWindow: "whenever" }, []],
  ])("names %s before anybody approves", (_what, seen, said) => {
    expect(blockersOf({ ...replica, ...seen }, now)).toEqual(
      said.map((each) => expect.stringMatching(each)),
    );
  });

  it("counts over the end of the week", () => {
    const saturday = Date.UTC(2026, 10, 21, 23, 30, 0);
    expect(secondsUntil("sun:00:00-sun:00:30", saturday)).toBe(1800);
    expect(secondsUntil("sat:23:00-sun:00:30", saturday)).toBe(0);
  });

  it("is in the plan of an emergency, which it does not hold up", () => {
    const facts = lost();
    if (facts.replica.known) facts.replica.value.status = "backing-up";
    expect(planOf(facts).warnings).toEqual([
      "standby is backing-up: the promotion will wait until it is available.",
    ]);
  });
});

describe("an approval and what it was given for", () => {
  const hashOf = (facts: Facts, kind: Wish["kind"] = "emergency") =>
    planHash({}, evidenceOf(planOf(facts, kind), facts, policy, now));

  it("is void when a check turns red that home's loss has not turned", () => {
    const before = hashOf(withChecks(lost(), [ready("image")]));
    expect(hashOf(withChecks(lost(), [red("image")]))).not.toBe(before);
    expect(hashOf(withChecks(well(), [red("lag")]), "switchover")).not.toBe(
      hashOf(withChecks(well(), [ready("lag")]), "switchover"),
    );
  });

  it("holds when a fact has only got older, or home's silence has turned a check red", () => {
    const before = hashOf(withChecks(lost(), [ready("image"), ready("guards")]));
    const older = { ...ready("image"), seenAtMilliseconds: now - 600 * second };
    expect(hashOf(withChecks(lost(), [older, ready("guards")]))).toBe(before);
    expect(hashOf(withChecks(lost(), [ready("image"), red("guards")]))).toBe(before);
    expect(hashOf(withChecks(lost(), [stale("image"), ready("guards")]))).toBe(before);
  });

  it("knows the checks of home by the names that they are kept under", () => {
    const names = seen({}).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...checksOfHome]));
  });

  it("is void when more instances are wanted", () => {
    const more = { region: policy.home, peakInstances: 5, atMilliseconds: now };
    expect(hashOf({ ...lost(), demand: known(more) })).not.toBe(hashOf(lost()));
  });

  it("is void when a deploy of home comes to light", () => {
    const deploy = {
      ...{ region: policy.home, kind: "deploy" as const, by: "release", reason: "version 7" },
      ...{ sinceMilliseconds: now - second, untilMilliseconds: now + 600 * second },
    };
    expect(hashOf({ ...lost(), upheavals: known([deploy]) })).not.toBe(hashOf(lost()));
  });
});
