import { describe, expect, it } from "vitest";
import type { Facts } from "../../functions/failover/decide.ts";
import { evidenceOf, fencedAt, judge, lossOf } from "../../functions/failover/decide.ts";
import type { Trigger } from "../../functions/failover/request.ts";
import { planHash } from "../../shared/approval.ts";
import { known, lost, now, policy, second, trigger, unknown, wish } from "./facts.ts";

const decided = (change: (facts: Facts) => void, how: Partial<Trigger> = {}) => {
  const facts = lost();
  change(facts);
  return judge(facts, policy, wish({ ...trigger, ...how }), now);
};

const codes = (decision: ReturnType<typeof judge>) =>
  decision.kind === "refuse" ? decision.refusals.map(({ code }) => code) : [];

describe("the decision to fail over", () => {
  it("makes a plan for a lost region whose replica is at hand", () => {
    const decision = decided(() => undefined);
    expect(decision).toMatchObject({
      kind: "proceed",
      plan: { epoch: 2, from: "eu-central-1", to: "eu-west-1", approvals: 2, warnings: [] },
    });
  });

  it.each<[string, (facts: Facts) => void]>([
    ["lease-unknown", (facts) => void (facts.lease = unknown("no replica answered"))],
    ["pause-unknown", (facts) => void (facts.pause = { is: "unknown", why: "no answer" })],
    [
      "paused",
      (facts) =>
        void (facts.pause = { is: "paused", by: "U02", reason: "deploy", atMilliseconds: now }),
    ],
    ["replica-unknown", (facts) => void (facts.replica = unknown("TimeoutError"))],
    ["lag-unknown", (facts) => void (facts.position = unknown("no answer"))],
    ["lag-unknown", (facts) => void (facts.contact = unknown("no answer"))],
    ["lag-unknown", (facts) => void (facts.contact = known(null))],
  ])("refuses with %s", (code, change) => {
    expect(codes(decided(change))).toContain(code);
  });

  it("refuses when the lease has already moved, and names who moved it", () => {
    const decision = decided((facts) => {
      if (facts.lease.known) {
        Object.assign(facts.lease.value, { epoch: 2, region: "eu-west-1", holder: "failover-2-1" });
      }
    });
    expect(codes(decision)).toEqual(["lease-moved"]);
    expect(JSON.stringify(decision)).toContain("failover-2-1");
  });

  it("refuses to join a move that another run has begun", () => {
    const decision = decided((facts) => {
      if (facts.lease.known) facts.lease.value.state = "moving";
    });
    expect(codes(decision)).toEqual(["another-run"]);
  });

  it.each(["creating", "deleting", "failed", "storage-full", "stopped", "incompatible-restore"])(
    "refuses to promote a replica that is %s",
    (status) => {
      const decision = decided((facts) => {
        if (facts.replica.known) facts.replica.value.status = status;
      });
      expect(codes(decision)).toEqual(["not-promotable"]);
    },
  );

  it.each(["backing-up", "modifying", "rebooting"])(
    "plans with a replica that is %s, since that passes by itself",
    (status) => {
      const decision = decided((facts) => {
        if (facts.replica.known) facts.replica.value.status = status;
      });
      expect(decision.kind).toBe("proceed");
    },
  );

  it("refuses to promote what is no replica", () => {
    const decision = decided((facts) => {
      if (facts.replica.known) facts.replica.value.isReplica = false;
    });
    expect(codes(decision)).toEqual(["not-a-replica"]);
  });

  it("refuses a second failover inside the block period and goes on when that is acknowledged", () => {
    const soon = (facts: Facts) => {
      if (facts.lease.known) {
        Object.assign(facts.lease.value, {
          epoch: 2,
          lastMovedEpoch: 2,
          movedAtMilliseconds: now - 600 * second,
        });
      }
    };
    expect(codes(decided(soon))).toEqual(["block-period"]);
    expect(decided(soon, { overrides: ["block-period"] }).kind).toBe("proceed");
  });

  it("knows no block period after a lease that was given back: nothing has moved", () => {
    const givenBack = (facts: Facts) => {
      if (facts.lease.known) {
        Object.assign(facts.lease.value, { epoch: 3, movedAtMilliseconds: now - 60 * second });
      }
    };
    expect(decided(givenBack).kind).toBe("proceed");
  });

  it("rehearses inside the block period, since that moves nothing", () => {
    const facts = lost();
    if (facts.lease.known) {
      Object.assign(facts.lease.value, {
        epoch: 2,
        lastMovedEpoch: 2,
        movedAtMilliseconds: now - 60 * second,
      });
    }
    expect(judge(facts, policy, wish(trigger, "rehearsal"), now)).toMatchObject({
      kind: "proceed",
      plan: { kind: "rehearsal", approvals: 2 },
    });
  });

  it("names every reason at once", () => {
    const decision = decided((facts) => {
      facts.pause = { is: "paused", by: "U02", reason: "deploy", atMilliseconds: now };
      facts.position = unknown("no answer");
    });
    expect(codes(decision)).toEqual(["paused", "lag-unknown"]);
  });

  it("accepts an unknown loss only by its own name", () => {
    const blind = (facts: Facts) => void (facts.position = unknown("no answer"));
    expect(codes(decided(blind, { overrides: ["block-period"] }))).toEqual(["lag-unknown"]);
    expect(decided(blind, { overrides: ["unknown-loss"] })).toMatchObject({
      kind: "proceed",
      plan: { loss: { verdict: "unknown", boundSeconds: null } },
    });
  });

  it("goes on without an unknown capacity or secret, and says so", () => {
    const decision = decided((facts) => {
      facts.capacity = unknown("throttled");
      facts.secrets = unknown("throttled");
    });
    expect(decision).toMatchObject({
      kind: "proceed",
      plan: { warnings: [expect.stringContaining("capacity"), expect.stringContaining("secrets")] },
    });
  });
});

describe("the decision on a planned move", () => {
  const planned = (change: (facts: Facts) => void, how: Partial<Trigger> = {}) => {
    const facts = lost();
    if (facts.contact.known && facts.contact.value) {
      Object.assign(facts.contact.value, {
        contactAtMilliseconds: now - 2 * second,
        heartbeatAtMilliseconds: now - 2 * second,
      });
    }
    if (facts.position.known && facts.position.value.heartbeat) {
      facts.position.value.heartbeat.writtenAtMilliseconds = now - 12 * second;
    }
    change(facts);
    return judge(facts, policy, wish({ ...trigger, ...how }, "switchover"), now);
  };

  it("promises that nothing is lost, and asks all the same", () => {
    expect(planned(() => undefined)).toMatchObject({
      kind: "proceed",
      plan: { kind: "switchover", approvals: 2, loss: { verdict: "within", boundSeconds: 0 } },
    });
  });

  it.each<[string, (facts: Facts) => void]>([
    [
      "home-silent",
      (facts) => {
        if (facts.contact.known && facts.contact.value) {
          facts.contact.value.heartbeatAtMilliseconds = now - 60 * second;
        }
      },
    ],
    [
      "lag",
      (facts) => {
        if (facts.position.known && facts.position.value.heartbeat) {
          facts.position.value.heartbeat.writtenAtMilliseconds = now - 60 * second;
        }
      },
    ],
    ["lag", (facts) => void (facts.position = unknown("no answer"))],
  ])("refuses with %s", (code, change) => {
    expect(codes(planned(change))).toEqual([code]);
  });

  it("lets nobody accept an unknown loss by name: that would be another kind of move", () => {
    const blind = (facts: Facts) => void (facts.position = unknown("no answer"));
    expect(codes(planned(blind, { overrides: ["unknown-loss"] }))).toEqual(["lag"]);
  });
});

describe("who has to approve", () => {
  const automatic = { ...policy, automatic: true };
  const judged = (how: Partial<Trigger>, change: (facts: Facts) => void = () => undefined) => {
    const facts = lost();
    change(facts);
    const decision = judge(facts, automatic, wish({ ...trigger, ...how }), now);
    return decision.kind === "proceed" ? decision.plan.approvals : decision;
  };

  it("asks nobody when the policy is automatic, an alarm fired and the lag is within the limit", () => {
    expect(judged({ by: "alarm" })).toBe(0);
  });

  it("still asks when the old region's database is alive, whatever its alarm says", () => {
    const alive = (facts: Facts) => {
      if (facts.contact.known && facts.contact.value) {
        facts.contact.value.heartbeatAtMilliseconds = now - 5 * second;
      }
    };
    expect(judged({ by: "alarm" }, alive)).toBe(2);
  });

  it("still asks when a deploy may be what the observers see, or nobody knows of any", () => {
    const deploy = {
      ...{ region: policy.home, kind: "deploy" as const, by: "Auto Scaling", reason: "a refresh" },
      ...{ sinceMilliseconds: now - 60 * second, untilMilliseconds: now + 60 * second },
    };
    const source = "coordination table";
    const underWay = { known: true as const, value: [deploy], source, atMilliseconds: now };
    expect(judged({ by: "alarm" }, (facts) => void (facts.upheavals = underWay))).toBe(2);
    const silent = (facts: Facts) => void (facts.upheavals = unknown("no answer"));
    expect(judged({ by: "alarm" }, silent)).toBe(2);
    expect(judged({ by: "alarm", rivals: ["a deploy"] })).toBe(2);
  });

  it("still asks for a rehearsal, which is an operator's wish", () => {
    const facts = lost();
    const decision = judge(facts, automatic, wish({ ...trigger, by: "alarm" }, "rehearsal"), now);
    expect(decision).toMatchObject({ kind: "proceed", plan: { approvals: 2 } });
  });

  it("still asks when an operator wants it", () => {
    expect(judged({ by: "operator" })).toBe(2);
  });

  it("still asks when the lag is over the limit", () => {
    const behind = (facts: Facts) => {
      if (facts.position.known && facts.position.value.heartbeat) {
        facts.position.value.heartbeat.writtenAtMilliseconds -= 90 * second;
      }
    };
    expect(judged({ by: "alarm" }, behind)).toBe(2);
  });

  it("still asks when the loss is unknown and somebody has overridden that", () => {
    const blind = (facts: Facts) => void (facts.position = unknown("no answer"));
    expect(judged({ by: "alarm", overrides: ["unknown-loss"] }, blind)).toBe(2);
  });
});

describe("the statement of what may be lost", () => {
  it("does not grow with the outage: only what the old region had committed counts as lag", () => {
    const facts = lost();
    const early = lossOf(facts, policy);
    for (const fact of Object.values(facts)) {
      if (typeof fact === "object" && "atMilliseconds" in fact) fact.atMilliseconds += 3_600_000;
    }
    expect(lossOf(facts, policy)).toEqual(early);
    expect(early).toMatchObject({ verdict: "within", lagSeconds: 0 });
  });

  it("says over for a replica that is 90 seconds behind the last heartbeat", () => {
    const facts = lost();
    if (facts.position.known && facts.position.value.heartbeat) {
      facts.position.value.heartbeat.writtenAtMilliseconds -= 90 * second;
    }
    expect(lossOf(facts, policy)).toMatchObject({ verdict: "over", lagSeconds: 90 });
  });

  it("bounds the loss by the moment at which the old region must have fenced itself", () => {
    const facts = lost();
    // 120 s isolation, 10 s heartbeat, 15 s margin after a contact that was 1 s after the heartbeat.
    expect(lossOf(facts, policy).boundSeconds).toBe(146);
    if (facts.contact.known && facts.contact.value) {
      expect(fencedAt(facts.contact.value, policy)).toBe(now + 25 * second);
    }
  });
});

describe("a region that is still alive", () => {
  const alive = (facts: Facts, secondsAgo: number) => {
    if (facts.contact.known && facts.contact.value) {
      facts.contact.value.heartbeatAtMilliseconds = now - secondsAgo * second;
    }
  };

  it("is named as such before anybody approves", () => {
    const decision = decided((facts) => alive(facts, 5));
    expect(decision).toMatchObject({ plan: { warnings: [expect.stringContaining("is alive")] } });
  });

  it("counts as silent after two missed beats", () => {
    expect(decided((facts) => alive(facts, 29))).toMatchObject({
      plan: { warnings: [expect.stringContaining("alive")] },
    });
    expect(decided((facts) => alive(facts, 30))).toMatchObject({ plan: { warnings: [] } });
  });
});

describe("what an approval is bound to", () => {
  const hashOf = (change: (facts: Facts) => void) => {
    const facts = lost();
    change(facts);
    const decision = judge(facts, policy, wish(trigger), now);
    if (decision.kind !== "proceed") throw new Error("expected a plan");
    return planHash({}, evidenceOf(decision.plan, facts, policy, now));
  };
  const same = hashOf(() => undefined);

  it("stays the same when only time has passed", () => {
    expect(
      hashOf((facts) => void (facts.capacity = { ...facts.capacity, atMilliseconds: now + 5000 })),
    ).toBe(same);
  });

  it("is void when the old region has made contact again", () => {
    expect(
      hashOf((facts) => {
        if (facts.contact.known && facts.contact.value) {
          facts.contact.value.heartbeatAtMilliseconds = now;
        }
      }),
    ).not.toBe(same);
  });

  it("is void when the replica has fallen behind or moved on", () => {
    expect(
      hashOf((facts) => {
        if (facts.position.known && facts.position.value.heartbeat) {
          facts.position.value.heartbeat.writtenAtMilliseconds += second;
        }
      }),
    ).not.toBe(same);
  });
});
