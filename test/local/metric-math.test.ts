import { describe, expect, it } from "vitest";
import { cloudwatch } from "../../local/aws/cloudwatch.ts";
import { parseExpression } from "../../local/aws/metric-math.ts";
import { around, asking, failure } from "./asking.ts";

const minute = 60_000;

const values =
  (known: Record<string, number>) =>
  (id: string): number | undefined =>
    known[id];

describe("metric math", () => {
  it.each([
    ["100 * (FILL(a, 0) + FILL(gone, 0)) / FILL(b, 1)", 25],
    ["a + b * 2", 10],
    ["(a + b) * 2", 12],
    ["b - a - 1", 1],
    ["-a ^ 2", 4],
    ["b / a / 2", 1],
    ["a / (b - 4)", undefined],
    ["a + gone", undefined],
    ["FILL(gone, 1.5)", 1.5],
    ["IF(a > 1, 100 * (a - 1) / (a + b - 1), 0)", 20],
    ["IF(zero > 1, 100 * (zero - 1) / (zero + zero - 1), 0)", 0],
    ["IF(a < b, a, b)", 2],
    ["IF(a >= b, a, b)", 4],
    ["IF(gone > 1, a, b)", undefined],
    ["IF(a - 2, a, b)", 4],
    ["(a == 2) + (a != b) + (b <= a)", 2],
  ])("%s is %s", (text, expected) => {
    // With a of 1 the first one would be right for the wrong reason.
    const known: Record<string, number> = text.startsWith("100")
      ? { a: 1, b: 4 }
      : { a: 2, b: 4, zero: 0 };
    expect(parseExpression(text).value(values(known))).toBe(expected);
  });

  it.each(["", "1 + 2", "a +", "(a", "a b", "a % b", "FILL(a)", "IF(a > 1, a)", "a = b"])(
    "refuses %j",
    (text) => {
      expect(failure(() => parseExpression(text)).name).toBe("ValidationError");
    },
  );

  it.each(["SUM(METRICS())", "FILL(a, REPEAT)", "ANOMALY_DETECTION_BAND(a)"])(
    "answers 501 to %s, which it does not know",
    (text) => {
      expect(failure(() => parseExpression(text)).status).toBe(501);
    },
  );
});

const watching = () => {
  const { timeline, surroundings } = around();
  const ask = asking(cloudwatch(surroundings, { emit: () => undefined }).service);
  const put = (MetricName: string, datum: object, Namespace = "Shop") =>
    ask("PutMetricData", { Namespace, MetricData: [{ MetricName, ...datum }] });
  const StartTime = new Date(timeline.now());
  const data = (MetricDataQueries: object[], more: object = {}) => {
    const EndTime = new Date(timeline.now());
    const input = { MetricDataQueries, StartTime, EndTime, ScanBy: "TimestampAscending", ...more };
    return ask("GetMetricData", input).MetricDataResults as {
      Id: string;
      Values: number[];
      Timestamps: Date[];
    }[];
  };
  const stat = (Id: string, MetricName: string, Stat: string, more: object = {}) => ({
    Id,
    MetricStat: { Metric: { Namespace: "Shop", MetricName }, Period: 60, Stat },
    ...more,
  });
  return { timeline, ask, put, data, stat };
};

describe("GetMetricData", () => {
  it("calculates expressions over metrics that it does not return", async () => {
    const { timeline, put, data, stat } = watching();
    put("Orders", { Value: 4 });
    await timeline.advance(minute);
    put("Orders", { Value: 8 });
    put("Failures", { Value: 2 });
    await timeline.advance(minute);
    const found = data([
      { Id: "rate", Expression: "100 * FILL(failures, 0) / orders" },
      { Id: "double", Expression: "rate * 2", ReturnData: false },
      stat("orders", "Orders", "Sum", { ReturnData: false }),
      stat("failures", "Failures", "Sum"),
    ]);
    expect(found.map(({ Id, Values }) => [Id, Values])).toEqual([
      ["rate", [0, 25]],
      ["failures", [2]],
    ]);
  });

  it("takes percentiles of all values of a period, however they were put", async () => {
    const { timeline, put, data, stat } = watching();
    put("Seconds", { Values: [0.1, 0.2], Counts: [90, 5] });
    put("Seconds", { Values: [3], Counts: [5] });
    await timeline.advance(minute);
    const queries = ["p50", "p95", "p96", "p100"].map((name) => stat(name, "Seconds", name));
    expect(data(queries).map(({ Values }) => Values[0])).toEqual([0.1, 0.2, 3, 3]);
  });

  it("knows no percentile of ready statistics, as CloudWatch does not", async () => {
    const { timeline, put, data, stat } = watching();
    put("Seconds", { StatisticValues: { Sum: 6, SampleCount: 2, Minimum: 1, Maximum: 5 } });
    put("Same", { StatisticValues: { Sum: 4, SampleCount: 2, Minimum: 2, Maximum: 2 } });
    await timeline.advance(minute);
    const [none, same, average] = data([
      stat("a", "Seconds", "p50"),
      stat("b", "Same", "p50"),
      stat("c", "Seconds", "Average"),
    ]);
    expect([none?.Values, same?.Values, average?.Values]).toEqual([[], [2], [3]]);
  });

  it.each([
    ["an id twice", [{ Id: "a" }, { Id: "a" }], "not unique"],
    ["an unknown id", [{ Id: "a", Expression: "b" }], "not defined"],
    [
      "a circle",
      [
        { Id: "a", Expression: "b" },
        { Id: "b", Expression: "a" },
      ],
      "refers to itself",
    ],
  ])("refuses %s", async (_, queries, message) => {
    const { timeline, data } = watching();
    await timeline.advance(minute);
    expect(failure(() => data(queries)).message).toContain(message);
  });

  it("answers 501 to a statistic that is not modelled", async () => {
    const { timeline, data, stat } = watching();
    await timeline.advance(minute);
    expect(failure(() => data([stat("a", "Seconds", "tm99")])).status).toBe(501);
  });
});

it("lists the metrics of a namespace by their dimensions", async () => {
  const { ask, put } = watching();
  const of = (Value: string) => ({ Value: 1, Dimensions: [{ Name: "Shop", Value }] });
  put("Orders", of("north"));
  put("Orders", of("south"));
  put("Visits", { Value: 1 });
  put("Orders", { Value: 1 }, "Elsewhere");
  const list = (input: object) => ask("ListMetrics", input).Metrics;
  expect(list({ Namespace: "Shop" })).toHaveLength(3);
  expect(list({ MetricName: "Orders" })).toHaveLength(3);
  expect(list({ Dimensions: [{ Name: "Shop" }] })).toHaveLength(2);
  expect(list({ Dimensions: [{ Name: "Shop", Value: "north" }] })).toEqual([
    { Namespace: "Shop", MetricName: "Orders", Dimensions: [{ Name: "Shop", Value: "north" }] },
  ]);
});
