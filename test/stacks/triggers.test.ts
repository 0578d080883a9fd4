import { beforeAll, describe, expect, it } from "vitest";
import type { Recording } from "../../deploy/recording.ts";
import { deployAutomation } from "../../drills/automation.ts";
import type { Cloud } from "../../local/cloud.ts";
import config from "../../nightshift.config.ts";
import { platform } from "./drill.ts";
import { broken, every, recorded } from "./recordings.ts";

const { primary, standby } = config.regions;

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

type Dimensions = Record<string, string>;

const dimensionsOf = (list: unknown): Dimensions =>
  Object.fromEntries(
    ((list ?? []) as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]),
  );

/** Of the platform's own metrics the names only: databases and balancers are called otherwise on AWS. */
const about = (dimensions: Dimensions, isOurs: boolean): string[] =>
  Object.entries(dimensions)
    .map(([name, value]) => (isOurs ? `${name} ${value}` : name))
    .sort();

const isOurs = (namespace: unknown) => namespace === "Nightshift";

interface Figures {
  name: string;
  metric: unknown;
  queries: { id: string; expression?: string; metric?: unknown }[];
  rest: unknown[];
}

/** PostgreSQL on a laptop takes fewer sessions than the class of an instance says. */
const boundElsewhere = "nightshift-database-connections";

const figures = (region: string | null, { name, metric, queries, rest }: Figures): string => {
  const bounds = name === boundElsewhere ? rest.slice(1) : rest;
  return text(region, name, metric, queries, ...bounds.map((each) => each ?? null));
};

interface DrillQuery {
  Id: string;
  Expression?: string;
  ReturnData?: boolean;
  MetricStat?: {
    Metric: { Namespace: string; MetricName: string; Dimensions: unknown };
    Period: number;
    Stat: string;
  };
}

const drillQuery = ({ Id, Expression, ReturnData, MetricStat }: DrillQuery) => ({
  id: Id,
  ...(Expression ? { expression: Expression } : {}),
  isJudged: ReturnData ?? false,
  ...(MetricStat
    ? {
        metric: [
          MetricStat.Metric.Namespace,
          MetricStat.Metric.MetricName,
          about(dimensionsOf(MetricStat.Metric.Dimensions), false),
          MetricStat.Period,
          MetricStat.Stat,
        ],
      }
    : {}),
});

interface StackQuery {
  id: string;
  expression?: string;
  returnData?: boolean;
  metric?: {
    namespace: string;
    metricName: string;
    dimensions?: Dimensions;
    period: number;
    stat: string;
  };
}

const stackQuery = ({ id, expression, returnData, metric }: StackQuery) => ({
  id,
  ...(expression ? { expression } : {}),
  isJudged: returnData ?? false,
  ...(metric
    ? {
        metric: [
          metric.namespace,
          metric.metricName,
          about(metric.dimensions ?? {}, false),
          metric.period,
          metric.stat,
        ],
      }
    : {}),
});

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
        figures(region, {
          name: String(input.AlarmName),
          metric: [
            input.Namespace ?? null,
            input.MetricName ?? null,
            about(dimensionsOf(input.Dimensions), isOurs(input.Namespace)),
          ],
          queries: ((input.Metrics ?? []) as DrillQuery[]).map(drillQuery),
          rest: [
            input.Threshold,
            input.Statistic ?? input.ExtendedStatistic,
            input.Period,
            input.EvaluationPeriods,
            input.DatapointsToAlarm,
            input.ThresholdMetricId,
            input.ComparisonOperator,
            input.TreatMissingData,
          ],
        }),
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
      figures(region, {
        name: bare(inputs.name),
        metric: [
          inputs.namespace ?? null,
          inputs.metricName ?? null,
          about((inputs.dimensions ?? {}) as Dimensions, isOurs(inputs.namespace)),
        ],
        queries: ((inputs.metricQueries ?? []) as StackQuery[]).map(stackQuery),
        rest: [
          inputs.threshold,
          inputs.statistic ?? inputs.extendedStatistic,
          inputs.period,
          inputs.evaluationPeriods,
          inputs.datapointsToAlarm,
          inputs.thresholdMetricId,
          inputs.comparisonOperator,
          inputs.treatMissingData,
        ],
      }),
    ),
  composites: (recording: Recording) =>
    every(recording, "aws:cloudwatch/compositeAlarm:CompositeAlarm").map(({ region, inputs }) =>
      text(region, bare(inputs.alarmName), bare(inputs.alarmRule)),
    ),
  rules: (recording: Recording) =>
    every(recording, "aws:cloudwatch/eventRule:EventRule")
      .filter(({ name }) => /^(RegionLost|AnyAlarm)/.test(name))
      .map(({ region, inputs }) => text(region, JSON.parse(bare(inputs.eventPattern)))),
};

describe("what sets functions off", () => {
  let asked: Asked[] = [];
  beforeAll(async () => {
    asked = await askedInDrills();
  });

  it("is on the same schedules as in a drill, with the same words", async () => {
    const schedules = ofDrills.schedules(asked);
    expect(schedules).toHaveLength(11);
    const deployed = ofStacks.schedules(await recorded("production"));
    // It would begin a restore test in every drill: test/verification/ sets it off by hand.
    const [sweeps, others] = [true, false].map((wanted) =>
      deployed.filter((line) => line.includes('"sweep"') === wanted),
    );
    expect(sorted(others ?? [])).toEqual(sorted(schedules));
    expect(sorted(sweeps ?? [])).toEqual(
      sorted([primary, standby].map((region) => text(region, "sweep", "rate(60 minutes)", {}))),
    );
  });

  it("is the same alarms as in a drill: each of its alarms, with every figure", async () => {
    const alarms = ofDrills.alarms(asked);
    expect(alarms.length).toBeGreaterThanOrEqual(60);
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
