import { describe, expect, it } from "vitest";
import { evaluate } from "../../local/aws/alarm-evaluation.ts";
import { parseRule, ruleHolds } from "../../local/aws/alarm-rule.ts";
import type { ServiceEvent } from "../../local/aws/alarms.ts";
import { cloudwatch } from "../../local/aws/cloudwatch.ts";
import { around, asking, failure, home, standby } from "./asking.ts";

const cloud = () => {
  const { timeline, faults, surroundings } = around();
  const events: (ServiceEvent & { region: string })[] = [];
  const emit = (region: string, event: ServiceEvent) => void events.push({ region, ...event });
  const ask = asking(cloudwatch(surroundings, { emit }).service);
  const seen = (name: string) =>
    ask("DescribeAlarms", {
      AlarmNames: [name],
      AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
    }) as {
      [kind: string]: { StateValue: string }[];
    };
  const state = (name: string) => {
    const found = seen(name);
    return (found.MetricAlarms?.[0] ?? found.CompositeAlarms?.[0])?.StateValue;
  };
  const put = (observer: string, Value: number) =>
    ask("PutMetricData", {
      Namespace: "Nightshift",
      MetricData: [
        {
          MetricName: "RegionReachable",
          Value,
          Dimensions: [{ Name: "Observer", Value: observer }],
        },
      ],
    });
  return { timeline, faults, ask, events, state, put };
};

const alarm = (observer: string, extra = {}) => ({
  AlarmName: `unreachable-${observer}`,
  Namespace: "Nightshift",
  MetricName: "RegionReachable",
  Dimensions: [{ Name: "Observer", Value: observer }],
  Statistic: "Minimum",
  Period: 60,
  EvaluationPeriods: 2,
  DatapointsToAlarm: 2,
  Threshold: 1,
  ComparisonOperator: "LessThanThreshold",
  TreatMissingData: "missing",
  ...extra,
});

describe("missing data, after AWS's two tables", () => {
  const [O, X, _] = [0, 1, undefined];
  const rule = (datapointsToAlarm: number, treatMissingData: string) => ({
    comparison: "GreaterThanThreshold" as const,
    threshold: 0,
    evaluationPeriods: 3,
    datapointsToAlarm,
    treatMissingData,
  });
  const modes = ["missing", "ignore", "breaching", "notBreaching"];
  const [ok, alarmed, retained, unknown] = ["OK", "ALARM", "retained", "INSUFFICIENT_DATA"];

  it.each([
    [3, [O, _, X, _, X], [ok, ok, ok, ok]],
    [3, [O, _, _, _, _], [ok, ok, ok, ok]],
    [3, [_, _, _, _, _], [unknown, retained, alarmed, ok]],
    [3, [O, X, X, _, X], [alarmed, alarmed, alarmed, alarmed]],
    [3, [_, _, X, _, _], [alarmed, retained, alarmed, ok]],
    [3, [_, _, _, _, X], [unknown, retained, alarmed, ok]],
    [3, [X, _, _, _, _], [alarmed, retained, alarmed, ok]],
    [2, [_, _, _, _, X], [unknown, retained, alarmed, ok]],
    [2, [O, _, X, _, X], [alarmed, alarmed, alarmed, alarmed]],
    [2, [O, O, X, O, X], [alarmed, alarmed, alarmed, alarmed]],
    [2, [O, _, X, _, _], [ok, ok, alarmed, ok]],
    [2, [_, _, _, _, O], [ok, ok, alarmed, ok]],
    [2, [_, _, _, X, _], [alarmed, retained, alarmed, ok]],
  ])("%i of 3 on %j gives %j", (needed, points, expected) => {
    const given = modes.map((mode) => {
      const states = (["OK", "ALARM"] as const).map((now) =>
        evaluate(points, rule(needed, mode), now),
      );
      return states[0] === "OK" && states[1] === "ALARM" ? retained : states[0];
    });
    expect(given).toEqual(expected);
  });
});

describe("rules of composite alarms", () => {
  it.each([
    ["ALARM(a) AND ALARM(b)", false],
    ['ALARM("a") AND NOT ALARM("b")', true],
    ["OK(a) OR ALARM(a) AND OK(b)", true],
    ["(OK(a) OR ALARM(a)) AND INSUFFICIENT_DATA(b)", false],
    ["FALSE OR TRUE", true],
  ])("%s is %s", (text, holds) => {
    const rule = parseRule(text);
    expect(rule && ruleHolds(rule, (name) => (name === "a" ? "ALARM" : "OK"))).toBe(holds);
  });

  it.each(["", "ALARM(a", "ALARM(a) ALARM(b)", "WRONG(a)", "AND"])("refuses %s", (text) => {
    expect(parseRule(text)).toBeUndefined();
  });
});

describe("alarms", () => {
  it("goes to ALARM when both minutes are bad, and says so on the event bus once", async () => {
    const { timeline, ask, put, state, events } = cloud();
    ask("PutMetricAlarm", alarm("standby"));
    for (let minute = 0; minute < 5; minute += 1) {
      put("standby", minute < 2 ? 1 : 0);
      put("witness", 1);
      await timeline.advance(60_000);
    }
    await timeline.advance(30_000);
    expect(state("unreachable-standby")).toBe("ALARM");
    const states = events.map(({ detail }) => (detail.state as { value: string }).value);
    expect(states).toEqual(["OK", "ALARM"]);
    expect(events[1]).toMatchObject({
      region: home,
      source: "aws.cloudwatch",
      "detail-type": "CloudWatch Alarm State Change",
      resources: [`arn:aws:cloudwatch:${home}:123456789012:alarm:unreachable-standby`],
      detail: {
        alarmName: "unreachable-standby",
        previousState: { value: "OK" },
        state: {
          value: "ALARM",
          timestamp: expect.stringMatching(/^2026-01-01T00:0\d:\d\d\.\d{3}\+0000$/),
          reasonData: expect.stringContaining('"recentDatapoints":'),
        },
        configuration: {
          metrics: [
            {
              metricStat: {
                metric: { name: "RegionReachable", dimensions: { Observer: "standby" } },
                period: 60,
                stat: "Minimum",
              },
            },
          ],
        },
      },
    });
    const history = ask("DescribeAlarmHistory", { AlarmName: "unreachable-standby" });
    expect(history.AlarmHistoryItems).toHaveLength(2);
  });

  it("raises a composite when the second child turns, and lowers it when one is well", async () => {
    const { timeline, ask, put, state, events } = cloud();
    for (const observer of ["standby", "witness"]) {
      ask("PutMetricAlarm", alarm(observer, { EvaluationPeriods: 1, DatapointsToAlarm: 1 }));
    }
    ask("PutCompositeAlarm", {
      AlarmName: "home-is-lost",
      AlarmRule: 'ALARM("unreachable-standby") AND ALARM("unreachable-witness")',
    });
    const minute = async (standbySees: number, witnessSees: number) => {
      put("standby", standbySees);
      put("witness", witnessSees);
      await timeline.advance(60_000);
      return state("home-is-lost");
    };
    await timeline.advance(30_000);
    expect(await minute(0, 1)).toBe("OK");
    expect(await minute(0, 0)).toBe("ALARM");
    expect(await minute(1, 0)).toBe("OK");
    const raised = events.filter(({ detail }) => detail.alarmName === "home-is-lost");
    const last = raised.at(-2)?.detail.state as { reasonData: string };
    expect(JSON.parse(last.reasonData).triggeringAlarms).toHaveLength(2);
  });

  it("stands still in a dead region and goes on when it is back", async () => {
    const { timeline, faults, ask, put, events } = cloud();
    ask("PutMetricAlarm", alarm("standby", { TreatMissingData: "breaching" }));
    put("standby", 1);
    faults.set(home, "dead");
    await timeline.advance(600_000);
    expect(events).toEqual([]);
    faults.set(home, "up");
    await timeline.advance(120_000);
    expect(events).toHaveLength(1);
  });

  it("keeps a state that was set until the next evaluation", async () => {
    const { timeline, ask, put, state } = cloud();
    ask("PutMetricAlarm", alarm("standby"));
    put("standby", 1);
    await timeline.advance(90_000);
    ask("SetAlarmState", {
      AlarmName: "unreachable-standby",
      StateValue: "ALARM",
      StateReason: "drill",
    });
    expect(state("unreachable-standby")).toBe("ALARM");
    put("standby", 1);
    await timeline.advance(60_000);
    expect(state("unreachable-standby")).toBe("OK");
  });

  it("keeps a history of its changes, by page, newest first, as AWS writes it down", async () => {
    const { timeline, ask } = cloud();
    ask("PutMetricAlarm", alarm("eu-west-1"));
    const AlarmName = "unreachable-eu-west-1";
    for (const StateValue of ["ALARM", "OK", "ALARM"]) {
      ask("SetAlarmState", { AlarmName, StateValue, StateReason: "story" });
      await timeline.advance(1000);
    }
    const page = (input: object) =>
      ask("DescribeAlarmHistory", { AlarmName, HistoryItemType: "StateUpdate", ...input }) as {
        AlarmHistoryItems: { HistorySummary: string; HistoryData: string }[];
        NextToken?: string;
      };
    const first = page({ MaxRecords: 2 });
    const rest = page({ MaxRecords: 2, NextToken: first.NextToken });
    const summaries = [first, rest].flatMap(({ AlarmHistoryItems: items }) =>
      items.map(({ HistorySummary }) => HistorySummary),
    );
    expect(summaries).toEqual([
      "Alarm updated from OK to ALARM",
      "Alarm updated from ALARM to OK",
      "Alarm updated from INSUFFICIENT_DATA to ALARM",
    ]);
    expect(rest.NextToken).toBeUndefined();
    expect(JSON.parse(first.AlarmHistoryItems[0]?.HistoryData ?? "{}")).toMatchObject({
      version: "1.0",
      oldState: { stateValue: "OK" },
      newState: { stateValue: "ALARM", stateReason: "story" },
    });
    expect(failure(() => page({ NextToken: "nobody's" }))).toMatchObject({
      ...{ name: "InvalidNextToken", status: 400 },
    });
    expect(failure(() => page({ MaxRecords: 101 }))).toMatchObject({ name: "ValidationError" });
  });

  it("leaves nothing due when the last alarm is deleted", async () => {
    const { timeline, ask } = cloud();
    ask("PutMetricAlarm", alarm("standby"));
    ask("DeleteAlarms", { AlarmNames: ["unreachable-standby"] });
    await expect(timeline.run(new Promise(() => undefined))).rejects.toThrow("nothing is due");
    expect(failure(() => ask("DeleteAlarms", { AlarmNames: ["x"] })).name).toBe("ResourceNotFound");
  });

  it("refuses a composite over an alarm that does not exist", () => {
    const { ask } = cloud();
    const input = { AlarmName: "c", AlarmRule: "ALARM(absent)" };
    expect(failure(() => ask("PutCompositeAlarm", input)).name).toBe("ValidationError");
  });
});

it("aggregates what was put, per period and region", async () => {
  const { timeline, ask, put } = cloud();
  const StartTime = new Date(timeline.now());
  put("standby", 4);
  put("standby", 2);
  await timeline.advance(60_000);
  put("standby", 10);
  await timeline.advance(60_000);
  const metric = {
    Namespace: "Nightshift",
    MetricName: "RegionReachable",
    Dimensions: [{ Name: "Observer", Value: "standby" }],
  };
  const range = { StartTime, EndTime: new Date(timeline.now()) };
  const statistics = { ...metric, ...range, Period: 60, Statistics: ["Average", "SampleCount"] };
  expect(ask("GetMetricStatistics", statistics).Datapoints).toEqual([
    { Timestamp: StartTime, Average: 3, SampleCount: 2 },
    { Timestamp: new Date(StartTime.getTime() + 60_000), Average: 10, SampleCount: 1 },
  ]);
  expect(ask("GetMetricStatistics", statistics, standby).Datapoints).toEqual([]);
  const MetricDataQueries = [{ Id: "m", MetricStat: { Metric: metric, Period: 60, Stat: "Sum" } }];
  expect(ask("GetMetricData", { ...range, MetricDataQueries }).MetricDataResults).toMatchObject([
    { Id: "m", Values: [10, 6], StatusCode: "Complete" },
  ]);
});
