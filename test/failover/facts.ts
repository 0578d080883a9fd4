import type { Facts, Policy } from "../../functions/failover/decide.ts";
import type { Trigger, Wish } from "../../functions/failover/request.ts";
import type { Fact } from "../../shared/outcome.ts";
import type { Check } from "../../shared/readiness.ts";

export const now = Date.UTC(2026, 10, 22, 3, 0, 0);
export const second = 1000;

export const policy: Policy = {
  here: "eu-west-1",
  home: "eu-central-1",
  automatic: false,
  approvals: 2,
  maximumLagSeconds: 30,
  blockPeriodSeconds: 3600,
  isolationSeconds: 120,
  isolationMarginSeconds: 15,
  heartbeatSeconds: 10,
  wantedCapacity: 3,
};

export const trigger: Trigger = {
  by: "operator",
  who: "U01",
  reason: "the region is gone",
  sinceMilliseconds: now - 120 * second,
  overrides: [],
};

export const wish = (of: Trigger, kind: Wish["kind"] = "emergency"): Wish => ({
  kind,
  run: "failover-2-1",
  trigger: of,
});

export const known = <T>(value: T): Fact<T> => ({
  known: true,
  value,
  source: "test",
  atMilliseconds: now,
});
export const unknown = (why: string): Fact<never> => ({
  known: false,
  why,
  source: "test",
  atMilliseconds: now,
});

export const ready = (name: string): Check => ({
  name,
  verdict: "ready",
  detail: "as it should be",
  source: "test",
  seenAtMilliseconds: now - 200 * second,
});

/** A home region that went silent two minutes ago, and a replica that held everything by then. */
export const lost = (): Facts => ({
  lease: known({
    epoch: 1,
    region: "eu-central-1",
    state: "held" as const,
    holder: "deploy",
    movedAtMilliseconds: now - 86_400 * second,
    attempt: 1,
  }),
  pause: { is: "running" },
  replica: known({ id: "standby", status: "available", isReplica: true, replicating: true }),
  position: known({
    recovery: true,
    lsn: "0/3000060",
    heartbeat: {
      region: "eu-central-1",
      epoch: 1,
      writtenAtMilliseconds: now - 121 * second,
      contactAtMilliseconds: now - 121 * second,
    },
  }),
  contact: known({
    region: "eu-central-1",
    contactAtMilliseconds: now - 120 * second,
    epoch: 1,
    heartbeatAtMilliseconds: now - 121 * second,
    lsn: "0/3000060",
  }),
  capacity: known({ minimum: 1, desired: 1, inService: 1, maximum: 8 }),
  secrets: known([{ name: "platform/database", replicated: true }]),
  readiness: known({
    region: "eu-west-1",
    atMilliseconds: now - 200 * second,
    checks: [ready("replica"), ready("image")],
  }),
  demand: known({ region: "eu-central-1", peakInstances: 2, atMilliseconds: now - 300 * second }),
  upheavals: known([]),
});
