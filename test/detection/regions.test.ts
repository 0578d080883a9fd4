import { describe, expect, it } from "vitest";
import { names } from "../../drills/names.ts";
import { quietSeconds } from "../../functions/detection/decide.ts";
import { declareUpheaval } from "../../shared/upheaval.ts";
import * as rebuilding from "../failover/rebuild-stage.ts";
import { brief, expectServedBy, type Stage, stage } from "../failover/stage.ts";

const automatic = { automatic: true };

/** What was asked for by detection, whatever came of it. */
const triggerOf = async (at: Stage) =>
  (await at.journal()).find(({ key }) => key === "begin")?.data?.trigger as
    | { by: string; reason: string; rivals?: string[] }
    | undefined;

const pages = (at: Pick<Stage, "slack">, about: RegExp): string[] =>
  at.slack
    .messages()
    .flatMap(({ text }) => (/needs a human/.test(text) && about.test(text) ? [text] : []));

/** Home becomes the standby region, as an operator orders it. */
const rebuild = async ({ cloud, platform, timeline }: Stage) => {
  const { region } = platform.standby;
  const who = { by: "operator", who: "U0CHIARA", reason: "the old region is back" };
  const trigger = { ...who, sinceMilliseconds: Math.floor(timeline.now()), overrides: [] };
  await cloud.ask("lambda", "Invoke", region, {
    FunctionName: "failover",
    InvocationType: "Event",
    DurableExecutionName: "rebuild-2-1",
    Payload: Buffer.from(JSON.stringify({ kind: "rebuild", run: "rebuild-2-1", trigger })),
  });
  const executions = cloud.functions.executions(region, "failover");
  const arn = executions.find(({ name }) => name === "rebuild-2-1")?.arn ?? "";
  const ended = await timeline.run(cloud.functions.finished(arn), 5 * 3_600_000);
  expect(JSON.parse(ended.result ?? "{}")).toMatchObject({ outcome: "done" });
};

/** How often a page about home was due. */
const pagesDue = async ({ cloud, platform, timeline }: Stage): Promise<number> => {
  type Answer = { Datapoints: { Sum: number }[] };
  const { Datapoints } = await cloud.ask<Answer>(
    "cloudwatch",
    "GetMetricStatistics",
    platform.standby.region,
    {
      Namespace: "Nightshift",
      MetricName: "PageDue",
      Dimensions: [{ Name: "Region", Value: platform.home.region }],
      StartTime: new Date(timeline.now() - 3_600_000),
      EndTime: new Date(timeline.now() + 60_000),
      Period: 60,
      Statistics: ["Sum"],
    },
  );
  return Datapoints.reduce((sum, { Sum }) => sum + Sum, 0);
};

const alarmStates = async ({ cloud }: Stage, region: string) => {
  type Answer = { CompositeAlarms: { AlarmName: string; StateValue: string }[] };
  const input = { AlarmTypes: ["CompositeAlarm"] };
  const answer = await cloud.ask<Answer>("cloudwatch", "DescribeAlarms", region, input);
  return answer.CompositeAlarms.map(({ AlarmName, StateValue }) => [AlarmName, StateValue]);
};

describe("whichever region holds the lease", () => {
  it("is watched from outside of it: the other one and the witness, and both are well", async () => {
    const at = await stage();
    const { home, standby } = at.platform;
    await at.timeline.advance(320_000);
    expect(await alarmStates(at, standby.region)).toEqual([
      [`nightshift-region-lost-${home.region}`, "OK"],
    ]);
    expect(await alarmStates(at, home.region)).toEqual([
      [`nightshift-region-lost-${standby.region}`, "OK"],
    ]);
  });

  it("is the only one whose loss proposes anything: a lost standby moves nobody", async () => {
    const at = await stage();
    const { home, standby } = at.platform;
    at.regions.set(standby.region, "dead");
    await at.timeline.advance(600_000);
    expect(await alarmStates(at, home.region)).toEqual([
      [`nightshift-region-lost-${standby.region}`, "ALARM"],
    ]);
    for (const { region } of [home, standby]) {
      expect(at.cloud.functions.executions(region, "failover")).toEqual([]);
    }
    expect(pages(at, /./)).toEqual([]);
  });

  it("is proposed to go home when the standby is lost after a rebuild", async () => {
    const at = await rebuilding.stage();
    await at.lostAndBack();
    await at.rebuild();
    await at.timeline.advance(quietSeconds * 1000);
    at.regions.set(at.standby.region, "dead");
    await at.timeline.advance(600_000);
    const [run, ...others] = at.cloud.functions.executions(at.home.region, "failover");
    expect(run?.name).toBe("failover-3-1");
    expect(others).toEqual([]);
    const journal = await at.cloud.ask<{ Items: unknown[] }>("dynamodb", "Scan", at.home.region, {
      TableName: names.journal,
    });
    expect(JSON.stringify(journal.Items)).toContain(
      `${at.platform.config.regions.witness} sees that ${at.standby.region} does not serve`,
    );
  });

  it("is left for home by policy, where users are served, when it is lost after a rebuild", async () => {
    const at = await stage({ policy: { ...brief, ...automatic, blockPeriodSeconds: 0 } });
    const { home, standby } = at.platform;
    at.users.start();
    await at.timeline.advance(125_000);
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    expect(await at.ended()).toMatchObject({ outcome: "done" });
    at.regions.set(home.region, "up");
    await at.timeline.advance(420_000);
    await rebuild(at);
    at.regions.set(standby.region, "dead");
    const runs = () => at.cloud.functions.executions(home.region, "failover");
    await at.until("a run is started", () => runs().length > 0);
    const arn = runs()[0]?.arn ?? "";
    const ended = await at.timeline.run(at.cloud.functions.finished(arn), 3 * 3_600_000);
    expect(JSON.parse(ended.result ?? "{}")).toMatchObject({ outcome: "done", epoch: 3 });
    await expectServedBy(at, home);
  });

  it("is refused aloud when it is lost and there is no replica to go to", async () => {
    const at = await stage({ policy: { blockPeriodSeconds: 0 } });
    const { home, standby } = at.platform;
    await at.request("U0CHIARA", "switchover");
    expect(await at.ended()).toMatchObject({ outcome: "done" });
    await at.timeline.advance(quietSeconds * 1000);
    at.regions.set(standby.region, "dead");
    await at.timeline.advance(900_000);
    const [run] = at.cloud.functions.executions(home.region, "failover");
    expect(run?.name).toBe("failover-3-1");
    expect(JSON.parse(run?.result ?? "{}")).toMatchObject({ outcome: "aborted" });
    const told = pages(at, /failover-3-1 was proposed and has ended/);
    expect(told).toEqual([expect.stringMatching(/is no replica: there is nothing to promote/)]);
  });
});

describe("a region that is lost while a run moves the lease there", () => {
  it("is told to people once: the run cannot say it, and nothing else may be proposed", async () => {
    const at = await stage();
    const { home, standby } = at.platform;
    await at.request("U0CHIARA", "switchover");
    await at.reaches("claimed");
    at.regions.set(standby.region, "dead");
    await at.timeline.advance(1_200_000);
    expect(pages(at, /failover-2-1 was moving the lease there/)).toEqual([
      expect.stringContaining(`${home.region} has seen since`),
    ]);
    expect(at.cloud.functions.executions(home.region, "failover")).toEqual([]);
  });
});

describe("a fence of our own", () => {
  it("is no loss while a planned move lasts, nor after it", async () => {
    const at = await stage();
    await at.request("U0CHIARA", "switchover");
    expect(await at.ended()).toMatchObject({ outcome: "done" });
    await at.timeline.advance(900_000);
    const { home, standby } = at.platform;
    const runs = [home, standby].flatMap(({ region }) =>
      at.cloud.functions.executions(region, "failover").map(({ name }) => name),
    );
    expect(runs).toEqual(["failover-2-1"]);
    expect(pages(at, /./)).toEqual([]);
  });

  it("is no loss after a lease was given back", async () => {
    const at = await stage();
    at.engine.delayReplay(at.platform.standby.engineId, 125_000);
    await at.timeline.advance(320_000);
    await at.request("U0CHIARA", "switchover");
    expect(await at.ended()).toMatchObject({ outcome: "aborted", epoch: 2 });
    expect((await at.lease()).settledAtMilliseconds).toBeGreaterThan(0);
    await at.timeline.advance(900_000);
    expect(at.executions().map(({ name }) => name)).toEqual(["failover-2-1"]);
  });

  it("hides no loss: a region that is lost right after it is proposed when the quiet is over", async () => {
    const at = await stage();
    at.engine.delayReplay(at.platform.standby.engineId, 125_000);
    await at.timeline.advance(320_000);
    await at.request("U0CHIARA", "switchover");
    await at.ended();
    const settledAt = (await at.lease()).settledAtMilliseconds ?? 0;
    at.loseHome();
    await at.until("a run is proposed", () => at.executions().length > 1);
    expect(at.executions().map(({ name }) => name)).toEqual(["failover-2-1", "failover-4-1"]);
    const waitedSeconds = (at.timeline.now() - settledAt) / 1000;
    expect(waitedSeconds).toBeGreaterThanOrEqual(quietSeconds);
    expect(waitedSeconds).toBeLessThan(quietSeconds + 130);
  });
});

describe("a rival explanation", () => {
  it("is named in the request, and people are asked although policy is automatic: a deploy", async () => {
    const at = await stage({ policy: automatic });
    const { home } = at.platform;
    await at.cloud.ask("auto-scaling", "StartInstanceRefresh", home.region, {
      AutoScalingGroupName: names.group,
    });
    await at.timeline.advance(70_000);
    at.loseHome();
    await at.reaches("asking");
    expect((await triggerOf(at))?.rivals).toEqual([
      expect.stringMatching(/^deploy of .* by Auto Scaling: instance refresh .* is InProgress/),
    ]);
    const told = at.slack.messages().map(({ text, blocks }) => text + JSON.stringify(blocks));
    expect(told.join()).toMatch(/instance refresh .* is InProgress/);
  });

  it("may be a maintenance window that somebody has declared", async () => {
    const at = await stage({ policy: automatic });
    const sinceMilliseconds = Math.floor(at.timeline.now());
    await at.timeline.run(
      declareUpheaval(at.table, {
        region: at.platform.home.region,
        kind: "maintenance",
        by: "U0ANA",
        reason: "the network is being rewired",
        sinceMilliseconds,
        untilMilliseconds: sinceMilliseconds + 3_600_000,
      }),
    );
    at.loseHome();
    await at.reaches("asking");
    expect((await triggerOf(at))?.rivals).toEqual([
      expect.stringMatching(/^maintenance of .* by U0ANA: the network is being rewired/),
    ]);
  });

  it("is not there: policy goes on by itself", async () => {
    const at = await stage({ policy: automatic });
    at.loseHome();
    await at.until("a run is started", () => at.executions().length > 0);
    expect(await at.ended()).toMatchObject({ outcome: "done", approvedBy: [] });
    expect((await triggerOf(at))?.rivals).toBeUndefined();
  });
});

describe("a region that only one observer can see lost", () => {
  it("is told to people once, and nothing is moved", async () => {
    const at = await stage();
    const { config } = at.platform;
    at.faults.add({
      match: { service: "monitoring", from: config.regions.witness },
      kind: "error",
    });
    at.loseHome();
    await at.timeline.advance(1_800_000);
    expect(at.executions()).toEqual([]);
    const told = pages(at, /does not answer/);
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(`${config.regions.witness} says nothing`);
    expect(told[0]).toContain("Nothing is moved on that alone");
    expect(await pagesDue(at)).toBe(1);
    expect(await at.items(names.coordination)).toContainEqual(
      expect.objectContaining({ id: `page#${at.platform.home.region}#disagreement` }),
    );
  });

  it("is told as soon as Slack can be reached again", async () => {
    const at = await stage();
    const { config } = at.platform;
    at.slack.silence(true);
    at.faults.add({
      match: { service: "monitoring", from: config.regions.witness },
      kind: "error",
    });
    at.loseHome();
    await at.timeline.advance(900_000);
    expect(pages(at, /./)).toEqual([]);
    // Counted each minute, so that an alarm reaches people by another way.
    expect(await pagesDue(at)).toBeGreaterThan(5);
    at.slack.silence(false);
    await at.timeline.advance(120_000);
    expect(pages(at, /does not answer/)).toHaveLength(1);
  });
});
