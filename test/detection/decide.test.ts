import { describe, expect, it } from "vitest";
import type { DetectionFacts, Observation } from "../../functions/detection/decide.ts";
import { decide } from "../../functions/detection/decide.ts";
import type { AlarmChange } from "../../shared/alarm.ts";
import type { Fact } from "../../shared/outcome.ts";

const now = Date.UTC(2026, 10, 22, 3, 0, 0);
const known = <T>(value: T): Fact<T> => ({
  known: true,
  value,
  source: "test",
  atMilliseconds: now,
});
const unknown: Fact<never> = {
  known: false,
  why: "TimeoutError",
  source: "t",
  atMilliseconds: now,
};

const change: AlarmChange = {
  arn: "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:region-lost",
  name: "region-lost",
  account: "123456789012",
  region: "eu-west-1",
  kind: "composite",
  state: "ALARM",
  previous: "OK",
  atMilliseconds: now,
  reason: "both observers",
  key: "k",
  metrics: [],
  children: [],
};

const sees = (observer: string, state: Observation["state"] = "ALARM"): Observation => ({
  observer,
  alarm: `from-${observer}`,
  state,
  sinceMilliseconds: now - 60_000,
});

const facts = (differing: Partial<DetectionFacts> = {}): DetectionFacts => ({
  region: "home",
  current: known({ state: "ALARM", key: "alarm@2" }),
  proposedFor: known("alarm@1"),
  observations: known([sees("standby"), sees("witness")]),
  lease: known({
    epoch: 1,
    region: "home",
    state: "held" as const,
    holder: "deploy",
    movedAtMilliseconds: 0,
    attempt: 1,
  }),
  pause: { is: "running" },
  ...differing,
});

const codes = (differing: Partial<DetectionFacts>, event: Partial<AlarmChange> = {}) => {
  const decision = decide({ ...change, ...event }, facts(differing));
  return decision.kind === "nothing" ? decision.refusals.map(({ code }) => code) : decision.kind;
};

describe("whether an alarm proposes a failover", () => {
  it("proposes when two observers see the active region gone", () => {
    expect(decide(change, facts())).toMatchObject({
      kind: "propose",
      sinceMilliseconds: now - 60_000,
      reasons: ["standby sees that home does not serve", "witness sees that home does not serve"],
    });
  });

  it("proposes without an event, too: an alarm does not fire again while it is in ALARM", () => {
    expect(decide(null, facts())).toMatchObject({ kind: "propose", key: "alarm@2" });
  });

  it.each<[string, Partial<DetectionFacts>, boolean]>([
    ["an unread lease", { lease: unknown }, true],
    ["an unread alarm", { current: unknown }, true],
    ["an unread pause switch", { pause: { is: "unknown", why: "silence" } }, true],
    ["a region that is not active", { region: "standby" }, false],
  ])("says whether %s has to be looked at again", (_what, differing, doubtful) => {
    expect(decide(change, facts(differing))).toMatchObject({ kind: "nothing", doubtful });
  });

  it.each<[string, Partial<DetectionFacts>, Partial<AlarmChange>]>([
    ["one-observer", { observations: known([sees("standby"), sees("witness", "OK")]) }, {}],
    ["one-observer", { observations: known([sees("standby"), sees("standby")]) }, {}],
    [
      "one-observer",
      { observations: known([sees("standby"), sees("witness", "INSUFFICIENT_DATA")]) },
      {},
    ],
    ["one-observer", { observations: unknown }, {}],
    ["superseded", { current: known({ state: "OK", key: "alarm@2" }) }, {}],
    ["alarm-unknown", { current: unknown }, {}],
    ["lease-unknown", { lease: unknown }, {}],
    ["not-active", { region: "standby" }, {}],
    ["paused", { pause: { is: "paused", by: "U1", reason: "x", atMilliseconds: 0 } }, {}],
    ["pause-unknown", { pause: { is: "unknown", why: "silence" } }, {}],
    ["not-an-alarm", {}, { state: "OK" }],
    ["suppressed", {}, { suppressedBy: "WaitPeriod" }],
    ["already-proposed", { proposedFor: known("alarm@2") }, {}],
    ["history-unknown", { proposedFor: unknown }, {}],
  ])("does nothing with %s", (code, differing, event) => {
    expect(codes(differing, event)).toContain(code);
  });
});
