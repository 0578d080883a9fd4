import { describe, expect, it } from "vitest";
import type { DetectionPorts } from "../../functions/detection/detection.ts";
import { detect } from "../../functions/detection/detection.ts";
import type { FailoverRequest } from "../../functions/failover/request.ts";
import composite from "../events/alarm-composite.json" with { type: "json" };
import { type Stage, stage } from "../failover/stage.ts";
import { approving } from "../simulation/world.ts";

const now = Date.UTC(2026, 10, 22, 3, 6, 0);
const name = "nightshift-eu-central-1-lost";

/** The documented event, for our own alarm and without a suppressor. */
const event = (alarmName = name) => {
  const {
    actionsSuppressedBy: _by,
    actionsSuppressedReason: _why,
    ...state
  } = composite.detail.state;
  return { ...composite, detail: { ...composite.detail, alarmName, state } };
};

const observed = (observer: string) => ({
  observer,
  alarm: `lost-from-${observer}`,
  state: "ALARM" as const,
  sinceMilliseconds: now - 90_000,
});

const fakes = (different: Partial<DetectionPorts> = {}) => {
  const started: FailoverRequest[] = [];
  const proposals: string[] = [];
  const ports: DetectionPorts = {
    clock: { now: () => now, sleep: () => Promise.resolve() },
    alarms: { "eu-central-1": name },
    currentAlarm: async () => ({ state: "ALARM", key: `${name}@1` }),
    observations: async () => [observed("eu-west-1"), observed("eu-west-2")],
    readLease: async () => ({
      epoch: 3,
      region: "eu-central-1",
      state: "held",
      holder: "failover-3-1",
      movedAtMilliseconds: 0,
      attempt: 2,
    }),
    readPause: async () => ({ is: "running" }),
    proposedFor: async () => proposals.at(-1) ?? null,
    rememberProposal: async (_region, key) => void proposals.push(key),
    startFailover: async (request) => void started.push(request),
    log: () => undefined,
    ...different,
  };
  return { ports, started, proposals };
};

describe("the event of a region's alarm", () => {
  it("starts the run that the lease names, with who saw what since when", async () => {
    const { ports, started } = fakes();
    await detect(ports, event());
    expect(started).toEqual([
      {
        run: "failover-4-2",
        trigger: {
          by: "alarm",
          who: name,
          reason: expect.stringMatching(/eu-west-1.*; eu-west-2/),
          sinceMilliseconds: now - 90_000,
          overrides: [],
        },
      },
    ]);
  });

  it("starts nothing when it is delivered again", async () => {
    const { ports, started } = fakes();
    await detect(ports, event());
    await detect(ports, event());
    await detect(ports, { do: "recheck" });
    expect(started).toHaveLength(1);
  });

  it("starts nothing when it is stale: the alarm is OK again", async () => {
    const { ports, started } = fakes({ currentAlarm: async () => ({ state: "OK", key: "k" }) });
    expect(await detect(ports, event())).toMatchObject([
      { kind: "nothing", doubtful: false, refusals: [{ code: "superseded" }] },
    ]);
    expect(started).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["an empty object", {}],
    ["another source", { ...event(), source: "aws.ec2" }],
    ["no alarm name", { ...event(), detail: { ...event().detail, alarmName: undefined } }],
    [
      "a state that does not exist",
      { ...event(), detail: { ...event().detail, state: { value: "BROKEN" } } },
    ],
  ])("throws when it is malformed: %s", async (_what, malformed) => {
    const { ports, started } = fakes();
    await expect(detect(ports, malformed)).rejects.toThrow(/not an alarm event/);
    expect(started).toEqual([]);
  });

  it("throws for an alarm that is none of ours", async () => {
    const { ports } = fakes();
    await expect(detect(ports, event("cpu-high"))).rejects.toThrow(/cpu-high is not a region/);
  });

  it.each<[string, Partial<DetectionPorts>]>([
    ["the alarm", { currentAlarm: () => Promise.reject(new Error("silence")) }],
    ["the observers", { observations: () => Promise.reject(new Error("silence")) }],
    ["the lease", { readLease: () => Promise.reject(new Error("silence")) }],
    ["the pause switch", { readPause: async () => ({ is: "unknown", why: "silence" }) }],
    ["its own memory", { proposedFor: () => Promise.reject(new Error("silence")) }],
  ])("throws when it cannot read %s, so that it is tried again", async (_what, different) => {
    const { ports, started } = fakes(different);
    await expect(detect(ports, event())).rejects.toThrow(/silence/);
    expect(started).toEqual([]);
  });

  it("is not remembered as answered when the run could not be started", async () => {
    const { ports, proposals } = fakes({
      startFailover: () => Promise.reject(new Error("Lambda is away")),
    });
    await expect(detect(ports, event())).rejects.toThrow(/is away/);
    expect(proposals).toEqual([]);
  });
});

describe("the look of each minute", () => {
  it("starts the run that an event never asked for", async () => {
    const { ports, started } = fakes();
    await detect(ports, { do: "recheck" });
    expect(started.map(({ run }) => run)).toEqual(["failover-4-2"]);
  });
});

const invoke = async ({ cloud, timeline, platform }: Stage, payload: unknown) => {
  const asked = cloud.ask<{ Payload: Uint8Array; FunctionError?: string }>(
    "lambda",
    "Invoke",
    platform.standby.region,
    { FunctionName: "detection", Payload: Buffer.from(JSON.stringify(payload)) },
  );
  const { Payload, FunctionError } = await timeline.run(asked, 60_000);
  return {
    failed: FunctionError !== undefined,
    answer: JSON.parse(Buffer.from(Payload).toString()),
  };
};

describe("detection on the platform", () => {
  it("starts one run for a lost region, and none for the documented event after it", async () => {
    const at = await stage({ people: approving });
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    const { failed, answer } = await invoke(at, event());
    expect(failed).toBe(false);
    expect(answer).toMatchObject([{ kind: "nothing", refusals: [{ code: "already-proposed" }] }]);
    await at.timeline.advance(180_000);
    expect(at.executions().map((each) => each.name)).toEqual(["failover-2-1"]);
  });

  it("starts nothing for a stale event while all is well", async () => {
    const at = await stage();
    const { failed, answer } = await invoke(at, event());
    expect(failed).toBe(false);
    expect(answer[0].refusals.map(({ code }: { code: string }) => code)).toEqual([
      "superseded",
      "one-observer",
    ]);
    expect(at.executions()).toEqual([]);
  });

  it("fails as a function on an event that is not as documented", async () => {
    const at = await stage();
    expect((await invoke(at, { source: "aws.cloudwatch" })).failed).toBe(true);
    expect(at.executions()).toEqual([]);
  });

  it("proposes nothing for a well region whose other observer is cut off", async () => {
    const at = await stage();
    const { witness } = at.platform.config.regions;
    at.regions.set(witness, "cut");
    await at.timeline.advance(600_000);
    expect(at.executions()).toEqual([]);
  });

  it("starts the run within a minute when the alarm's event is lost", async () => {
    const at = await stage();
    const { region } = at.platform.standby;
    await at.cloud.ask("eventbridge", "PutRule", region, {
      Name: "region-lost",
      EventPattern: JSON.stringify({ source: ["nobody"] }),
    });
    const alarmed = async () => {
      type Answer = { CompositeAlarms: { StateValue: string }[] };
      const input = { AlarmTypes: ["CompositeAlarm"] };
      const answer = await at.cloud.ask<Answer>("cloudwatch", "DescribeAlarms", region, input);
      return answer.CompositeAlarms[0]?.StateValue === "ALARM";
    };
    at.loseHome();
    await at.until("the alarm is in ALARM", alarmed);
    expect(at.executions()).toEqual([]);
    await at.timeline.advance(61_000);
    expect(at.executions().map((each) => each.name)).toEqual(["failover-2-1"]);
  });
});
