import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import type { Observer } from "../../local/aws/endpoint.ts";
import { declareFreeze } from "../../shared/freeze.ts";
import { pause, resume } from "../../shared/pause.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import {
  approvesQuickly,
  expectReplaced,
  expectUntouched,
  rejectsQuickly,
  type Stage,
  stage,
} from "./stage.ts";

/** Does something once, right after a line of this key was written to a run's journal. */
const atLine = (key: string, act: () => unknown): Observer => {
  let isDone = false;
  return {
    after: async ({ operation }, input, outcome) => {
      const { Item } = (input ?? {}) as { Item?: { key?: { S?: string } } };
      if (isDone || operation !== "PutItem" || outcome.kind !== "answered") return undefined;
      if (Item?.key?.S !== key) return undefined;
      isDone = true;
      await act();
      return undefined;
    },
  };
};

const throwSwitch = (at: Stage) =>
  pause(at.table, {
    by: "U0ANA",
    reason: "we look",
    atMilliseconds: Math.floor(at.timeline.now()),
  });

/** A stage in which something happens at a line of the journal. */
const stageThat = async (key: string, act: (at: Stage) => unknown, more = {}): Promise<Stage> => {
  const built: { at?: Stage } = {};
  built.at = await stage({
    ...more,
    hooks: () => ({ observe: atLine(key, () => built.at && act(built.at)) }),
  });
  return built.at;
};

describe("the kill switch", () => {
  it("stops the next change of a run that is about to make it", async () => {
    const at = await stageThat("deed", (it) => throwSwitch(it));
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "paused", acts: 0 });
    await expectUntouched(at, before);
  });

  it("stops a run that waits for people", async () => {
    const at = await stageThat("asked", (it) => throwSwitch(it), {
      rights: { "unhealthy-host": "ask" },
    });
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "paused", acts: 0 });
    await expectUntouched(at, before);
  });

  it("is asked again before a call that gave no answer is made a second time", async () => {
    const at = await stage();
    const before = await at.serving();
    let calls = 0;
    at.faults.add({
      match: {
        operation: "TerminateInstanceInAutoScalingGroup",
        asks: () => {
          calls += 1;
          if (calls === 1) void throwSwitch(at);
          return true;
        },
      },
      kind: "timeout-before",
      times: 1,
    });
    await at.sicken();
    const result = await at.ended();
    expect(result).toMatchObject({ end: "needs-human", code: "paused", acts: 1 });
    expect(result.notes.join(" ")).toContain("It may have been done once");
    expect(calls).toBe(1);
    await expectUntouched(at, before);
  });

  it("lets the repair be made once it is off again", async () => {
    const at = await stage();
    const before = await at.serving();
    await at.timeline.run(throwSwitch(at));
    const { ids } = await at.sicken();
    await at.timeline.advance(900_000);
    // Nothing is begun either.
    expect(at.executions()).toEqual([]);
    expect((await at.incident())?.alarmCount).toBeGreaterThan(0);
    const atMilliseconds = Math.floor(at.timeline.now());
    await at.timeline.run(resume(at.table, { by: "U0ANA", reason: "looked", atMilliseconds }));
    expect(await at.ended()).toMatchObject({ end: "done", acts: 1 });
    await expectReplaced(at, ids[0] ?? "", before);
  });
});

const hourFromNow = (at: Stage) => at.timeline.now() + 3_600_000;

const window = (at: Stage, kind: "deploy" | "maintenance") =>
  declareUpheaval(at.table, {
    region: at.region,
    kind,
    by: "U0ANA",
    reason: "on purpose",
    sinceMilliseconds: at.timeline.now(),
    untilMilliseconds: hourFromNow(at),
  });

const rotation = (at: Stage) =>
  declareFreeze(
    at.table,
    at.region,
    {
      what: "rotation",
      by: "rotation",
      reason: "a password is exchanged",
      untilMilliseconds: hourFromNow(at),
    },
    at.timeline.now(),
  );

const moving = (at: Stage) =>
  at.table.write("lease", { set: { state: "moving", holder: "failover-2-1" } });

describe("a region in which something else is under way", () => {
  it.each<[string, (at: Stage) => Promise<unknown>]>([
    ["a maintenance window", (at) => window(at, "maintenance")],
    ["a deploy", (at) => window(at, "deploy")],
    ["a rotation", rotation],
    ["a failover", moving],
  ])("is left alone from the start during %s", async (_what, begin) => {
    const at = await stage();
    const before = await at.serving();
    await at.timeline.run(begin(at));
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "frozen", acts: 0 });
    expect(await at.serving()).toEqual(before);
  });

  it.each<[string, (at: Stage) => Promise<unknown>]>([
    ["a maintenance window", (at) => window(at, "maintenance")],
    ["a rotation", rotation],
    ["a failover", moving],
  ])("is left alone when %s begins right before the deed", async (_what, begin) => {
    const at = await stageThat("deed", begin);
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "frozen", acts: 0 });
    expect(await at.serving()).toEqual(before);
  });
});

const mute = (at: Stage) =>
  at.cloud.ask("cloudwatch", "PutAlarmMuteRule", at.region, {
    Name: "we look by hand",
    Rule: { Schedule: { Expression: "cron(* * * * *)", Duration: "PT1H" } },
    MuteTargets: { AlarmNames: [alarmOf(at)] },
  });

const switchOff = async (at: Stage) => {
  const { MetricAlarms } = await at.cloud.ask<{ MetricAlarms: object[] }>(
    "cloudwatch",
    "DescribeAlarms",
    at.region,
    { AlarmNames: [alarmOf(at)] },
  );
  const changed = { ...MetricAlarms[0], ActionsEnabled: false };
  return at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, changed);
};

const alarmOf = (at: Stage): string => {
  const [run] = at.executions();
  const { subject } = JSON.parse(String(run?.input ?? "{}")) as { subject: { alarm: string } };
  return subject.alarm;
};

describe("an alarm that somebody holds", () => {
  it.each<[string, (at: Stage) => Promise<unknown>]>([
    ["by a mute rule", mute],
    ["by switching its actions off", switchOff],
  ])("%s right before the deed has nothing done about it", async (_how, hold) => {
    const at = await stageThat("deed", hold);
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "held", acts: 0 });
    await expectUntouched(at, before);
  });

  it("has nothing done about it while its mute rules cannot be read", async () => {
    const at = await stageThat("deed", (it) =>
      it.faults.add({ match: { operation: "ListAlarmMuteRules" }, kind: "error" }),
    );
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ code: "alarm-unknown", acts: 0 });
    await expectUntouched(at, before);
  });
});

describe("what Nightshift itself has just done to a region", () => {
  const minutes = 60_000;

  it.each<[string, (at: Stage) => Promise<unknown>, number]>([
    // Alarms of the very minutes in which it was at work.
    ["a rotation that has ended a minute ago", rotation, 61],
    ["a deploy that has ended a minute ago", (at) => window(at, "deploy"), 61],
  ])("is not taken for trouble: %s", async (_what, begin, minutesLater) => {
    const at = await stage();
    const before = await at.serving();
    await at.timeline.run(begin(at));
    const settledAt = at.timeline.now() + 67 * minutes;
    await at.timeline.advance(minutesLater * minutes - 300_000);
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "frozen", acts: 0 });
    expect(await at.serving()).toEqual(before);
    // Seven minutes after its end it is trouble like any other.
    await at.until("it is repaired", () => at.results().some(({ end }) => end === "done"));
    const deed = (await at.journal()).find(({ key }) => key === "deed");
    expect(deed?.atMilliseconds).toBeGreaterThanOrEqual(settledAt);
  });

  it("holds nobody back once people have closed their window", async () => {
    const at = await stage();
    await at.timeline.run(window(at, "maintenance"));
    await at.timeline.advance(61 * minutes - 300_000);
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done" });
  });
});

describe("a plan that the world has overtaken", () => {
  it("is void when its target is well again and another is sick", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    const before = await at.serving();
    const { heal } = await at.sicken();
    await at.until("people are asked", async () =>
      (await at.journal()).some(({ key }) => key === "asked"),
    );
    at.cloud.fleet.ail({ region: at.region, instanceId: before[2] ?? "" }, { is: "unready" });
    await at.timeline.advance(60_000);
    heal();
    await at.timeline.advance(60_000);
    await at.answerAll("U0ANA");
    expect(await at.ended()).toMatchObject({ end: "nothing", code: "changed", acts: 0 });
    await expectUntouched(at, before);
  });

  it("is void when its alarm is over before people have answered", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    const before = await at.serving();
    const { heal } = await at.sicken();
    await at.until("people are asked", async () =>
      (await at.journal()).some(({ key }) => key === "asked"),
    );
    heal();
    await at.timeline.advance(400_000);
    await at.answerAll("U0ANA");
    expect(await at.ended()).toMatchObject({ end: "nothing", code: "superseded", acts: 0 });
    await expectUntouched(at, before);
  });
});

describe("people who are asked", () => {
  it("let one instance be replaced by one yes, which the journal names", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" }, people: [approvesQuickly] });
    const before = await at.serving();
    const { ids } = await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done", approvedBy: ["U0ANA"], acts: 1 });
    await expectReplaced(at, ids[0] ?? "", before);
  });

  it("stop it by one no, and are not asked again in the same incident", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" }, people: [rejectsQuickly] });
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "needs-human", code: "rejected", acts: 0 });
    await at.timeline.advance(1_800_000);
    expect(at.executions()).toHaveLength(1);
    await expectUntouched(at, before);
  });

  it("who do not answer are taken for a no", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "needs-human", code: "expired", acts: 0 });
    await expectUntouched(at, before);
  });
});

describe("what a repair leans on", () => {
  it("may be a Slack that is silent: it goes on", async () => {
    const at = await stage();
    at.slack.silence(true);
    const before = await at.serving();
    const { ids } = await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done", acts: 1 });
    await expectReplaced(at, ids[0] ?? "", before);
  });

  it("is the coordination table: while that is silent nothing is changed", async () => {
    const at = await stageThat("diagnosis", (it) =>
      it.faults.add({
        match: {
          service: "dynamodb",
          asks: (_call, input, caller) =>
            (input as { TableName?: string }).TableName === names.coordination &&
            caller?.includes("/remediation/") === true,
        },
        kind: "error",
      }),
    );
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "held", code: "abort-unknown", acts: 0 });
    await expectUntouched(at, before);
  });

  it("is its journal: what cannot be recorded does not happen", async () => {
    const at = await stage();
    at.faults.add({
      match: {
        service: "dynamodb",
        operation: "PutItem",
        asks: (_call, _input, caller) => caller?.includes("/remediation/") === true,
      },
      kind: "error",
    });
    const before = await at.serving();
    await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "needs-human", code: "failed", acts: 0 });
    await expectUntouched(at, before);
  });
});
