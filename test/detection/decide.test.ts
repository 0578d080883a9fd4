import { describe, expect, it } from "vitest";
import type {
  DetectionFacts,
  Observation,
  Underway,
  Watch,
} from "../../functions/detection/decide.ts";
import {
  aloneSeconds,
  decide,
  pageOf,
  quietSeconds,
  rivalsOf,
  silentSeconds,
} from "../../functions/detection/decide.ts";
import type { AlarmChange } from "../../shared/alarm.ts";
import type { EntryKind } from "../../shared/journal.ts";
import type { Lease } from "../../shared/lease.ts";
import { nextRun } from "../../shared/lease.ts";
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

const sees = (
  observer: string,
  state: Observation["state"] = "ALARM",
  differing: Partial<Observation> = {},
): Observation => ({
  observer,
  alarm: `from-${observer}`,
  about: "unreachable",
  state,
  sinceMilliseconds: now - 60_000,
  ...differing,
});

const watch = (observations: Observation[], state = "ALARM"): Fact<Watch> =>
  known({ current: { state, key: "alarm@2" }, observations });

const held: Lease = {
  epoch: 1,
  region: "home",
  state: "held",
  holder: "deploy",
  movedAtMilliseconds: 0,
  attempt: 1,
};

const both = [sees("standby"), sees("witness")];

const facts = (differing: Partial<DetectionFacts> = {}): DetectionFacts => {
  const lease = differing.lease ?? known(held);
  return {
    now,
    region: "home",
    watch: watch(both),
    proposal: known({ key: "alarm@1", run: "failover-1-1" }),
    pause: { is: "running" },
    underway: known(null),
    ...differing,
    lease,
    nextRun: lease.known ? nextRun(lease.value) : null,
  };
};

/** The lease has come to rest so many seconds ago. */
const settled = (secondsAgo: number): Fact<Lease> =>
  known({ ...held, epoch: 3, settledAtMilliseconds: now - secondsAgo * 1000 });

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
    ["an unread alarm", { watch: unknown }, true],
    ["an unread pause switch", { pause: { is: "unknown", why: "silence" } }, true],
    ["a region that is not active", { region: "standby" }, false],
  ])("says whether %s has to be looked at again", (_what, differing, doubtful) => {
    expect(decide(change, facts(differing))).toMatchObject({ kind: "nothing", doubtful });
  });

  it.each<[string, Partial<DetectionFacts>, Partial<AlarmChange>]>([
    ["one-observer", { watch: watch([sees("standby"), sees("witness", "OK")]) }, {}],
    ["one-observer", { watch: watch([sees("standby"), sees("standby")]) }, {}],
    ["one-observer", { watch: watch([sees("standby"), sees("witness", "INSUFFICIENT_DATA")]) }, {}],
    ["one-observer", { watch: watch([sees("standby"), sees("home")]) }, {}],
    ["one-observer", { watch: unknown }, {}],
    ["superseded", { watch: watch(both, "OK") }, {}],
    ["alarm-unknown", { watch: unknown }, {}],
    ["lease-unknown", { lease: unknown }, {}],
    ["not-active", { region: "other" }, {}],
    ["moving", { lease: known({ ...held, state: "moving" as const }) }, {}],
    ["moving", { lease: known({ ...held, region: "other", state: "moving" as const }) }, {}],
    ["quiet", { lease: settled(quietSeconds - 1) }, {}],
    ["paused", { pause: { is: "paused", by: "U1", reason: "x", atMilliseconds: 0 } }, {}],
    ["pause-unknown", { pause: { is: "unknown", why: "silence" } }, {}],
    ["not-an-alarm", {}, { state: "OK" }],
    ["suppressed", {}, { suppressedBy: "WaitPeriod" }],
    ["already-proposed", { proposal: known({ key: "alarm@2", run: "failover-2-1" }) }, {}],
    ["history-unknown", { proposal: unknown }, {}],
  ])("does nothing with %s", (code, differing, event) => {
    expect(codes(differing, event)).toContain(code);
  });

  it("proposes a region that is still gone when the quiet after a move is over", () => {
    expect(decide(null, facts({ lease: settled(quietSeconds) })).kind).toBe("propose");
  });

  it("is quiet for a round of the guard, a round of the canaries and the alarms' two periods", () => {
    expect(quietSeconds).toBe(240);
  });
});

describe("what else may explain it", () => {
  const deploy = {
    region: "home",
    kind: "deploy" as const,
    by: "Auto Scaling",
    reason: "instance refresh r-1 is InProgress",
    sinceMilliseconds: now - 60_000,
    untilMilliseconds: now + 60_000,
  };

  it("is a deploy, by whom and since when", () => {
    expect(rivalsOf(known([deploy]))).toEqual([
      "deploy of home since 2026-11-22T02:59:00Z, by Auto Scaling: instance refresh r-1 is InProgress",
    ]);
  });

  it("is nothing only when that could be read", () => {
    expect(rivalsOf(known([]))).toEqual([]);
    expect(rivalsOf(unknown)).toEqual([expect.stringMatching(/is unknown \(TimeoutError\)/)]);
  });
});

describe("what people are told, since nothing is done about it", () => {
  const page = (differing: Partial<DetectionFacts>) => {
    const all = facts(differing);
    return pageOf(decide(null, all), all);
  };
  const wrote = (kind: EntryKind, secondsAgo: number): Fact<Underway> =>
    known({
      run: "failover-2-1",
      kind,
      text: "Warmed.",
      atMilliseconds: now - secondsAgo * 1000,
      patienceSeconds: silentSeconds + (kind === "asked" ? 1800 : 0),
    });
  const long = { sinceMilliseconds: now - aloneSeconds * 1000 };
  const proposed = known({ key: "alarm@2", run: "failover-2-1" });

  it("is that one observer is alone with what it sees, once the other one has had its time", () => {
    const alone = (since: object) =>
      watch([sees("standby", "ALARM", since), sees("witness", "INSUFFICIENT_DATA")], "OK");
    expect(page({ watch: alone({}) })).toBeNull();
    expect(page({ watch: alone(long) })).toMatchObject({
      kind: "disagreement",
      key: `standby@${long.sinceMilliseconds}`,
      text: expect.stringMatching(
        /standby has seen since .* does not answer\. witness says nothing/,
      ),
    });
  });

  it("is that the two see different things, which no alarm adds up", () => {
    const idle = sees("witness", "ALARM", { ...long, about: "idle" });
    expect(page({ watch: watch([sees("standby", "ALARM", long), idle], "OK") })).toMatchObject({
      kind: "disagreement",
      text: expect.stringMatching(/home does not answer.*no region says it is active/),
    });
  });

  it.each<[string, Partial<DetectionFacts>, object]>([
    ["the lease cannot be read", { lease: unknown }, { kind: "doubt", key: "alarm@2" }],
    ["the alarms cannot be read", { watch: unknown }, { kind: "doubt" }],
    [
      "automation is paused while the region is lost",
      { pause: { is: "paused", by: "U1", reason: "x", atMilliseconds: 0 } },
      { kind: "paused" },
    ],
    [
      "the proposed run has ended and the region is still lost",
      { proposal: proposed, lease: known({ ...held, attempt: 2 }) },
      { kind: "unanswered", run: "failover-2-1" },
    ],
    [
      "the region that a run was moving to does not answer",
      { lease: known({ ...held, epoch: 2, state: "moving" as const, holder: "failover-2-1" }) },
      { kind: "unreachable", key: "failover-2-1@2" },
    ],
    [
      "the run that moves the lease has written nothing for a quarter of an hour",
      {
        lease: known({ ...held, epoch: 2, state: "moving" as const, holder: "failover-2-1" }),
        underway: wrote("did", silentSeconds),
      },
      { kind: "silent", text: expect.stringMatching(/nothing for 15 minutes.*Warmed\./) },
    ],
    [
      "a proposed run has said nothing since people's time to answer was over",
      { proposal: proposed, underway: wrote("asked", 1800 + silentSeconds) },
      { kind: "silent", key: `failover-2-1@${now - (1800 + silentSeconds) * 1000}` },
    ],
  ])("is that %s", (_what, differing, expected) => {
    expect(page(differing)).toMatchObject(expected);
  });

  it("names the blind hour, so that one outage of CloudWatch is told once an hour", () => {
    const at = (later: number) => page({ watch: unknown, now: now + later })?.key;
    expect(at(60_000)).toBe(at(0));
    expect(at(3_600_000)).not.toBe(at(0));
  });

  it.each<[string, Partial<DetectionFacts>]>([
    ["a failover that is proposed", {}],
    ["a run that goes on", { proposal: proposed }],
    ["a run that wrote lately", { proposal: proposed, underway: wrote("did", silentSeconds - 1) }],
    ["a run that asks", { proposal: proposed, underway: wrote("asked", 1800) }],
    ["a region without the lease", { region: "other" }],
    [
      "one observer of a region without the lease",
      { region: "other", watch: watch([sees("standby", "ALARM", long)], "OK") },
    ],
    ["the quiet after a move", { lease: settled(10) }],
    [
      "a move in which nobody is active for a while",
      {
        lease: known({ ...held, state: "moving" as const }),
        watch: watch(both.map((each) => ({ ...each, about: "idle" as const }))),
      },
    ],
    [
      "nothing that is seen",
      { watch: watch([sees("standby", "OK"), sees("witness", "OK")], "OK") },
    ],
    ["what only the region itself sees", { watch: watch([sees("home", "ALARM", long)], "OK") }],
  ])("is nothing about %s", (_what, differing) => {
    expect(page(differing)).toBeNull();
  });
});
