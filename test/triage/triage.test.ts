import { marshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, it } from "vitest";
import type { Observer } from "../../local/aws/endpoint.ts";
import { incidentId } from "../../shared/incident.ts";
import metric from "../events/alarm-metric.json" with { type: "json" };
import { expectReplaced, expectUntouched, type Stage, stage } from "../remediation/stage.ts";

/** Counts the calls of triage by operation. */
const counting = () => {
  const calls = new Map<string, number>();
  const observe: Observer = {
    after: async ({ operation }, _input, _outcome, trace) => {
      if (trace?.includes("/triage/")) calls.set(operation, (calls.get(operation) ?? 0) + 1);
      return undefined;
    },
  };
  return { calls, observe };
};

const put = (at: Stage, AlarmName: string, more: object = {}) =>
  at.cloud.ask("cloudwatch", "PutMetricAlarm", at.region, {
    AlarmName,
    Namespace: "Story",
    MetricName: "Pain",
    Statistic: "Sum",
    Period: 60,
    EvaluationPeriods: 1,
    Threshold: 0,
    ComparisonOperator: "GreaterThanThreshold",
    // Stays as it is set.
    TreatMissingData: "ignore",
    ...more,
  });

const set = (at: Stage, AlarmName: string, StateValue = "ALARM") =>
  at.cloud.ask("cloudwatch", "SetAlarmState", at.region, {
    AlarmName,
    StateValue,
    StateReason: "story",
  });

const invoke = (at: Stage, event: unknown) =>
  at.cloud.ask("lambda", "Invoke", at.region, {
    FunctionName: "triage",
    InvocationType: "Event",
    Payload: Buffer.from(JSON.stringify(event)),
  });

const event = (alarmName: string, more: object = {}) => ({
  ...metric,
  region: "eu-central-1",
  detail: {
    ...metric.detail,
    alarmName,
    state: { ...metric.detail.state, value: "ALARM", ...more },
  },
});

describe("a thousand alarms in a minute", () => {
  it("are one incident, one repair at a time, few calls and a small item", async () => {
    const { calls, observe } = counting();
    const at = await stage({ hooks: () => ({ observe }) });
    const before = await at.serving();
    const kinds = ["errors", "requests", "cpu", "memory", "replica-lag"];
    const alarms = Array.from(
      { length: 999 },
      (_, index) => `nightshift-${kinds[index % kinds.length]}-resource-${index % 50}-${index}`,
    );
    for (const name of alarms) await put(at, name);
    const { ids } = await at.sicken();
    await at.timeline.advance(200_000);
    calls.clear();
    let invocations = 0;
    for (const name of alarms) {
      await set(at, name);
      invocations += 1;
      await at.timeline.advance(60);
    }
    await at.timeline.advance(60_000);
    const lookups = calls.get("DescribeAlarms") ?? 0;
    // A look each five seconds at most, of ten pages, during the minute and the one after it.
    expect(lookups).toBeLessThanOrEqual(26 * 10);
    // Reading and claiming the look, and the few looks.
    const table = (calls.get("GetItem") ?? 0) + (calls.get("UpdateItem") ?? 0);
    expect(table).toBeLessThanOrEqual(3 * invocations + 200);
    const result = await at.ended();
    expect(result).toMatchObject({ end: "done", acts: 1 });
    await expectReplaced(at, ids[0] ?? "", before);
    expect(at.executions()).toHaveLength(1);
    const incident = await at.incident();
    expect(incident).toMatchObject({ step: 1, mostAlarms: 1000 });
    expect(incident?.parked.length).toBeGreaterThan(0);
    const item = (await at.items("nightshift-coordination")).find(
      ({ id }) => id === incidentId(at.region),
    );
    const bytes = JSON.stringify(marshall(item ?? {}, { removeUndefinedValues: true })).length;
    expect(bytes).toBeLessThan(16_000);
  }, 120_000);
});

describe("an alarm that several playbooks could follow from", () => {
  it("lets the root-most begin, and parks the other with the reason", async () => {
    const at = await stage();
    // A full database explains sick hosts, and not the other way round.
    const ring = ["unhealthy-hosts-story", "database-storage-story", "cpu-story"];
    for (const kind of ring) await put(at, `nightshift-${kind}`);
    for (const kind of ring) await set(at, `nightshift-${kind}`);
    await at.until("something begins", () => at.executions().length > 0);
    const incident = await at.incident();
    expect(incident?.attempt?.playbook).toBe("database-storage");
    const why = `waits for ${incident?.attempt?.run} (database-storage)`;
    expect(incident?.parked).toEqual([
      { kind: "others", count: 1, why },
      { kind: "unhealthy-hosts", count: 1, why },
    ]);
  });
});

describe("an event that is worth nothing", () => {
  it("is stale: the alarm is well by now, and nothing is started", async () => {
    const at = await stage();
    await invoke(at, event("nightshift-unhealthy-hosts"));
    await at.timeline.advance(180_000);
    expect(at.executions()).toEqual([]);
    expect(await at.incident()).toBeUndefined();
  });

  it.each<[string, unknown, string]>([
    ["is of another stage or owner", event("billing-unhealthy-hosts"), "is none of ours"],
    [
      "was forwarded from the other region",
      { ...event("nightshift-unhealthy-hosts"), region: "eu-west-1" },
      "is looked at there",
    ],
    [
      "is suppressed",
      event("nightshift-unhealthy-hosts", { actionsSuppressedBy: "Alarm" }),
      "suppressed",
    ],
    [
      "says that an alarm is over",
      event("nightshift-unhealthy-hosts", { value: "OK" }),
      "went to OK",
    ],
  ])("%s: no call is made for it", async (_what, given, because) => {
    const { calls, observe } = counting();
    const at = await stage({ hooks: () => ({ observe }) });
    await at.timeline.advance(5000);
    calls.clear();
    await invoke(at, given);
    await at.timeline.advance(2000);
    expect([...calls]).toEqual([]);
    expect(at.lines.some((line) => line.includes(because))).toBe(true);
  });

  it("is delivered twice, by each delivery: one repair", async () => {
    const at = await stage({
      hooks: () => ({
        lambda: { duplicate: ({ name }) => name === "triage" || name === "remediation" },
      }),
    });
    const before = await at.serving();
    const { ids } = await at.sicken();
    expect(await at.ended()).toMatchObject({ end: "done", acts: 1 });
    expect(at.executions()).toHaveLength(1);
    await expectReplaced(at, ids[0] ?? "", before);
  });
});

describe("an alarm that people hold back", () => {
  it("is muted by a rule: nothing is done, and people are told why", async () => {
    const at = await stage();
    const before = await at.serving();
    await at.cloud.ask("cloudwatch", "PutAlarmMuteRule", at.region, {
      Name: "night",
      Rule: { Schedule: { Expression: "at(2026-11-22T02:01:00)", Duration: "PT10H" } },
      MuteTargets: { AlarmNames: ["nightshift-unhealthy-hosts"] },
    });
    await at.sicken();
    await at.timeline.advance(1_200_000);
    expect(at.executions()).toEqual([]);
    expect((await at.incident())?.parked[0]?.why).toBe("a mute rule holds it");
    expect(at.slack.messages().some(({ text }) => text.includes("a mute rule holds it"))).toBe(
      true,
    );
    await expectUntouched(at, before);
  });

  it("has its actions switched off: nothing is done", async () => {
    const at = await stage();
    const before = await at.serving();
    await put(at, "nightshift-unhealthy-hosts-story", { ActionsEnabled: false });
    await set(at, "nightshift-unhealthy-hosts-story");
    await at.timeline.advance(300_000);
    expect(at.executions()).toEqual([]);
    await expectUntouched(at, before);
  });

  it("belongs to a playbook that is off: nothing is started", async () => {
    const at = await stage({ rights: { "unhealthy-host": "off" } });
    const before = await at.serving();
    await at.sicken();
    await at.timeline.advance(900_000);
    expect(at.executions()).toEqual([]);
    await expectUntouched(at, before);
  });
});

describe("an incident", () => {
  it("is closed when nothing has rung for ten minutes, and the next one has another name", async () => {
    const at = await stage();
    await at.sicken();
    const first = await at.ended();
    await at.until(
      "it is closed",
      async () => (await at.incident())?.closedAtMilliseconds !== null,
    );
    const { id } = (await at.incident()) ?? {};
    await at.sicken();
    const second = await at.ended(2);
    expect((await at.incident())?.id).not.toBe(id);
    expect(second.run).not.toBe(first.run);
  });
});
