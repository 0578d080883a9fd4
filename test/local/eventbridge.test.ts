import { describe, expect, it } from "vitest";
import { compilePattern } from "../../local/aws/event-pattern.ts";
import { eventbridge } from "../../local/aws/eventbridge.ts";
import { AwsError } from "../../local/aws/service.ts";
import { account, around, asking, failure, home, standby } from "./asking.ts";

const detection = `arn:aws:lambda:${standby}:${account}:function:detection`;
const standbyBus = `arn:aws:events:${standby}:${account}:event-bus/default`;

const cloud = (seed = 1) => {
  const { timeline, faults, surroundings } = around(seed);
  const got: { at: number; region: string; event: Record<string, unknown> }[] = [];
  let refusals = 0;
  const invoke = (region: string, _arn: string, event: unknown) => {
    if (refusals > 0) {
      refusals -= 1;
      throw new AwsError("TooManyRequestsException", "slow down");
    }
    got.push({ at: timeline.now(), region, event: event as Record<string, unknown> });
  };
  const local = eventbridge(surroundings, { invoke });
  const ask = asking(local.service);
  const rule = (region: string, Arn: string, pattern: object, target = {}) => {
    const EventPattern = JSON.stringify(pattern);
    ask("PutRule", { Name: "rule", EventPattern }, region);
    ask("PutTargets", { Rule: "rule", Targets: [{ Id: "1", Arn, ...target }] }, region);
  };
  const refuse = (times: number) => void (refusals = times);
  return { timeline, faults, got, ask, rule, refuse, ...local };
};

const alarmed = {
  source: "aws.cloudwatch",
  "detail-type": "CloudWatch Alarm State Change",
  detail: { alarmName: "home-is-lost", state: { value: "ALARM" } },
};

describe("patterns", () => {
  const event = {
    source: "aws.cloudwatch",
    resources: ["arn:a", "arn:b"],
    detail: { n: 7, name: "home-is-lost", flag: true, nothing: null, list: [{ id: 1 }, { id: 2 }] },
  };
  it.each([
    [{ source: ["aws.cloudwatch", "other"] }, true],
    [{ source: ["other"] }, false],
    [{ resources: ["arn:b"] }, true],
    [{ detail: { name: [{ prefix: "home-" }] } }, true],
    [{ detail: { name: [{ suffix: "-found" }] } }, false],
    [{ detail: { name: [{ "anything-but": ["home-is-lost"] }] } }, false],
    [{ detail: { name: [{ "anything-but": { prefix: "standby-" } }] } }, true],
    [{ detail: { name: [{ "equals-ignore-case": "HOME-is-LOST" }] } }, true],
    [{ detail: { name: [{ wildcard: "home*lost" }] } }, true],
    [{ detail: { n: [{ numeric: [">", 5, "<=", 7] }] } }, true],
    [{ detail: { n: [{ numeric: ["<", 5] }] } }, false],
    [{ detail: { absent: [{ exists: false }], n: [{ exists: true }] } }, true],
    [{ detail: { absent: [{ "anything-but": 1 }] } }, false],
    [{ detail: { nothing: [null], flag: [true] } }, true],
    [{ detail: { list: { id: [2] } } }, true],
    [{ $or: [{ source: ["no"] }, { detail: { n: [7] } }] }, true],
    [{ $or: [{ source: ["no"] }, { detail: { n: [8] } }] }, false],
  ])("%j on the event is %s", (pattern, expected) => {
    const matches = compilePattern(JSON.stringify(pattern));
    expect(typeof matches === "string" ? matches : matches(event)).toBe(expected);
  });

  it.each(["[]", "{", '{"a":"b"}', '{"a":[]}', '{"a":[{"odd":1}]}', '{"a":[{"numeric":["~",1]}]}'])(
    "refuses %s",
    (EventPattern) => {
      const { ask } = cloud();
      expect(failure(() => ask("PutRule", { Name: "r", EventPattern })).name).toBe(
        "InvalidEventPatternException",
      );
    },
  );
});

describe("delivery", () => {
  it("hands a matching event to the function after a moment, in AWS's envelope", async () => {
    const { timeline, got, rule, publish } = cloud();
    rule(standby, detection, { source: ["aws.cloudwatch"] });
    const id = publish(standby, alarmed);
    publish(standby, { ...alarmed, source: "aws.rds" });
    publish(home, alarmed);
    expect(got).toEqual([]);
    await timeline.advance(10_000);
    expect(got).toMatchObject([
      {
        region: standby,
        event: {
          ...alarmed,
          version: "0",
          id,
          account,
          region: standby,
          time: "2026-01-01T00:00:00Z",
          resources: [],
        },
      },
    ]);
  });

  it("forwards to another region, late when that region cannot be reached at first", async () => {
    const { timeline, faults, got, rule, publish } = cloud();
    rule(home, standbyBus, { source: ["aws.cloudwatch"] });
    rule(standby, detection, { source: ["aws.cloudwatch"] });
    faults.set(home, "cut");
    publish(home, alarmed);
    await timeline.advance(60_000);
    expect(got).toEqual([]);
    faults.set(home, "up");
    await timeline.advance(300_000);
    expect(got).toHaveLength(1);
    expect(got[0]?.event.region).toBe(home);
  });

  it("tries again when the function does not accept, and gives up by the retry policy", async () => {
    const { timeline, got, rule, publish, refuse, undelivered } = cloud();
    rule(
      standby,
      detection,
      { source: [{ prefix: "aws." }] },
      { RetryPolicy: { MaximumRetryAttempts: 2 } },
    );
    refuse(2);
    publish(standby, alarmed);
    await timeline.advance(60_000);
    expect(got).toHaveLength(1);
    refuse(3);
    publish(standby, alarmed);
    await timeline.advance(60_000);
    expect(got).toHaveLength(1);
    expect(undelivered()).toMatchObject([{ region: standby, rule: "rule", error: "slow down" }]);
  });

  it("can be told to duplicate, delay and so reorder, by seed", async () => {
    const order = async (seed: number) => {
      const { timeline, got, rule, publish, setDelivery } = cloud(seed);
      rule(standby, detection, { source: ["aws.cloudwatch"] });
      setDelivery({ duplicateProbability: 1, lateProbability: 0.5, lateMilliseconds: 60_000 });
      for (let n = 0; n < 5; n += 1) publish(standby, { ...alarmed, detail: { n } });
      await timeline.advance(120_000);
      return got.map(({ event }) => (event.detail as { n: number }).n);
    };
    const first = await order(3);
    expect(first).toHaveLength(10);
    expect(first).not.toEqual([...first].sort());
    expect(await order(3)).toEqual(first);
  });

  it("fills in an input transformer", async () => {
    const { timeline, got, rule, publish } = cloud();
    rule(
      standby,
      detection,
      { source: ["aws.cloudwatch"] },
      {
        InputTransformer: {
          InputPathsMap: { name: "$.detail.alarmName", state: "$.detail.state" },
          InputTemplate: '{"alarm": <name>, "state": <state>, "text": "lost: <name>!"}',
        },
      },
    );
    publish(standby, alarmed);
    await timeline.advance(10_000);
    expect(got[0]?.event).toEqual({
      alarm: "home-is-lost",
      state: { value: "ALARM" },
      text: "lost: home-is-lost!",
    });
  });
});

it("judges each entry of PutEvents alone", async () => {
  const { timeline, got, ask, rule } = cloud();
  rule(standby, detection, { source: ["nightshift"] });
  const entry = { Source: "nightshift", DetailType: "t", Detail: '{"a":1}' };
  const Entries = [entry, { ...entry, Source: "aws.rds" }, { ...entry, Detail: "{" }];
  expect(ask("PutEvents", { Entries }, standby)).toMatchObject({
    FailedEntryCount: 2,
    Entries: [
      { EventId: expect.any(String) },
      { ErrorCode: "NotAuthorizedForSourceException" },
      { ErrorCode: "MalformedDetail" },
    ],
  });
  await timeline.advance(10_000);
  expect(got).toHaveLength(1);
});

it("describes and lists rules, and holds a disabled one back", async () => {
  const { timeline, got, ask, rule, publish } = cloud();
  rule(standby, detection, { source: ["aws.cloudwatch"] });
  const EventPattern = JSON.stringify({ source: ["aws.cloudwatch"] });
  ask("PutRule", { Name: "rule", EventPattern, State: "DISABLED" }, standby);
  publish(standby, alarmed);
  await timeline.advance(10_000);
  expect(got).toEqual([]);
  expect(ask("DescribeRule", { Name: "rule" }, standby)).toMatchObject({ State: "DISABLED" });
  expect(ask("ListRules", { NamePrefix: "ru" }, standby).Rules).toHaveLength(1);
  expect(failure(() => ask("DescribeRule", { Name: "rule" })).name).toBe(
    "ResourceNotFoundException",
  );
});
