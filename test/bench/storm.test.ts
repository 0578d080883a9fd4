import { beforeAll, describe, expect, it } from "vitest";
import { measureStorm, type StormMeasure } from "../../bench/storm.ts";
import { spacingSeconds } from "../../functions/triage/triage.ts";

const alarms = 1000;
/** What DescribeAlarms gives in a page, so that a look at all of them is so many calls. */
const pages = alarms / 100;
/** As `stacks/stage.ts` and `drills/remediation.ts` have it. */
const reserved = 5;

describe("a thousand alarms of fifty resources in a minute", () => {
  let storm: StormMeasure;
  beforeAll(async () => {
    storm = await measureStorm({ alarms, resources: 50 });
  }, 60_000);

  it("are one incident with one attempt, and no deed is repeated", () => {
    expect(storm).toMatchObject({ incidents: 1, attempts: 1, deeds: 1 });
    // The sick instance's own alarm may be over when the last of the others begins.
    expect(storm.mostAlarms).toBeGreaterThanOrEqual(alarms - 1);
    expect(storm.calls.remediation.TerminateInstanceInAutoScalingGroup).toBe(1);
    expect(storm.calls.triage.Invoke).toBe(1);
  });

  it("keep no more functions busy than are reserved for them, and every event is delivered", () => {
    expect(storm.mostAtOnce).toBeLessThanOrEqual(reserved);
    expect(storm.invocations).toBeGreaterThanOrEqual(alarms - 1);
    expect(storm.invokedSeconds).toBeLessThanOrEqual(alarms * spacingSeconds);
  });

  it("are looked at every five seconds at most, and cost a few calls each", () => {
    expect(storm.looks).toBeLessThanOrEqual(storm.deliveredSeconds / spacingSeconds + 2);
    expect(storm.calls.triage.DescribeAlarms ?? 0).toBeLessThanOrEqual(storm.looks * pages + pages);
    const calls = Object.values(storm.calls.triage).reduce((sum, each) => sum + each, 0);
    expect(calls / alarms).toBeLessThanOrEqual(6);
  });

  it("make an item that is far below what DynamoDB takes", () => {
    expect(storm.incidentBytes).toBeLessThan(16_000);
  });
});
