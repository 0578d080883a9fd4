import { describe, expect, it } from "vitest";
import { parseAlarm } from "../../shared/alarm.ts";
import anomaly from "../events/alarm-anomaly.json" with { type: "json" };
import composite from "../events/alarm-composite.json" with { type: "json" };
import math from "../events/alarm-math.json" with { type: "json" };
import metric from "../events/alarm-metric.json" with { type: "json" };

const alarmOf = (event: unknown) => {
  const parsed = parseAlarm(event);
  if ("malformed" in parsed) throw new Error(parsed.malformed.join());
  return parsed.alarm;
};

describe("an alarm event", () => {
  it("of one metric tells the metric, the states and the moment of the change", () => {
    expect(alarmOf(metric)).toMatchObject({
      name: "home-unreachable-from-eu-west-2",
      region: "eu-west-1",
      kind: "metric",
      state: "ALARM",
      previous: "OK",
      atMilliseconds: Date.UTC(2026, 10, 22, 3, 4, 40, 985),
      metrics: [
        {
          namespace: "Nightshift",
          name: "RegionReachable",
          dimensions: { Region: "eu-central-1", Observer: "eu-west-2" },
        },
      ],
      children: [],
    });
  });

  it("of metric math tells every metric of the expression, and tags do no harm", () => {
    const alarm = alarmOf(math);
    expect(alarm.kind).toBe("math");
    expect(alarm.previous).toBe("INSUFFICIENT_DATA");
    expect(alarm.metrics.map(({ name }) => name)).toEqual([
      "HTTPCode_Target_5XX_Count",
      "RequestCount",
    ]);
  });

  it("of an anomaly tells the metric that left its band, and is no metric math", () => {
    const alarm = alarmOf(anomaly);
    expect(alarm).toMatchObject({ kind: "anomaly", state: "ALARM", previous: "OK", children: [] });
    expect(alarm.metrics.map(({ name }) => name)).toEqual(["TargetResponseTime"]);
  });

  it("of a composite names the alarms below, and that its actions were suppressed", () => {
    const alarm = alarmOf(composite);
    expect(alarm.kind).toBe("composite");
    expect(alarm.suppressedBy).toBe("WaitPeriod");
    expect(alarm.children.map((arn) => arn.split(":").at(-1))).toEqual([
      "home-unreachable-from-eu-west-2",
      "home-unreachable-from-eu-west-1",
    ]);
  });

  it("has the same key when it is delivered twice, and another at the next change", () => {
    const again = { ...metric, id: "another-delivery", time: "2026-11-22T04:00:00Z" };
    expect(alarmOf(again).key).toBe(alarmOf(metric).key);
    expect(alarmOf(composite).key).not.toBe(alarmOf(metric).key);
  });
});

describe("an event that is not one", () => {
  it.each([
    ["nothing", undefined, "(event)"],
    ["another source", { ...metric, source: "aws.ec2" }, "source"],
    ["two resources", { ...metric, resources: ["a", "b"] }, "resources"],
    [
      "a state that CloudWatch does not have",
      { ...metric, detail: { ...metric.detail, state: { ...metric.detail.state, value: "BAD" } } },
      "detail.state.value",
    ],
    [
      "a local time",
      { ...metric, detail: { ...metric.detail, state: { value: "OK", timestamp: "yesterday" } } },
      "detail.state.timestamp",
    ],
  ])("is refused and the field named: %s", (_what, event, field) => {
    expect(parseAlarm(event)).toMatchObject({ malformed: expect.arrayContaining([field]) });
  });

  it("is not refused for reason data that is no JSON", () => {
    const state = { ...metric.detail.state, reasonData: "free text" };
    expect(alarmOf({ ...metric, detail: { ...metric.detail, state } }).children).toEqual([]);
  });
});
