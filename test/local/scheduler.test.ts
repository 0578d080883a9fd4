import { describe, expect, it } from "vitest";
import { readSchedule } from "../../local/aws/schedule-expression.ts";
import { scheduler } from "../../local/aws/scheduler.ts";
import { account, around, asking, failure, home } from "./asking.ts";

const guard = `arn:aws:lambda:${home}:${account}:function:guard`;

const cloud = () => {
  const { timeline, faults, surroundings } = around();
  const got: { at: number; event: unknown }[] = [];
  const invoke = (_region: string, _arn: string, event: unknown) =>
    void got.push({ at: timeline.now(), event });
  const { service } = scheduler(surroundings, { invoke });
  return { timeline, faults, got, ask: asking(service) };
};

const every = (ScheduleExpression: string, extra = {}) => ({
  Name: "guard",
  ScheduleExpression,
  FlexibleTimeWindow: { Mode: "OFF" },
  Target: { Arn: guard, RoleArn: "arn:aws:iam::1:role/r", Input: '{"job":"guard"}' },
  ...extra,
});

describe("expressions", () => {
  const start = Date.UTC(2026, 0, 1, 10, 30);
  it.each([
    ["rate(5 minutes)", "2026-01-01T10:35:00"],
    ["rate(1 day)", "2026-01-02T10:30:00"],
    ["at(2026-03-01T00:00:00)", "2026-03-01T00:00:00"],
    ["cron(0 3 * * ? *)", "2026-01-02T03:00:00"],
    ["cron(0/20 10 * * ? *)", "2026-01-01T10:40:00"],
    ["cron(15 9 ? * MON-FRI *)", "2026-01-02T09:15:00"],
    ["cron(15 9 ? * SUN,SAT *)", "2026-01-03T09:15:00"],
    ["cron(0 0 29 FEB ? *)", "2028-02-29T00:00:00"],
  ])("%s fires next at %s", (expression, expected) => {
    const next = readSchedule(expression, start)?.(start);
    expect(next && new Date(next).toISOString().slice(0, 19)).toBe(expected);
  });

  it.each([
    "rate(0 minutes)",
    "rate(5)",
    "at(tomorrow)",
    "cron(* * *)",
    "cron(61 * * * ? *)",
    "now",
  ])("refuses %s", (ScheduleExpression) => {
    const { ask } = cloud();
    expect(failure(() => ask("CreateSchedule", every(ScheduleExpression))).name).toBe(
      "ValidationException",
    );
  });

  it("never fires a moment that has passed", () => {
    expect(readSchedule("at(2025-01-01T00:00:00)", start)?.(start)).toBeUndefined();
  });
});

it("fires every minute with its input, within seconds of its time", async () => {
  const { timeline, got, ask } = cloud();
  const start = timeline.now();
  ask("CreateSchedule", every("rate(1 minute)"));
  await timeline.advance(5 * 60_000 + 10_000);
  expect(got.map(({ event }) => event)).toEqual(Array(5).fill({ job: "guard" }));
  for (const [index, { at }] of got.entries()) {
    expect(at - start - (index + 1) * 60_000).toBeLessThan(6000);
  }
});

it("misses its turns while its region is dead and goes on when it is back", async () => {
  const { timeline, faults, got, ask } = cloud();
  ask("CreateSchedule", every("rate(1 minute)"));
  faults.set(home, "dead");
  await timeline.advance(10 * 60_000);
  expect(got).toEqual([]);
  faults.set(home, "up");
  await timeline.advance(70_000);
  expect(got).toHaveLength(1);
});

it("makes up for a single firing that a dead region could not make", async () => {
  const { timeline, faults, got, ask } = cloud();
  ask("CreateSchedule", every("at(2026-01-01T00:05:00)", { ActionAfterCompletion: "DELETE" }));
  faults.set(home, "dead");
  await timeline.advance(10 * 60_000);
  faults.set(home, "up");
  await timeline.advance(20 * 60_000);
  expect(got).toHaveLength(1);
  expect(ask("ListSchedules", {}).Schedules).toEqual([]);
});

it("stops when it is disabled or deleted, and changes its pace", async () => {
  const { timeline, got, ask } = cloud();
  ask("CreateSchedule", every("rate(1 minute)"));
  expect(failure(() => ask("CreateSchedule", every("rate(1 minute)"))).name).toBe(
    "ConflictException",
  );
  ask("UpdateSchedule", every("rate(1 minute)", { State: "DISABLED" }));
  await timeline.advance(5 * 60_000);
  expect([got.length, ask("GetSchedule", { Name: "guard" }).State]).toEqual([0, "DISABLED"]);
  ask("UpdateSchedule", every("rate(2 minutes)"));
  await timeline.advance(5 * 60_000);
  expect(got).toHaveLength(2);
  ask("DeleteSchedule", { Name: "guard" });
  await timeline.advance(5 * 60_000);
  expect(got).toHaveLength(2);
  expect(failure(() => ask("GetSchedule", { Name: "guard" })).name).toBe(
    "ResourceNotFoundException",
  );
});

it("fills the time and the name of the schedule into its input", async () => {
  const { timeline, got, ask } = cloud();
  const Input = '{"due":"<aws.scheduler.scheduled-time>"}';
  ask("CreateSchedule", every("at(2026-01-01T00:05:00)", { Target: { Arn: guard, Input } }));
  await timeline.advance(10 * 60_000);
  expect(got[0]?.event).toEqual({ due: "2026-01-01T00:05:00Z" });
});
