import { beforeAll, describe, expect, it } from "vitest";
import type { Recording } from "../../deploy/recording.ts";
import { deployAutomation } from "../../drills/automation.ts";
import type { Cloud } from "../../local/cloud.ts";
import { platform } from "./drill.ts";
import { broken, every, recorded } from "./recordings.ts";

interface Asked {
  operation: string;
  region: string;
  input: Record<string, unknown>;
}

/** What a drill asks of the local AWS to set functions off. */
const askedInDrills = async (): Promise<Asked[]> => {
  const asked: Asked[] = [];
  const cloud = {
    ask: async (_service: string, operation: string, region: string, input: object) => {
      asked.push({ operation, region, input: input as Record<string, unknown> });
      return {};
    },
    functions: {
      define: () => undefined,
      functionArn: (region: string, name: string) => `arn:aws:lambda:${region}:1:function:${name}`,
    },
    surroundings: { timeline: { now: () => 0 } },
  };
  await deployAutomation(cloud as unknown as Cloud, platform, {});
  return asked;
};

/** A name without what a stage puts before it. */
const bare = (text: unknown): string =>
  String(text).replaceAll("nightshift-production-", "nightshift-");

const jobOf = (arn: unknown): string =>
  String(arn)
    .replace(/^.*:function:/, "")
    .replace(/^nightshift-production-/, "");

const sorted = (lines: string[]): string[] => [...lines].sort();

const text = (...parts: unknown[]): string => parts.map((part) => JSON.stringify(part)).join(" ");

const dimensionsOf = (list: unknown): Record<string, string> =>
  Object.fromEntries(
    (list as { Name: string; Value: string }[])
      .map(({ Name, Value }): [string, string] => [Name, Value])
      .sort(([a], [b]) => a.localeCompare(b)),
  );

const ofDrills = {
  schedules: (asked: Asked[]) =>
    asked
      .filter(({ operation }) => operation === "CreateSchedule")
      .map(({ region, input: { ScheduleExpression, Target } }) => {
        const { Arn, Input } = Target as { Arn: string; Input: string };
        return text(region, jobOf(Arn), ScheduleExpression, JSON.parse(Input));
      }),
  alarms: (asked: Asked[]) =>
    asked
      .filter(({ operation }) => operation === "PutMetricAlarm")
      .map(({ region, input }) =>
        text(
          region,
          input.AlarmName,
          input.MetricName,
          dimensionsOf(input.Dimensions),
          input.Statistic,
          input.Period,
          input.EvaluationPeriods,
          input.DatapointsToAlarm,
          input.Threshold,
          input.ComparisonOperator,
          input.TreatMissingData,
        ),
      ),
  composites: (asked: Asked[]) =>
    asked
      .filter(({ operation }) => operation === "PutCompositeAlarm")
      .map(({ region, input }) => text(region, input.AlarmName, input.AlarmRule)),
  rules: (asked: Asked[]) =>
    asked
      .filter(({ operation }) => operation === "PutRule")
      .map(({ region, input }) => text(region, JSON.parse(String(input.EventPattern)))),
};

const ofStacks = {
  schedules: (recording: Recording) =>
    every(recording, "aws:scheduler/schedule:Schedule").map(({ region, inputs }) => {
      const { arn, input } = inputs.target as { arn: string; input: string };
      return text(region, jobOf(arn), inputs.scheduleExpression, JSON.parse(input));
    }),
  alarms: (recording: Recording) =>
    every(recording, "aws:cloudwatch/metricAlarm:MetricAlarm").map(({ region, inputs }) =>
      text(
        region,
        bare(inputs.name),
        inputs.metricName,
        Object.fromEntries(
          Object.entries((inputs.dimensions ?? {}) as Record<string, string>).sort(([a], [b]) =>
            a.localeCompare(b),
          ),
        ),
        inputs.statistic,
        inputs.period,
        inputs.evaluationPeriods,
        inputs.datapointsToAlarm,
        inputs.threshold,
        inputs.comparisonOperator,
        inputs.treatMissingData,
      ),
    ),
  composites: (recording: Recording) =>
    every(recording, "aws:cloudwatch/compositeAlarm:CompositeAlarm").map(({ region, inputs }) =>
      text(region, bare(inputs.alarmName), bare(inputs.alarmRule)),
    ),
  rules: (recording: Recording) =>
    every(recording, "aws:cloudwatch/eventRule:EventRule")
      .filter(({ name }) => name.startsWith("RegionLost"))
      .map(({ region, inputs }) => text(region, JSON.parse(bare(inputs.eventPattern)))),
};

describe("what sets functions off", () => {
  let asked: Asked[] = [];
  beforeAll(async () => {
    asked = await askedInDrills();
  });

  it("is on the same schedules as in a drill, with the same words", async () => {
    const schedules = ofDrills.schedules(asked);
    expect(schedules).toHaveLength(9);
    expect(sorted(ofStacks.schedules(await recorded("production")))).toEqual(sorted(schedules));
  });

  it("is the same alarms as in a drill: each of its alarms, with every figure", async () => {
    const alarms = ofDrills.alarms(asked);
    expect(alarms.length).toBeGreaterThanOrEqual(10);
    const deployed = ofStacks.alarms(await recorded("production"));
    expect(alarms.filter((each) => !deployed.includes(each))).toEqual([]);
  });

  it("is the same composite alarms and the same rules", async () => {
    const recording = await recorded("production");
    expect(sorted(ofStacks.composites(recording))).toEqual(sorted(ofDrills.composites(asked)));
    expect(sorted(ofStacks.rules(recording))).toEqual(sorted(ofDrills.rules(asked)));
  });

  it("would be found different", async () => {
    const recording = await recorded("production");
    const deaf = broken(recording, "NobodyActiveFromEuWest2InStandby", ({ inputs }) => {
      inputs.treatMissingData = "breaching";
    });
    const deployed = ofStacks.alarms(deaf);
    expect(ofDrills.alarms(asked).filter((each) => !deployed.includes(each))).toHaveLength(1);
    const slow = broken(recording, "GuardScheduleInPrimary", ({ inputs }) => {
      inputs.scheduleExpression = "rate(5 minutes)";
    });
    expect(sorted(ofStacks.schedules(slow))).not.toEqual(sorted(ofDrills.schedules(asked)));
  });
});
