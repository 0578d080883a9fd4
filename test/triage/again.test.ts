import { describe, expect, it } from "vitest";
import { type Stage, stage } from "../remediation/stage.ts";

const put = (at: Stage, AlarmName: string) =>
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
  });

const set = (at: Stage, AlarmName: string, StateValue: string) =>
  at.cloud.ask("cloudwatch", "SetAlarmState", at.region, {
    AlarmName,
    StateValue,
    StateReason: "story",
  });

describe("an alarm that rings for days and that no playbook is for", () => {
  it("does not give the incident of the next night the name of the last one's", async () => {
    const at = await stage();
    await put(at, "nightshift-story");
    await put(at, "nightshift-unhealthy-hosts-story");
    await set(at, "nightshift-story", "ALARM");
    await at.timeline.advance(120_000);
    await set(at, "nightshift-unhealthy-hosts-story", "ALARM");
    await at.ended(1);
    await set(at, "nightshift-unhealthy-hosts-story", "OK");
    // Longer than an incident stays open in silence.
    await at.timeline.advance(1_500_000);
    const first = await at.incident();
    expect(first?.closedAtMilliseconds).not.toBeNull();
    const attempts = at.executions().length;
    await set(at, "nightshift-unhealthy-hosts-story", "ALARM");
    await at.ended(attempts + 1);
    expect((await at.incident())?.id).not.toBe(first?.id);
    expect(new Set(at.executions().map(({ name }) => name)).size).toBe(attempts + 1);
  });
});
