import { describe, expect, it } from "vitest";
import { deployOf } from "../../functions/detection/deploys.ts";
import type { DetectionPorts, PagingPorts } from "../../functions/detection/detection.ts";
import { detect } from "../../functions/detection/detection.ts";
import type { FailoverRequest } from "../../functions/failover/request.ts";
import type { Proposal } from "../../shared/proposal.ts";
import type { Upheaval } from "../../shared/upheaval.ts";
import composite from "../events/alarm-composite.json" with { type: "json" };
import { type Stage, stage } from "../failover/stage.ts";
import { approving } from "../simulation/world.ts";

const now = Date.UTC(2026, 10, 22, 3, 6, 0);
const name = "nightshift-region-lost-eu-central-1";

/** The documented event, for our own alarm and without a suppressor. */
const event = (alarmName = name) => {
  const {
    actionsSuppressedBy: _by,
    actionsSuppressedReason: _why,
    ...state
  } = composite.detail.state;
  return { ...composite, detail: { ...composite.detail, alarmName, state } };
};

const sees = (observer: string, state: "ALARM" | "OK" = "ALARM") => ({
  observer,
  alarm: `lost-from-${observer}`,
  about: "unreachable" as const,
  state,
  sinceMilliseconds: now - 90_000,
});

const watching = (state: string, key = `${name}@1`): DetectionPorts["watch"] => {
  const observations = [sees("eu-west-1"), sees("eu-west-2")];
  return async () => ({ current: { state, key }, observations });
};

const lease = {
  epoch: 3,
  region: "eu-central-1",
  state: "held" as const,
  holder: "failover-3-1",
  movedAtMilliseconds: 0,
  attempt: 2,
};

const fakes = (different: Partial<DetectionPorts> = {}, paging: Partial<PagingPorts> = {}) => {
  const started: FailoverRequest[] = [];
  const proposals: Proposal[] = [];
  const posts: string[] = [];
  const counted: string[] = [];
  const declared: Upheaval[] = [];
  const told = new Map<string, string>();
  const ports: DetectionPorts = {
    clock: { now: () => now, sleep: () => Promise.resolve() },
    alarms: { "eu-central-1": name },
    watch: watching("ALARM"),
    readLease: async () => lease,
    readPause: async () => ({ is: "running" }),
    upheavals: async () => [],
    proposal: async () => proposals.at(-1) ?? null,
    rememberProposal: async (_region, proposal) => void proposals.push(proposal),
    startFailover: async (request) => void started.push(request),
    paging: {
      told: async (_region, kind) => told.get(kind) ?? null,
      rememberTold: async (_region, { kind, key }) => void told.set(kind, key),
      memory: new Set(),
      post: async (_region, text) => {
        posts.push(text);
        return { delivered: true };
      },
      count: async (region) => void counted.push(region),
      newest: async () => null,
      endOf: async (run) => `${run} was refused: there is nothing to promote.`,
      ...paging,
    },
    deploys: {
      region: "eu-west-1",
      now: () => now,
      newestRefresh: async () => null,
      declare: async (upheaval) => void declared.push(upheaval),
    },
    log: () => undefined,
    ...different,
  };
  return { ports, started, proposals, posts, counted, declared };
};

const minutely = { do: "recheck" };

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
    const { ports, started } = fakes({ watch: watching("OK") });
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
    ["the alarms", { watch: () => Promise.reject(new Error("silence")) }],
    ["the lease", { readLease: () => Promise.reject(new Error("silence")) }],
    ["the pause switch", { readPause: async () => ({ is: "unknown", why: "silence" }) }],
    ["its own memory", { proposal: () => Promise.reject(new Error("silence")) }],
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

const deploy: Upheaval = {
  region: "eu-central-1",
  kind: "deploy",
  by: "Auto Scaling",
  reason: "instance refresh r-1 is InProgress, 33 % of it done",
  sinceMilliseconds: now - 300_000,
  untilMilliseconds: now + 600_000,
};

describe("the look of each minute", () => {
  it("starts the run that an event never asked for", async () => {
    const { ports, started } = fakes();
    await detect(ports, minutely);
    expect(started.map(({ run }) => run)).toEqual(["failover-4-2"]);
  });

  it("tells people once of a run that has died and left the lease moving", async () => {
    const asked: string[] = [];
    const newest = async (run: string) => {
      asked.push(run);
      const line = { kind: "did" as const, text: "Warmed.", atMilliseconds: now - 900_000 };
      return { ...line, patienceSeconds: 900 };
    };
    const readLease = async () => ({ ...lease, epoch: 4, state: "moving" as const });
    const { ports, posts, started } = fakes({ readLease }, { newest });
    await detect(ports, minutely);
    await detect(ports, minutely);
    expect(asked[0]).toBe(lease.holder);
    expect(posts).toEqual([
      expect.stringMatching(/failover-3-1 has not ended.*nothing for 15 minutes.*Warmed\./),
    ]);
    expect(started).toEqual([]);
  });

  it("names a deploy that is under way as another explanation", async () => {
    const { ports, started } = fakes({ upheavals: async () => [deploy] });
    await detect(ports, minutely);
    expect(started[0]?.trigger).toMatchObject({
      reason: expect.stringContaining("another explanation: deploy of eu-central-1 since"),
      rivals: [expect.stringContaining("instance refresh r-1")],
    });
  });

  it("takes deploys that cannot be read for a rival, and proposes all the same", async () => {
    const upheavals = () => Promise.reject(new Error("silence"));
    const { ports, started } = fakes({ upheavals });
    await detect(ports, minutely);
    expect(started[0]?.trigger.rivals).toEqual([expect.stringMatching(/unknown .*silence/)]);
  });

  it("tells the table of a deploy in its own region", async () => {
    const refresh = { id: "r-2", status: "InProgress", startedAtMilliseconds: now - 60_000 };
    const newestRefresh = async () => ({
      ...refresh,
      endedAtMilliseconds: null,
      percentComplete: 50,
    });
    const made = fakes({ watch: watching("OK") });
    made.ports.deploys.newestRefresh = newestRefresh;
    await detect(made.ports, minutely);
    expect(made.declared).toMatchObject([
      { region: "eu-west-1", kind: "deploy", untilMilliseconds: now + 900_000 },
    ]);
  });

  it("proposes before it fails for a group that cannot be seen", async () => {
    const { ports, started } = fakes();
    ports.deploys.newestRefresh = () => Promise.reject(new Error("Auto Scaling is away"));
    await expect(detect(ports, minutely)).rejects.toThrow(/Auto Scaling is away/);
    expect(started).toHaveLength(1);
  });

  it("names a deploy for ten minutes after it has ended, and no longer", () => {
    const ended = (secondsAgo: number) =>
      deployOf(
        {
          id: "r-1",
          status: "Successful",
          startedAtMilliseconds: now - 3_600_000,
          endedAtMilliseconds: now - secondsAgo * 1000,
          percentComplete: 100,
        },
        "eu-central-1",
        now,
      );
    expect(ended(599)).toMatchObject({ untilMilliseconds: now + 1000 });
    expect(ended(600)).toBeNull();
    expect(deployOf(null, "eu-central-1", now)).toBeNull();
  });
});

describe("the message to people", () => {
  const silence = () => Promise.reject(new Error("silence"));

  it("is posted once for each thing, however often it is looked at", async () => {
    const { ports, posts } = fakes({ readLease: silence });
    for (let minute = 1; minute <= 5; minute += 1) {
      await expect(detect(ports, minutely)).rejects.toThrow(/silence/);
    }
    expect(posts).toHaveLength(1);
    expect(posts[0]).toMatch(/does not answer.*Nothing is done while in doubt/);
  });

  it("is posted once by one process when the table that remembers it is silent as well", async () => {
    const { ports, posts } = fakes({ readLease: silence }, { told: silence });
    for (let minute = 1; minute <= 5; minute += 1) {
      await expect(detect(ports, minutely)).rejects.toThrow(/silence/);
    }
    expect(posts).toHaveLength(1);
  });

  it("is tried again, and counted each time, until Slack has taken it", async () => {
    let tries = 0;
    const post = async () => {
      tries += 1;
      return tries < 3
        ? { delivered: false as const, because: "silence" }
        : { delivered: true as const };
    };
    const { ports, counted } = fakes({ readLease: silence }, { post });
    for (let minute = 1; minute <= 5; minute += 1) {
      await expect(detect(ports, minutely)).rejects.toThrow(/lease cannot be read/);
    }
    expect(tries).toBe(3);
    expect(counted).toHaveLength(3);
  });

  it("is posted although it cannot be counted, which is then seen", async () => {
    const { ports, posts } = fakes({ readLease: silence }, { count: silence });
    await expect(detect(ports, minutely)).rejects.toThrow(/could not be counted/);
    expect(posts).toHaveLength(1);
  });

  it("says how the proposed run ended when the region is still lost", async () => {
    const { ports, posts, started } = fakes();
    await detect(ports, minutely);
    await detect(ports, minutely);
    expect(posts).toEqual([]);
    ports.readLease = async () => ({ ...lease, attempt: 3 });
    await detect(ports, minutely);
    await detect(ports, minutely);
    expect(posts).toEqual([expect.stringMatching(/failover-4-2 was refused: there is nothing/)]);
    expect(started).toHaveLength(1);
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
