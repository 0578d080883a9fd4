import { describe, expect, it } from "vitest";
import type { ServiceEvent } from "../../local/aws/alarms.ts";
import { cloudwatch } from "../../local/aws/cloudwatch.ts";
import { parseAlarm } from "../../shared/alarm.ts";
import { around, asking, failure } from "./asking.ts";

const minute = 60_000;

const watching = () => {
  const { timeline, surroundings } = around();
  const events: ServiceEvent[] = [];
  const emit = (_: string, event: ServiceEvent) => void events.push(event);
  const ask = asking(cloudwatch(surroundings, { emit }).service);
  const alarm = (AlarmName: string, more: object = {}) =>
    ask("PutMetricAlarm", {
      AlarmName,
      Namespace: "Shop",
      MetricName: AlarmName,
      Statistic: "Sum",
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: "ignore",
      ...more,
    });
  const set = (AlarmName: string, StateValue: string) =>
    ask("SetAlarmState", { AlarmName, StateValue, StateReason: "a test" });
  const described = (AlarmName: string) => {
    const AlarmTypes = ["MetricAlarm", "CompositeAlarm"];
    const found = ask("DescribeAlarms", { AlarmNames: [AlarmName], AlarmTypes });
    const [one] = [...(found.MetricAlarms as object[]), ...(found.CompositeAlarms as object[])];
    return one;
  };
  /** What the events of one alarm said, in order. */
  const said = (name: string) =>
    events.flatMap(({ detail }) => {
      const { value, actionsSuppressedBy } = detail.state as Record<string, string>;
      return detail.alarmName === name ? [[value, actionsSuppressedBy ?? "acts"].join(" ")] : [];
    });
  return { timeline, events, ask, alarm, set, described, said };
};

const suppressed = () => {
  const at = watching();
  at.alarm("child");
  at.alarm("deploying");
  at.set("child", "OK");
  at.set("deploying", "OK");
  at.ask("PutCompositeAlarm", {
    AlarmName: "shop",
    AlarmRule: "ALARM(child)",
    ActionsSuppressor: "deploying",
    ActionsSuppressorWaitPeriod: 120,
    ActionsSuppressorExtensionPeriod: 180,
  });
  at.events.length = 0;
  return at;
};

describe("a composite alarm with a suppressor", () => {
  it("waits for its suppressor, and acts when that does not come", async () => {
    const { timeline, set, said, described, events } = suppressed();
    await timeline.advance(5 * minute);
    events.length = 0;
    set("child", "ALARM");
    expect(said("shop")).toEqual(["ALARM WaitPeriod"]);
    expect(described("shop")).toMatchObject({
      StateValue: "ALARM",
      ActionsSuppressedBy: "WaitPeriod",
      ActionsSuppressedReason: "Actions suppressed by WaitPeriod",
    });
    await timeline.advance(3 * minute);
    expect(said("shop")).toEqual(["ALARM WaitPeriod", "ALARM acts"]);
    const { state, previousState, configuration } = (events.at(-1) as ServiceEvent).detail as {
      state: { timestamp: string };
      previousState: { timestamp: string; value: string };
      configuration: object;
    };
    expect(previousState).toMatchObject({ value: "ALARM", actionsSuppressedBy: "WaitPeriod" });
    expect(Date.parse(state.timestamp) - Date.parse(previousState.timestamp)).toBe(2 * minute);
    expect(configuration).toMatchObject({
      actionsSuppressor: "deploying",
      actionsSuppressorWaitPeriod: 120,
      actionsSuppressorExtensionPeriod: 180,
    });
  });

  it("does nothing while its suppressor is in ALARM, and a while longer", async () => {
    const { timeline, set, said } = suppressed();
    await timeline.advance(5 * minute);
    set("deploying", "ALARM");
    set("child", "ALARM");
    expect(said("shop").at(-1)).toBe("ALARM Alarm");
    await timeline.advance(10 * minute);
    set("deploying", "OK");
    expect(said("shop").at(-1)).toBe("ALARM ExtensionPeriod");
    await timeline.advance(2 * minute);
    expect(said("shop").at(-1)).toBe("ALARM ExtensionPeriod");
    await timeline.advance(1.1 * minute);
    expect(said("shop").at(-1)).toBe("ALARM acts");
  });

  it("is caught by a suppressor that comes while it waits", async () => {
    const { timeline, set, said } = suppressed();
    await timeline.advance(5 * minute);
    set("child", "ALARM");
    await timeline.advance(minute);
    set("deploying", "ALARM");
    await timeline.advance(5 * minute);
    expect(said("shop").slice(-2)).toEqual(["ALARM WaitPeriod", "ALARM Alarm"]);
  });

  it("says so in words that the intake reads", async () => {
    const { set, events, timeline } = suppressed();
    await timeline.advance(5 * minute);
    set("child", "ALARM");
    const sent = { account: "123456789012", region: "eu-west-1", ...events.at(-1) };
    expect(parseAlarm(sent)).toMatchObject({
      alarm: { name: "shop", kind: "composite", suppressedBy: "WaitPeriod" },
    });
  });

  it("is refused without its periods, or with a suppressor that is not there", () => {
    const { ask } = suppressed();
    const composite = { AlarmName: "other", AlarmRule: "ALARM(child)" };
    const refused = (more: object) =>
      failure(() => ask("PutCompositeAlarm", { ...composite, ...more })).name;
    expect(refused({ ActionsSuppressor: "deploying" })).toBe("ValidationError");
    expect(refused({ ActionsSuppressor: "absent" })).toBe("ValidationError");
  });
});

describe("an alarm", () => {
  it("watches a percentile", async () => {
    const { timeline, ask, alarm, described, events } = watching();
    alarm("latency", { Statistic: undefined, ExtendedStatistic: "p95" });
    const MetricData = [{ MetricName: "latency", Values: [0.2, 4], Counts: [90, 10] }];
    ask("PutMetricData", { Namespace: "Shop", MetricData });
    await timeline.advance(2 * minute);
    expect(described("latency")).toMatchObject({ StateValue: "ALARM", ExtendedStatistic: "p95" });
    expect(events.at(-1)?.detail).toMatchObject({
      configuration: { metrics: [{ metricStat: { stat: "p95" } }] },
    });
  });

  it("on an anomaly band stays as it is until somebody sets it, and tells of the band", async () => {
    const { timeline, ask, set, described, events } = watching();
    ask("PutMetricAlarm", {
      AlarmName: "requests",
      Metrics: [
        {
          Id: "m",
          MetricStat: {
            Metric: { Namespace: "Shop", MetricName: "Requests" },
            Period: 300,
            Stat: "Sum",
          },
        },
        { Id: "band", Expression: "ANOMALY_DETECTION_BAND(m, 4)" },
      ],
      ThresholdMetricId: "band",
      EvaluationPeriods: 3,
      ComparisonOperator: "LessThanLowerOrGreaterThanUpperThreshold",
    });
    await timeline.advance(30 * minute);
    expect(described("requests")).toMatchObject({ StateValue: "INSUFFICIENT_DATA" });
    set("requests", "ALARM");
    expect(events.at(-1)?.detail).toMatchObject({
      configuration: {
        metrics: [
          { id: "m", returnData: true },
          { id: "band", expression: "ANOMALY_DETECTION_BAND(m, 4)", returnData: true },
        ],
      },
    });
  });

  it("is refused when none or several of its queries return data", () => {
    const { ask } = watching();
    const query = (Id: string, ReturnData: boolean) => ({
      Id,
      MetricStat: { Metric: { Namespace: "Shop", MetricName: Id }, Period: 60, Stat: "Sum" },
      ReturnData,
    });
    const put = (Metrics: object[]) => () =>
      ask("PutMetricAlarm", {
        AlarmName: "a",
        Metrics,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: "GreaterThanThreshold",
      });
    expect(failure(put([query("a", false)])).name).toBe("ValidationError");
    expect(failure(put([query("a", true), query("b", true)])).name).toBe("ValidationError");
    expect(failure(put([query("a", true), query("b", false)])).name).toBe("nothing was refused");
  });

  it("keeps its history in pages, newest first, and apart from other kinds of it", async () => {
    const { timeline, ask, alarm, set } = watching();
    alarm("child");
    for (const value of ["ALARM", "OK", "ALARM"]) {
      await timeline.advance(1000);
      set("child", value);
    }
    const page = (more: object) => ask("DescribeAlarmHistory", { AlarmName: "child", ...more });
    const first = page({ MaxRecords: 2 });
    expect(first.AlarmHistoryItems).toMatchObject([
      { HistorySummary: "Alarm updated from OK to ALARM" },
      { HistorySummary: "Alarm updated from ALARM to OK" },
    ]);
    const rest = page({ MaxRecords: 2, NextToken: first.NextToken });
    expect(rest.AlarmHistoryItems).toHaveLength(1);
    expect(rest.NextToken).toBeUndefined();
    expect(page({ HistoryItemType: "Action" }).AlarmHistoryItems).toEqual([]);
  });
});

describe("a mute rule", () => {
  const rule = (Expression: string, Duration: string, more: object = {}) => ({
    Name: "night",
    Rule: { Schedule: { Expression, Duration } },
    MuteTargets: { AlarmNames: ["child"] },
    ...more,
  });
  const statusOf = (ask: ReturnType<typeof watching>["ask"]) =>
    ask("GetAlarmMuteRule", { AlarmMuteRuleName: "night" }).Status;

  it("is scheduled, active for its duration, and over", async () => {
    const { timeline, ask } = watching();
    ask("PutAlarmMuteRule", rule("at(2026-01-01T02:00)", "PT1H30M"));
    expect(statusOf(ask)).toBe("SCHEDULED");
    await timeline.advance(121 * minute);
    expect(statusOf(ask)).toBe("ACTIVE");
    const found = (input: object) => ask("ListAlarmMuteRules", input).AlarmMuteRuleSummaries;
    expect(found({ AlarmName: "child", Statuses: ["ACTIVE"] })).toHaveLength(1);
    expect(found({ AlarmName: "other" })).toEqual([]);
    await timeline.advance(90 * minute);
    expect(statusOf(ask)).toBe("EXPIRED");
  });

  it("comes back each night", async () => {
    const { timeline, ask } = watching();
    ask("PutAlarmMuteRule", rule("cron(0 2 * * *)", "PT1H"));
    const seen: unknown[] = [];
    for (let hour = 0; hour < 30; hour += 1) {
      await timeline.advance(60 * minute);
      if (statusOf(ask) === "ACTIVE") seen.push(new Date(timeline.now()).getUTCHours());
    }
    expect(seen).toEqual([2, 2]);
  });

  it("mutes actions only: the event is sent as ever", async () => {
    const { timeline, ask, alarm, set, said } = watching();
    alarm("child");
    ask("PutAlarmMuteRule", rule("at(2026-01-01T00:01)", "PT4H"));
    await timeline.advance(2 * minute);
    set("child", "ALARM");
    expect(said("child")).toEqual(["ALARM acts"]);
  });

  it("is refused with a schedule or a duration that is none, and can be deleted", () => {
    const { ask } = watching();
    const refused = (input: object) => failure(() => ask("PutAlarmMuteRule", input)).name;
    expect(refused(rule("rate(5 minutes)", "PT1H"))).toBe("ValidationError");
    expect(refused(rule("at(2026-01-01T02:00)", "P16D"))).toBe("ValidationError");
    ask("PutAlarmMuteRule", rule("at(2026-01-01T02:00)", "PT1H"));
    ask("DeleteAlarmMuteRule", { AlarmMuteRuleName: "night" });
    expect(failure(() => statusOf(ask)).name).toBe("ResourceNotFoundException");
  });
});
